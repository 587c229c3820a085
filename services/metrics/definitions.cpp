// The registry of metrics: each with its words and how its figure is read.
#include "services/metrics/figures.h"

namespace xundian::metrics {

int64_t Sum::paid_orders() const {
  int64_t sum = 0;
  for (const auto& [code, one] : currencies) sum += one.counters.paid_orders;
  return sum;
}

int64_t Sum::orders() const {
  int64_t sum = 0;
  for (const auto& [code, one] : currencies) sum += one.counters.orders;
  return sum;
}

int64_t Sum::units() const {
  int64_t sum = 0;
  for (const auto& [code, one] : currencies) sum += one.counters.units;
  return sum;
}

const Report* Sum::report_with(std::initializer_list<Figure> figures) const {
  for (const Report* report : reports) {
    bool all = true;
    for (const Figure which : figures) all = all && report->figure(which).has_value();
    if (all) return report;
  }
  return nullptr;
}

namespace {

void paid_amount(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.counters.paid_orders > 0 || one.estimated > 0)
      figures.money(code, one.counters.paid_amount_micros + one.estimated_micros, {}, one.estimated > 0);
}

void orders(const Sum& sum, Figures& figures) {
  if (sum.paid_orders() > 0) figures.count(sum.orders());
}

void units(const Sum& sum, Figures& figures) {
  if (sum.paid_orders() > 0 || sum.estimated > 0) figures.count(sum.units() + sum.estimated_units, sum.estimated > 0);
}

void buyers(const Sum& sum, Figures& figures) {
  if (sum.has_buyers && sum.paid_orders() > 0) figures.count(sum.buyers);
}

void refund_amount(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.counters.refunds > 0) figures.money(code, one.counters.refund_micros);
}

void net_sales(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.counters.paid_orders > 0 || one.counters.booked > 0)
      figures.money(code, one.counters.paid_amount_micros - one.counters.booked_micros);
}

void spend_per_buyer(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (sum.has_buyers && one.counters.paid_orders > 0) figures.money(code, one.counters.paid_amount_micros, one.buyers);
}

void order_value(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.counters.paid_orders > 0) figures.money(code, one.counters.paid_amount_micros, one.counters.orders);
}

void average_unit_price(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.counters.paid_orders > 0) figures.money(code, one.counters.paid_amount_micros, one.counters.units);
}

void units_per_order(const Sum& sum, Figures& figures) {
  if (sum.paid_orders() > 0) figures.ratio(sum.units(), sum.orders());
}

void uv(const Sum& sum, Figures& figures) {
  if (const Report* report = sum.report_with({figure_uv})) figures.count(*report->figure(figure_uv));
}

void pv(const Sum& sum, Figures& figures) {
  if (sum.pv_cells > 0) figures.count(sum.pv);
}

// Paying buyers are our own exact count; only a store of which no order is known answers with the platform's.
void conversion(const Sum& sum, Figures& figures) {
  if (sum.has_orders) {
    const Report* report = sum.report_with({figure_uv});
    if (report != nullptr && sum.has_buyers) figures.ratio(sum.buyers, *report->figure(figure_uv));
    return;
  }
  if (const Report* report = sum.report_with({figure_uv, figure_paid_buyers}))
    figures.ratio(*report->figure(figure_paid_buyers), *report->figure(figure_uv));
}

// A share of the visitors, both parts from one cell.
template <Figure part>
void per_visitor(const Sum& sum, Figures& figures) {
  if (const Report* report = sum.report_with({part, figure_uv})) figures.ratio(*report->figure(part), *report->figure(figure_uv));
}

void average_dwell(const Sum& sum, Figures& figures) {
  if (const Report* report = sum.report_with({figure_dwell_ms, figure_uv}))
    figures.ratio(*report->figure(figure_dwell_ms), *report->figure(figure_uv) * second_ms);
}

void snapshot_units(const Sum& sum, Figures& figures) {
  if (sum.snapshot_sales > 0) figures.count(sum.snapshot_units);
}

void snapshot_amount(const Sum& sum, Figures& figures) {
  for (const auto& [code, one] : sum.currencies)
    if (one.snapshot_priced > 0) figures.money(code, one.snapshot_micros);
}

void snapshot_resets(const Sum& sum, Figures& figures) {
  if (sum.snapshot_sales > 0 || sum.snapshot_resets > 0) figures.count(sum.snapshot_resets);
}

constexpr Metric registry[] = {
    {"paid_amount", "支付金额", "Paid amount", "sum of what was paid, by pay time, refunds not subtracted", "money",
     "store,sku,channel", "hour", "additive", paid_amount},
    {"orders", "支付订单数", "Paid orders", "distinct main orders with a pay time and a positive amount", "count",
     "store,sku,channel", "hour", "additive", orders},
    {"units", "支付件数", "Units", "sum of the quantities of paid orders", "units", "store,sku,channel", "hour", "additive",
     units},
    {"buyers", "支付买家数", "Paying buyers", "distinct buyers of paid orders, exact; a period is the union of its days", "count",
     "store", "day", "distinct", buyers, true},
    {"refund_amount", "退款金额", "Refund amount",
     "settled refunds by their own time, else by the order's close, pay or creation time; by SKU those that say their lines",
     "money", "store,sku,channel", "hour", "additive", refund_amount},
    {"net_sales", "净销售额", "Net sales",
     "paid_amount - refunds booked on the order's pay day, or on their own where the order is unknown", "money",
     "store,sku,channel", "hour", "additive", net_sales},
    {"spend_per_buyer", "客单价", "Spend per buyer", "paid_amount / buyers", "money", "store", "day", "ratio", spend_per_buyer,
     true},
    {"order_value", "笔单价", "Average order value", "paid_amount / orders", "money", "store,sku,channel", "hour", "ratio",
     order_value},
    {"average_unit_price", "件单价", "Average unit price", "paid_amount / units", "money", "store,sku,channel", "hour", "ratio",
     average_unit_price},
    {"units_per_order", "连带率", "Units per order", "units / orders", "ratio", "store,sku,channel", "hour", "ratio",
     units_per_order},
    {"uv", "访客数", "Visitors", "distinct visitors, the platform's own figure for that very period", "count",
     "store,sku,channel", "hour", "distinct", uv},
    {"pv", "浏览量", "Page views", "page views, from one cut", "count", "store,sku,channel", "hour", "additive", pv},
    {"conversion", "支付转化率", "Payment conversion", "buyers / uv", "ratio", "store", "day", "ratio", conversion, true},
    {"cart_rate", "加购率", "Add-to-cart rate", "distinct cart users / uv", "ratio", "store,sku,channel", "hour", "ratio",
     per_visitor<figure_cart_users>},
    {"favourite_rate", "收藏率", "Favourite rate", "distinct users who marked it / uv", "ratio", "store,sku,channel", "hour",
     "ratio", per_visitor<figure_favourite_users>},
    {"pages_per_visitor", "人均浏览量", "Pages per visitor", "pv / uv", "ratio", "store,sku,channel", "hour", "ratio",
     per_visitor<figure_pv>},
    {"bounce_rate", "跳失率", "Bounce rate", "visitors who left without a click / uv", "ratio", "store,channel", "hour", "ratio",
     per_visitor<figure_bounced_visitors>},
    {"average_dwell_s", "平均停留时长", "Average dwell", "sum of dwell / uv", "seconds", "store,channel", "hour", "ratio",
     average_dwell},
    {"snapshot_units", "快照销量", "Units by snapshot", "a product's counter - its last known counter of an earlier day", "units",
     "store,sku", "day", "additive", snapshot_units},
    {"snapshot_amount", "快照销售额", "Amount by snapshot", "snapshot_units x that day's price", "money", "store,sku", "day",
     "additive", snapshot_amount},
    {"snapshot_resets", "快照计数回落", "Counter resets", "counters that fell since the last known day", "count", "store,sku",
     "day", "additive", snapshot_resets},
};

}  // namespace

std::span<const Metric> all_metrics() { return registry; }

const Metric* find_metric(std::string_view id) {
  for (const Metric& metric : registry)
    if (metric.id == id) return &metric;
  return nullptr;
}

query::v1::GetMetricDefinitionsResponse metric_definitions() { return define(registry, "metrics"); }

}  // namespace xundian::metrics
