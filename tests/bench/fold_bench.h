// What the modes of fold_bench share.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/replica.h"
#include "services/bus/sequencer.h"
#include "tests/bench/workload.h"

namespace xundian::bench {

inline constexpr uint32_t partitions = 16;

struct Asked {
  size_t facts = 400'000, hours = 0, repeat = 3;
  Shape shape;
  bool growth = false, memory = false, json = false;
  std::vector<std::string> services;  // Empty: all that fold.
  bool names(std::string_view service) const { return std::find(services.begin(), services.end(), service) != services.end(); }
};

// Those asked for.
std::vector<ServiceDefinition> definitions(const Asked& asked);
// Serves the one partition in which the workload lies.
Replica make_replica(const ServiceDefinition& service);

// Of this thread, so that what else the machine does counts little.
double thread_seconds();
// Held by this process.
size_t heap_bytes();

// Commits as a bus writes them, of one batch each, one behind the other.
class CommitMaker {
 public:
  // The builder is empty afterwards.
  std::string next(BatchBuilder& builder, Millis time_ms);

 private:
  Heads heads_ = Heads(partitions, 0);
};
CommitView view_of_commit(const std::string& bytes);
// Both producers in turn, with `hours` from the first commit to the last.
std::vector<std::string> commits_of(const Workload& workload, Millis now, size_t hours, CommitMaker& maker);

// What folding came to.
struct Folded {
  double seconds = 0;
  int64_t bytes = 0;  // That it holds more than before; where it gave some back, less.
  size_t answers = 0;
  uint64_t facts = 0, said = 0;
  double ns_of_fact() const { return seconds * 1e9 / static_cast<double>(facts); }
  double bytes_of_fact() const { return static_cast<double>(bytes) / static_cast<double>(facts); }
};
Folded fold(Replica& replica, const std::vector<std::string>& commits);

// What tests/bench/guard_test.py counts the instructions of, by these names; therefore they are called and never inlined.
[[gnu::noinline]] std::vector<Replica::Answer> fold_commit(Replica& replica, const CommitView& commit);
[[gnu::noinline]] void put_batch(bus::Sequencer& sequencer, BatchBuilder& builder, std::string_view frames,
                                 const BatchHeader& header);

// What the bus's own code costs, without sockets and disk: prints the best of `repeat` rounds.
void print_bus(const Workload& workload, Millis now, size_t repeat);
// What a fact costs as stores and SKUs become more.
void print_growth(const Asked& asked, Millis now);
// What an order, a cell, a conversation takes in memory.
void print_memory(const Asked& asked, Millis now);

}  // namespace xundian::bench
