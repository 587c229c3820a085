// Packed things: numbers of any size come back as they were, broken bytes are refused, and memory is used again.
#include "common/packed.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace xundian {
namespace {

constexpr uint64_t all = std::numeric_limits<uint64_t>::max();
constexpr std::array<uint64_t, 8> edges = {0, 1, 0xffff'ffff, 0x1'0000'0000, all, all - 1, 1ull << 63, 0x8000'0000};

std::string packed_of(const PackBase& base, const std::array<uint64_t, 7>& numbers, const std::array<uint64_t, 2>& words,
                      std::string_view text) {
  std::string room(3 * sizeof(uint64_t) + pack_bytes_max<7> + text.size(), '\0');
  PackWriter to(room.data(), base);
  to.numbers(numbers);
  to.words(words);
  to.bytes(text);
  return std::string(to.packed());
}

TEST(Packed, NumbersOfAnySizeComeBack) {
  std::mt19937_64 random(20261129);
  const auto any = [&] { return random() % 2 == 0 ? edges[random() % edges.size()] : random() >> random() % 64; };
  for (int step = 0; step < 20'000; ++step) {
    const PackBase base(any());
    std::array<uint64_t, 7> numbers;
    for (uint64_t& number : numbers) number = any();
    const std::array<uint64_t, 2> words = {any(), any()};
    const std::string text(random() % 20, 'x');
    const std::string packed = packed_of(base, numbers, words, text);
    PackReader from(packed);
    ASSERT_EQ(from.base().rank(), base.rank());
    ASSERT_EQ(from.numbers<7>(), numbers);
    ASSERT_EQ(from.words<2>(), words);
    ASSERT_EQ(from.bytes(text.size()), text);
    ASSERT_TRUE(from.ok());
    ASSERT_EQ(from.left(), 0u);
  }
}

TEST(Packed, ZerosTakeNothingAndSmallNumbersFourBytes) {
  EXPECT_EQ(packed_of(PackBase(1), {}, {}, {}).size(), 8u + 2 + 16);
  EXPECT_EQ(packed_of(PackBase(1), {1, 0xffff'ffff}, {}, {}).size(), 8u + 2 + 8 + 16);
  EXPECT_EQ(packed_of(PackBase(1), {0x1'0000'0000}, {}, {}).size(), 8u + 2 + 8 + 16);
}

TEST(Packed, WhatIsTooShortOrHasASizeThatIsNoneIsRefused) {
  const std::string packed = packed_of(PackBase(7), {1, 2, all, 0, 5, 0, 7}, {8, 9}, "text");
  for (size_t size = 0; size < packed.size(); ++size) {
    const std::string cut = packed.substr(0, size);  // A copy, so that a look behind its end is seen.
    PackReader from(cut);
    from.numbers<7>();
    from.words<2>();
    from.bytes(4);
    EXPECT_FALSE(from.ok()) << size;
    EXPECT_EQ((from.numbers<2>()), (std::array<uint64_t, 2>{})) << size;
  }
  for (size_t number = 0; number < 7; ++number) {
    std::string broken = packed;
    broken[8 + number / 4] = static_cast<char>(broken[8 + number / 4] | 3 << number % 4 * 2);
    PackReader from(broken);
    EXPECT_EQ((from.numbers<7>()), (std::array<uint64_t, 7>{})) << number;
    EXPECT_FALSE(from.ok()) << number;
  }
}

TEST(Packed, RanksAndTimesComeBackWhateverTheBaseIs) {
  constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  for (const uint64_t rank : edges) {
    const PackBase base(rank);
    for (const uint64_t other : edges)
      for (const uint64_t near : {other, other ^ rank, other + rank, other - rank})
        EXPECT_EQ(base.unpacked_rank(base.packed_rank(near)), near) << rank << " " << near;
    for (const int64_t time : {least, least + 1, int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{1'764'000'000'000}, most})
      EXPECT_EQ(base.unpacked_time(base.packed_time(time)), time) << rank << " " << time;
    EXPECT_EQ(base.packed_rank(rank), rank == 0 ? 1u : 0u);
  }
  const PackBase base(make_rank({.as_of_ms = 1'764'000'000'000, .status_rank = 20, .source_rank = 1}));
  EXPECT_EQ(base.packed_rank(0), 1u);
  EXPECT_LT(base.packed_time(1'764'000'000'000 - 1'000'000'000), 1ull << 32);
}

// What a version's digest alone says, and what it does not.
TEST(Packed, AVersionIsImpliedByItsDigestWhereItIsOfTheBasesRank) {
  const PackBase base(5);
  for (const Version& version : {Version{5, 9}, Version{}}) {
    EXPECT_TRUE(base.implies(version));
    EXPECT_EQ(base.implied(version.digest), version);
  }
  for (const Version& version : {Version{6, 9}, Version{5, 0}, Version{0, 9}}) EXPECT_FALSE(base.implies(version));
}

TEST(PackedMemory, KeepsWhatWasPutAndUsesAgainWhatWasOutgrown) {
  std::mt19937 random(20261129);
  PackedMemory memory;
  std::vector<Packed> things(300);
  std::vector<std::string> expected(things.size());
  size_t after_first = 0;
  for (int step = 0; step < 60'000; ++step) {
    const size_t number = random() % things.size();
    // Most are small, some are larger than those whose room is told by their size alone.
    std::string bytes(8 + random() % (random() % 50 == 0 ? 5'000 : 200), static_cast<char>('a' + random() % 26));
    if (random() % 2 == 0) {
      char* const ahead = memory.ahead(bytes.size());
      bytes.copy(ahead, bytes.size());
      memory.put(things[number], {ahead, bytes.size()});
    } else {
      memory.put(things[number], bytes);
    }
    expected[number] = std::move(bytes);
    if (step % 500 == 0) {
      for (size_t index = 0; index < things.size(); ++index) ASSERT_EQ(things[index].bytes(), expected[index]) << step;
    }
    if (step == 20'000) after_first = memory.bytes();
  }
  EXPECT_LE(memory.bytes(), after_first * 3 / 2);
  memory.clear();
  EXPECT_EQ(memory.bytes(), 0u);
}

}  // namespace
}  // namespace xundian
