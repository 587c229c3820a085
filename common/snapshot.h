// Snapshots: a cache of a service's state, so that a start need not replay all. Never the only copy of anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/journal.h"

namespace xundian {

struct Snapshot {
  std::string home;                 // Id of the home.
  uint64_t shape = 0;               // Of the state; another shape is not loaded.
  std::vector<Position> positions;  // For each bus: where to read on.
  std::string state;
};

// Writes a snapshot beside the earlier ones and keeps the newest three. Atomic: a crash leaves the earlier ones.
Result<void> write_snapshot(const std::string& folder, const Snapshot& snapshot);
// The newest that is whole and fits; those that are not are passed over with a line in the log.
std::optional<Snapshot> read_snapshot(const std::string& folder, const std::string& home, uint64_t shape);

}  // namespace xundian
