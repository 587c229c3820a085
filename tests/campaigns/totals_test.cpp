// What is kept added up is what is added up anew, whatever came, was corrected and was withdrawn before.
#include <random>
#include <set>

#include "services/campaigns/state.h"
#include "tests/support/drive.h"

namespace xundian::campaigns {
namespace {

constexpr Day first_day = 20'000, last_day = 20'002;
constexpr Millis begin_ms = Millis{first_day} * day_ms;
constexpr const char *added[] = {"ad_amount", "ad_cost", "ad_orders", "clicks", "impressions"},
                     *ratios[] = {"cost_per_order", "cpc", "cpm", "ctr", "roas"},
                     *others[] = {"ad_cost_cut_difference", "budget_pace", "budget_used"};

query::v1::QueryMetricsResponse ask(tests::Drive& drive, const std::string& by, const std::string& grain) {
  query::v1::QueryMetricsRequest request;
  for (const auto& metrics : {std::span<const char* const>(added), {ratios}, {others}})
    for (const char* metric : metrics) request.add_metrics(metric);
  request.set_from(format_day(first_day));
  request.set_to(format_day(last_day));
  request.set_grain(grain);
  request.set_by(by);
  query::v1::QueryMetricsResponse response;
  const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
  return response;
}

std::string all_answers(tests::Drive& drive) {
  std::string text;
  for (const char* by : {"", "store", "channel", "campaign", "sku"})
    for (const char* grain : {"total", "day", "hour"})
      text += fmt::format("{} {}\n{}", by, grain, ask(drive, by, grain).DebugString());
  return text;
}

// The parts of each figure by store and period, added over campaigns or as they come.
std::map<std::string, std::pair<int64_t, int64_t>> parts(tests::Drive& drive, const std::string& by, const std::string& grain) {
  std::map<std::string, std::pair<int64_t, int64_t>> parts;
  const auto response = ask(drive, by, grain);
  for (const auto& row : response.rows()) {
    // Where there is one currency alone, roas names none.
    if (std::ranges::count(others, row.metric()) > 0 || row.metric() == "roas") continue;
    auto& [numerator, denominator] = parts[row.from() + row.metric() + row.currency_code()];
    numerator += row.numerator();
    denominator += row.denominator();
  }
  return parts;
}

class Reporter {
 public:
  explicit Reporter(uint32_t seed) : dice_(seed) {}

  v1::Fact next() {
    v1::Fact fact;
    time_ms_ += upto(3) * 14 * 60'000;
    fact.set_store("s1");
    fact.set_as_of_ms(time_ms_);
    const uint32_t kind = upto(100);
    if (kind == 0) {
      auto& settings = *fact.mutable_store_state()->mutable_settings();
      fact.set_key("s1");
      settings.set_currency_code(upto(2) == 0 ? "CNY" : "USD");
      settings.set_time_zone(upto(2) == 0 ? "Asia/Shanghai" : "America/New_York");
    } else if (kind == 1) {
      fact.set_key(fmt::format("budget{}", upto(3)));
      auto& terms = *fact.mutable_budget_plan()->mutable_terms();
      if (upto(2) == 0) terms.set_channel("ztc");
      terms.set_from(format_day(first_day));
      terms.set_to(format_day(last_day));
      terms.set_amount_micros(1'000 + upto(100'000));
    } else {
      report(fact, upto(10), upto(2), first_day + static_cast<Day>(upto(3)), upto(8) == 0 ? 1 : 0);
    }
    return fact;
  }
  Millis time_ms() const { return time_ms_; }

 private:
  uint32_t upto(uint32_t count) { return dice_() % count; }

  void report(v1::Fact& fact, uint32_t item, uint32_t campaign, Day day, uint32_t grain) {
    const bool corrected = upto(20) == 0;
    fact.set_key(fmt::format("{}|{}|{}|{}", item, campaign, day, grain));
    if (upto(15) == 0) {
      fact.mutable_ad_report()->mutable_withdrawn();
      return;
    }
    v1::AdCell& cell = *fact.mutable_ad_report()->mutable_cell();
    cell.mutable_cut()->set_dimensions("campaign+item");
    cell.mutable_cut()->set_grain(grain == 0 ? "day" : "hour");
    cell.mutable_cut()->set_attribution_days(1);
    cell.mutable_period()->set_from(format_day(day));
    if (grain == 1) cell.mutable_period()->set_hour(item);
    cell.set_channel(corrected ? "jzt" : "ztc");
    cell.set_campaign(fmt::format("c{}", campaign));
    cell.set_item(fmt::format("i{}", item));
    if (item == 0) cell.set_currency_code("EUR");
    const auto figure = [&](void (v1::AdCell::*set)(int64_t)) {
      if (upto(6) > 0) (cell.*set)(upto(1'000));
    };
    figure(&v1::AdCell::set_impressions);
    figure(&v1::AdCell::set_clicks);
    figure(&v1::AdCell::set_cost_micros);
    figure(&v1::AdCell::set_attributed_orders);
    figure(&v1::AdCell::set_attributed_amount_micros);
  }

  std::mt19937 dice_;
  Millis time_ms_ = begin_ms;
};

std::string text_of(const std::vector<v1::Fact>& facts) {
  std::string text;
  for (const v1::Fact& fact : facts) text += fact.DebugString();
  return text;
}

TEST(Totals, AreWhatIsAddedUpAnew) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Reporter reporter(seed);
    tests::Drive kept(definition().make_fold()), anew(definition().make_fold());
    for (int turn = 0; turn < 400; ++turn) {
      const v1::Fact fact = reporter.next();
      // All that follows from the cells is made anew when a state is loaded.
      if (turn % 5 == 0) anew.restart(definition().make_fold());
      ASSERT_EQ(text_of(kept.put(reporter.time_ms(), fact)), text_of(anew.put(reporter.time_ms(), fact))) << turn;
      if (turn % 20 > 0) continue;
      ASSERT_EQ(all_answers(kept), all_answers(anew)) << turn;
      for (const char* grain : {"total", "day"})
        ASSERT_EQ(parts(kept, "", grain), parts(kept, "campaign", grain)) << turn << fact.DebugString();
    }
  }
}

}  // namespace
}  // namespace xundian::campaigns
