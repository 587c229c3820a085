// Units by day are what a map of them is, whatever came in which order, and come back from bytes as they were.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "services/inventory/things.h"

namespace xundian::inventory {
namespace {

std::map<Day, int64_t> days_of(const DayUnits& units) {
  std::map<Day, int64_t> days;
  Day before = std::numeric_limits<Day>::min();
  units.for_each([&](Day day, int64_t of_day) {
    EXPECT_GT(day, before);
    days[before = day] = of_day;
  });
  return days;
}

TEST(DayUnits, AreWhatAMapHolds) {
  std::mt19937 random(3);
  RowMemory memory;
  for (int round = 0; round < 200; ++round) {
    DayUnits units;
    std::map<Day, int64_t> expected;
    for (int step = 0; step < 60; ++step) {
      const Day day = static_cast<Day>(random() % 9) - 4;
      const int64_t more = static_cast<int64_t>(random() % 5) - 2;
      units.add(memory, day, more);
      if ((expected[day] += more) == 0) expected.erase(day);
      ASSERT_EQ(days_of(units), expected);
      ASSERT_EQ(units.empty(), expected.empty());
      ASSERT_TRUE(expected.empty() || units.first() == expected.begin()->first);
      ASSERT_EQ(units.at(day), expected.contains(day) ? expected[day] : 0);
    }
    int64_t between = 0, expected_between = 0;
    units.for_each(-1, 2, [&](Day, int64_t of_day) { between += of_day; });
    for (Day day = -1; day <= 2; ++day) expected_between += expected.contains(day) ? expected[day] : 0;
    EXPECT_EQ(between, expected_between);
    std::string bytes;
    units.save(bytes);
    DayUnits again;
    ByteReader reader(bytes);
    ASSERT_TRUE(again.load(reader, memory));
    EXPECT_TRUE(reader.empty());
    EXPECT_EQ(days_of(again), expected);
  }
}

TEST(DayUnits, RefuseBrokenBytes) {
  const auto loads = [](std::initializer_list<std::pair<Day, int64_t>> entries, uint32_t count) {
    std::string bytes;
    append(bytes, count);
    for (const auto& [day, units] : entries) append(bytes, day), append(bytes, units);
    RowMemory memory;
    ByteReader reader(bytes);
    return DayUnits().load(reader, memory);
  };
  EXPECT_TRUE(loads({{1, 5}, {2, 6}}, 2));
  EXPECT_FALSE(loads({{2, 5}, {1, 6}}, 2)) << "out of order";
  EXPECT_FALSE(loads({{1, 5}, {1, 6}}, 2)) << "a day twice";
  EXPECT_FALSE(loads({{1, 0}}, 1)) << "a day without units";
  EXPECT_FALSE(loads({{1, 5}}, UINT32_MAX)) << "more than there is";
}

}  // namespace
}  // namespace xundian::inventory
