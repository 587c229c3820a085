// Orders of any kind, and what must hold of each service's when they are packed.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "common/order_line.h"

namespace xundian {

inline int64_t any_number(std::mt19937_64& random) {
  constexpr int64_t edges[] = {0, 1, -1, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  return random() % 4 == 0 ? edges[random() % std::size(edges)] : static_cast<int64_t>(random()) >> random() % 64;
}

inline uint64_t any_rank(std::mt19937_64& random) {
  return random() % 10 == 0 ? random() % 3 : make_rank({.as_of_ms = 1'764'000'000'000 + any_number(random) % 1000});
}

// Mostly of the rank that all have, sometimes of none or of another, or such as hardly ever is.
inline Version any_version(std::mt19937_64& random, uint64_t rank) {
  switch (random() % 8) {
    case 0:
      return {};
    case 1:
      return {random() % 20 == 0 ? random() : rank, random() % 20 == 0 ? 0 : random()};
    default:
      return {rank, random()};
  }
}

inline OrderLines any_lines(std::mt19937_64& random, uint64_t rank) {
  OrderLines lines;
  for (uint64_t left = random() % 4; left > 0; --left)
    lines.push_back({random(), any_version(random, rank), any_number(random), any_number(random), static_cast<NameId>(random()),
                     random() % 5 == 0});
  return lines;
}

// An order comes back from its bytes as it was, whatever was said of it.
template <typename Order>
void expect_comes_back(Order (*any_order)(std::mt19937_64& random)) {
  std::mt19937_64 random(20261129);
  PackedMemory memory;
  Order read;
  for (int step = 0; step < 20'000; ++step) {
    const Order order = any_order(random);
    const std::string packed(order.pack(memory));
    ASSERT_TRUE(read.unpack(packed)) << step;
    ASSERT_EQ(read, order) << step;
    ASSERT_EQ(read.pack(memory), packed) << step;  // The same bytes again.
  }
}

// Bytes that are broken are refused.
template <typename Order>
void expect_refuses_cut_and_longer(Order (*any_order)(std::mt19937_64& random)) {
  std::mt19937_64 random(20261130);
  PackedMemory memory;
  Order read;
  for (int step = 0; step < 200; ++step) {
    const std::string packed(any_order(random).pack(memory));
    for (size_t size = 1; size < packed.size(); ++size) EXPECT_FALSE(read.unpack(packed.substr(0, size))) << step << " " << size;
    EXPECT_FALSE(read.unpack(packed + '\0')) << step;
  }
}

}  // namespace xundian
