// The sequencer: decides what gets into the journal, in which order, and who is told. No sockets, no clock, no threads; its shell
// gives it messages and the time and carries its answers, and so does the simulation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/bell_topic.h"
#include "common/home.h"
#include "services/bus/fair_queue.h"
#include "services/bus/ledger.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian::bus {

struct SequencerOptions {
  std::string home;  // Its id.
  Clock clock = Clock::wall;
  uint32_t partitions = 16;
  uint32_t bus = 0;
  uint32_t buses = 1;
  size_t queue_bytes_max = 64u << 20;  // More than this waiting for the disk is refused.
  size_t group_bytes = 1u << 20;       // About so much goes into one group commit.
  // Called where the journal does not take the first record yet: waits a moment; false = it has waited enough.
  std::function<bool()> wait = [] { return false; };
};

// What is to be sent: to one connection or, if `to` is empty, to all who listen to the bell.
struct Output {
  std::string to;
  BellTopic topic = bell_for_all;  // Of a ring.
  wire::v1::MessageType type = wire::v1::MESSAGE_TYPE_UNSPECIFIED;
  std::string body;
};

struct Disk {
  uint64_t free_bytes = uint64_t{1} << 60;  // Until somebody looked.
  uint64_t total_bytes = uint64_t{1} << 60;
  double used() const { return total_bytes == 0 ? 0 : 1 - static_cast<double>(free_bytes) / static_cast<double>(total_bytes); }
};
inline constexpr double disk_refuse_above = 0.90, disk_warn_above = 0.80;

struct Committed {
  size_t batches = 0;
  size_t bytes = 0;
};

// What goes into one group commit.
struct Group {
  std::vector<Waiting> puts;
  std::vector<std::string> ticks;
  Heads heads;                       // Behind what was placed so far.
  std::vector<BatchHeader> headers;  // As placed.
  std::vector<std::string_view> batches;
  size_t bytes = 0;
};

class Sequencer {
 public:
  // Recovers from the journal and appends the record of a new epoch. Both must outlive the sequencer.
  static Result<std::unique_ptr<Sequencer>> start(SequencerOptions options, JournalWriter& writer, JournalReader& reader);

  // A message of a producer; `connection` is where answers go.
  void take(std::string_view connection, wire::v1::MessageType type, Message message);
  // Appends one group of what waits, with the Ticks that are due; nothing waits and nothing is due: nothing happens. After an
  // error the process must end: what became of the group is known only to the journal. If the journal cannot say yet whether a
  // group is safe, the group is held: nobody is told of it, puts are refused, and each call asks again.
  Result<Committed> commit(Millis now);
  bool waits() const { return !queue_.empty() || held_; }
  bool holds() const { return held_ != nullptr; }
  // Puts are refused, and why; empty = no longer. For a journal that is known to take nothing before it was tried.
  void set_trouble(std::string why) { trouble_ = std::move(why); }
  const std::string& trouble() const { return trouble_; }
  // When a Tick is due; INT64_MAX = never.
  Millis next_tick() const;
  // Rings the bell for all, though nothing happened.
  void ring() { ring(next_position_, bell_for_all); }
  // The same, if a commit is owed a ring, or if it has not been rung for a beat: a bell that was lost is made good by the next.
  // Returns when to call it again.
  Millis beat(Millis now_steady_ms);
  // Everything to be sent since the last call, in order.
  std::vector<Output> outputs() { return std::exchange(outputs_, {}); }

  // How full the disk is, and how fast commits go; for refusals.
  void set_disk(const Disk& disk) { disk_ = disk; }
  void measured(const Committed& committed, int64_t microseconds);

  uint32_t epoch() const { return epoch_; }
  Position next_position() const { return next_position_; }
  const Ledger& ledger() const { return ledger_; }
  size_t queue_bytes() const { return queue_.bytes(); }
  uint64_t refused() const { return refused_; }

 private:
  // Given by a Hello, on one connection, in this epoch.
  struct Session {
    uint32_t number = 0;
    std::string connection;
    uint64_t instance = 0;
    uint64_t attempt = 0;
    uint64_t last_queued = 0;
    std::optional<uint64_t> refused;  // The first that was refused and has not come again; none behind it is taken.
  };
  // How many rings may come at once; one more for each rest.
  struct Rings {
    int64_t left = 1;
    Millis rested_at = 0;  // When they were counted last.

    void take() { left -= left > 0; }
    void rest(Millis now_steady_ms, Millis rest_ms);
  };
  Sequencer(SequencerOptions options, JournalWriter& writer, Ledger ledger);
  Result<void> open_epoch(Position next_position);
  std::string control_batch() const;

  void hello(std::string_view connection, const wire::v1::Hello& hello);
  bool is_overtaken(const wire::v1::Hello& hello) const;
  void wake(std::string_view connection, const wire::v1::Wake& wake);
  void put(std::string_view connection, Message message);
  // Why a batch cannot be taken; nothing = it can, or it was dealt with.
  struct Why {
    wire::v1::Refusal refusal = wire::v1::REFUSAL_UNSPECIFIED;
    std::string text;
    uint32_t retry_after_ms = 0;
  };
  std::optional<Why> check_session(std::string_view connection, const BatchHeader& header) const;
  std::optional<Why> check_batch(std::string_view bytes) const;
  std::optional<Why> check_sequence(const Session& session, const BatchHeader& header) const;
  std::optional<Why> check_room(const BatchHeader& header) const;
  void refuse(std::string_view connection, const BatchHeader& header, const Why& why);
  void acknowledge(const std::string& connection, uint64_t producer, uint64_t sequence, Offset next_offset);
  void send(std::string_view to, wire::v1::MessageType type, const google::protobuf::MessageLite& message);

  std::unique_ptr<Group> make_group(Millis now);
  void settle_sessions(const Group& group);
  void gather(Group& group);
  void add_ticks(Group& group, Millis now);
  BatchHeader place(Group& group, std::span<char> batch, Millis now) const;
  void acknowledge(const Group& group);
  // Rings for a group that was appended: for all, or for those alone whom it concerns, or, under load, for nobody yet.
  void ring_for(const Group& group);
  void ring(Position next_position, BellTopic topic);
  uint64_t last_sequence(uint64_t producer) const;

  SequencerOptions options_;
  JournalWriter& writer_;
  Ledger ledger_;
  uint32_t epoch_ = 0;
  uint32_t next_session_ = 1;
  Position next_position_ = 0;
  std::map<uint64_t, Session> sessions_;  // By producer.
  FairQueue queue_;
  std::vector<std::map<uint64_t, Millis>> wakes_;  // By partition, then by producer.
  std::vector<Output> outputs_;
  bool rung_ = false;  // Since the last look.
  Millis rung_at_ = 0;
  bool ring_owed_ = false;      // A commit was made that not all were rung for.
  Rings rings_;                 // For whatever comes.
  Rings news_rings_;            // For news, while none of those is left.
  bool ring_can_wait_ = false;  // Whoever folds what was committed was rung for.
  Millis owed_since_ = 0;       // When such a ring was seen to be owed; 0 = it was not yet.
  Disk disk_;
  double bytes_per_ms_ = 50'000;  // Until it was measured.
  uint64_t refused_ = 0;
  std::unique_ptr<Group> held_;
  std::string trouble_;
};

}  // namespace xundian::bus
