// Units by day are what a map of them is, whatever came in which order, and come back from bytes as they were.
#include "services/inventory/day_units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>

namespace xundian::inventory {
namespace {

using Days = std::map<Day, int64_t>;

constexpr Day first_of_all = std::numeric_limits<Day>::min(), last_of_all = std::numeric_limits<Day>::max();
constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();

Days days_of(const DayUnits& units, Day from = first_of_all, Day to = last_of_all) {
  Days days;
  std::optional<Day> following;
  units.for_each(from, to, [&](Day day, int64_t of_day) {
    EXPECT_TRUE(!following || day < *following) << "the newest comes first";
    days[day] = of_day;
    following = day;
  });
  return days;
}

std::string bytes_of(const DayUnits& units) {
  std::string bytes;
  units.save(bytes);
  return bytes;
}

// What bytes load as, if they do as a whole.
std::optional<DayUnits> loaded(std::string_view bytes, RowMemory& memory) {
  DayUnits units;
  ByteReader reader(bytes);
  if (!units.load(reader, memory) || !reader.empty()) return std::nullopt;
  return units;
}

// Units by day, and what they are to be.
struct Pair {
  RowMemory memory;
  DayUnits units;
  Days expected;

  int64_t at(Day day) const { return expected.contains(day) ? expected.at(day) : 0; }
  void add(Day day, int64_t more) {
    units.add(memory, day, more);
    if ((expected[day] += more) == 0) expected.erase(day);
    ASSERT_EQ(units.at(day), at(day)) << day;
  }
  void compare() const {
    ASSERT_EQ(days_of(units), expected);
    ASSERT_EQ(units.empty(), expected.empty());
    ASSERT_TRUE(expected.empty() || units.first() == expected.begin()->first);
  }
  void compare(Day from, Day to) const {
    const Days within(expected.lower_bound(from), from <= to ? expected.upper_bound(to) : expected.lower_bound(from));
    ASSERT_EQ(days_of(units, from, to), within);
    ASSERT_EQ(units.at(from), at(from));
    ASSERT_EQ(units.at(to), at(to));
  }
  // From now on the units are those that were saved.
  void reload() {
    const std::string bytes = bytes_of(units);
    const auto again = loaded(bytes, memory);
    ASSERT_TRUE(again.has_value());
    ASSERT_EQ(bytes_of(*again), bytes);
    units = *again;
    compare();
  }
};

TEST(DayUnits, AreWhatAMapHolds) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Pair pair;
    for (int step = 0; step < 60; ++step) {
      pair.add(static_cast<Day>(random() % 9) - 4, static_cast<int64_t>(random() % 5) - 2);
      pair.compare();
      pair.compare(-1, 2);
    }
    pair.reload();
  }
}

// Any day, any units, and one before the other by all that there is.
TEST(DayUnits, HoldAnyDayAndAnyUnits) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    Pair pair;
    std::vector<Day> days = {first_of_all, last_of_all, 0};
    for (int step = 0; step < 80; ++step) {
      const uint64_t kind = random() % 4;
      if (kind == 0) days.push_back(static_cast<Day>(random()));
      const Day near = days[random() % days.size()];
      const Day day = kind == 1 && near < last_of_all - 200 ? near + static_cast<Day>(random() % 200) : near;
      int64_t more = static_cast<int64_t>(random()) >> random() % 64, sum = 0;
      if (random() % 4 == 0) more = random() % 2 == 0 ? least : most;
      if (random() % 4 == 0 && pair.at(day) != least) more = -pair.at(day);
      if (__builtin_add_overflow(pair.at(day), more, &sum)) continue;
      pair.add(day, more);
      pair.compare();
      pair.compare(days[random() % days.size()], days[random() % days.size()]);
    }
    pair.reload();
  }
}

// Days go by; some units come late, and some are taken back and said again.
TEST(DayUnits, HoldYears) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    Pair pair;
    Day today = 19'000;
    for (int step = 0; step < 900; ++step) {
      today += random() % 3 == 0 ? static_cast<Day>(random() % 4) : 1;
      pair.add(today, 1 + static_cast<int64_t>(random() % (step % 50 == 0 ? 100'000 : 40)));
      const Day back = today - static_cast<Day>(random() % (random() % 4 == 0 ? 800 : 12));
      if (random() % 3 == 0) pair.add(back, static_cast<int64_t>(random() % 200) - 60);
      if (const int64_t held = pair.at(back); random() % 4 == 0) {
        pair.add(back, -held);
        if (random() % 8 != 0) pair.add(back, held);
      }
      if (random() % 100 == 0) pair.reload();
      if (step % 200 == 199)  // All that is recent goes.
        for (size_t left = random() % 200; left > 0 && !pair.expected.empty(); --left)
          pair.add(pair.expected.rbegin()->first, -pair.expected.rbegin()->second);
      pair.compare(today - static_cast<Day>(random() % 800), today - static_cast<Day>(random() % 30));
      if (step % 10 == 0) pair.compare();
    }
    while (!pair.expected.empty()) {  // Taken out from the end, the front or the middle.
      auto day = pair.expected.begin();
      if (round % 3 == 0) day = std::prev(pair.expected.end());
      if (round % 3 == 1) std::advance(day, random() % pair.expected.size());
      pair.add(day->first, -day->second);
      if (pair.expected.size() % 16 == 0) pair.compare();
    }
    pair.add(today, 1);
    pair.compare();
  }
}

// As old orders come from exports: the newest first, or in no order.
TEST(DayUnits, AreFilledFromBehind) {
  std::mt19937 random(6);
  for (const bool in_order : {true, false}) {
    Pair pair;
    for (int step = 0; step < 700; ++step) {
      pair.add(in_order ? -2 * step : static_cast<Day>(random() % 1000), 1 + random() % 300);
      if (step % 10 == 0) pair.compare();
    }
    pair.compare();
    EXPECT_LE(pair.memory.bytes(), 700 * (in_order ? 5 : 9));
    pair.reload();
  }
}

// Sums that wrap around come back.
TEST(DayUnits, WrapAround) {
  RowMemory memory;
  DayUnits units;
  for (const Day day : {7, 5}) {
    units.add(memory, day, most);
    units.add(memory, day, 2);
    EXPECT_EQ(units.at(day), least + 1);
    units.add(memory, day, -2);
    EXPECT_EQ(units.at(day), most);
  }
}

TEST(DayUnits, TakeAByteOrTwoADay) {
  std::mt19937 random(7);
  constexpr size_t days = 365;
  Pair pair;
  for (Day day = 0; day < static_cast<Day>(days); ++day) {
    for (int order = 0; order < 20; ++order) pair.add(day, 1 + random() % 4);
    pair.add(std::max<Day>(day - static_cast<Day>(random() % 10), 0), -1);  // Some is sent back.
  }
  EXPECT_LE(bytes_of(pair.units).size(), days * 2 + 16);
  EXPECT_LE(pair.memory.bytes(), days * 7 / 2) << "what rows have outgrown included";
  RowMemory memory;
  ASSERT_TRUE(loaded(bytes_of(pair.units), memory));
  EXPECT_LE(memory.bytes(), days * 3);
}

// As days of orders that wait to be shipped do.
TEST(DayUnits, WhatComesAndGoesLeavesLittleBehind) {
  constexpr Day days = 2000, waits = 200;
  Pair pair;
  for (Day day = 0; day < days; ++day) {
    pair.add(day, 1);
    if (day >= waits) pair.add(day - waits, -1);
    for (int again = 0; again < 100; ++again) {  // Days close behind, the newest among them.
      for (Day back = 0; back < 3; ++back) pair.add(day - back, -pair.at(day - back));
      for (Day back = 3; back-- > 0;) pair.add(day - back, 1);
    }
  }
  pair.compare();
  EXPECT_LE(pair.memory.bytes(), days * 5) << "of each day that has gone";
}

// What is saved of a newest day and of bytes as they are said to lie before it.
std::string written(Day newest, int64_t units, std::initializer_list<int> records) {
  std::string bytes;
  append(bytes, static_cast<uint32_t>(records.size() + 1));
  append(bytes, newest);
  append(bytes, units);
  for (const int byte : records) bytes.push_back(static_cast<char>(byte));
  return bytes;
}

TEST(DayUnits, RefuseBrokenBytes) {
  RowMemory memory;
  const auto days = [&](Day newest, int64_t units, std::initializer_list<int> records) {
    const auto held = loaded(written(newest, units, records), memory);
    return held ? days_of(*held) : Days();
  };
  EXPECT_EQ(days(9, 5, {}), (Days{{9, 5}}));
  EXPECT_EQ(days(9, 5, {0x02}), (Days{{8, 1}, {9, 5}}));
  EXPECT_EQ(days(9, 5, {0x02, 0x42, 0x01}), (Days{{6, 1}, {8, -1}, {9, 5}}));
  EXPECT_EQ(days(9, 5, {0x03, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBF}), (Days{{8, least}, {9, 5}}));
  EXPECT_EQ(days(last_of_all, 5, {0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0x42}), (Days{{first_of_all, 1}, {last_of_all, 5}}));

  const auto breaks = [&](Day newest, int64_t units, std::initializer_list<int> records) {
    return !loaded(written(newest, units, records), memory);
  };
  EXPECT_TRUE(breaks(9, 0, {})) << "a newest day without units";
  EXPECT_TRUE(breaks(9, 5, {0x00})) << "a day without units";
  EXPECT_TRUE(breaks(9, 5, {0x02, 0x40})) << "a day without units, and a gap";
  EXPECT_TRUE(breaks(9, 5, {0x42})) << "a gap that is not there";
  EXPECT_TRUE(breaks(9, 5, {0x00, 0x42})) << "no gap";
  EXPECT_TRUE(breaks(9, 5, {0x01, 0x42})) << "a gap that goes without saying";
  EXPECT_TRUE(breaks(9, 5, {0x00, 0x82, 0x42})) << "a gap with a byte too many";
  EXPECT_TRUE(breaks(9, 5, {0x82, 0x42})) << "a gap that does not begin";
  EXPECT_TRUE(breaks(last_of_all, 5, {0x10, 0x80, 0x80, 0x80, 0x82, 0x42})) << "a gap wider than all days";
  EXPECT_TRUE(breaks(last_of_all - 1, 5, {0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0x42})) << "a day before all days";
  EXPECT_TRUE(breaks(first_of_all, 5, {0x02})) << "a day before all days";
  EXPECT_TRUE(breaks(9, 5, {0x82})) << "units that are not there";
  EXPECT_TRUE(breaks(9, 5, {0x81, 0x82})) << "units that do not begin";
  EXPECT_TRUE(breaks(9, 5, {0x00, 0x82})) << "units with a byte too many";
  EXPECT_TRUE(breaks(9, 5, {0x00, 0x81, 0x82})) << "units with a byte too many";
  EXPECT_TRUE(breaks(9, 5, {0x04, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBF})) << "more units than 64 bits hold";
  EXPECT_TRUE(breaks(9, 5, {0x01, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0xBF})) << "units without end";
  EXPECT_TRUE(breaks(9, 5, {0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x82})) << "units without end";
  std::string more = written(9, 5, {0x02});
  store(more.data(), std::numeric_limits<uint32_t>::max());
  EXPECT_FALSE(loaded(more, memory)) << "more than there is";
}

TEST(DayUnits, BytesThatLoadAreSavedTheSame) {
  std::mt19937 random(8);
  Pair pair;
  for (Day day = 0; day < 300; day += 1 + random() % 3) pair.add(day, 1 + random() % (day % 7 == 0 ? 1'000'000 : 60));
  pair.add(-100'000, least);
  const std::string bytes = bytes_of(pair.units);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(loaded(bytes.substr(0, size), pair.memory)) << size;
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string other = bytes;
    for (size_t flips = 1 + random() % 3; flips > 0; --flips)
      other[random() % other.size()] ^= static_cast<char>(1u << random() % 8);
    RowMemory memory;
    const auto units = loaded(other, memory);
    if (!units) continue;
    ++accepted;
    ASSERT_EQ(bytes_of(*units), other);
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace xundian::inventory
