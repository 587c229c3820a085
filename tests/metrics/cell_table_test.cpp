// The table of cells holds what a map holds, however it is changed, and lies the same way whatever the order was.
#include "services/metrics/cell_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace xundian::metrics {
namespace {

struct Units {
  int64_t units = 0;
  bool empty() const { return units == 0; }
};
using Table = CellTable<Units>;
using Entries = std::vector<std::pair<uint64_t, int64_t>>;

Entries entries_of(const Table& table) {
  Entries entries;
  table.for_each([&](uint64_t key, const Units& held) { entries.emplace_back(key, held.units); });
  return entries;
}

void add(Table& table, uint64_t key, int64_t units) {
  table.change(key, [&](Units& held) { held.units += units; });
}

TEST(CellTable, HoldsWhatAMapHolds) {
  std::mt19937_64 random(1);
  for (const uint64_t keys : {1u, 2u, 30u, 700u, 20'000u}) {
    Table table;
    std::map<uint64_t, int64_t> expected;
    for (uint64_t step = 0; step < 4 * keys + 200; ++step) {
      const uint64_t key = random() % keys << 32 | random() % 2;
      const int64_t units = static_cast<int64_t>(random() % 5) - 2;
      add(table, key, units);
      if ((expected[key] += units) == 0) expected.erase(key);
      ASSERT_EQ(table.size(), expected.size());
    }
    for (uint64_t key = 0; key < 2 * keys; ++key) {
      const auto held = expected.find(key / 2 << 32 | key % 2);
      const Units* found = table.find(key / 2 << 32 | key % 2);
      ASSERT_EQ(found == nullptr ? 0 : found->units, held == expected.end() ? 0 : held->second);
    }
    Entries sorted = entries_of(table);
    std::ranges::sort(sorted);
    EXPECT_EQ(sorted, Entries(expected.begin(), expected.end()));
  }
}

TEST(CellTable, LiesTheSameWhateverTheOrder) {
  std::vector<uint64_t> keys;
  for (uint64_t key = 0; key < 5'000; ++key) keys.push_back(key << 32 | 7);
  Table forward, backward, reserved;
  for (const uint64_t key : keys) add(forward, key, 3);
  for (uint64_t extra = 0; extra < 9'000; ++extra) add(backward, extra << 20, 1);
  std::reverse(keys.begin(), keys.end());
  for (const uint64_t key : keys) add(backward, key, 3);
  for (uint64_t extra = 0; extra < 9'000; ++extra) add(backward, extra << 20, -1);
  reserved.reserve(keys.size());
  const size_t bytes = reserved.bytes();
  for (const uint64_t key : keys) add(reserved, key, 3);
  EXPECT_EQ(reserved.bytes(), bytes) << "it grew although it had room";
  EXPECT_EQ(entries_of(forward), entries_of(backward));
  EXPECT_EQ(entries_of(forward), entries_of(reserved));
}

// Keys whose hashes have the same homes, at the very end too: what is pushed on finds room.
TEST(CellTable, GrowsWhereManyKeysHaveOneHome) {
  constexpr uint64_t inverse = 0xf1de83e19937733d;  // Of MixHash's factor.
  const auto key_of = [](uint64_t hash) {
    hash ^= hash >> 29 ^ hash >> 58;
    hash *= inverse;
    return hash ^ hash >> 32;
  };
  for (const uint64_t home : {uint64_t{0}, uint64_t{UINT32_MAX} << 32}) {
    Table table;
    for (uint64_t low = 0; low < 300; ++low) {
      ASSERT_EQ(MixHash()(key_of(home | low)), home | low);
      add(table, key_of(home | low), 1);
    }
    EXPECT_EQ(table.size(), 300u);
    for (uint64_t low = 0; low < 300; low += 2) add(table, key_of(home | low), -1);
    EXPECT_EQ(table.size(), 150u);
    for (uint64_t low = 0; low < 300; ++low) EXPECT_EQ(table.find(key_of(home | low)) != nullptr, low % 2 == 1);
  }
}

}  // namespace
}  // namespace xundian::metrics
