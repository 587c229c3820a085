// The journal of a home in memory, written without a bus, and services that read it and speak into it.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/journal_memory.h"
#include "common/replica.h"

namespace xundian::convergence {

inline constexpr uint32_t partitions = 4;
using Dice = std::mt19937_64;

// Every service that folds, alerts among them.
const std::vector<ServiceDefinition>& services();
const ServiceDefinition& service(std::string_view name);
std::vector<Partition> all_partitions();

class Log {
 public:
  explicit Log(Clock clock = Clock::facts);
  Log(Log&&) = default;

  Clock clock() const { return clock_; }
  Position end() const { return end_; }
  std::unique_ptr<JournalReader> reader() const;
  // One group commit; the batches get their offsets.
  void append(std::vector<std::string> batches);
  // A commit as another log has it.
  void copy(const CommitView& commit);
  // The last sequence of a producer; 0 = none.
  uint64_t answered(const std::string& producer) const;
  // What was said, by service, scope and thing, in its order.
  std::map<std::string, std::vector<std::string>> said() const;

 private:
  Clock clock_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<JournalWriter> writer_;
  Heads heads_;
  Position end_ = 0;
  std::map<uint64_t, uint64_t> answered_;  // By producer.
};

// Batches of facts from outside. The facts of a group keep their order.
std::vector<std::string> batches_of(const std::vector<v1::Fact>& facts, size_t facts_a_batch_max, Dice& dice);

// A service instance, as it is from one start to the next.
class Worker {
 public:
  Worker(const ServiceDefinition& definition, const Log& log, std::vector<Partition> served = all_partitions());
  // Goes on from what another one saved at `position`.
  Worker(const ServiceDefinition& definition, const Log& log, std::string_view snapshot, Position position,
         std::vector<Partition> served = all_partitions());

  void read(Position end);
  void read_all() { read(log_.end()); }
  // What is to be put into the log.
  std::vector<std::string> take_answers();
  bool caught_up() const { return replica_->caught_up(); }
  Position position() const { return position_; }
  std::string save() const { return replica_->save(); }
  Fingerprint fingerprint() const { return replica_->fingerprint(); }
  // The state of each group: its bytes, or where those are in no order of their own (intake's), what they come to.
  std::map<std::string, std::string> states() const;
  // All that can be asked of its numbers.
  std::string answers() const;

 private:
  const ServiceDefinition& definition_;
  const Log& log_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<JournalReader> reader_, reader_ahead_;
  std::unique_ptr<OwnAnswers> own_;
  Position position_ = 0;
};

}  // namespace xundian::convergence
