// What the power shim and its driver share: a file, mapped by both, that outlives the process whose writes it records.
// chaos/power.py reads and writes it too, by these offsets.
#pragma once

#include <cstdint>

namespace xundian::chaos {

inline constexpr uint64_t control_magic = 0x5245574f50445831;  // "1XDPOWER"
inline constexpr uint64_t records_at = 4096;                   // Records begin here.

// All numbers are set by the driver or counted by the shim; 0 means never, or none.
struct Control {
  uint64_t magic;
  uint64_t capacity;       // Bytes of the file.
  uint64_t used;           // Bytes of records.
  uint64_t operations;     // Watched writes, syncs, names made or changed.
  uint64_t kill_at;        // At this operation, or the next, the process dies by SIGKILL; then 0 again.
  uint64_t kill_after;     // 1: it dies when that operation is done and before it returns.
  uint64_t swallow_sync;   // Which of the two kinds of sync only say that they were done.
  uint64_t sync_delay_us;  // Each sync takes so much longer.
  uint64_t syncs;
  uint64_t fail_sync_at;  // This sync, or the next, fails with EIO; then 0 again.
  uint64_t writes;
  uint64_t short_write_at;  // Of this write, or the next, only the half is done; then 0 again.
  uint64_t bytes;           // Written.
  uint64_t space;           // With this byte the disk is full: ENOSPC.
  uint64_t injected;        // Faults so far.
  uint64_t overflow;        // 1: the records had no more room; the process was killed.
};

inline constexpr uint64_t swallow_syncs = 1, swallow_durable_writes = 2;  // fdatasync and fsync; O_DSYNC.

enum class RecordType : uint32_t { forgotten = 0, write = 1, create = 2, rename = 3 };

// What a power cut may undo. Behind it: of a write the bytes that stood there before, of the others paths, each ended by a 0.
struct Record {
  uint32_t size;  // Of the whole record, a multiple of 8.
  RecordType type;
  uint64_t file;    // Inode: of the file written, or of the folder whose entry it is.
  uint64_t offset;  // Where was written,
  uint64_t length;  // how much,
  uint64_t before;  // and how long the file was before.
};

}  // namespace xundian::chaos
