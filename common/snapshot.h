// Snapshots: a cache of a service's state, so that a start need not replay all. Never the only copy of anything.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/bytes.h"
#include "common/journal.h"
#include "common/large_pages.h"

namespace xundian {

struct Snapshot {
  std::string home;                   // Id of the home.
  uint64_t shape = 0;                 // Of the state; another shape is not loaded.
  std::vector<Position> positions;    // For each bus: where to read on.
  std::string_view state;             // Hundreds of megabytes, so it is looked at where it lies.
  std::shared_ptr<const void> bytes;  // There, if they must be held for that.
};

// What a service does with a snapshot's state: false if it is none of its own. It is checked while it is read, so after a
// failure it may be called again, with an earlier one.
using LoadSnapshot = std::function<bool(const std::vector<Position>& positions, ByteReader state)>;

// Writes a snapshot beside the earlier ones and keeps the newest three. Atomic: a crash leaves the earlier ones.
Result<void> write_snapshot(const std::string& folder, const Snapshot& snapshot);

// Writes snapshots while the service goes on. A child process, which has the state as it stood when it was made, lays the file's
// bytes into memory and ends, as soon as it can: while it lives each page that the service changes is copied first. Then a thread
// writes them to the disk little by little, with rests, for those who have the same disk.
class SnapshotWriter {
 public:
  explicit SnapshotWriter(std::string folder) : folder_(std::move(folder)) {}
  ~SnapshotWriter();
  // False: one is being written already, another process has its turn in `turns`, or the system has no room for it now. `make`
  // runs in the child, which touches neither journal, sockets nor log, and ends with its parent; the memory of the state that it
  // gives is given back. `turns`: a folder, in which one at a time writes; empty = nobody else is waited for. `in_calm`: the
  // child runs only where a processor would rest.
  bool start(const std::function<Snapshot()>& make, const std::string& turns, bool in_calm);
  bool has_child() const { return child_ > 0; }
  // The child ends at once, if it has not ended; what it was at has failed. False: there is none, or it was given up before.
  bool give_up();
  // Goes on with what was started; to be called now and then. Whether it was written, once it has ended. `wait`: until it has.
  std::optional<bool> ended(bool wait = false);

 private:
  std::optional<bool> end(bool written);

  std::string folder_;
  int image_ = -1, turn_ = -1;  // What the file is to hold, in memory; the lock.
  pid_t child_ = 0;             // 0: it has ended.
  bool given_up_ = false;       // It is about to end.
  LargePages large_pages_;      // Of this process, which a child breaks up.
  std::jthread thread_;         // While it runs or has just ended.
  std::atomic<int> written_ = pending;
  static constexpr int pending = -1;
};

// Loads the newest that is whole and fits; those that are not are passed over with a line in the log. Its positions, or nothing
// if there is none; Code::data_loss if it is whole, but was not loaded.
Result<std::optional<std::vector<Position>>> load_snapshot(const std::string& folder, const std::string& home, uint64_t shape,
                                                           const LoadSnapshot& load);

}  // namespace xundian
