#include "services/inventory/level_scan.h"

#include <gtest/gtest.h>

#include "tests/unit/random_message.h"

namespace xundian::inventory {
namespace {

// The scan of a level gives what the protobuf parser gives.
TEST(LevelScan, GivesWhatTheParserGives) {
  Random random(1);
  for (int step = 0; step < 3'000; ++step) {
    v1::Fact fact;
    fact.set_key("mug@");
    do fill(*fact.mutable_stock_level(), random);
    while (fact.stock_level().ByteSizeLong() == 0);
    std::string frame;
    ASSERT_TRUE(append_frame(frame, fact).has_value());
    LevelScan scan;
    ASSERT_TRUE(scan.scan(FactView(frame, 0, 0)));
    const auto stated = [](bool has, auto value) { return has ? std::optional(value) : std::nullopt; };
    const v1::StockCount& count = fact.stock_level().count();
    const v1::StockPolicy& policy = fact.stock_level().policy();
    ASSERT_EQ(scan.count.sku, count.sku());
    ASSERT_EQ(scan.count.warehouse, count.warehouse());
    ASSERT_EQ(scan.count.on_hand, stated(count.has_on_hand_units(), count.on_hand_units()));
    ASSERT_EQ(scan.count.reserved, stated(count.has_reserved_units(), count.reserved_units()));
    ASSERT_EQ(scan.count.available, stated(count.has_available_units(), count.available_units()));
    ASSERT_EQ(scan.count.inbound, stated(count.has_inbound_units(), count.inbound_units()));
    ASSERT_EQ(scan.count.counted_ms, count.counted_ms());
    ASSERT_EQ(scan.policy.sku, policy.sku());
    ASSERT_EQ(scan.policy.warehouse, policy.warehouse());
    ASSERT_EQ(scan.policy.reorder_point, stated(policy.has_reorder_point_units(), policy.reorder_point_units()));
    ASSERT_EQ(scan.policy.lead_time_days, stated(policy.has_lead_time_days(), policy.lead_time_days()));
  }
}

}  // namespace
}  // namespace xundian::inventory
