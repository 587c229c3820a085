// A journal in memory on a disk that fails the way disks fail, when its driver says so: for tests and simulations.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/journal.h"

namespace xundian {

// What becomes of one append.
enum class DiskFault {
  error_before,  // EIO; nothing was written.
  error_after,   // EIO, and yet all of it is durable.
  error_torn,    // EIO from the sync: readers do not see it; a prefix lies on the disk and is what a restart finds.
  not_yet,       // Nothing was written, and the same append is to be tried again, as of a Redis that has no memory left.
  power_cut,     // The power goes while it is written: the same, and all that had the journal open is dead.
};

// Survives those who write to it and read from it. May be driven from any thread.
class MemoryDisk {
 public:
  // The append after `appends_before` further ones fails so. Of an append that is torn, the first `bytes_kept` bytes survive; all
  // of it, if there are no more.
  void fail_append(DiskFault fault, uint64_t appends_before = 0, size_t bytes_kept = 0);
  // An append with which the disk would hold more fails with ENOSPC and leaves nothing behind.
  void set_capacity(size_t bytes);
  // Ends every writer and reader that is open, between two appends. What is durable stays.
  void cut_power();
  // Turns over one bit of the commit at `position`; false if there is no such byte.
  bool flip_bit(Position position, size_t byte, unsigned bit);

  size_t bytes() const;
  uint64_t appends() const;  // Tried since the disk was made.

 private:
  friend class MemoryWriter;
  friend class MemoryReader;
  struct Fault {
    DiskFault what = DiskFault::error_before;
    size_t bytes_kept = 0;
  };
  using Commit = std::shared_ptr<const std::string>;

  size_t used() const;
  void recover();
  void lose_power();
  Result<void> place(Commit commit);

  mutable std::mutex mutex_;
  std::deque<Commit> commits_;    // From low_ on.
  Position synced_ = 0;           // Commits before it outlive a power cut.
  std::deque<Position> volumes_;  // The first positions of the volumes; the last may be empty.
  Position low_ = 0;
  std::string torn_;  // What lies behind the last commit.
  size_t capacity_ = SIZE_MAX;
  uint64_t appends_ = 0;
  std::map<uint64_t, Fault> faults_;  // By the number of the append.
  uint64_t life_ = 0;                 // Counts the power cuts.
  std::optional<uint64_t> writer_life_;
};

struct MemoryOptions {
  size_t volume_bytes = 256u << 20;
};
// A second writer is refused while the first lives, as on a real disk.
Result<std::unique_ptr<JournalWriter>> open_memory_writer(std::shared_ptr<MemoryDisk> disk, MemoryOptions options = {});
Result<std::unique_ptr<JournalReader>> open_memory_reader(std::shared_ptr<MemoryDisk> disk);

}  // namespace xundian
