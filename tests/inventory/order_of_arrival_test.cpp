// Whatever the order of arrival, however often something is said: the same facts make the same state and the same answers.
#include <random>

#include "services/inventory/state.h"
#include "tests/support/drive.h"

namespace xundian::inventory {
namespace {

constexpr Millis start = Millis{20'000} * day_ms;

// Facts about a small world that contradict each other often: few keys, few times.
struct World {
  std::mt19937_64 random;

  int64_t below(int64_t limit) { return static_cast<int64_t>(random() % static_cast<uint64_t>(limit)); }
  bool chance() { return below(2) == 0; }
  std::string store() { return below(3) == 0 ? "s2" : "s1"; }
  std::string sku() { return fmt::format("sku{}", below(3)); }

  v1::Fact fact() {
    v1::Fact fact;
    fact.set_store(store());
    fact.set_as_of_ms(start + below(40) * 6 * hour_ms);
    fact.set_occurred_ms(fact.as_of_ms());
    fact.set_status_rank(static_cast<uint32_t>(below(3)));
    const bool withdraws = below(12) == 0;
    switch (below(8)) {
      case 0:
        return store_state(fact);
      case 1:
      case 2:
        return level(fact, withdraws);
      case 3:
        return purchase(fact, withdraws);
      case 4:
        return refund(fact, withdraws);
      case 5:
        return extra(fact, withdraws);
      default:
        return order(fact, withdraws);
    }
  }

  v1::Fact store_state(v1::Fact fact) {
    fact.set_key(fact.store());
    v1::StoreSettings& settings = *fact.mutable_store_state()->mutable_settings();
    settings.set_time_zone(chance() ? "Asia/Shanghai" : "America/New_York");
    if (below(3) == 0) settings.set_stock_pool("shared");
    return fact;
  }
  v1::Fact level(v1::Fact fact, bool withdraws) {
    const std::string name = sku(), warehouse = chance() ? "w" : "";
    fact.set_key(name + "@" + warehouse);
    v1::StockLevel& level = *fact.mutable_stock_level();
    if (withdraws) return level.mutable_withdrawn(), fact;
    if (below(4) == 0) {
      level.mutable_policy()->set_sku(name);
      level.mutable_policy()->set_warehouse(warehouse);
      level.mutable_policy()->set_reorder_point_units(below(20));
      return fact;
    }
    v1::StockCount& count = *level.mutable_count();
    count.set_sku(name);
    count.set_warehouse(warehouse);
    if (chance()) count.set_available_units(below(30) - 3);
    count.set_on_hand_units(below(30));
    if (chance()) count.set_inbound_units(below(10));
    count.set_counted_ms(fact.as_of_ms() - below(3) * hour_ms);
    return fact;
  }
  v1::Fact purchase(v1::Fact fact, bool withdraws) {
    fact.set_key(fmt::format("po{}", below(3)));
    v1::PurchaseOrder& purchase = *fact.mutable_purchase_order();
    if (withdraws) return purchase.mutable_withdrawn(), fact;
    v1::PurchaseLine& line = chance() ? *purchase.mutable_terms()->add_lines() : *purchase.mutable_receipt()->add_lines();
    line.set_sku(sku());
    line.set_quantity(1 + below(9));
    return fact;
  }
  v1::Fact refund(v1::Fact fact, bool withdraws) {
    fact.set_key(fmt::format("r{}", below(3)));
    v1::RefundState& refund = *fact.mutable_refund_state();
    if (withdraws) return refund.mutable_withdrawn(), fact;
    if (chance()) refund.mutable_opened()->set_order(fmt::format("o{}", below(5)));
    if (!refund.has_opened() || chance()) refund.mutable_status()->set_status(chance() ? "closed" : "settled");
    return fact;
  }
  v1::Fact extra(v1::Fact fact, bool withdraws) {
    if (chance()) {
      fact.set_key(fmt::format("m{}", below(3)));
      if (withdraws) return fact.mutable_stock_move()->mutable_withdrawn(), fact;
      v1::StockMovement& movement = *fact.mutable_stock_move()->mutable_movement();
      movement.set_sku(sku());
      movement.set_quantity(below(9) - 4);
      movement.set_moved_ms(fact.as_of_ms());
      return fact;
    }
    fact.set_key(sku());
    if (withdraws) return fact.mutable_listing()->mutable_withdrawn(), fact;
    if (chance()) fact.mutable_listing()->mutable_shelf()->set_on_shelf(chance());
    fact.mutable_listing()->mutable_supply()->set_lead_time_days(static_cast<uint32_t>(below(9)));
    return fact;
  }
  v1::Fact order(v1::Fact fact, bool withdraws) {
    fact.set_key(fmt::format("o{}", below(5)));
    v1::OrderState& order = *fact.mutable_order_state();
    if (withdraws) return order.mutable_withdrawn(), fact;
    if (chance()) order.mutable_paid()->set_paid_ms(chance() ? start + below(200) * hour_ms : 0);
    if (chance()) order.mutable_status()->set_status(chance() ? "paid" : chance() ? "closed" : "refunding");
    if (chance()) order.mutable_shipped()->set_shipped_ms(below(3) - 1);
    if (below(4) == 0) order.mutable_closed()->set_closed_ms(chance() ? -1 : 0);
    v1::OrderLine& line = *order.add_lines();
    line.set_line_id(fmt::format("{}", below(2)));
    line.set_sku(sku());
    line.set_quantity(1 + below(5));
    line.set_withdrawn(below(6) == 0);
    return fact;
  }
};

std::string answers(tests::Drive& drive) {
  std::string all;
  for (const char* by : {"", "store", "sku"}) {
    query::v1::QueryMetricsRequest request;
    for (const char* metric :
         {"available_skus", "below_reorder_skus", "cover_days", "demand_per_day", "overdue", "reorder_point_units",
          "stock_available", "stock_moved_units", "stock_out_skus", "stock_position", "suggested_order_units", "unshipped"})
      request.add_metrics(metric);
    request.set_from(format_day(19'990));
    request.set_to(format_day(20'100));
    request.set_by(by);
    const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
    EXPECT_TRUE(bytes.has_value());
    query::v1::QueryMetricsResponse response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    all += response.DebugString();
  }
  return all;
}

TEST(OrderOfArrival, DoesNotMatter) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    World world{std::mt19937_64(seed)};
    std::vector<v1::Fact> facts;
    for (int i = 0; i < 60; ++i) facts.push_back(world.fact());
    const Millis end = start + 30 * day_ms;
    tests::Drive straight(definition().make_fold());
    for (const v1::Fact& fact : facts) straight.put(start, fact);
    straight.tick(end);
    // Shuffled, a third of it twice, and saved and loaded in between.
    std::vector<v1::Fact> again = facts;
    again.insert(again.end(), facts.begin(), facts.begin() + 20);
    std::shuffle(again.begin(), again.end(), world.random);
    tests::Drive shuffled(definition().make_fold());
    for (size_t i = 0; i < again.size(); ++i) {
      shuffled.put(start + static_cast<Millis>(i) * hour_ms, again[i]);
      if (i % 27 == 26) shuffled.restart(definition().make_fold());
    }
    shuffled.tick(end);
    ASSERT_EQ(straight.fingerprint(), shuffled.fingerprint()) << "seed " << seed;
    ASSERT_EQ(answers(straight), answers(shuffled)) << "seed " << seed;
  }
}

// What is said next after a restart is what would have been said without it.
TEST(OrderOfArrival, ARestartSaysTheSame) {
  size_t said = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world{std::mt19937_64(seed)};
    tests::Drive steady(definition().make_fold()), restarted(definition().make_fold());
    std::string said_by_steady, said_by_restarted;
    for (int i = 0; i < 120; ++i) {
      const v1::Fact fact = world.fact();
      const Millis now = start + i * 3 * hour_ms;
      for (const v1::Fact& one : steady.put(now, fact)) said_by_steady += one.DebugString();
      for (const v1::Fact& one : restarted.put(now, fact)) said_by_restarted += one.DebugString();
      if (i % 10 == 9) restarted.restart(definition().make_fold());
      ASSERT_EQ(steady.fold().next_wake(), restarted.fold().next_wake()) << "seed " << seed << " fact " << i;
    }
    ASSERT_EQ(said_by_steady, said_by_restarted) << "seed " << seed;
    said += said_by_steady.size();
  }
  EXPECT_GT(said, 10'000u) << "hardly anything was said";
}

}  // namespace
}  // namespace xundian::inventory
