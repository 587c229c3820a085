// An order comes back from its bytes as it was, whatever was said of it; bytes that are broken are refused.
#include "services/metrics/things.h"
#include "tests/unit/packed_orders.h"

namespace xundian::metrics {
namespace {

Order any_order(std::mt19937_64& random) {
  Order order;
  const uint64_t rank = any_rank(random);
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
  order.lines = any_lines(random, rank);
  return order;
}

TEST(PackedOrder, ComesBackAsItWas) { expect_comes_back(any_order); }
TEST(PackedOrder, IsRefusedWhereItIsCutOrLonger) { expect_refuses_cut_and_longer(any_order); }

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
