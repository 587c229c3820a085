// The one loop that every service runs: bells and acks in, commits folded, answers out, queries in between.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/bell.h"
#include "common/home.h"
#include "common/producer.h"
#include "common/query.h"
#include "common/replica.h"
#include "common/snapshot.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

struct RunnerOptions {
  std::string home;       // Folder; empty = XUNDIAN_HOME or ./var.
  uint32_t instance = 0;  // Serves the partitions p with p mod instances = instance.
  uint32_t instances = 1;
  bool pull = false;                 // Fetch records through the bus instead of reading the journal in place.
  int64_t snapshot_facts = 500'000;  // Snapshot when so many were folded since the last: in a calm, or at eight times as many.
};

class Runner {
 public:
  Runner(const ServiceDefinition& definition, RunnerOptions options, Home home);
  ~Runner();
  // Waits for the buses, replays, then folds until `stop` says so. An error ends the process; a restart recovers.
  Result<void> run(const std::function<bool()>& stop);

 private:
  struct Bus {
    uint32_t index = 0;
    std::unique_ptr<BusLink> link;
    std::unique_ptr<BellListener> bell;
    std::unique_ptr<JournalReader> reader, reader_ahead;
    std::unique_ptr<OwnAnswers> own;
    std::vector<Partition> partitions;  // In the order of the link's producers.
    Position position = 0;              // The next commit to fold.
    Position known_end = 0;             // Commits before it are durable.
    Position replay_end = 0;            // Commits before it are the past of this life.
    std::vector<uint64_t> heads;
    std::vector<uint64_t> sent;   // By partition: the last sequence given to the link.
    std::vector<Millis> wake;     // By partition: what the link was last asked for.
    Position asked_position = 0;  // Where the fold stood then.
  };
  Result<void> welcome_all(const std::function<bool()>& stop);
  Result<void> open_readers();
  Result<bool> turn(Bus& bus);  // True if there is more to fold.
  Result<void> fold_some(Bus& bus);
  void send_answers();
  void ask_for_wakes(Bus& bus);
  void poll(bool more);
  void serve_queries();
  bool replayed() const;
  size_t unacknowledged() const;
  void note_work();
  void give_up_snapshot_beside_load();
  void snapshot_if_due();
  void snapshot_at_the_end();
  Snapshot make_snapshot() const;
  void note_snapshot(bool written);
  Result<std::string> answer(std::string_view method, std::string_view request);
  query::v1::GetStatusResponse status() const;
  void add_memory(query::v1::GetStatusResponse& status) const;
  void add_partitions(google::protobuf::RepeatedPtrField<query::v1::PartitionStatus>& partitions) const;
  Skips read_skips_and_mark();

  const ServiceDefinition& definition_;
  RunnerOptions options_;
  Home home_;
  std::string name_;  // "metrics.0"
  const pid_t process_ = ::getpid();
  CrashMark* mark_ = nullptr;
  Replica::Options replica_options_;
  std::unique_ptr<Replica> replica_;
  std::vector<Bus> buses_;
  std::unique_ptr<QueryServer> queries_;
  Millis started_ms_ = 0;
  uint64_t folded_ = 0, folded_at_snapshot_ = 0;      // In all; when the last snapshot began.
  uint64_t folded_before_ = 0;                        // When the one before that began.
  bool snapshot_in_calm_ = false, given_up_ = false;  // The last was begun in one; it was told to end.
  SnapshotWriter snapshots_;
  Millis snapshot_began_ms_ = 0;
  Millis snapshot_due_ms_;  // Not before.
  Millis looked_ms_ = 0;    // When note_work looked last; what the loop's thread had used of the processor, and folded, by then.
  int64_t used_us_ = 0;
  uint64_t looked_folded_ = 0;
  Millis busy_ms_ = 0;  // When it was seen busy last.
};

}  // namespace xundian
