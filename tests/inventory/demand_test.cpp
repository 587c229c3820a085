// Demand, safety stock and order quantities, against vectors computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "common/money.h"
#include "services/inventory/state.h"

namespace xundian::inventory {
namespace {

std::vector<bool> all_in_stock(size_t days) { return std::vector<bool>(days, true); }

// Means of 30, 27 and 24 over 7, 14 and 30 days make 27.9 a day; 420 pieces last 15.05 days.
TEST(Demand, WeighsThreeMeans) {
  std::vector<int64_t> units(30, 0);
  for (size_t day = 0; day < 30; ++day) units[day] = day < 7 ? 30 : day < 14 ? 24 : 21;
  units[14] += 6;  // 342 over the 16 oldest days.
  const Demand demand = weigh_demand(units, all_in_stock(30));
  EXPECT_EQ(demand.daily_micros, 27'900'000);
  EXPECT_NEAR(static_cast<double>(divide_micros(420 * micros, demand.daily_micros)) / micros, 15.05, 0.005);
}

TEST(Demand, CountsOnlyDaysInStock) {
  std::vector<int64_t> units(30, 10);
  std::vector<bool> in_stock(30, true);
  for (size_t day = 0; day < 5; ++day) units[day] = 0, in_stock[day] = false;
  EXPECT_EQ(weigh_demand(units, in_stock).daily_micros, 10 * micros);
}

TEST(Demand, GivesTheWeightOfAnEmptyWindowToTheOthers) {
  std::vector<int64_t> units(30, 10);
  std::vector<bool> in_stock(30, true);
  for (size_t day = 0; day < 7; ++day) units[day] = 0, in_stock[day] = false;
  EXPECT_EQ(weigh_demand(units, in_stock).daily_micros, 10 * micros);
}

// Four days of history are four days, not seven.
TEST(Demand, ShortHistoryUsesItsDays) { EXPECT_EQ(weigh_demand({4, 4, 4, 4}, all_in_stock(4)).daily_micros, 4 * micros); }

TEST(Demand, NothingKnownSellsNothing) {
  EXPECT_EQ(weigh_demand({}, {}).daily_micros, 0);
  EXPECT_EQ(weigh_demand({0, 0}, {false, false}).daily_micros, 0);
}

TEST(Demand, SpreadIsOfTheDaysInStock) {
  EXPECT_NEAR(weigh_demand({2, 4, 4, 4, 5, 5, 7, 9}, all_in_stock(8)).sigma, std::sqrt(32.0 / 7), 1e-12);
  EXPECT_EQ(weigh_demand({3, 0, 3}, {true, false, true}).sigma, 0);
  EXPECT_EQ(weigh_demand({3}, {true}).sigma, 0);
}

// z 1.65, sigma 12, lead time 14: 74.08; with 50 a day the reorder point is 774.08.
TEST(Safety, GrowsWithTheRootOfTheLeadTime) {
  EXPECT_NEAR(safety_stock(1.65, 12, 14), 74.08, 0.005);
  EXPECT_NEAR(50 * 14 + safety_stock(1.65, 12, 14), 774.08, 0.005);
}

TEST(OrderUnits, AreWholePacksAndNotFewerThanTheSupplierSells) {
  EXPECT_EQ(order_units(0, 10, 6), 0);
  EXPECT_EQ(order_units(-3, 10, 6), 0);
  EXPECT_EQ(order_units(1, 10, 6), 12);
  EXPECT_EQ(order_units(12, 10, 6), 12);
  EXPECT_EQ(order_units(13, 0, 0), 13);
}

}  // namespace
}  // namespace xundian::inventory
