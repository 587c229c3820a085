// What can be wrong with advertising. Each detector measures one thing; from when on it matters, the rule says.
#include <algorithm>

#include "common/money.h"
#include "services/campaigns/state.h"

namespace xundian::campaigns {

namespace {

constexpr Day week_days = 7;       // What is older is no news.
constexpr Day orderless_days = 3;  // Days over which spending must have brought an order.
constexpr int evening_hour = 20;   // A day's budget should last until then.
// What one record says at most; the rest waits for the next, so that an answer fits into a batch.
constexpr size_t said_at_once = 1'000;

// To add a rule, write it here, measure it below, and give it a scenario on both sides of its threshold.
constexpr ShippedRule rules[] = {
    {.id = "budget_burn_fast",
     .detector = "budget_ahead_of_time",
     .entity_kind = "budget",
     .unit = "ratio",
     .side = Side::above,
     .fire_at_micros = 200'000,
     .clear_at_micros = 100'000,
     .severity = v1::SEVERITY_HIGH,
     .owner = "promotion",
     .text_zh = "{store}：预算 {entity} 已花 {used}，时间只过 {time_passed}，花费 {spent} / {budget}",
     .text_en = "{store}: budget {entity} is {used} spent with {time_passed} of its time gone, {spent} of {budget}",
     .next = "lower_bid"},
    {.id = "day_budget_burnt",
     .detector = "day_budget_used",
     .entity_kind = "budget",
     .unit = "ratio",
     .side = Side::above,
     .fire_at_micros = 950'000,
     .clear_at_micros = 950'000,
     .severity = v1::SEVERITY_HIGH,
     .owner = "promotion",
     .text_zh = "{store}：日预算 {entity} 到 {reached} 已花 {value}，花费 {spent} / {budget}",
     .text_en = "{store}: day budget {entity} is {value} spent by {reached}, {spent} of {budget}",
     .next = "raise_cap_or_lower_bid"},
    {.id = "budget_underspent",
     .detector = "budget_used_at_end",
     .entity_kind = "budget",
     .unit = "ratio",
     .side = Side::below,
     .fire_at_micros = 600'000,
     .clear_at_micros = 600'000,
     .severity = v1::SEVERITY_INFO,
     .owner = "promotion",
     .text_zh = "{store}：预算 {entity} 已到期，只花了 {value}，花费 {spent} / {budget}",
     .text_en = "{store}: budget {entity} has ended {value} spent, {spent} of {budget}",
     .next = "review_bids"},
    {.id = "roas_below",
     .detector = "campaign_day_roas",
     .entity_kind = "campaign",
     .unit = "times",
     .side = Side::below,
     .fire_at_micros = 1'000'000,
     .clear_at_micros = 1'200'000,
     .sample_min = 100,
     .severity = v1::SEVERITY_WARNING,
     .owner = "promotion",
     .text_zh = "{store}：{entity} {day} 投产比 {value}，花费 {cost}，成交 {amount}",
     .text_en = "{store}: {entity} returned {value} on {day}: {amount} for {cost}",
     .next = "lower_bid"},
    {.id = "spend_without_orders",
     .detector = "campaign_cost_without_orders",
     .entity_kind = "campaign",
     .unit = "money",
     .side = Side::above,
     .fire_at_micros = 100 * micros,
     .clear_at_micros = 100 * micros,
     .sample_min = orderless_days,
     .severity = v1::SEVERITY_HIGH,
     .owner = "promotion",
     .text_zh = "{store}：{entity} 到 {day} 连续 3 天花费 {value}，没有成交订单",
     .text_en = "{store}: {entity} spent {value} over three days up to {day} and brought no order",
     .next = "pause_campaign"},
    {.id = "ad_data_error",
     .detector = "impossible_ad_cells",
     .entity_kind = "campaign",
     .unit = "count",
     .side = Side::above,
     .fire_at_micros = 1 * micros,
     .clear_at_micros = 1 * micros,
     .severity = v1::SEVERITY_WARNING,
     .owner = "promotion",
     .text_zh = "{store}：{entity} 有 {value} 条推广数据不可能成立，如 {day}：展现 {impressions}，点击 {clicks}，花费 {cost}",
     .text_en =
         "{store}: {entity} has {value} impossible ad figures, as on {day}: {impressions} shown, {clicks} clicked, cost {cost}",
     .next = "check_import"},
};

constexpr RulePlace roas_below = place_of(rules, "roas_below"), spend_without_orders = place_of(rules, "spend_without_orders"),
                    ad_data_error = place_of(rules, "ad_data_error"), budget_burn_fast = place_of(rules, "budget_burn_fast"),
                    day_budget_burnt = place_of(rules, "day_budget_burnt"),
                    budget_underspent = place_of(rules, "budget_underspent");

using DaySums = std::map<Day, DaySum>;

// The newest day that cost enough to tell; null if none did.
const DaySums::value_type* told_day(const DaySums& days, int64_t sample_min) {
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    const DaySum& sum = day->second;
    if (sum.knows_amount && sum.cost_micros > 0 && sum.cost_micros / micros >= sample_min) return &*day;
  }
  return nullptr;
}

std::optional<Measurement> roas_of(const DaySums::value_type* day) {
  if (day == nullptr) return std::nullopt;
  const DaySum& sum = day->second;
  return Measurement{
      .value_micros = divide_micros(sum.amount_micros, sum.cost_micros), .sample = sum.cost_micros / micros, .evidence = {}};
}

std::vector<v1::Evidence> roas_evidence(const DaySums::value_type& day) {
  return {evidence("day", format_day(day.first)), evidence("cost", day.second.cost_micros, "money"),
          evidence("amount", day.second.amount_micros, "money")};
}

std::optional<Measurement> orderless_of(const DaySums& days) {
  if (days.empty()) return std::nullopt;
  const Day last = days.rbegin()->first;
  Measurement measured{.value_micros = 0, .sample = 0, .evidence = {}};
  for (auto day = days.lower_bound(last - orderless_days + 1); day != days.end(); ++day) {
    if (!day->second.knows_orders || day->second.orders > 0) return std::nullopt;
    measured.value_micros += day->second.cost_micros;
    measured.sample += 1;
  }
  return measured;
}

// "zhitongche/12345"; the channel alone where it states no campaigns.
std::string entity_of(const std::string& channel, const std::string& campaign) {
  return campaign.empty() ? channel : channel + "/" + campaign;
}

}  // namespace

std::span<const ShippedRule> shipped_rules() { return rules; }

void State::judge_campaign(const Book& book, const std::string& channel, const std::string& name, const Campaign& campaign,
                           Outbox& outbox) {
  if (book.info->withdrawn) return;
  const std::string entity = entity_of(channel, name);
  const Judge::Subject subject{book.info->id, book.info->platform, entity};
  const Day today = book.info->zone.day_of(now_);

  DaySums days;
  if (!name.empty()) {
    days = days_of(book, campaign, today - week_days, today);
    std::erase_if(days, [&](const auto& day) { return !book.info->is_news(day.second.reached_ms); });
  }
  const auto* day = told_day(days, rules_.find(roas_below, book.info->id, book.info->platform, entity).sample_min);
  judge_.judge(
      roas_below, subject, roas_of(day), [&] { return roas_evidence(*day); }, now_, outbox);
  judge_.judge(
      spend_without_orders, subject, orderless_of(days),
      [&] { return std::vector<v1::Evidence>{evidence("day", format_day(days.rbegin()->first))}; }, now_, outbox);

  std::optional<Measurement> wrong;
  for (const auto& [key, report] : campaign.wrong) {
    const Slot& slot = *reports_.slot(*report);
    if (slot.to < today - week_days || !book.info->is_news(report->reached_ms())) continue;
    if (!wrong)
      wrong = Measurement{.value_micros = 0,
                          .evidence = {evidence("day", format_day(slot.from)), evidence("item", reports_.name(report->item)),
                                       evidence("impressions", report->figures[figure_impressions] * micros, "count"),
                                       evidence("clicks", report->figures[figure_clicks] * micros, "count"),
                                       evidence("cost", report->figures[figure_cost_micros], "money")}};
    wrong->value_micros += micros;
  }
  judge_.judge(ad_data_error, subject, wrong, now_, outbox);
}

void State::judge_budget(const Budget& budget, Outbox& outbox) {
  const Book& book = books_.at(budget.store);
  const Judge::Subject subject{book.info->id, book.info->platform, budget.id};
  std::optional<Measurement> ahead, burnt, under;
  const Pace pace = budget.live() && !book.info->withdrawn ? this->pace(budget) : Pace();
  const Zone& zone = book.info->zone;
  if (pace.reached_ms != 0) {
    const Millis end = zone.start_of(budget.slot->to + 1);
    const auto measured = [](int64_t value_micros) { return Measurement{.value_micros = value_micros, .evidence = {}}; };
    const bool is_news = book.info->is_news(pace.reached_ms) && now_ < end + week_days * day_ms;
    if (is_news) ahead = measured(pace.used_micros() - pace.passed_micros());
    const bool is_one_day = budget.slot->from == budget.slot->to;
    if (is_news && is_one_day && pace.reached_ms < end && zone.hour_of(pace.reached_ms) < evening_hour)
      burnt = measured(pace.used_micros());
    if (is_news && budget.due_ms != 0 && budget.due_ms >= end + week_days * day_ms) under = measured(pace.used_micros());
  }
  const auto support = [&] {
    return std::vector<v1::Evidence>{
        evidence("used", pace.used_micros(), "ratio"), evidence("time_passed", pace.passed_micros(), "ratio"),
        evidence("spent", pace.spent_micros, "money"), evidence("budget", pace.amount_micros, "money"),
        evidence("reached", zone.format(pace.reached_ms))};
  };
  judge_.judge(budget_burn_fast, subject, ahead, support, now_, outbox);
  judge_.judge(day_budget_burnt, subject, burnt, support, now_, outbox);
  judge_.judge(budget_underspent, subject, under, support, now_, outbox);
}

void State::judge_all(Outbox& outbox) {
  sweep_.campaigns.emplace();
  sweep_.budgets.emplace();
  go_on_sweeping(outbox);
}

void State::go_on_sweeping(Outbox& outbox) {
  const auto is_full = [&] { return outbox.facts().size() >= said_at_once; };
  if (sweep_.campaigns) {
    const auto from = *sweep_.campaigns;
    for (auto book = books_.lower_bound(std::get<0>(from)); book != books_.end(); ++book)
      for (const auto& [channel, cells] : book->second.channels)
        for (const auto& [campaign, one] : cells.campaigns) {
          if (std::tie(book->first, channel, campaign) <= from) continue;
          if (is_full()) return;
          judge_campaign(book->second, channel, campaign, one, outbox);
          sweep_.campaigns.emplace(book->first, channel, campaign);
        }
    sweep_.campaigns.reset();
  }
  if (!sweep_.budgets) return;
  auto budget = budgets_.upper_bound(*sweep_.budgets);
  for (; budget != budgets_.end() && !is_full(); ++budget) {
    judge_budget(budget->second, outbox);
    sweep_.budgets = budget->first;
  }
  if (budget == budgets_.end()) sweep_.budgets.reset();
}

// Budgets whose time has come; the rest waits for the next record.
void State::judge_due(Outbox& outbox) {
  while (!timers_.empty() && timers_.begin()->first <= now_ && outbox.facts().size() < said_at_once) {
    const Key key = timers_.begin()->second;
    Budget& budget = budgets_.at(key);
    schedule(key, budget);
    judge_budget(budget, outbox);
  }
}

}  // namespace xundian::campaigns
