#include "services/inventory/stock_history.h"

#include <algorithm>
#include <array>

#include "common/fact_view.h"
#include "common/held.h"

namespace xundian::inventory {

namespace {

constexpr size_t chunk_bytes = 1000, chunk_points_max = 64;
constexpr unsigned low_rank_bits = 20;  // Below the rank's as_of.

// What a record keeps as differences: when it was counted, the units, by how much the statement is later, and the rest of its
// rank.
using Numbers = std::array<uint64_t, 4>;
Numbers numbers_of(const StockPoint& point) {
  const auto counted = static_cast<uint64_t>(point.counted_ms);
  const uint64_t rank = point.version.rank;
  return {counted, static_cast<uint64_t>(point.sellable), (rank >> low_rank_bits) - counted, rank % (1u << low_rank_bits)};
}

}  // namespace

const char* StockHistory::read(const char* at, const char* end, const StockPoint& base, StockPoint& point) {
  Numbers numbers = numbers_of(base);
  for (uint64_t& number : numbers) {
    const LongVarint difference = read_long_varint(at, end);
    if (difference.end == nullptr) return nullptr;
    at = difference.end;
    number += static_cast<uint64_t>(unzigzag(difference.value));
  }
  if (static_cast<size_t>(end - at) < sizeof(uint64_t)) return nullptr;
  const auto [counted, sellable, later, low] = numbers;
  point.counted_ms = static_cast<Millis>(counted);
  point.sellable = static_cast<int64_t>(sellable);
  point.version = {(later + counted) << low_rank_bits | low, xundian::load<uint64_t>(at)};
  return at + sizeof(uint64_t);
}

void StockHistory::write(const StockPoint& base, const StockPoint& point, std::string& bytes) {
  const Numbers from = numbers_of(base), to = numbers_of(point);
  std::array<char, std::tuple_size_v<Numbers> * varint_bytes_max> record;
  char* end = record.data();
  for (size_t index = 0; index < to.size(); ++index) end = put_varint(end, zigzag(static_cast<int64_t>(to[index] - from[index])));
  bytes.append(record.data(), end);
  append(bytes, point.version.digest);
}

void StockHistory::add_behind(Chunk& chunk, const StockPoint& point) {
  write(chunk.first, point, chunk.rest);
  chunk.lowest = std::min(chunk.lowest, point.sellable);
}

std::vector<StockPoint> StockHistory::points_of(const Chunk& chunk) {
  std::vector<StockPoint> points;
  points.reserve(chunk_points_max + 1);
  for_each_of(chunk, [&](const StockPoint& point) { points.push_back(point); });
  return points;
}

StockHistory::Chunk StockHistory::chunk_of(const StockPoint* from, const StockPoint* to) {
  Chunk chunk{*from};
  for (const StockPoint* point = from + 1; point != to; ++point) add_behind(chunk, *point);
  chunk.rest.shrink_to_fit();
  return chunk;
}

std::optional<Millis> StockHistory::add(const StockPoint& point) {
  if (empty()) {
    newest_ = point;
    return point.counted_ms;
  }
  if (point.hour() < newest_.hour()) return add_late(point);
  const StockPoint before = newest_;
  if (point.hour() == before.hour()) {
    if (!(point.version > before.version)) return std::nullopt;
    newest_ = point;
    return std::min(point.counted_ms, before.counted_ms);
  }
  push_older(before);
  newest_ = point;
  drop_past();
  return point.counted_ms;
}

// Behind all that are older.
void StockHistory::push_older(const StockPoint& point) {
  if (!chunks_.empty() && chunks_.back().rest.size() < chunk_bytes) return add_behind(chunks_.back(), point);
  if (!chunks_.empty()) chunks_.back().rest.shrink_to_fit();
  chunks_.push_back({point});
}

std::optional<Millis> StockHistory::add_late(const StockPoint& point) {
  const int64_t hour = point.hour();
  if (hour < newest_.hour() - history_hours) return std::nullopt;
  if (chunks_.empty()) {
    push_older(point);
    return point.counted_ms;
  }
  auto chunk = std::upper_bound(chunks_.begin(), chunks_.end(), hour,
                                [](int64_t sought, const Chunk& held) { return sought < held.first.hour(); });
  if (chunk != chunks_.begin()) --chunk;
  std::vector<StockPoint> points = points_of(*chunk);
  auto at = std::lower_bound(points.begin(), points.end(), hour,
                             [](const StockPoint& held, int64_t sought) { return held.hour() < sought; });
  Millis changed = point.counted_ms;
  if (at == points.end() || at->hour() != hour) {
    points.insert(at, point);
  } else {
    if (!(point.version > at->version)) return std::nullopt;
    changed = std::min(changed, at->counted_ms);
    *at = point;
  }
  const StockPoint *const begin = points.data(), *const end = begin + points.size();
  const StockPoint* const middle = points.size() > chunk_points_max ? begin + points.size() / 2 : end;
  *chunk = chunk_of(begin, middle);
  if (middle != end) chunks_.insert(chunk + 1, chunk_of(middle, end));
  return changed;
}

void StockHistory::drop_past() {
  const int64_t first = newest_.hour() - history_hours;
  while (!chunks_.empty() && chunks_.front().first.hour() < first) {
    std::vector<StockPoint> points = points_of(chunks_.front());
    const auto kept = std::find_if(points.begin(), points.end(), [&](const StockPoint& held) { return held.hour() >= first; });
    if (kept == points.end())
      chunks_.erase(chunks_.begin());
    else
      chunks_.front() = chunk_of(&*kept, points.data() + points.size());
  }
}

std::optional<StockPoint> StockHistory::oldest(const Version& withdrawn) const {
  std::optional<StockPoint> oldest;
  for (auto chunk = chunks_.begin(); chunk != chunks_.end() && !oldest; ++chunk) {
    if (chunk->first.version > withdrawn) return chunk->first;
    for_each_of(*chunk, [&](const StockPoint& point) {
      if (!oldest && point.version > withdrawn) oldest = point;
    });
  }
  if (!oldest && newest_.version > withdrawn) oldest = newest_;
  return oldest;
}

bool StockHistory::ran_out() const {
  return (!empty() && newest_.sellable <= 0) ||
         std::ranges::any_of(chunks_, [](const Chunk& chunk) { return chunk.lowest <= 0; });
}

std::optional<StockPoint> StockHistory::last_before(Millis time, const Version& withdrawn) const {
  if (newest_.counted_ms < time && newest_.version > withdrawn) return newest_;
  std::optional<StockPoint> last;
  for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend() && !last; ++chunk) {
    if (chunk->first.counted_ms >= time) continue;
    for_each_of(*chunk, [&](const StockPoint& point) {
      if (point.counted_ms < time && point.version > withdrawn) last = point;
    });
  }
  return last;
}

size_t StockHistory::bytes() const {
  size_t bytes = vector_bytes(chunks_);
  for (const Chunk& chunk : chunks_) bytes += text_bytes(chunk.rest);
  return bytes;
}

// Layout: the newest point; without a version nothing follows | u32 bytes of records | records of what is older, by what differs
// from the newest, the oldest first.
void StockHistory::save(std::string& bytes) const {
  append(bytes, newest_);
  if (empty()) return;
  const size_t before = bytes.size();
  append(bytes, uint32_t{0});  // Known when they are there.
  for (const Chunk& chunk : chunks_) for_each_of(chunk, [&](const StockPoint& point) { write(newest_, point, bytes); });
  xundian::store(bytes.data() + before, static_cast<uint32_t>(bytes.size() - before - sizeof(uint32_t)));
}

bool StockHistory::load(ByteReader& bytes) {
  *this = StockHistory();
  newest_ = bytes.take<StockPoint>();
  if (empty()) return bytes.ok();
  const std::string_view records = bytes.take_text();
  if (!bytes.ok() || newest_.counted_ms < 0) return false;
  int64_t before = newest_.hour() - history_hours - 1;
  StockPoint point;
  const char* const end = records.data() + records.size();
  for (const char* at = records.data(); at != end; before = point.hour()) {
    at = read(at, end, newest_, point);
    if (at == nullptr || point.version == Version() || point.hour() <= before || point.hour() >= newest_.hour()) return false;
    push_older(point);
  }
  return true;
}

}  // namespace xundian::inventory
