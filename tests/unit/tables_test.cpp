// The table of things and the timers, against a plain map and a plain set, by random moves.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "common/bytes.h"
#include "common/row.h"
#include "common/things.h"
#include "common/timers.h"

namespace xundian {
namespace {

Key key_of(uint32_t number) {
  std::string bytes;
  append(bytes, number);
  return hash128(bytes);
}

TEST(Things, KeepIndexAndAddressWhileTheyGrow) {
  Things<std::pair<uint64_t, std::string>> things;
  std::map<Key, std::pair<uint32_t, const void*>> seen;
  std::mt19937 random(20261122);
  for (int step = 0; step < 60'000; ++step) {
    const uint32_t number = random() % 20'000;
    const Key key = key_of(number);
    const auto [index, fresh] = things.of(key);
    const auto [held, is_new] = seen.try_emplace(key, index, &things[index]);
    ASSERT_EQ(fresh, is_new);
    ASSERT_EQ(index, held->second.first);
    ASSERT_EQ(&things[index], held->second.second);
    if (fresh) things[index] = {number, std::to_string(number)};
    ASSERT_EQ(things[index].first, number);
  }
  ASSERT_EQ(things.size(), seen.size());
  for (const auto& [key, held] : seen) {
    ASSERT_EQ(things.find(key), held.second);
    ASSERT_EQ(things.key(held.first), key);
  }
  EXPECT_EQ(things.find(key_of(20'000)), nullptr);
  uint32_t next = 0;
  things.for_each(
      [&](const Key& key, const auto& thing) { EXPECT_EQ(seen.at(key), std::pair(next++, static_cast<const void*>(&thing))); });
  things.clear();
  EXPECT_TRUE(things.empty());
  EXPECT_EQ(things.find(seen.begin()->first), nullptr);
  EXPECT_EQ(things.of(seen.begin()->first), std::pair(0u, true));
}

// A row that grows, and is filled in the middle, against a vector.
TEST(Row, GrowsLikeAVector) {
  RowMemory memory;
  std::mt19937 random(20261122);
  std::vector<std::vector<uint64_t>> expected(200);
  std::vector<Row<uint64_t>> rows(200);
  for (int step = 0; step < 20'000; ++step) {
    const size_t number = random() % rows.size(), at = random() % (expected[number].size() + 1);
    Row<uint64_t>& row = rows[number];
    if (random() % 8 == 0) {
      row.cut(row.begin() + at);
      expected[number].resize(at);
    } else if (random() % 8 == 0) {
      row.reserve(memory, random() % 40);
    } else if (random() % 4 == 0) {
      const size_t end = at + random() % (expected[number].size() - at + 1);
      const std::vector<uint64_t> items(random() % 4, random());
      row.replace(memory, row.begin() + at, row.begin() + end, items);
      const auto begin = expected[number].begin();
      expected[number].erase(begin + static_cast<ptrdiff_t>(at), begin + static_cast<ptrdiff_t>(end));
      expected[number].insert(expected[number].begin() + static_cast<ptrdiff_t>(at), items.begin(), items.end());
    } else {
      const uint64_t item = !row.empty() && random() % 4 == 0 ? row[random() % row.size()] : random();
      EXPECT_EQ(*row.insert(memory, row.begin() + at, item), item);
      expected[number].insert(expected[number].begin() + static_cast<ptrdiff_t>(at), item);
    }
    ASSERT_TRUE(std::ranges::equal(row, expected[number]));
  }
}

// Two keys that differ only in what the directory does not look at first are two things.
TEST(Things, SameHashIsNotTheSameThing) {
  Things<int> things;
  things[Key{7, 1}] = 1;
  things[Key{7, 65}] = 2;  // The same shard, the same bucket.
  EXPECT_EQ(*things.find(Key{7, 1}), 1);
  EXPECT_EQ(*things.find(Key{7, 65}), 2);
  EXPECT_EQ(things.find(Key{7, 129}), nullptr);
}

// Times are often set again, moved, cleared and met twice; hours before 1970 are hours too.
TEST(Timers, TellWhatASortedSetTells) {
  std::mt19937 random(20261122);
  Timers timers;
  std::map<uint32_t, Millis> due;
  std::set<std::pair<Millis, uint32_t>> sorted;
  const auto forget = [&](uint32_t thing) {
    if (const auto held = due.find(thing); held != due.end()) {
      sorted.erase({held->second, thing});
      due.erase(held);
    }
  };
  Millis now = -2 * hour_ms;
  for (int step = 0; step < 200'000; ++step) {
    const uint32_t thing = random() % 500, move = random() % 100;
    if (move < 60) {
      const Millis at = now + (move < 20 ? 0 : random() % 8) * 20 * minute_ms + random() % 50;
      forget(thing);
      due[thing] = at;
      sorted.insert({at, thing});
      timers.set(thing, at);
    } else if (move < 98) {
      forget(thing);
      timers.set(thing, Timers::none);
    } else {
      now += random() % (30 * minute_ms);
      std::vector<std::pair<Millis, uint32_t>> taken, expected(sorted.begin(), sorted.upper_bound({now, UINT32_MAX}));
      timers.take_due(now, [&](uint32_t one, Millis at) { taken.emplace_back(at, one); });
      ASSERT_TRUE(std::is_sorted(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.first < b.first; }));
      std::sort(taken.begin(), taken.end());
      ASSERT_EQ(taken, expected);
      for (const auto& [at, one] : expected) forget(one);
    }
    ASSERT_EQ(timers.first(), sorted.empty() ? Timers::none : sorted.begin()->first) << step;
    ASSERT_EQ(timers.due(thing), due.contains(thing) ? due[thing] : Timers::none);
  }
}

TEST(Timers, TakeTheLeastAndTheGreatestTime) {
  Timers timers;
  const Millis least = std::numeric_limits<Millis>::min(), greatest = Timers::none - 1;
  timers.set(1, greatest);
  timers.set(2, least);
  timers.set(3, -1);
  timers.set(4, 0);
  std::vector<Millis> taken;
  timers.take_due(greatest, [&](uint32_t, Millis due) { taken.push_back(due); });
  EXPECT_EQ(taken, (std::vector<Millis>{least, -1, 0, greatest}));
  EXPECT_EQ(timers.first(), Timers::none);
}

// A thing that is set while others are taken is taken in its turn.
TEST(Timers, MayBeSetWhileTheyAreTaken) {
  Timers timers;
  timers.set(1, 10);
  timers.set(2, 30);
  std::vector<Millis> taken;
  timers.take_due(30, [&](uint32_t thing, Millis due) {
    taken.push_back(due);
    if (thing == 1) timers.set(1, due + 10 <= 20 ? 20 : 40);
  });
  EXPECT_EQ(taken, (std::vector<Millis>{10, 20, 30}));
  EXPECT_EQ(timers.first(), 40);
}

}  // namespace
}  // namespace xundian
