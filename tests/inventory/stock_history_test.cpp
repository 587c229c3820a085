// A stock history is what a map of hours is that keeps the newest version of each, whatever came in which order, and comes back
// from bytes as it was.
#include "services/inventory/stock_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

namespace xundian::inventory {
namespace {

constexpr Millis monday_ms = Millis{1'700'000'000} * 1000;

bool same(const StockPoint& a, const StockPoint& b) {
  return a.version == b.version && a.counted_ms == b.counted_ms && a.sellable == b.sellable;
}

StockPoint point_at(Millis counted_ms, uint64_t digest = 1, int64_t sellable = 5) {
  return {{make_rank({counted_ms, 0, 10, 0}), digest}, counted_ms, sellable};
}

std::string bytes_of(const StockHistory& history) {
  std::string bytes;
  history.save(bytes);
  return bytes;
}

// What bytes load as, if they do as a whole.
std::optional<StockHistory> loaded_history(std::string_view bytes) {
  StockHistory history;
  ByteReader reader(bytes);
  if (!history.load(reader) || !reader.empty()) return std::nullopt;
  return history;
}

// A history, and what it is to be.
struct HistoryPair {
  StockHistory history;
  std::map<int64_t, StockPoint> expected;

  std::optional<Millis> expect(const StockPoint& point) {
    const int64_t hour = point.hour();
    if (!expected.empty() && hour < expected.rbegin()->first - history_hours) return std::nullopt;
    const auto [held, is_new] = expected.try_emplace(hour, point);
    Millis changed = point.counted_ms;
    if (!is_new) {
      if (!(point.version > held->second.version)) return std::nullopt;
      changed = std::min(changed, held->second.counted_ms);
      held->second = point;
    }
    expected.erase(expected.begin(), expected.lower_bound(expected.rbegin()->first - history_hours));
    return changed;
  }
  void add(const StockPoint& point) {
    const auto changed = expect(point);
    ASSERT_EQ(history.add(point), changed) << point.counted_ms;
    ASSERT_TRUE(same(history.newest(), expected.rbegin()->second));
  }
  void compare() const {
    ASSERT_EQ(history.empty(), expected.empty());
    auto next = expected.begin();
    history.for_each([&](const StockPoint& point) {
      ASSERT_NE(next, expected.end());
      EXPECT_TRUE(same(point, next->second)) << point.counted_ms;
      ++next;
    });
    ASSERT_EQ(next, expected.end());
  }
  void compare_ends(const Version& withdrawn) const {
    std::optional<StockPoint> first;
    bool ran_out = false;
    for (const auto& [hour, point] : expected) {
      if (!first && point.version > withdrawn) first = point;
      ran_out |= point.sellable <= 0;
    }
    const auto oldest = history.oldest(withdrawn);
    ASSERT_EQ(oldest.has_value(), first.has_value());
    ASSERT_TRUE(!first || same(*oldest, *first));
    ASSERT_EQ(history.ran_out(), ran_out);
  }
  void compare_before(Millis time, const Version& withdrawn) const {
    std::optional<StockPoint> last;
    for (const auto& [hour, point] : expected)
      if (point.counted_ms < time && point.version > withdrawn) last = point;
    const auto found = history.last_before(time, withdrawn);
    ASSERT_EQ(found.has_value(), last.has_value()) << time;
    ASSERT_TRUE(!last || same(*found, *last)) << time;
  }
  // From now on the history is the one that was saved.
  void reload() {
    const std::string bytes = bytes_of(history);
    auto again = loaded_history(bytes);
    ASSERT_TRUE(again.has_value());
    ASSERT_EQ(bytes_of(*again), bytes);
    history = std::move(*again);
    compare();
  }
};

// Counts of some months in any order, several in an hour, some of them withdrawn.
TEST(StockHistory, IsWhatAMapOfHoursHolds) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 60; ++round) {
    HistoryPair pair;
    const int64_t span_hours = round % 3 == 0 ? 3000 : 200;
    const bool forward = round % 2 == 0;
    for (int step = 0; step < 600; ++step) {
      const int64_t hour = forward ? step * span_hours / 600 - static_cast<int64_t>(random() % 4)
                                   : static_cast<int64_t>(random() % static_cast<uint64_t>(span_hours));
      const Millis counted = monday_ms + hour * hour_ms + static_cast<Millis>(random() % 3) * 600'000;
      const Millis as_of = counted + static_cast<Millis>(random() % 3) * minute_ms;
      const StockPoint point{{make_rank({as_of, static_cast<uint32_t>(random() % 2), 10, 0}), random() % 5 + 1},
                             counted,
                             static_cast<int64_t>(random() % 2000) - round % 4};
      pair.add(point);
      if (step % 50 == 0) {
        pair.compare();
        pair.compare_ends(Version());
        pair.compare_ends(point.version);
        pair.compare_before(counted, Version());
        pair.compare_before(counted + static_cast<Millis>(random() % 100) * hour_ms, point.version);
      }
    }
    pair.compare();
    pair.reload();
    pair.add(point_at(monday_ms + span_hours * hour_ms));
    pair.compare();
  }
}

// Any time, any number of units, any rank.
TEST(StockHistory, HoldsWhateverIsSaid) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 200; ++round) {
    HistoryPair pair;
    const Millis from = static_cast<Millis>(random() >> (1 + random() % 40));
    for (int step = 0; step < 40; ++step) {
      const Millis counted = from < std::numeric_limits<Millis>::max() - 60 * day_ms
                                 ? from + static_cast<Millis>(random() % (60 * day_ms))
                                 : from - static_cast<Millis>(random() % (60 * day_ms));
      pair.add({{random() | 1, random()}, counted, static_cast<int64_t>(random()) >> random() % 64});
    }
    pair.compare();
    pair.reload();
  }
}

// Nothing but the set of counts decides what is kept and how it is saved.
TEST(StockHistory, IsTheSameInWhateverOrder) {
  std::mt19937_64 random(9);
  std::vector<StockPoint> points;
  for (int64_t hour = 0; hour < 1500; ++hour)
    for (uint64_t version = 1; version <= 1 + random() % 2; ++version)
      points.push_back(point_at(monday_ms + hour * hour_ms, version, static_cast<int64_t>(random() % 1000)));
  std::string bytes;
  for (int round = 0; round < 6; ++round) {
    HistoryPair pair;
    if (round == 1) std::reverse(points.begin(), points.end());
    if (round > 1) std::shuffle(points.begin(), points.end(), random);
    for (const StockPoint& point : points) pair.add(point);
    pair.compare();
    EXPECT_TRUE(round == 0 || bytes_of(pair.history) == bytes) << round;
    bytes = bytes_of(pair.history);
  }
}

// The whole window, counted each hour at about the same minute and stated a little later, as a warehouse does.
TEST(StockHistory, TakesAFewBytesAnHour) {
  std::mt19937_64 random(10);
  StockHistory history;
  for (int64_t hour = 0; hour < 3 * history_hours; ++hour) {
    const Millis counted = monday_ms + hour * hour_ms + static_cast<Millis>(random() % 5000);
    history.add({{make_rank({counted + 120'000, 0, 40, 0}), random()}, counted, static_cast<int64_t>(500 + random() % 300)});
  }
  EXPECT_LT(history.bytes(), static_cast<size_t>(22 * history_hours));
  EXPECT_LT(bytes_of(history).size(), static_cast<size_t>(21 * history_hours));
}

TEST(StockHistory, RefusesBrokenBytes) {
  StockHistory history;
  for (int64_t hour = 0; hour < 200; ++hour) history.add(point_at(monday_ms + hour * hour_ms, 1, hour * hour));
  const std::string bytes = bytes_of(history);
  ASSERT_TRUE(loaded_history(bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(loaded_history(bytes.substr(0, size)).has_value()) << size;
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string broken = bytes;
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) broken[random() % broken.size()] = static_cast<char>(random());
    const auto read = loaded_history(broken);
    if (!read) continue;  // What is read all the same is a history in order, within the window.
    int64_t before = std::numeric_limits<int64_t>::min();
    read->for_each([&](const StockPoint& point) {
      EXPECT_GT(point.hour(), before);
      EXPECT_GE(point.hour(), read->newest().hour() - history_hours);
      EXPECT_NE(point.version, Version());
      before = point.hour();
    });
  }
}

}  // namespace
}  // namespace xundian::inventory
