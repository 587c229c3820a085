// What a stock level was, hour by hour, for weeks of hours and millions of levels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/time.h"
#include "common/version.h"

namespace xundian::inventory {

// What was counted last within an hour.
struct StockPoint {
  Version version;
  Millis counted_ms = 0;
  int64_t sellable = 0;
  int64_t hour() const { return counted_ms / hour_ms; }  // Since 1970.
};

inline constexpr int64_t history_hours = 40 * 24;

// Of each hour the newest version is kept, so that history follows from the set of counts alone and not from their order. The
// newest point lies in place, for nearly all that is said comes behind it; older ones are records of some 17 bytes, half of
// them the version's digest.
class StockHistory {
 public:
  // Takes a count: it replaces what an older version said of the same hour, and what is older than the window goes. Gives from
  // when on the history has become another, what went at its other end aside; absent: it has not.
  std::optional<Millis> add(const StockPoint& point);
  bool empty() const { return newest_.version == Version(); }
  const StockPoint& newest() const { return newest_; }
  // Calls `each(point)` from the oldest to the newest.
  template <typename Each>
  void for_each(Each&& each) const {
    for (const Chunk& chunk : chunks_) for_each_of(chunk, each);
    if (!empty()) each(newest_);
  }
  // The oldest point that was said after a withdrawal; absent: there is none.
  std::optional<StockPoint> oldest(const Version& withdrawn) const;
  // Whether any point, be it withdrawn, says that nothing can be sold.
  bool ran_out() const;
  // The newest point that was counted before `time` and said after a withdrawal; absent: there is none.
  std::optional<StockPoint> last_before(Millis time, const Version& withdrawn) const;
  // Beside the object itself.
  size_t bytes() const;
  // The same history is always the same bytes.
  void save(std::string& bytes) const;
  // False: the bytes are broken.
  bool load(ByteReader& bytes);

 private:
  // Points of neighbouring hours, each but the first by what differs from that one.
  struct Chunk {
    StockPoint first;
    int64_t lowest = first.sellable;  // Of all of them.
    std::string rest = {};
  };

  // A record is four differences and a digest. Reads the one that begins at `at`, and gives where it ends; null: it is broken.
  static const char* read(const char* at, const char* end, const StockPoint& base, StockPoint& point);
  static void write(const StockPoint& base, const StockPoint& point, std::string& bytes);
  static void add_behind(Chunk& chunk, const StockPoint& point);
  template <typename Each>
  static void for_each_of(const Chunk& chunk, Each&& each) {
    each(chunk.first);
    const char* const end = chunk.rest.data() + chunk.rest.size();
    StockPoint point;
    for (const char* at = chunk.rest.data(); at != end;) {
      at = read(at, end, chunk.first, point);
      each(point);
    }
  }
  static std::vector<StockPoint> points_of(const Chunk& chunk);
  static Chunk chunk_of(const StockPoint* from, const StockPoint* to);
  void push_older(const StockPoint& point);
  std::optional<Millis> add_late(const StockPoint& point);
  void drop_past();

  StockPoint newest_;  // Without a version: there is none.
  std::vector<Chunk> chunks_;
};

}  // namespace xundian::inventory
