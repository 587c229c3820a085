// An order that was read ahead says what it would say if it were read when it comes.
#include "common/orders_ahead.h"

#include <gtest/gtest.h>

namespace xundian {
namespace {

std::string order_frame(const std::string& key, int64_t paid_ms) {
  v1::Fact fact;
  fact.set_store("s");
  fact.set_key(key);
  fact.mutable_order_state()->mutable_paid()->set_paid_ms(paid_ms);
  fact.mutable_order_state()->add_lines()->set_sku("A");
  std::string frame;
  EXPECT_TRUE(append_frame(frame, fact).has_value());
  return frame;
}

// Its head is whole; in its state a SKU's name is said to be longer than what is left.
std::string broken_frame() {
  std::string frame = order_frame("broken", 1);
  frame[frame.size() - 2] = 127;
  return frame;
}

TEST(OrdersAhead, SaysTheSameAheadAndNow) {
  const std::string one = order_frame("one", 11), other = order_frame("other", 22);
  OrdersAhead<> ahead;
  EXPECT_EQ(ahead.add(FactView(one, 1, 0)).key, FactView(one, 1, 0).key());
  const OrderScan* read = ahead.read(FactView(one, 1, 0));
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->paid_ms, 11);
  ASSERT_EQ(read->lines.size(), 1u);
  read = ahead.read(FactView(other, 2, 0));  // Nobody told of it.
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->paid_ms, 22);
  EXPECT_EQ(read->lines.size(), 1u);
}

TEST(OrdersAhead, ABrokenOrderCannotBeRead) {
  const std::string broken = broken_frame();
  OrdersAhead<> ahead;
  EXPECT_EQ(ahead.read(FactView(broken, 1, 0)), nullptr);
  EXPECT_FALSE(ahead.add(FactView(broken, 1, 0)).is_whole);
  EXPECT_EQ(ahead.read(FactView(broken, 1, 0)), nullptr);
}

TEST(OrdersAhead, LinesMayBeLeftOut) {
  const std::string one = order_frame("one", 11);
  OrdersAhead<OrderAhead, false> ahead;
  EXPECT_TRUE(ahead.read(FactView(one, 1, 0))->lines.empty());
  EXPECT_TRUE(ahead.add(FactView(one, 1, 0)).scan.lines.empty());
}

}  // namespace
}  // namespace xundian
