// Snapshots: a cache of a service's state, so that a start need not replay all. Never the only copy of anything.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/journal.h"

namespace xundian {

struct Snapshot {
  std::string home;                  // Id of the home.
  uint64_t shape = 0;                // Of the state; another shape is not loaded.
  std::vector<Position> positions;   // For each bus: where to read on.
  std::string_view state;            // Hundreds of megabytes, so it is looked at where it lies.
  std::shared_ptr<const void> file;  // There, if it was read.
};

// Writes a snapshot beside the earlier ones and keeps the newest three. Atomic: a crash leaves the earlier ones. `gently`: with
// rests, for those who have the same disk.
Result<void> write_snapshot(const std::string& folder, const Snapshot& snapshot, bool gently = false);
// Writes snapshots in a child process: it has the state as it stood when it was made, and the service goes on meanwhile. The
// child touches neither journal, sockets nor log, and ends with its parent.
class SnapshotChild {
 public:
  ~SnapshotChild();
  // False: one is at work already, another process's child has its turn in `turns`, or there can be no process now. `write` runs
  // in the child. `turns`: a folder, in which one at a time writes; empty = nobody else is waited for. `in_calm`: it runs only
  // where a processor would rest; else it has the smallest share of one, so that it ends beside a load.
  bool start(const std::function<Result<void>()>& write, const std::string& turns, bool in_calm);
  // Nothing: none has ended since the last call. `wait`: until it has.
  std::optional<bool> ended(bool wait = false);

 private:
  pid_t child_ = 0;
};

// The newest that is whole and fits; those that are not are passed over with a line in the log.
std::optional<Snapshot> read_snapshot(const std::string& folder, const std::string& home, uint64_t shape);

}  // namespace xundian
