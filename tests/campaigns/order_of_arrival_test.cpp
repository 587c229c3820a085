// Whatever the order of arrival, however often something is said: the same facts make the same state and the same answers.
#include <random>

#include "services/campaigns/state.h"
#include "tests/support/drive.h"

namespace xundian::campaigns {
namespace {

constexpr Day first_day = 20'000;
constexpr Millis start = Millis{first_day} * day_ms;

// Facts about a small world that contradict each other often: few keys, few times.
struct World {
  std::mt19937_64 random;

  int64_t below(int64_t limit) { return static_cast<int64_t>(random() % static_cast<uint64_t>(limit)); }
  bool chance() { return below(2) == 0; }

  v1::Fact fact() {
    v1::Fact fact;
    fact.set_store(chance() ? "s1" : "s2");
    fact.set_as_of_ms(start + below(40) * 6 * hour_ms);
    fact.set_occurred_ms(fact.as_of_ms());
    fact.set_status_rank(static_cast<uint32_t>(below(3)));
    const bool withdraws = below(12) == 0;
    switch (below(8)) {
      case 0: {
        fact.set_key(fact.store());
        fact.mutable_store_state()->mutable_settings()->set_time_zone(chance() ? "Asia/Shanghai" : "America/New_York");
        fact.mutable_store_state()->mutable_settings()->set_currency_code(chance() ? "CNY" : "USD");
        return fact;
      }
      case 1: {
        fact.set_key(fmt::format("b{}", below(3)));
        if (withdraws) return fact.mutable_budget_plan()->mutable_withdrawn(), fact;
        v1::BudgetTerms& terms = *fact.mutable_budget_plan()->mutable_terms();
        if (chance()) terms.set_channel("ztc");
        terms.set_from(format_day(first_day + static_cast<Day>(below(3))));
        terms.set_to(format_day(first_day + 3 + static_cast<Day>(below(6))));
        terms.set_amount_micros(1 + below(400) * micros);
        return fact;
      }
      case 2: {
        fact.set_key(fmt::format("p{}", below(3)));
        if (withdraws) return fact.mutable_campaign_plan()->mutable_withdrawn(), fact;
        fact.mutable_campaign_plan()->mutable_terms()->set_start_ms(start + below(9) * day_ms);
        fact.mutable_campaign_plan()->mutable_terms()->set_end_ms(start + below(19) * day_ms);
        return fact;
      }
      default:
        return report(fact, withdraws);
    }
  }

  v1::Fact report(v1::Fact fact, bool withdraws) {
    v1::AdCell cell;
    const char* dimensions[] = {"channel", "campaign", "campaign+item"};
    const auto depth = below(3);
    cell.mutable_cut()->set_dimensions(dimensions[depth]);
    cell.mutable_cut()->set_grain("day");
    cell.mutable_period()->set_from(format_day(first_day + static_cast<Day>(below(6))));
    cell.set_channel(chance() ? "ztc" : "jzt");
    if (depth > 0) cell.set_campaign(chance() ? "c1" : "c2");
    if (depth > 1) cell.set_item(chance() ? "mug" : "cup");
    fact.set_key(cell.ShortDebugString());
    if (withdraws) return fact.mutable_ad_report()->mutable_withdrawn(), fact;
    if (chance()) cell.set_impressions(below(100));
    if (chance()) cell.set_clicks(below(60));
    cell.set_cost_micros((below(200) - 5) * micros);
    if (chance()) cell.set_attributed_orders(below(3));
    if (chance()) cell.set_attributed_amount_micros(below(300) * micros);
    *fact.mutable_ad_report()->mutable_cell() = cell;
    return fact;
  }
};

std::string answers(tests::Drive& drive) {
  std::string all;
  query::v1::GetMetricDefinitionsResponse definitions = metric_definitions();
  for (const char* by : {"", "store", "channel", "campaign", "sku"})
    for (const char* grain : {"total", "day"}) {
      query::v1::QueryMetricsRequest request;
      for (const auto& metric : definitions.definitions()) request.add_metrics(metric.id());
      request.set_from(format_day(first_day - 1));
      request.set_to(format_day(first_day + 30));
      request.set_by(by);
      request.set_grain(grain);
      const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
      EXPECT_TRUE(bytes.has_value());
      query::v1::QueryMetricsResponse response;
      EXPECT_TRUE(response.ParseFromString(*bytes));
      all += response.DebugString();
    }
  return all;
}

TEST(OrderOfArrival, DoesNotMatter) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world{std::mt19937_64(seed)};
    std::vector<v1::Fact> facts;
    for (int i = 0; i < 80; ++i) facts.push_back(world.fact());
    tests::Drive straight(definition().make_fold());
    for (const v1::Fact& fact : facts) straight.put(start, fact);
    std::vector<v1::Fact> again = facts;
    again.insert(again.end(), facts.begin(), facts.begin() + 25);
    std::shuffle(again.begin(), again.end(), world.random);
    tests::Drive shuffled(definition().make_fold());
    for (size_t i = 0; i < again.size(); ++i) {
      shuffled.put(start + static_cast<Millis>(i) * hour_ms, again[i]);
      if (i % 27 == 26) shuffled.restart(definition().make_fold());
    }
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
    }
    ASSERT_EQ(said_by_steady, said_by_restarted) << "seed " << seed;
    said += said_by_steady.size();
  }
  EXPECT_GT(said, 10'000u) << "hardly anything was said";
}

}  // namespace
}  // namespace xundian::campaigns
