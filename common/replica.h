// A service's state over some partitions, brought forward commit by commit: the part of the runner that knows no socket, so that
// the simulation runs the very code that runs in production.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/home.h"
#include "common/journal.h"
#include "common/service.h"

namespace xundian {

// Inputs that a service must not fold, because they killed it.
using Skips = std::set<std::pair<Partition, Offset>>;

// Where a process is in its work; kept in memory that survives it, so that the next life knows which input killed it. A new life
// folds a long way before it comes to that input again, so the suspect has a place of its own.
struct CrashMark {
  uint32_t folding = 0;  // 1 while the input below is being folded.
  uint32_t crashes = 0;  // How often the suspect ended a process, one life after the other.
  uint64_t partition = 0;
  uint64_t offset = 0;
  uint64_t suspect_partition = 0;
  uint64_t suspect_offset = 0;
};

// What a new life makes of the mark that the last one left: an input that ended three processes is put aside for this service.
// True if `skips` got one more.
bool note_crash(CrashMark& mark, Skips& skips);

// What a service has already said, read ahead of its inputs. Answers stand behind their causes in the journal, often far behind.
class OwnAnswers {
 public:
  // Reads from `from` up to `end`, which must have been reached by the journal.
  OwnAnswers(JournalReader& reader, Position from, Position end, std::map<uint64_t, Partition> producers);
  // The frames that answered an input, in their order. Inputs of a partition must be asked for in ascending order.
  Result<std::vector<std::string>> take(Partition partition, Offset input);

 private:
  struct Ahead {
    std::deque<std::pair<uint64_t, std::string>> frames;  // (cause, frame)
    uint64_t sequence = 0;                                // Answers to inputs before this are all in `frames`.
  };
  Result<void> read_on();
  void keep(const BatchView& batch);

  JournalReader& reader_;
  Position position_;
  Position end_;
  std::map<uint64_t, Partition> producers_;
  std::map<Partition, Ahead> ahead_;
};

class Replica {
 public:
  struct Options {
    std::vector<Partition> partitions;  // Those that this instance serves.
    uint32_t partitions_all = 16;
    Clock clock = Clock::wall;
    Skips skips;
    CrashMark* mark = nullptr;  // May be null.
  };
  Replica(const ServiceDefinition& definition, Options options);

  // "metrics/3": the service as a producer in a partition.
  std::string producer_name(Partition partition) const;
  const std::vector<Partition>& partitions() const { return options_.partitions; }

  // Answers up to this sequence are in the journal: to those inputs nothing is said again.
  void set_answered(Partition partition, uint64_t last_sequence);
  // Folds what the commit holds for the partitions served. Facts that were folded before are passed over. `own` gives what was
  // said before the last restart; it may be null once `caught_up`.
  Result<void> take(const CommitView& commit, OwnAnswers* own);
  // Every input that was answered before the last restart has been folded again.
  bool caught_up() const;

  // Answers that wait to be sent: whole batches, with flags and sequence set, in their order.
  struct Answer {
    Partition partition = 0;
    uint64_t sequence = 0;
    std::string batch;
  };
  std::vector<Answer> flush();

  Offset offset(Partition partition) const;
  Millis time(Partition partition) const;
  // When the partition's folds want to be woken at the latest.
  Millis next_wake(Partition partition) const;
  // Whether the bus is to be asked (again) for a Tick at next_wake, when it was last asked for one at `asked` and something was
  // folded since: of several groups whose time has come, a Tick wakes one.
  bool asks_for_wake(Partition partition, Millis asked, bool folded) const;
  uint64_t skipped() const { return skipped_; }
  // The folds of a tenant; of all if it is empty.
  std::vector<Fold*> folds(std::string_view tenant) const;
  Fingerprint fingerprint() const;

  // What the service answers to "Method" or, if a tenant asks, "tenant|Method". `replayed`: the state is of the present.
  Result<std::string> answer(std::string_view method, std::string_view request, bool replayed) const;
  // A state may be kept once all that was said up to it is in the journal, and all that was said before was heard again.
  bool may_save(size_t unacknowledged) const;
  // The state of all partitions as bytes, and back. `room_bytes`: about as many or more; memory for them is asked for at once,
  // for hundreds of megabytes that grow step by step are copied and cleared twice over.
  std::string save(size_t room_bytes = 0) const;
  bool load(ByteReader bytes);

 private:
  // Under the facts clock each group has a time of its own: what another group says first is chance.
  struct Group {
    std::unique_ptr<Fold> fold;
    Millis time_ms = 0;
  };
  struct PartitionState {
    std::map<std::string, Group, std::less<>> groups;  // By scope.
    Offset offset = 0;
    uint64_t answered = 0;
    BatchBuilder answers;  // Of one scope.
    std::string answers_scope;
    uint64_t answers_sequence = 0;
  };
  // A fact of the commit at hand that a fold may have to take.
  struct Input {
    std::string_view frame;
    Offset offset = 0;
    Fold* fold = nullptr;  // That is told of it ahead; null: none is.
  };
  // A batch of the commit at hand.
  struct Part {
    BatchView batch;
    bool is_ours = false;          // We said it ourselves.
    bool begins_unwanted = false;  // Its first run is of no kind that the service wants, and may only bring time.
    size_t from = 0, to = 0;       // Its inputs that are wanted.
  };
  Group& group_of(PartitionState& state, std::string_view scope);
  Group* taker_of(PartitionState& state, const BatchView& batch);
  Result<void> gather(const BatchView& batch);
  Result<void> take_first_part(OwnAnswers* own);
  Result<void> take_part(const Part& part, OwnAnswers* own);
  // Takes the run that a batch begins with, whose facts are not wanted, for the time that it brings.
  Result<void> take_time(const Part& part, PartitionState& state, Group& group, OwnAnswers* own);
  // Before inputs_[index] is folded, by `folding`.
  void tell_ahead_of(size_t index, Fold& folding);
  Result<void> take_input(Partition partition, PartitionState& state, Group& group, std::string_view frame, Offset offset,
                          OwnAnswers* own);
  void fold_marked(Partition partition, Fold& fold, const FactView& fact);
  void say_skipped(const FactView& fact, const std::string& why);
  std::vector<std::string> frames_of_outbox(Partition partition, const FactView& input);
  void send(Partition partition, PartitionState& state, const Fold& fold, Offset offset, const std::vector<std::string>& frames);
  void close_batch(Partition partition, PartitionState& state);
  bool wants(Kind kind) const;

  const ServiceDefinition& definition_;
  Options options_;
  std::map<Partition, PartitionState> states_;
  std::map<uint64_t, Partition> producers_;
  std::vector<Answer> ready_;
  Outbox outbox_;
  // Of the commit at hand, what is not folded yet.
  std::deque<Part> parts_;
  std::vector<Input> inputs_;
  size_t told_ = 0;        // Folds were told of the inputs before this one.
  size_t gathered_ = 0;    // Inputs of the commit so far.
  bool is_whole_ = false;  // All of its inputs are at hand.
  uint64_t skipped_ = 0;
};

}  // namespace xundian
