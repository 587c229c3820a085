// One journal's stream in Redis: what its ids and entries mean.
//   id     (epoch << 44 | position)-1 of a commit, (epoch << 44)-0 of the mark with which an epoch begins
//   entry  of a commit: "c" its bytes, "u" where its unit begins and what the unit's commits take up to this one
//          of a mark: "e" a random text by which the one who set it knows it again
// Redis refuses an id that is not above the last one, so an append is there once however often it is sent, and who belongs to an
// older epoch appends nothing any more. Positions stay dense over epochs, for a mark has none.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/fact_view.h"
#include "common/redis_link.h"

namespace xundian {

inline constexpr unsigned stream_position_bits = 44;
inline constexpr size_t mark_chars = 16;  // Hexadecimal digits.
inline constexpr uint64_t stream_epoch_max = (uint64_t{1} << (64 - stream_position_bits)) - 1;

struct StreamId {
  uint64_t epoch = 0;
  Position position = 0;
  bool is_mark = false;

  std::string text() const { return fmt::format("{}-{}", epoch << stream_position_bits | position, is_mark ? 0 : 1); }
  static std::optional<StreamId> parse(std::string_view text);
  bool operator==(const StreamId&) const = default;
};

struct StreamEntry {
  StreamId id;
  std::string_view bytes;   // Of a commit; lives as long as the reply. Of a mark, its text.
  Position unit_start = 0;  // The first position of the unit that the commit belongs to.
  uint64_t unit_bytes = 0;  // What the unit's commits take, up to this one.
  // It has all that was written. What was not synced when the power went may come back in part, for Redis keeps no checksums;
  // only a last entry is ever in that state, because each is waited for before the next.
  bool whole = false;
};

// The entries of a reply to XRANGE or XREVRANGE. Code::data_loss: they are not ours.
Result<std::vector<StreamEntry>> parse_entries(const redisReply& reply);

struct LastEntries {
  uint64_t epoch = 0;        // Of the last entry of any kind; 0 = there is none.
  uint64_t owned_epoch = 0;  // Of the last one that is whole: a torn mark makes nobody an owner.
  std::string mark;          // The text of the last whole mark.
  std::optional<StreamId> commit;
  bool commit_whole = false;  // Its bytes have the right crc too.
  Position unit_start = 0;
  uint64_t unit_bytes = 0;
};
Result<LastEntries> read_last(RedisLink& link, const std::string& key);

// What the stream holds, as the one who writes it knows; shared with the readers of its process. The newest commits are kept in
// memory, for most readers follow closely.
class StreamIndex {
 public:
  struct Entry {
    StreamId id;
    size_t bytes = 0;
    bool begins_unit = false;
    std::shared_ptr<const std::string> commit;  // Null: only in Redis.
  };

  explicit StreamIndex(size_t kept_bytes_max = 8u << 20) : kept_bytes_max_(kept_bytes_max) {}
  // Reads the whole stream; replaces what was known. Code::data_loss where positions are missing.
  Result<void> load(RedisLink& link, const std::string& key);
  void push(Entry entry);
  // Forgets the first entry, which was trimmed.
  void pop();

  Position first() const;
  Position next() const;  // Behind the last one; of an empty stream, what `start_at` said.
  void start_at(Position position);
  size_t bytes() const;
  std::optional<Entry> find(Position position) const;
  // Commits before it are acknowledged by all who have to; no reader sees more.
  Position committed() const;
  void set_committed(Position position);
  // Commits before it are in the archive.
  Position archived() const;
  void set_archived(Position position);

 private:
  void keep_newest();  // Under the lock.

  const size_t kept_bytes_max_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  Position first_ = 0;
  size_t bytes_ = 0;
  size_t kept_bytes_ = 0;
  size_t kept_ = 0;  // So many at the end have their bytes.
  Position committed_ = 0;
  Position archived_ = 0;
};

// The commits from `from` on and before `end`, as far as about `bytes_max` and one question to Redis go; at least one. Each has
// its bytes. Code::out_of_range: `from` was trimmed in the meantime.
Result<std::vector<StreamIndex::Entry>> read_commits(RedisLink& link, const std::string& key, const StreamIndex& index,
                                                     Position from, Position end, size_t bytes_max);

}  // namespace xundian
