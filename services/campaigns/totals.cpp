#include "services/campaigns/totals.h"

#include <algorithm>

namespace xundian::campaigns {

namespace {

// So many are added up as fast as their sums are found, which take as much memory as one of them.
constexpr size_t few = 8;

}  // namespace

void Count::add(bool states, int64_t value, int by) {
  if (!states) return;
  sum += value * by;
  stated += by;
}
void Count::add(const Count& other) {
  sum += other.sum;
  stated += other.stated;
}

void Ratio::add(bool states_both, int64_t value, int64_t of, int by) {
  if (!states_both) return;
  upper += value * by;
  lower += of * by;
  stated += by;
}
void Ratio::add(const Ratio& other) {
  upper += other.upper;
  lower += other.lower;
  stated += other.stated;
}

void Reach::add(Millis reached_ms, int by_reports) {
  among += by_reports;
  if (by_reports > 0 && reached_ms > ms) {
    ms = reached_ms;
    by = 0;
  }
  if (reached_ms == ms) by += by_reports;
  if (among == 0) *this = {};
}
void Reach::add(const Reach& other) {
  if (other.ms > ms) by = 0;
  if (other.ms >= ms) by += other.by;
  ms = std::max(ms, other.ms);
  among += other.among;
}

void Totals::add(const Report& report, std::string_view currency_code, int by) {
  const auto of = [&](Figure figure) { return report.figures[figure]; };
  const bool has_cost = report.states(figure_cost_micros), has_amount = report.states(figure_amount_micros),
             has_orders = report.states(figure_orders), has_clicks = report.states(figure_clicks),
             has_impressions = report.states(figure_impressions);
  const int64_t cost = of(figure_cost_micros), amount = of(figure_amount_micros), orders = of(figure_orders);
  impressions_.add(has_impressions, of(figure_impressions), by);
  clicks_.add(has_clicks, of(figure_clicks), by);
  ctr_.add(has_clicks && has_impressions, of(figure_clicks), of(figure_impressions), by);

  MoneyTotals& money = money_in(currency_code);
  money.reports += by;
  money.cost_micros.add(has_cost, cost, by);
  money.amount_micros.add(has_amount, amount, by);
  money.orders.add(has_orders, orders, by);
  money.cpc.add(has_cost && has_clicks, cost, of(figure_clicks), by);
  money.cpm.add(has_cost && has_impressions, cost * 1000, of(figure_impressions), by);
  money.roas.add(has_cost && has_amount, amount, cost, by);
  money.cost_per_order.add(has_cost && has_orders, cost, orders, by);
  money.reach.add(report.reached_ms(), by);
  if (has_cost) money.cost_reach.add(report.reached_ms(), by);
  if (money.reports == 0) money_.erase(money_.begin() + (&money - money_.data()));

  // Of an hour it is said when it is over.
  const Millis end_ms = report.counted->is_hour() ? report.reached_ms() : report.counted->end_ms();
  if (report.as_of_ms() < end_ms) provisional_ += by;
  if (report.as_of_ms() < end_ms + report.counted->attribution_days() * day_ms) immature_ += by;
}

void Totals::add(const Totals& other) {
  for (const MoneyTotals& others : other.money_) {
    MoneyTotals& money = money_in(others.currency_code);
    money.reports += others.reports;
    money.cost_micros.add(others.cost_micros);
    money.amount_micros.add(others.amount_micros);
    money.orders.add(others.orders);
    money.cpc.add(others.cpc);
    money.cpm.add(others.cpm);
    money.roas.add(others.roas);
    money.cost_per_order.add(others.cost_per_order);
    money.reach.add(others.reach);
    money.cost_reach.add(others.cost_reach);
  }
  impressions_.add(other.impressions_);
  clicks_.add(other.clicks_);
  ctr_.add(other.ctr_);
  provisional_ += other.provisional_;
  immature_ += other.immature_;
}

bool Totals::is_known() const {
  return std::ranges::all_of(money_,
                             [](const MoneyTotals& money) { return money.reach.is_known() && money.cost_reach.is_known(); });
}

MoneyTotals& Totals::money_in(std::string_view currency_code) {
  for (MoneyTotals& money : money_)
    if (money.currency_code == currency_code) return money;
  money_.emplace_back().currency_code = currency_code;
  return money_.back();
}

void Reports::insert(uint32_t index, const ReportTable& table, const StoreInfo& store) {
  // Nearly always it is the newest.
  const bool is_last = reports_.empty() || reports_.back() < index;
  reports_.insert(is_last ? reports_.end() : std::ranges::lower_bound(reports_, index), index);
  if (totals_)
    totals_->add(table[index], currency_of(store, table.name(table[index].currency)));
  else if (reports_.size() > few)
    add_up(table, store);
}

void Reports::erase(uint32_t index, const ReportTable& table, const StoreInfo& store) {
  reports_.erase(std::ranges::lower_bound(reports_, index));
  if (reports_.size() <= few) return totals_.reset();
  recount(table[index], table, store, -1);
  if (!totals_->is_known()) add_up(table, store);
}

void Reports::recount(const Report& report, const ReportTable& table, const StoreInfo& store, int by) {
  if (!totals_) return;
  totals_->add(report, currency_of(store, table.name(report.currency)), by);
  if (by > 0 && !totals_->is_known()) add_up(table, store);
}

void Reports::add_up(const ReportTable& table, const StoreInfo& store) {
  totals_ = nullptr;
  auto totals = std::make_unique<Totals>();
  add_to(*totals, table, store);
  totals_ = std::move(totals);
}

void Reports::add_to(Totals& sum, const ReportTable& table, const StoreInfo& store) const {
  if (totals_) return sum.add(*totals_);
  for_each(table, [&](const Report& report) { sum.add(report, currency_of(store, table.name(report.currency))); });
}

size_t Reports::bytes() const {
  return (reports_.capacity() > in_place ? reports_.capacity() * sizeof(uint32_t) : 0) + (totals_ ? sizeof(Totals) : 0);
}

}  // namespace xundian::campaigns
