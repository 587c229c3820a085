// Reads the journal in place for the gateway's streams: one thread, which owns the readers and moves each stream's cursor on as
// far as its queue has room, each a piece at a time: one that walks through the past holds up no other. The bell wakes it; a bell
// that is lost costs a moment, no fact.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/bell.h"
#include "common/home.h"
#include "common/journal.h"

namespace xundian::gateway {

// A fact as a stream gets it.
struct TailItem {
  facts::v1::Fact fact;
  std::string scope;
  Partition partition = 0;
  Offset offset = 0;
  Millis time_ms = 0;
  uint64_t rank = 0;  // Of its version.
  Heads heads;        // Where the stream is behind it.
};

class TailStream {
 public:
  enum class Start { now, beginning, heads };

  // The next fact; nothing: none came in time, or the stream has ended (see `error`).
  std::optional<TailItem> pop(Millis timeout_ms);
  std::optional<Error> error() const;
  // Where the stream is behind what was popped; nothing: the journal could not be read yet.
  std::optional<Heads> heads() const;
  // Asks to know when the stream has come to the end that the journal has now or later.
  uint64_t ask_end();
  bool has_reached(uint64_t ticket) const;

 private:
  friend class JournalTail;
  struct Cursor {
    bool placed = false;
    bool at_end = false;  // Of what there was at this turn.
    Position position = 0;
  };

  bool has_room() const;
  void end(const Error& why);

  std::set<Kind> kinds_;
  Start start_ = Start::now;
  std::function<void()> nudge_;

  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<TailItem> queue_;
  std::optional<Error> error_;
  uint64_t asked_ = 0, reached_ = 0;
  std::optional<Heads> popped_;  // Behind what was popped last.
  Heads heads_;                  // Behind what was queued last. Written by the tail's thread alone, under the mutex.
  std::vector<Cursor> cursors_;  // By bus; the tail's thread alone.
};

class JournalTail {
 public:
  // How a bus's journal is opened.
  using Opener = std::function<Result<std::unique_ptr<JournalReader>>(uint32_t bus)>;
  // Without an opener: as the home says.
  explicit JournalTail(const Home& home, Opener open_reader = {});
  ~JournalTail();

  // A stream of the facts of some kinds; it ends when the caller lets go of it. `heads` counts for Start::heads.
  std::shared_ptr<TailStream> open(std::set<Kind> kinds, TailStream::Start start, Heads heads = {});
  // Ends all streams; none can be opened any more.
  void stop();

 private:
  void loop();
  bool turn();
  bool advance(uint32_t bus, const std::vector<std::shared_ptr<TailStream>>& streams);
  Result<void> place(uint32_t bus, TailStream& stream);
  Result<void> read_piece(uint32_t bus, Position from, size_t bytes_max, std::vector<TailStream*>& here);
  void take_commit(uint32_t bus, const CommitView& commit, const std::vector<TailStream*>& here);
  std::vector<std::shared_ptr<TailStream>> live_streams();
  void nudge();
  void wait_for_bell();
  void drop_reader(uint32_t bus, const Error& why);

  const Home& home_;
  Opener open_reader_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<TailStream>> streams_;
  bool stop_ = false;
  int event_fd_ = -1;
  std::vector<std::unique_ptr<JournalReader>> readers_;  // By bus; null until the journal is there.
  std::vector<std::unique_ptr<BellListener>> bells_;
  std::thread thread_;
};

}  // namespace xundian::gateway
