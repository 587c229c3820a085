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
// Whole is what can be unpacked and names nothing that has no name, whatever bit of it is flipped.
TEST(PackedOrder, IsWholeAsItIsUnpacked) {
  std::mt19937_64 random(20261130);
  PackedMemory memory;
  Names names;
  for (int name = 0; name < 200; ++name) names.of(std::to_string(name));
  Order read;
  int whole = 0;
  constexpr int steps = 20'000;
  for (int step = 0; step < steps; ++step) {
    Order order = any_order(random);
    order.currency = static_cast<NameId>(random() % 205), order.channel = static_cast<NameId>(random() % 205);
    for (OrderLine& line : order.lines) line.sku = static_cast<NameId>(random() % 205);
    std::string packed(order.pack(memory));
    if (step % 4 == 1) packed[random() % packed.size()] ^= static_cast<char>(1 << random() % 8);
    if (step % 4 == 2) packed.resize(random() % packed.size());
    const bool named = read.unpack(packed) && names.has(read.currency) && names.has(read.channel) &&
                       std::ranges::all_of(read.lines, [&](const OrderLine& line) { return names.has(line.sku); });
    ASSERT_EQ(Order::is_whole(packed, names), named) << step;
    whole += named;
  }
  EXPECT_GT(whole, steps / 3);
  EXPECT_LT(whole, steps * 9 / 10);
}

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
