// One process of a simulated service: the replica and the link that run in production, snapshots, and the life around them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/replica.h"
#include "tests/simulation/bus_node.h"

namespace xundian::simulation {

class FoldNode {
 public:
  // Serves the partitions p with p mod instances = instance.
  FoldNode(ServiceDefinition definition, uint32_t instance, uint32_t instances, Dice& dice, const Weather& weather,
           Network& network, const BusNode& bus, Clock clock, const Millis& now);

  // Ends the process and starts it again: from a snapshot, if one is left. `definition` is of another build, perhaps.
  void restart(ServiceDefinition definition);
  void suffer();
  void turn();
  // True if it was for this node.
  bool deliver(const Mail& mail);

  std::string name() const { return definition_.name + "." + std::to_string(instance_); }
  const ServiceDefinition& definition() const { return definition_; }
  const Replica& replica() const { return *replica_; }
  bool replayed() const { return reader_ && position_ >= replay_end_; }
  // Everything up to the heads is folded, what it said is acknowledged, and under the wall clock no time is due.
  bool rests(const Heads& heads, Millis wall) const;
  // When time alone will change something; `never` if it will not.
  Millis next_wake() const;
  const Skips& skips() const { return skips_; }
  size_t crashes() const { return crashes_; }
  // What it folded: the crc of each commit.
  const std::map<Position, uint32_t>& seen() const { return seen_; }
  std::string describe() const;

 private:
  void start();
  void get_ready();
  void fold_some();
  void read_some();
  void ask_for_wakes();
  void keep_snapshot();

  struct Snapshot {
    Position position = 0;
    std::string state;
  };
  ServiceDefinition definition_;
  uint32_t instance_, instances_;
  Dice& dice_;
  const Weather& weather_;
  Network& network_;
  const BusNode& bus_;
  Clock clock_;
  const Millis& now_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<NetworkLink> link_;
  std::unique_ptr<JournalReader> reader_, reader_ahead_;
  std::unique_ptr<OwnAnswers> own_;
  std::vector<Millis> wakes_;  // By index of the partition: what the link was last asked for.
  Position position_ = 0, known_end_ = 0, replay_end_ = 0, asked_position_ = 0;
  // What outlives the process.
  std::vector<Snapshot> snapshots_;  // The newest last.
  Skips skips_;
  CrashMark mark_;
  std::map<Position, uint32_t> seen_;
  Millis paused_until_ = 0;
  size_t crashes_ = 0;
};

}  // namespace xundian::simulation
