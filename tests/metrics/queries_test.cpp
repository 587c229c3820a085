#include <set>
#include <sstream>

#include "services/metrics/figures.h"
#include "tests/metrics/ask.h"
#include "tests/support/overview.h"

namespace xundian::metrics::tests {
namespace {

using namespace xundian::tests;

template <typename Response, typename Request>
Response call(std::span<Fold* const> folds, const char* method, const Request& request) {
  const auto bytes = definition().answer(folds, method, request.SerializeAsString());
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  Response response;
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
  return response;
}

TEST(Queries, RefuseWhatTheyCannotRead) {
  Drive d = drive();
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .from = "11/01"}), "error: \"11/01\" is no date; write it as 2026-11-11");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .grain = "week"}), "error: \"week\" is no grain; use total, month, day or hour");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .by = "colour"}),
            "error: \"colour\" is no dimension; use store, sku, channel, campaign or agent");
  EXPECT_EQ(definition().answer({}, "Dance", "").error().code, Code::unimplemented);
}

TEST(Queries, LeaveOtherServicesMetricsAndUnknownStoresAlone) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  EXPECT_EQ(ask(d, {.metrics = {"roas", "orders", "orders"}}), "* * 2026-11-01 orders 1\n");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .stores = {"nowhere"}}), "");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .by = "campaign"}), "");
}

// A buyer is the same in all stores of a group, and counted in each group of a tenant.
TEST(Queries, AddGroups) {
  Drive one = drive(), two = drive();
  open_store(one);
  open_store(two, "t");
  one.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  two.put(nov1, paid("b", nov1, 7, "mug", 2, 20, "t"));
  Fold* folds[] = {&one.fold(), &two.fold()};
  query::v1::QueryMetricsRequest request;
  for (const char* metric : {"buyers", "orders", "units", "spend_per_buyer"}) request.add_metrics(metric);
  request.set_from("2026-11-01");
  request.set_to("2026-11-01");
  EXPECT_EQ(print(call<query::v1::QueryMetricsResponse>(folds, "QueryMetrics", request).rows()),
            "* * 2026-11-01 buyers 2\n* * 2026-11-01 orders 2\n* * 2026-11-01 spend_per_buyer 30000000/2 CNY\n* * 2026-11-01 "
            "units 3\n");
  EXPECT_EQ(call<query::v1::ListStoresResponse>(folds, "ListStores", query::v1::ListStoresRequest()).stores_size(), 2);
}

TEST(Queries, OverlookEachStoresNewestDay) {
  Drive d = drive();
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, paid("b", nov1 + day_ms, 7, "mug", 1, 20));
  d.put(nov1, paid("c", nov1, 7, "mug", 1, 30, "t"));
  const auto service = definition();
  const std::span<Fold* const> folds{d.folds(), 1};
  EXPECT_EQ(overview(service, folds),
            "s 2026-11-02 buyers 1 count  provisional\ns 2026-11-02 net_sales \"20.00\" money  provisional\n"
            "s 2026-11-02 order_value \"20.00\" money  provisional\ns 2026-11-02 orders 1 count  provisional\n"
            "s 2026-11-02 paid_amount \"20.00\" money  provisional\ns 2026-11-02 spend_per_buyer \"20.00\" money  provisional\n"
            "s 2026-11-02 units 1 units  provisional\n"
            "t 2026-11-01 buyers 1 count  provisional\nt 2026-11-01 net_sales \"30.00\" money  provisional\n"
            "t 2026-11-01 order_value \"30.00\" money  provisional\nt 2026-11-01 orders 1 count  provisional\n"
            "t 2026-11-01 paid_amount \"30.00\" money  provisional\nt 2026-11-01 spend_per_buyer \"30.00\" money  provisional\n"
            "t 2026-11-01 units 1 units  provisional\n");
  EXPECT_EQ(ask_overview(service, folds).as_of_ms(), nov1 + day_ms);
  query::v1::GetOverviewRequest request;
  request.add_stores("s");
  request.add_stores("nowhere");
  request.add_stores("s");
  request.set_day("2026-11-01");
  const std::string asked = overview(service, folds, request);
  EXPECT_EQ(std::ranges::count(asked, '\n'), 7);
  EXPECT_EQ(asked, queried(service, folds,
                           {"buyers", "conversion", "net_sales", "order_value", "orders", "paid_amount", "pv", "refund_amount",
                            "spend_per_buyer", "units", "uv"},
                           "s", "2026-11-01"));
  EXPECT_NE(asked.find("s 2026-11-01 orders 1 count  final\n"), std::string::npos) << asked;
}

// What only some metrics need is left out for the others, and for none that needs it.
TEST(Queries, AreAnsweredAloneAsTogether) {
  Drive d = drive();
  open_store(d);
  open_store(d, "t");
  for (int number = 0; number < 40; ++number)
    d.put(nov1, paid(fmt::format("o{}", number), nov1 + number % 5 * day_ms, number % 7, number % 2 == 0 ? "mug" : "cup",
                     1 + number % 3, 10 + number, number % 3 == 0 ? "t" : "s"));
  for (const char* store : {"s", "t"})
    d.put(nov1,
          fmt::format("store: '{}' key: 'uv' traffic_report {{ cell {{ cut {{ dimensions: 'store' grain: 'day' }} period {{ "
                      "from: '2026-11-02' }} uv: 50 pv: 90 }} }}",
                      store));
  std::vector<std::string> all;
  for (const Metric& metric : all_metrics()) all.emplace_back(metric.id);
  size_t rows = 0;
  for (const char* by : {"", "store", "sku", "channel"})
    for (const char* grain : {"total", "day", "hour"}) {
      std::multiset<std::string> together, alone;
      const auto take = [&](std::multiset<std::string>& lines, const std::vector<std::string>& metrics) {
        std::istringstream text(ask(d, {.metrics = metrics, .grain = grain, .by = by}));
        for (std::string line; std::getline(text, line);) lines.insert(line);
      };
      take(together, all);
      for (const std::string& metric : all) take(alone, {metric});
      EXPECT_EQ(together, alone) << by << " " << grain;
      rows += together.size();
    }
  EXPECT_GT(rows, 100u);
}

// A midnight of many stores is judged in turns, and none is forgotten.
TEST(Queries, AMidnightOfManyStoresIsJudgedInTurns) {
  constexpr int stores = 100;
  Drive d = drive();
  for (int week = 0; week < 4; ++week)
    for (int store = 0; store < stores; ++store)
      d.put(nov1 + week * 7 * day_ms, paid(fmt::format("o{}.{}", store, week), nov1 + week * 7 * day_ms, store + 1, "mug", 1,
                                           week < 3 ? 100 : 1, fmt::format("s{}", store)));
  // Each has spoken after its end.
  for (int store = 0; store < stores; ++store)
    d.put(nov1 + 21 * day_ms + 23 * hour_ms,
          fmt::format("store: 's{}' key: 'late' occurred_ms: {} order_state {{ placed {{ created_ms: 1 }} }}", store,
                      nov1 + 22 * day_ms + minute_ms));
  std::set<std::string> dropped;
  int turns = 0;
  for (; d.fold().next_wake() <= nov1 + 22 * day_ms; ++turns) {
    ASSERT_LT(turns, 20);
    size_t judged = 0;
    for (const v1::Fact& fact : d.tick(nov1 + 22 * day_ms))
      if (fact.finding().terms().rule() == "sales_drop") dropped.insert(fact.store()), ++judged;
    EXPECT_LE(judged, 32u);
  }
  EXPECT_EQ(dropped.size(), size_t{stores});
  EXPECT_GE(turns, 4);
}

TEST(Queries, DefineEveryMetricInBothLanguages) {
  const auto all = metric_definitions();
  for (const query::v1::MetricDefinition& metric : all.definitions()) {
    EXPECT_FALSE(metric.name_zh().empty() || metric.name_en().empty() || metric.formula().empty()) << metric.id();
    EXPECT_EQ(metric.service(), "metrics");
    EXPECT_GE(metric.version(), 1u);
  }
  EXPECT_EQ(call<query::v1::GetMetricDefinitionsResponse>({}, "GetMetricDefinitions", query::v1::GetMetricDefinitionsRequest())
                .definitions_size(),
            metric_definitions().definitions_size());
}

TEST(Queries, ListRulesAndWhatOverridesThem) {
  Drive d = drive();
  d.put(nov1, R"(key: "ours" rule_set { list { rules { id: "sales_drop" fire_at_micros: 500000 } } })");
  const auto rules = call<query::v1::ListRulesResponse>({d.folds(), 1}, "ListRules", query::v1::ListRulesRequest());
  EXPECT_EQ(static_cast<size_t>(rules.rules_size()), shipped_rules().size());
  ASSERT_EQ(rules.overrides_size(), 1);
  EXPECT_EQ(rules.overrides(0).fire_at_micros(), 500'000);
}

}  // namespace
}  // namespace xundian::metrics::tests
