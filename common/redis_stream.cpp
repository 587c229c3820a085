#include "common/redis_stream.h"

#include <algorithm>
#include <charconv>

#include "common/journal.h"

namespace xundian {

namespace {

constexpr size_t load_bytes = 4u << 20;  // Of one reply, about.
constexpr size_t load_entries_max = 2000;

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

// "start bytes"
bool parse_unit(std::string_view text, StreamEntry& entry) {
  const size_t space = text.find(' ');
  return space != text.npos && parse_number(text.substr(0, space), entry.unit_start) &&
         parse_number(text.substr(space + 1), entry.unit_bytes);
}

// As the one who begins an epoch calls himself in its mark.
bool is_name(std::string_view text) {
  return text.size() == mark_chars && text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<StreamEntry> parse_entry(const redisReply& reply) {
  const auto foreign = [&] {
    const std::string_view id = reply.elements > 0 ? text_of(*reply.element[0]) : std::string_view();
    return fail(Code::data_loss, "the stream's entry {} was not written by a journal", id);
  };
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 2 || reply.element[1]->type != REDIS_REPLY_ARRAY) return foreign();
  const auto id = StreamId::parse(text_of(*reply.element[0]));
  if (!id) return foreign();
  StreamEntry entry;
  entry.id = *id;
  const redisReply& fields = *reply.element[1];
  bool has_bytes = false, has_unit = id->is_mark;
  for (size_t index = 0; index + 1 < fields.elements; index += 2) {
    const std::string_view name = text_of(*fields.element[index]);
    const std::string_view value = text_of(*fields.element[index + 1]);
    if (name == (id->is_mark ? "e" : "c")) {
      entry.bytes = value;
      has_bytes = !id->is_mark || is_name(value);
    } else if (name == "u") {
      has_unit = parse_unit(value, entry);
    }
  }
  entry.whole = has_bytes && has_unit;
  return entry;
}

bool holds_together(const StreamEntry& entry) {
  if (!entry.whole) return false;
  const auto commit = CommitView::open(entry.id.position, entry.bytes);
  return commit && commit->for_each_batch(false, [](const BatchView&) {});
}

}  // namespace

std::optional<StreamId> StreamId::parse(std::string_view text) {
  const size_t dash = text.find('-');
  uint64_t high = 0, low = 0;
  if (dash == text.npos || !parse_number(text.substr(0, dash), high) || !parse_number(text.substr(dash + 1), low) || low > 1)
    return {};
  const Position position = high & ((uint64_t{1} << stream_position_bits) - 1);
  if (low == 0 && position != 0) return {};
  return StreamId{high >> stream_position_bits, position, low == 0};
}

Result<std::vector<StreamEntry>> parse_entries(const redisReply& reply) {
  std::vector<StreamEntry> entries;
  if (reply.type != REDIS_REPLY_ARRAY) return fail(Code::data_loss, "the stream's range is no list");
  entries.reserve(reply.elements);
  for (size_t index = 0; index < reply.elements; ++index) entries.push_back(TRY(parse_entry(*reply.element[index])));
  return entries;
}

Result<LastEntries> read_last(RedisLink& link, const std::string& key) {
  LastEntries last;
  for (std::string end = "+"; !last.commit;) {
    const RedisReply reply = TRY(link.ask({"XREVRANGE", key, end, "-", "COUNT", "1"}));
    const auto entries = TRY(parse_entries(*reply));
    if (entries.empty()) return last;
    const StreamEntry& entry = entries.front();
    last.epoch = std::max(last.epoch, entry.id.epoch);
    if (entry.whole) last.owned_epoch = std::max(last.owned_epoch, entry.id.epoch);
    if (entry.id.is_mark) {
      if (last.mark.empty() && entry.whole) last.mark = entry.bytes;
    } else {
      last.commit = entry.id;
      last.commit_whole = holds_together(entry);
      last.unit_start = entry.unit_start;
      last.unit_bytes = entry.unit_bytes;
    }
    end = "(" + entry.id.text();
  }
  return last;
}

Result<void> StreamIndex::load(RedisLink& link, const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    entries_.clear();
    first_ = committed_ = 0;
    bytes_ = kept_bytes_ = kept_ = 0;
  }
  size_t count = 16;
  for (std::string from = "-";;) {
    const RedisReply reply = TRY(link.ask({"XRANGE", key, from, "+", "COUNT", std::to_string(count)}));
    const auto entries = TRY(parse_entries(*reply));
    if (entries.empty()) return {};
    size_t bytes = 0;
    for (const StreamEntry& entry : entries) {
      bytes += entry.bytes.size();
      if (entry.id.is_mark) continue;
      if (!entry.whole)
        return fail(Code::data_loss, "the stream {} holds position {} in part only; restore the journal from a backup", key,
                    entry.id.position);
      if (bytes_ == 0) start_at(entry.id.position);
      if (entry.id.position != next())
        return fail(Code::data_loss, "the stream {} holds position {} where {} was due; restore the journal from a backup", key,
                    entry.id.position, next());
      push({entry.id, entry.bytes.size(), entry.unit_start == entry.id.position, std::make_shared<std::string>(entry.bytes)});
    }
    from = "(" + entries.back().id.text();
    count = std::clamp<size_t>(load_bytes / std::max<size_t>(bytes / entries.size(), 1), 1, load_entries_max);
  }
}

void StreamIndex::push(Entry entry) {
  const std::lock_guard lock(mutex_);
  bytes_ += entry.bytes;
  if (entry.commit) {
    kept_ += 1;
    kept_bytes_ += entry.bytes;
  }
  entries_.push_back(std::move(entry));
  keep_newest();
}

void StreamIndex::keep_newest() {
  while (kept_ > 1 && kept_bytes_ > kept_bytes_max_) {
    Entry& oldest = entries_[entries_.size() - kept_];
    kept_bytes_ -= oldest.bytes;
    kept_ -= 1;
    oldest.commit.reset();
  }
}

void StreamIndex::pop() {
  const std::lock_guard lock(mutex_);
  if (entries_.empty()) return;
  const Entry& oldest = entries_.front();
  if (oldest.commit) {
    kept_ -= 1;
    kept_bytes_ -= oldest.bytes;
  }
  bytes_ -= oldest.bytes;
  entries_.pop_front();
  first_ += 1;
}

Position StreamIndex::first() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

Position StreamIndex::next() const {
  const std::lock_guard lock(mutex_);
  return first_ + entries_.size();
}

void StreamIndex::start_at(Position position) {
  const std::lock_guard lock(mutex_);
  CHECK(entries_.empty(), "a stream that holds something begins with it");
  first_ = position;
}

size_t StreamIndex::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::optional<StreamIndex::Entry> StreamIndex::find(Position position) const {
  const std::lock_guard lock(mutex_);
  if (position < first_ || position >= first_ + entries_.size()) return {};
  return entries_[position - first_];
}

Position StreamIndex::committed() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

void StreamIndex::set_committed(Position position) {
  const std::lock_guard lock(mutex_);
  committed_ = position;
}

Position StreamIndex::archived() const {
  const std::lock_guard lock(mutex_);
  return archived_;
}

void StreamIndex::set_archived(Position position) {
  const std::lock_guard lock(mutex_);
  archived_ = position;
}

Result<std::vector<StreamIndex::Entry>> read_commits(RedisLink& link, const std::string& key, const StreamIndex& index,
                                                     Position from, Position end, size_t bytes_max) {
  std::vector<StreamIndex::Entry> found;
  size_t bytes = 0;
  bool in_memory = true;
  for (Position position = from; position < end && (found.empty() || bytes < bytes_max); ++position) {
    auto entry = index.find(position);
    if (!entry) break;
    if (found.empty()) in_memory = entry->commit != nullptr;
    if ((entry->commit != nullptr) != in_memory) break;
    bytes += entry->bytes;
    found.push_back(std::move(*entry));
  }
  if (found.empty()) return fail(Code::out_of_range, "position {} is not in the stream {}", from, key);
  if (in_memory) return found;
  const RedisReply reply = TRY(link.ask({"XRANGE", key, found.front().id.text(), found.back().id.text()}));
  const auto entries = TRY(parse_entries(*reply));
  size_t at = 0;
  for (const StreamEntry& entry : entries)  // Marks lie between.
    if (at < found.size() && entry.id == found[at].id) found[at++].commit = std::make_shared<std::string>(entry.bytes);
  if (at == found.size()) return found;
  if (from < index.first()) return fail(Code::out_of_range, "position {} was trimmed off the stream {}", from, key);
  return fail(Code::data_loss, "position {} is missing in the stream {}; restore the journal from a backup", from + at, key);
}

}  // namespace xundian
