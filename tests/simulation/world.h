// A whole home in one thread: bus, producers, every fold and the notifier, with the clock, the network, the disk and the dice of
// the test. What decides anything is the code that runs in production.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/bus_node.h"
#include "tests/simulation/fold_node.h"
#include "tests/simulation/notifier.h"
#include "tests/simulation/producer_node.h"

namespace xundian::simulation {

inline constexpr Millis start_of_facts = 1'790'000'000'000;

class World {
 public:
  World(uint64_t seed, const Weather& weather, const Place& place);
  // Until all is folded, said and delivered.
  void run();

  const Place& place() const { return place_; }
  const BusNode& bus() const { return bus_; }
  const std::vector<std::unique_ptr<ProducerNode>>& producers() const { return producers_; }
  const std::vector<std::unique_ptr<FoldNode>>& nodes() const { return nodes_; }
  const Receiver& receiver() const { return receiver_; }
  // What was folded by processes that are no more.
  const std::vector<std::map<Position, uint32_t>>& seen_before() const { return seen_before_; }
  size_t crashes() const;

 private:
  void make_producers(uint64_t seed);
  void make_nodes();
  void run_until_it_rests();
  void storm();
  void crash(size_t node);
  void split(const std::string& service);
  void deliver();
  void pass_time();
  bool facts_rest() const;
  bool rests() const;
  Millis next_due() const;
  std::string describe() const;

  Weather weather_;
  Place place_;
  Dice dice_;
  Millis now_ = 0, wall_ = start_of_facts, skew_ = 0;
  Network network_;
  BusNode bus_;
  Receiver receiver_;
  std::vector<std::unique_ptr<ProducerNode>> producers_;
  std::vector<std::unique_ptr<FoldNode>> nodes_;
  std::unique_ptr<Notifier> notifier_;
  std::vector<std::string> listeners_;
  std::vector<std::map<Position, uint32_t>> seen_before_;
  size_t crashes_before_ = 0;  // Of processes that are no more.
};

// Reads the journal of a world that rests, and checks everything in it and around it; throws what is wrong.
Outcome audit(const World& world);

// The services of a home; `build` is that of the echo.
std::vector<ServiceDefinition> services(uint64_t build);

}  // namespace xundian::simulation
