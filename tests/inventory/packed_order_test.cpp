// An order comes back from its bytes as it was, whatever was said of it; bytes that are broken are refused.
#include "services/inventory/things.h"
#include "tests/unit/packed_orders.h"

namespace xundian::inventory {
namespace {

Order any_order(std::mt19937_64& random) {
  Order order;
  const uint64_t rank = any_rank(random);
  for (Version* version : {&order.paid, &order.status}) *version = any_version(random, rank);
  order.paid_ms = any_number(random);
  if (random() % 2 == 0) order.paid_micros = any_number(random);
  order.stage = static_cast<Stage>(random() % (static_cast<uint64_t>(Stage::other) + 1));
  if (random() % 3 == 0) {
    OrderCourse& course = order.course;
    for (Version* version : {&course.shipped, &course.received, &course.closed, &course.refunded, &course.withdrawn})
      *version = any_version(random, rank);
    for (int64_t* number :
         {&course.shipped_ms, &course.promised_ms, &course.received_ms, &course.closed_ms, &course.refunded_micros})
      *number = any_number(random);
  }
  order.id = std::string_view("20261129-0042-0007").substr(0, random() % 19);
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
}  // namespace xundian::inventory
