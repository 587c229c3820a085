// An order comes back from its bytes as it was, whatever was said of it; bytes that are broken are refused.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "services/metrics/things.h"

namespace xundian::metrics {
namespace {

int64_t any_number(std::mt19937_64& random) {
  constexpr int64_t edges[] = {0, 1, -1, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  return random() % 4 == 0 ? edges[random() % std::size(edges)] : static_cast<int64_t>(random()) >> random() % 64;
}

// Mostly of the rank that all have, sometimes of none or of another, or such as hardly ever is.
Version any_version(std::mt19937_64& random, uint64_t rank) {
  switch (random() % 8) {
    case 0:
      return {};
    case 1:
      return {random() % 20 == 0 ? random() : rank, random() % 20 == 0 ? 0 : random()};
    default:
      return {rank, random()};
  }
}

Order any_order(std::mt19937_64& random) {
  Order order;
  const uint64_t rank =
      random() % 10 == 0 ? random() % 3 : make_rank({.as_of_ms = 1'764'000'000'000 + any_number(random) % 1000});
  for (Version* version : {&order.placed, &order.paid}) *version = any_version(random, rank);
  order.created_ms = any_number(random);
  order.paid_ms = any_number(random);
  order.buyer = random();
  order.amount_micros = any_number(random);
  order.currency = static_cast<NameId>(random());
  order.channel = random() % 2 == 0 ? 0 : static_cast<NameId>(random());
  order.amount_stated = random() % 2 == 0;
  if (random() % 3 == 0)
    order.end = {any_version(random, rank), any_version(random, rank), any_version(random, rank), any_number(random),
                 any_number(random)};
  for (uint64_t left = random() % 4; left > 0; --left)
    order.lines.push_back({random(), any_version(random, rank), any_number(random), any_number(random),
                           static_cast<NameId>(random()), random() % 5 == 0});
  return order;
}

TEST(PackedOrder, ComesBackAsItWas) {
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

TEST(PackedOrder, IsRefusedWhereItIsCutOrLonger) {
  std::mt19937_64 random(20261130);
  PackedMemory memory;
  Order read;
  for (int step = 0; step < 200; ++step) {
    const std::string packed(any_order(random).pack(memory));
    for (size_t size = 1; size < packed.size(); ++size) EXPECT_FALSE(read.unpack(packed.substr(0, size))) << step << " " << size;
    EXPECT_FALSE(read.unpack(packed + '\0')) << step;
  }
}

// What an order of one line takes of the memory of millions.
TEST(PackedOrder, IsSmall) {
  std::mt19937_64 random(20261131);
  const uint64_t rank = make_rank({.as_of_ms = 1'764'000'000'000, .status_rank = 20, .source_rank = 1});
  Order order;
  order.paid = {rank, random()};
  order.paid_ms = 1'764'000'000'000 - hour_ms;
  order.lines.push_back({random(), {rank, random()}, 2, 59'000'000, 4'711, false});
  PackedMemory memory;
  EXPECT_LE(order.pack(memory).size(), 80u);
}

}  // namespace
}  // namespace xundian::metrics
