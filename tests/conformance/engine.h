// What the conformance suite needs of a journal engine, for each engine that there is.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/journal.h"
#include "common/journal_memory.h"
#include "tests/support/temp_folder.h"

namespace xundian {

inline constexpr size_t large_volume = 256u << 20;

// An engine is a journal's place, without anybody who has it open. `flip` turns over one bit of the commit at a position, whose
// bytes are `commit`, while nobody has the journal open.
class MemoryEngine {
 public:
  Result<std::unique_ptr<JournalWriter>> writer(size_t volume_bytes = large_volume) {
    return open_memory_writer(disk, {volume_bytes});
  }
  Result<std::unique_ptr<JournalReader>> reader() { return open_memory_reader(disk); }
  void flip(Position position, const std::string&, size_t byte, unsigned bit) {
    ASSERT_TRUE(disk->flip_bit(position, byte, bit));
  }

  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
};

class LmdbEngine {
 public:
  Result<std::unique_ptr<JournalWriter>> writer(size_t volume_bytes = large_volume) {
    return open_lmdb_writer(folder, {volume_bytes});
  }
  Result<std::unique_ptr<JournalReader>> reader() { return open_lmdb_reader(folder); }

  // Pages hold a long value in one piece and a short one too, so the file holds the commit's bytes as they are.
  void flip(Position, const std::string& commit, size_t byte, unsigned bit) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().filename() != "data.mdb") continue;
      std::string bytes(entry.file_size(), '\0');
      std::ifstream(entry.path(), std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      const size_t at = bytes.find(commit);
      if (at == std::string::npos) continue;
      // An older copy of the page may lie in the file, no longer in use: every one is changed.
      std::fstream out(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
      for (size_t copy = at; copy != std::string::npos; copy = bytes.find(commit, copy + 1)) {
        out.seekp(static_cast<std::streamoff>(copy + byte));
        out.put(static_cast<char>(bytes[copy + byte] ^ 1 << bit));
      }
      ASSERT_TRUE(out.flush().good());
      return;
    }
    FAIL() << "no volume holds the commit";
  }

  TempFolder temp;
  const std::string folder = temp / "journal";
};

// Bytes of a batch with `count` small facts of `partition`, the first at `base`. `seed` makes it unlike others.
std::string make_batch(Partition partition, Offset base, uint32_t count, uint64_t seed, size_t fact_bytes = 20);

// Appends commits with right heads.
class Appender {
 public:
  explicit Appender(JournalWriter& writer, uint32_t partitions = 4) : writer_(writer), heads(partitions, 0) {}
  // One commit with `counts[i]` facts in one batch for partition i. Failures are the test's to see.
  Result<Position> append(const std::vector<uint32_t>& counts, size_t fact_bytes = 20);

 private:
  JournalWriter& writer_;

 public:
  Heads heads;
  uint64_t seed = 1;
  std::vector<std::string> commits;  // The bytes that each append should have made, without a control batch.
};

// All commits from `from` on, as bytes; positions are checked to be dense.
std::vector<std::string> read_all(JournalReader& reader, Position from = 0, size_t bytes_max = 1u << 20);

}  // namespace xundian
