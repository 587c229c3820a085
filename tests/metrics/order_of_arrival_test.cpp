// Whatever the order, the duplicates and the rounds in which facts come, the state is the same.
#include <random>

#include "tests/metrics/ask.h"

namespace xundian::metrics::tests {
namespace {

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  std::vector<v1::Fact> facts(int count) {
    std::vector<v1::Fact> all;
    while (static_cast<int>(all.size()) < count) all.push_back(fact());
    return all;
  }

 private:
  int64_t up_to(int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(random_); }
  bool chance(int percent) { return up_to(99) < percent; }
  // Few moments, so that statements tie in all but their words; some unknown.
  Millis moment() { return chance(15) ? 0 : nov1 + up_to(5) * day_ms + up_to(3) * 7 * hour_ms; }
  std::string one_of(std::initializer_list<const char*> words) {
    return words.begin()[up_to(static_cast<int64_t>(words.size()) - 1)];
  }

  v1::Fact fact() {
    v1::Fact fact;
    fact.set_store(one_of({"s", "t"}));
    fact.set_as_of_ms(1 + up_to(3));
    fact.set_occurred_ms(nov1 + up_to(5) * day_ms);
    fact.set_status_rank(static_cast<uint32_t>(up_to(1)));
    const int64_t kind = up_to(99);
    if (kind < 50)
      order(fact);
    else if (kind < 70)
      refund(fact);
    else if (kind < 78)
      store(fact);
    else if (kind < 90)
      product(fact);
    else
      traffic(fact);
    return fact;
  }

  void order(v1::Fact& fact) {
    fact.set_key(one_of({"o1", "o2", "o3", "o4"}));
    v1::OrderState& order = *fact.mutable_order_state();
    if (chance(6)) order.mutable_withdrawn();
    if (chance(50)) {
      v1::OrderPlaced& placed = *order.mutable_placed();
      placed.set_created_ms(moment());
      placed.set_buyer(static_cast<uint64_t>(up_to(3)));
      placed.set_currency_code(one_of({"", "", "USD"}));
      placed.set_channel(one_of({"", "app", "live"}));
    }
    if (chance(50)) {
      order.mutable_paid()->set_paid_ms(moment());
      if (chance(50)) order.mutable_paid()->set_amount_micros(up_to(5) * micros);
    }
    if (chance(30)) order.mutable_closed()->set_closed_ms(chance(20) ? -1 : moment());
    if (chance(30)) order.mutable_refunded()->set_amount_micros(up_to(4) * micros);
    for (int64_t lines = up_to(2); lines > 0 || fact.order_state().ByteSizeLong() == 0; --lines) {
      v1::OrderLine& line = *order.add_lines();
      line.set_line_id(one_of({"1", "2", "3"}));
      line.set_sku(one_of({"mug", "cup"}));
      line.set_quantity(1 + up_to(3));
      line.set_amount_micros(up_to(5) * micros);
      line.set_withdrawn(chance(15));
    }
  }

  void refund(v1::Fact& fact) {
    fact.set_key(one_of({"r1", "r2", "r3"}));
    v1::RefundState& refund = *fact.mutable_refund_state();
    if (chance(8)) refund.mutable_withdrawn();
    if (chance(70)) {
      v1::RefundOpened& opened = *refund.mutable_opened();
      opened.set_order(one_of({"", "o1", "o2", "o3", "o9"}));
      opened.set_amount_micros(up_to(4) * micros);
      opened.set_currency_code(one_of({"", "", "USD"}));
      opened.set_opened_ms(moment());
      if (chance(40)) {
        v1::RefundLine& line = *opened.add_lines();
        line.set_sku(one_of({"mug", "cup"}));
        line.set_quantity(1);
        line.set_amount_micros(micros);
      }
    }
    if (chance(70) || fact.refund_state().ByteSizeLong() == 0) {
      refund.mutable_status()->set_status(one_of({"settled", "settled", "open", "closed"}));
      refund.mutable_status()->set_settled_ms(moment());
    }
  }

  void store(v1::Fact& fact) {
    fact.set_key(fact.store());
    v1::StoreSettings& settings = *fact.mutable_store_state()->mutable_settings();
    settings.set_time_zone(one_of({"Asia/Shanghai", "Europe/London", "America/New_York"}));
    settings.set_currency_code(one_of({"CNY", "GBP"}));
    settings.set_day_cut_minutes(chance(30) ? 300 : 0);
  }

  void product(v1::Fact& fact) {
    const std::string product = one_of({"cream", "soap"}), day = format_day(make_day(2026, 11, 1) + static_cast<Day>(up_to(5)));
    fact.set_key(product + day + one_of({"", "", "b"}));
    v1::ProductReport& report = *fact.mutable_product_report();
    if (chance(10)) report.mutable_withdrawn();
    v1::ProductCell& cell = *report.mutable_cell();
    cell.mutable_cut()->set_dimensions("product");
    cell.mutable_cut()->set_grain(chance(85) ? "snapshot" : "day");
    cell.mutable_period()->set_from(day);
    cell.set_product(product);
    if (chance(80)) cell.set_sold_count(up_to(9) * 10);
    if (chance(80)) cell.set_price_micros(up_to(3) * micros);
    if (chance(50)) cell.set_uv(up_to(9));
  }

  void traffic(v1::Fact& fact) {
    const std::string dimensions = one_of({"store", "store+source"}),
                      day = format_day(make_day(2026, 11, 1) + static_cast<Day>(up_to(3)));
    const std::string source = dimensions == "store" ? "" : one_of({"", "search"});
    fact.set_key(dimensions + day + source);
    v1::TrafficReport& report = *fact.mutable_traffic_report();
    if (chance(10)) report.mutable_withdrawn();
    v1::TrafficCell& cell = *report.mutable_cell();
    cell.mutable_cut()->set_dimensions(dimensions);
    cell.mutable_cut()->set_grain("day");
    cell.mutable_period()->set_from(day);
    cell.set_source(source);
    if (chance(80)) cell.set_uv(up_to(9));
    if (chance(80)) cell.set_pv(up_to(9));
    if (chance(50)) cell.set_cart_users(up_to(3));
  }

  std::mt19937 random_;
};

// Everything that can be asked.
std::string everything(Drive& d) {
  std::vector<std::string> metrics;
  const auto all = metric_definitions();
  for (const auto& metric : all.definitions()) metrics.push_back(metric.id());
  std::string text;
  for (const char* grain : {"total", "month", "day", "hour"})
    for (const char* by : {"", "store", "sku", "channel"})
      text += ask(d, {.metrics = metrics, .from = "2026-10-01", .to = "2026-12-01", .grain = grain, .by = by});
  return text;
}

TEST(OrderOfArrival, ChangesNothing) {
  int answered = 0;
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::vector<v1::Fact> facts = World(seed).facts(60);
    Drive straight = drive();
    for (const v1::Fact& fact : facts) straight.put(nov1 + 9 * day_ms, fact);
    const std::string fingerprint = straight.fingerprint(), answer = everything(straight);
    answered += answer.empty() ? 0 : 1;
    std::mt19937 random(seed);
    for (int round = 0; round < 4; ++round) {
      std::vector<v1::Fact> shuffled = facts;
      for (int i = 0; i < 20; ++i) shuffled.push_back(facts[random() % facts.size()]);
      std::shuffle(shuffled.begin(), shuffled.end(), random);
      Drive other = drive();
      const size_t restart_at = random() % shuffled.size();
      for (size_t i = 0; i < shuffled.size(); ++i) {
        other.put(nov1 + 9 * day_ms, shuffled[i]);
        if (i == restart_at) other.restart(std::make_unique<MetricsFold>());
      }
      ASSERT_EQ(other.fingerprint(), fingerprint) << "seed " << seed;
      ASSERT_EQ(everything(other), answer) << "seed " << seed;
    }
  }
  EXPECT_GT(answered, 45);
}

// All that was said is taken back: nothing is left.
TEST(OrderOfArrival, LeavesNothingWhenAllIsWithdrawn) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    Drive d = drive();
    std::vector<v1::Fact> facts = World(seed).facts(40);
    std::erase_if(facts, [](const v1::Fact& fact) { return fact.has_store_state(); });
    for (const v1::Fact& fact : facts) d.put(nov1 + 9 * day_ms, fact);
    for (v1::Fact fact : facts) {
      fact.set_as_of_ms(nov1 + 10 * day_ms);
      if (fact.has_order_state()) {
        fact.clear_order_state();
        fact.mutable_order_state()->mutable_withdrawn();
      } else if (fact.has_refund_state()) {
        fact.clear_refund_state();
        fact.mutable_refund_state()->mutable_withdrawn();
      } else if (fact.has_product_report()) {
        fact.clear_product_report();
        fact.mutable_product_report()->mutable_withdrawn();
      } else {
        fact.clear_traffic_report();
        fact.mutable_traffic_report()->mutable_withdrawn();
      }
      d.put(nov1 + 10 * day_ms, fact);
    }
    ASSERT_EQ(everything(d), "") << "seed " << seed;
    Drive fresh = drive();
    fresh.put(nov1, R"(store: "s" key: "none" order_state { withdrawn {} })");
    fresh.put(nov1, R"(store: "t" key: "none" order_state { withdrawn {} })");
    ASSERT_EQ(d.fingerprint(), fresh.fingerprint()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace xundian::metrics::tests
