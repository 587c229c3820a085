// The journal: an append-only sequence of group commits, durable when append returns. One interface, several engines.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/batch.h"

namespace xundian {

// For each partition the offset of the next fact.
using Heads = std::vector<Offset>;

// One group commit, in place. Its bytes live until the reader's visitor returns.
//   u32 magic "XDC1" | u32 crc32c of the next two and the heads | u32 partition count | u32 bytes of all batches |
//   heads before it, u64 each | batches, one behind the other
class CommitView {
 public:
  // Checks lengths and the crc of the heads; batches are checked by `for_each_batch`.
  static Result<CommitView> open(Position position, std::string_view bytes);
  Position position() const { return position_; }
  std::string_view bytes() const { return bytes_; }
  uint32_t partitions() const { return partitions_; }
  Offset head_before(Partition partition) const;
  Heads heads_before() const;
  // The batches, one behind the other.
  std::string_view batches() const;
  // Calls `visit(BatchView)` for each batch, crcs checked unless `trusted`; fails at the first that does not hold together.
  Result<void> for_each_batch(bool trusted, const std::function<void(const BatchView&)>& visit) const;

 private:
  Position position_ = 0;
  std::string_view bytes_;
  uint32_t partitions_ = 0;
};

// The bytes of a commit. `batches` are whole batches with their offsets already given.
std::string make_commit(const Heads& before, std::span<const std::string_view> batches);
// The same into `to`, which has room for commit_bytes(before, batches).
size_t commit_bytes(const Heads& before, std::span<const std::string_view> batches);
void write_commit(char* to, const Heads& before, std::span<const std::string_view> batches);

// Reads a journal, in any process. Not thread safe: one reader, one thread.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  // Calls `visit` for the commits from `from` on, in order, until about `bytes_max` bytes were visited, the end is reached, or
  // `visit` returns false (that commit counts as visited). Returns the position to go on from. Code::out_of_range: `from` was
  // trimmed away; the message names the lowest position there is.
  virtual Result<Position> read(Position from, size_t bytes_max, const std::function<bool(const CommitView&)>& visit) = 0;
  // The lowest position that can be read, and the one that the next commit will get.
  struct Range {
    Position low = 0;
    Position next = 0;
  };
  virtual Result<Range> range() = 0;
};

// The latest position such that all facts at or behind the given offsets lie at it or later; found by bisection.
Result<Position> seek(JournalReader& reader, const Heads& offsets);
// The heads behind the last commit.
Result<Heads> read_heads(JournalReader& reader, uint32_t partitions);

// Writes a journal; at most one at a time in the world.
class JournalWriter {
 public:
  virtual ~JournalWriter() = default;
  // Appends one group commit and returns its position once it is durable. Code::unavailable: it is not, or not yet; nobody may be
  // told of it, and the same call is to be repeated until it says something else. After any other error the writer must not be
  // used again.
  virtual Result<Position> append(const Heads& before, std::span<const std::string_view> batches) = 0;
  // Does a little of what can wait, and looks whether all is well; to be called often, between appends. Code::unavailable says
  // why appends would not go through now; it passes by itself. Any other error: as of append.
  virtual Result<void> tidy() { return {}; }
  // Removes commits below `position`, as far as the engine's own units allow.
  virtual Result<void> trim(Position position) = 0;
  // Called for the first commit of each unit of storage (a volume): the batch it returns, if not empty, goes first into that
  // commit, so that a writer that starts needs to read one unit only.
  virtual void on_new_volume(std::function<std::string()> make_control) = 0;
  // The first position of the unit that is written now.
  virtual Position volume_start() const = 0;
};

// The engines. A `folder` is the journal's own; it is made if absent (by a writer alone).
struct LmdbOptions {
  size_t volume_bytes = 256u << 20;  // A new volume begins when one has taken this much.
};
// Holds an exclusive lock on the folder for its life; Code::failed_precondition names the process that holds it.
Result<std::unique_ptr<JournalWriter>> open_lmdb_writer(const std::string& folder, LmdbOptions options = {});
Result<std::unique_ptr<JournalReader>> open_lmdb_reader(const std::string& folder);

// What `verify` finds wrong.
struct BadRecord {
  Partition partition = 0;
  Offset offset = 0;
  std::string why;
};
struct VerifyReport {
  uint64_t records = 0;  // Batches.
  uint64_t facts = 0;
  std::vector<BadRecord> bad;
};
// Reads everything: crcs, density of offsets, heads.
Result<VerifyReport> verify(JournalReader& reader, const std::function<void(Position done, Position all)>& progress = {});

// Copies a running journal into `to`, a folder that must not exist; up to the position that the journal has now.
Result<Position> backup_lmdb(const std::string& from, const std::string& to);
// The same of a journal that is not read in place, as volumes.
Result<Position> backup_through(JournalReader& reader, const std::string& to);

}  // namespace xundian
