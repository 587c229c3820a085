// Figures from one cut each: what two reports say of the same spending is never added.
#include "services/campaigns/state.h"
#include "tests/support/drive.h"
#include "tests/support/overview.h"

namespace xundian::campaigns {
namespace {

constexpr Millis now = Millis{20'010} * day_ms;

struct Promotion : testing::Test {
  tests::Drive drive{definition().make_fold()};

  // A cell of a day, keyed as importers key it.
  void report(const std::string& dimensions, Day day, const std::string& channel, const std::string& campaign,
              const std::string& item, const std::string& figures, const std::string& grain = "day", int days = 0,
              const std::string& store = "s1") {
    const std::string cut = fmt::format("dimensions: '{}' grain: '{}' attribution_days: {}", dimensions, grain, days);
    drive.put(
        now,
        fmt::format(
            "store: '{0}' key: '{1}|{2}|{3}|{4}|{5}' ad_report {{ cell {{ cut {{ {6} }} period {{ from: '{2}' }} channel: '{3}' "
            "campaign: '{4}' item: '{5}' {7} }} }}",
            store, dimensions + grain + std::to_string(days), format_day(day), channel, campaign, item, cut, figures));
  }
  std::map<std::string, query::v1::MetricRow> ask(const std::vector<std::string>& metrics, const std::string& by, Day from,
                                                  Day to, const std::string& grain = "total") {
    query::v1::QueryMetricsRequest request;
    for (const auto& metric : metrics) request.add_metrics(metric);
    request.set_from(format_day(from));
    request.set_to(format_day(to));
    request.set_grain(grain);
    request.set_by(by);
    const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
    EXPECT_TRUE(bytes.has_value());
    query::v1::QueryMetricsResponse response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    std::map<std::string, query::v1::MetricRow> rows;
    for (const auto& row : response.rows()) rows[fmt::format("{}|{}", row.key(), row.metric())] = row;
    return rows;
  }
  int64_t cost(const std::string& by = "", const std::string& key = "", Day from = 20'000, Day to = 20'009) {
    const auto rows = ask({"ad_cost"}, by, from, to);
    const auto row = rows.find(key + "|ad_cost");
    return row == rows.end() ? -1 : row->second.numerator();
  }
};

// A changed rule may concern every campaign; a restart in the middle forgets none of them.
TEST_F(Promotion, ARuleThatConcernsThousandsIsAppliedInTurns) {
  constexpr int campaigns = 2'500;
  for (int number = 0; number < campaigns; ++number)
    report("campaign", 20'009, "ztc", fmt::format("c{}", number), "",
           "impressions: 10000 clicks: 500 cost_micros: 900000000 attributed_orders: 40 attributed_amount_micros: 9000000000");
  std::map<std::string, int> said;
  const auto note = [&](const std::vector<v1::Fact>& facts) {
    for (const v1::Fact& fact : facts) ++said[fact.finding().terms().rule() + " " + fact.finding().terms().entity()];
    EXPECT_LE(facts.size(), 1'100u);
  };
  note(drive.put(
      now, "key: 'set' rule_set { list { rules { id: 'roas_below' fire_at_micros: 50000000 clear_at_micros: 50000000 } } }"));
  EXPECT_LT(said.size(), size_t{campaigns});
  for (int turn = 0; drive.fold().next_wake() <= drive.time(); ++turn) {
    ASSERT_LT(turn, 20);
    drive.restart(definition().make_fold());
    note(drive.tick(now));
  }
  EXPECT_EQ(said.size(), size_t{campaigns});
  EXPECT_TRUE(std::ranges::all_of(said, [](const auto& entry) { return entry.second == 1; }));
}

TEST_F(Promotion, OverviewsEachStoresNewestDay) {
  for (int number = 0; number < 20; ++number)
    for (const char* channel : {"ztc", "jzt"})
      for (const Day day : {20'004, 20'005})
        report("campaign", day, channel, fmt::format("c{}", number), "", "cost_micros: 1500000 clicks: 2");
  report("campaign", 20'003, "ztc", "c0", "", "cost_micros: 7000000", "day", 0, "s2");
  const auto service = definition();
  const std::span<Fold* const> folds{drive.folds(), 1};
  const std::string s1 = "s1 2024-10-09 ad_cost \"60.00\" money  final\ns1 2024-10-09 clicks 80 count  final\n",
                    s2 = "s2 2024-10-07 ad_cost \"7.00\" money  final\n";
  EXPECT_EQ(tests::overview(service, folds), s1 + s2);
  const auto metrics = {"ad_amount", "ad_cost", "ad_orders", "budget_pace", "clicks", "impressions", "roas"};
  EXPECT_EQ(tests::queried(service, folds, metrics, "s1", "2024-10-09"), s1);
  query::v1::GetOverviewRequest request;
  request.add_stores("s1");
  request.set_day("2024-10-08");
  EXPECT_EQ(tests::overview(service, folds, request), tests::queried(service, folds, metrics, "s1", "2024-10-08"));
  EXPECT_EQ(cost("campaign", "c3", 20'004, 20'005), 6'000'000);
  for (const char* day : {"2024-10-08", "2024-10-09"})
    EXPECT_NE(tests::queried(service, folds, {"ad_cost"}, "s1", "2024-10-08", "2024-10-09")
                  .find(fmt::format("s1 {} ad_cost \"60.00\"", day)),
              std::string::npos)
        << day;
  EXPECT_EQ(cost("", "", 20'000, 20'009), 127'000'000);
}

TEST_F(Promotion, CutsAreNotAdded) {
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 100");
  report("campaign", 20'000, "ztc", "c2", "", "cost_micros: 50");
  report("campaign+item", 20'000, "ztc", "c1", "mug", "cost_micros: 60");
  report("campaign+item", 20'000, "ztc", "c1", "cup", "cost_micros: 39");
  EXPECT_EQ(cost(), 150);
  EXPECT_EQ(cost("campaign", "c1"), 100);
  EXPECT_EQ(cost("sku", "mug"), 60);
  EXPECT_EQ(ask({"ad_cost_cut_difference"}, "", 20'000, 20'000).begin()->second.numerator(), 150 - 99);
  // A report of the channel as a whole is coarser still.
  report("channel", 20'000, "ztc", "", "", "cost_micros: 151");
  EXPECT_EQ(cost(), 151);
  EXPECT_EQ(cost("campaign", "c1"), 100);
}

TEST_F(Promotion, EachDayIsAnsweredByACutThatHasIt) {
  report("channel", 20'000, "ztc", "", "", "cost_micros: 10");
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 9");
  report("campaign", 20'001, "ztc", "c1", "", "cost_micros: 5");
  report("campaign", 20'001, "jzt", "c9", "", "cost_micros: 7");
  EXPECT_EQ(cost(), 22);
  EXPECT_EQ(cost("channel", "ztc"), 15);
  EXPECT_EQ(cost("channel", "jzt"), 7);
}

TEST_F(Promotion, ARowOfTotalsInACampaignReportIsNotOneMoreCampaign) {
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 10");
  report("campaign", 20'000, "ztc", "c2", "", "cost_micros: 20");
  report("campaign", 20'000, "ztc", "", "", "cost_micros: 30");
  EXPECT_EQ(cost(), 30);
  EXPECT_EQ(ask({"ad_cost"}, "campaign", 20'000, 20'000).size(), 2u);
}

TEST_F(Promotion, AttributionWindowsAreNotMixed) {
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 100 attributed_amount_micros: 150", "day", 1);
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 100 attributed_amount_micros: 400", "day", 7);
  const auto rows = ask({"ad_cost", "ad_amount", "roas"}, "", 20'000, 20'000);
  EXPECT_EQ(rows.at("|ad_cost").numerator(), 100);
  EXPECT_EQ(rows.at("|ad_amount").numerator(), 400);
  EXPECT_EQ(rows.at("|roas").numerator(), 400);
  EXPECT_EQ(rows.at("|roas").denominator(), 100);
}

TEST_F(Promotion, HoursAddUpWhereNoDayIsStatedAndADayGoesBefore) {
  const auto hour = [&](uint32_t at, int64_t micros) {
    drive.put(now, fmt::format("store: 's1' key: 'h{0}' ad_report {{ cell {{ cut {{ dimensions: 'channel' grain: 'hour' }} "
                               "period {{ from: '{1}' hour: {0} }} "
                               "channel: 'ztc' cost_micros: {2} }} }}",
                               at, format_day(20'000), micros));
  };
  hour(8, 3);
  hour(9, 4);
  EXPECT_EQ(cost(), 7);
  EXPECT_EQ(ask({"ad_cost"}, "", 20'000, 20'000, "hour").size(), 1u);  // The last of the two hours, by key and metric.
  report("channel", 20'000, "ztc", "", "", "cost_micros: 8");
  EXPECT_EQ(cost(), 8);
}

TEST_F(Promotion, LongPeriodsCountOnlyWhereTheyFitAndNothingFinerIsKnown) {
  drive.put(now, fmt::format("store: 's1' key: 'w' ad_report {{ cell {{ cut {{ dimensions: 'channel' grain: 'week' }} period {{ "
                             "from: '{}' to: '{}' }} "
                             "channel: 'ztc' cost_micros: 70 }} }}",
                             format_day(20'000), format_day(20'006)));
  EXPECT_EQ(cost(), 70);
  EXPECT_EQ(cost("", "", 20'001, 20'009), -1);
  report("channel", 20'003, "ztc", "", "", "cost_micros: 11");
  EXPECT_EQ(cost(), 11);
}

TEST_F(Promotion, RatiosAreOfSumsAndUnknownWhereTheLowerPartIsZero) {
  report("campaign", 20'000, "ztc", "c1", "",
         "impressions: 1000 clicks: 20 cost_micros: 40000000 attributed_orders: 2 attributed_amount_micros: 90000000");
  report("campaign", 20'000, "ztc", "c2", "",
         "impressions: 3000 clicks: 20 cost_micros: 20000000 attributed_orders: 1 attributed_amount_micros: 0");
  report("campaign", 20'000, "ztc", "c3", "", "clicks: 5");
  const auto rows = ask({"ctr", "cpc", "cpm", "roas", "cost_per_order", "clicks"}, "", 20'000, 20'000);
  const auto part = [&](const char* metric) {
    return std::pair(rows.at(std::string("|") + metric).numerator(), rows.at(std::string("|") + metric).denominator());
  };
  EXPECT_EQ(part("ctr"), std::pair(int64_t{40}, int64_t{4000}));  // The cell without impressions is in neither part.
  EXPECT_EQ(part("cpc"), std::pair(int64_t{60'000'000}, int64_t{40}));
  EXPECT_EQ(part("cpm"), std::pair(int64_t{60'000'000'000}, int64_t{4000}));
  EXPECT_EQ(part("roas"), std::pair(int64_t{90'000'000}, int64_t{60'000'000}));
  EXPECT_EQ(part("cost_per_order"), std::pair(int64_t{60'000'000}, int64_t{3}));
  EXPECT_EQ(rows.at("|clicks").numerator(), 45);
  report("campaign", 20'001, "ztc", "c1", "", "cost_micros: 0 attributed_amount_micros: 5");
  EXPECT_EQ(ask({"roas"}, "", 20'001, 20'001).at("|roas").denominator(), 0);  // Not endless: unknown.
}

TEST_F(Promotion, AStatementWithdrawnOrCorrectedLeavesNothingBehind) {
  report("campaign", 20'000, "ztc", "c1", "", "cost_micros: 100");
  drive.put(now + 1,
            fmt::format("store: 's1' key: 'campaignday0|{}|ztc|c1|' ad_report {{ withdrawn {{}} }}", format_day(20'000)));
  EXPECT_EQ(cost(), -1);
}

TEST_F(Promotion, BudgetsShowWhatIsSpentAndWhatShouldBe) {
  drive.put(now, fmt::format(
                     "store: 's1' key: 'b1' budget_plan {{ terms {{ channel: 'ztc' from: '{}' to: '{}' amount_micros: 1000 }} }}",
                     format_day(20'000), format_day(20'009)));
  drive.put(now, fmt::format("store: 's1' key: 'b2' budget_plan {{ terms {{ channel: 'ztc' campaign: 'c1' from: '{}' to: '{}' "
                             "amount_micros: 500 }} }}",
                             format_day(20'000), format_day(20'009)));
  report("campaign", 20'004, "ztc", "c1", "", "cost_micros: 300");
  const auto rows = ask({"budget_used", "budget_pace"}, "", 20'000, 20'009);
  EXPECT_EQ(rows.at("|budget_used").numerator(), 300);
  EXPECT_EQ(rows.at("|budget_used").denominator(), 1000);  // The campaign's budget is a part of the channel's.
  EXPECT_EQ(rows.at("|budget_pace").denominator(), 500);   // Five of ten days are reported.
  EXPECT_EQ(ask({"budget_used"}, "campaign", 20'000, 20'009).at("c1|budget_used").denominator(), 500);
}

TEST_F(Promotion, SpendingIsKnownAsFarAsThoseReachWhoStateIt) {
  drive.put(now, fmt::format("store: 's1' key: 'b1' budget_plan {{ terms {{ from: '{}' to: '{}' amount_micros: 2400 }} }}",
                             format_day(20'000), format_day(20'000)));
  // Each as of another hour of the day; from the ninth on their sums are kept.
  for (int count = 0; count < 20; ++count) {
    const int number = count * 7 % 20;
    drive.put(Millis{20'000} * day_ms + number * hour_ms,
              fmt::format("store: 's1' key: 'c{0}' ad_report {{ cell {{ cut {{ dimensions: 'campaign' grain: 'day' }} period {{ "
                          "from: '{1}' }} channel: 'ztc' campaign: 'c{0}' {2}: 1 }} }}",
                          number, format_day(20'000), number <= 12 ? "cost_micros" : "clicks"));
  }
  const auto due = [&] { return ask({"budget_pace"}, "", 20'000, 20'000).at("|budget_pace").denominator(); };
  EXPECT_EQ(due(), 1200);
  drive.put(now, "store: 's1' key: 'c12' ad_report { withdrawn {} }");
  EXPECT_EQ(due(), 1100);
}

TEST_F(Promotion, PlannedCampaignsAreListedByDay) {
  drive.put(now, fmt::format("store: 's1' key: 'p1' campaign_plan {{ terms {{ name: '双11' start_ms: {} end_ms: {} }} }}",
                             Millis{20'000} * day_ms, Millis{20'002} * day_ms));
  EXPECT_EQ(ask({"campaigns_planned"}, "campaign", 20'000, 20'009).at("双11|campaigns_planned").numerator(), 1);
  EXPECT_EQ(ask({"campaigns_planned"}, "", 20'001, 20'001, "day").size(), 1u);
  EXPECT_TRUE(ask({"campaigns_planned"}, "", 20'002, 20'002, "day").empty());
}

TEST(Cuts, AreOrderedFromTheCoarsest) {
  const auto cut = [](const char* dimensions, const char* campaign, const char* item) {
    v1::AdCell cell;
    cell.mutable_cut()->set_dimensions(dimensions);
    cell.mutable_cut()->set_grain("day");
    cell.set_campaign(campaign);
    cell.set_item(item);
    return cut_of(cell);
  };
  EXPECT_LT(cut("channel", "", ""), cut("campaign", "c", ""));
  EXPECT_LT(cut("campaign", "c", ""), cut("campaign+item", "c", "i"));
  EXPECT_LT(cut("campaign+item", "c", "i"), cut("campaign+item+keyword", "c", "i"));
  EXPECT_EQ(cut("store+channel+campaign", "c", ""), cut("campaign", "c", ""));
}

}  // namespace
}  // namespace xundian::campaigns
