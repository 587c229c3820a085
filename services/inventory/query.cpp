// What inventory answers: stock, demand and cover by store or SKU, orders that wait to be shipped.
#include <algorithm>
#include <deque>
#include <set>

#include "common/overview.h"
#include "common/patience.h"
#include "common/registry.h"
#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

constexpr std::string_view demand_words =
    "d = 0.5 x mean of 7 + 0.3 x mean of 14 + 0.2 x mean of 30 whole days; only days in stock count (sold, or stock at its end, "
    "or unknown), of "
    "a shorter history its days; orders count by pay day, those closed before shipping do not";

constexpr MetricWords metrics[] = {
    {"available_skus", "有库存 SKU 数", "SKUs in stock", "SKUs whose available stock is above 0", "count", "store", "now",
     "level"},
    {"below_reorder_skus", "低于补货点 SKU 数", "SKUs at the reorder point", "SKUs with stock_position <= reorder_point_units",
     "count", "store", "now", "level"},
    {"cover_days", "可售天数", "Days of cover",
     "stock_available / demand_per_day; 0 when nothing is available, unknown when nothing sells", "days", "store,sku", "now",
     "ratio"},
    {"demand_per_day", "日均销量", "Daily demand", demand_words, "units", "store,sku", "now", "level"},
    {"overdue", "超时未发货订单数", "Orders past their shipping deadline",
     "unshipped orders whose deadline has passed: the promised time, else 48 hours after payment; by pay day", "count", "store",
     "day", "additive"},
    {"reorder_point_units", "补货点", "Reorder point",
     "the stated policy, else demand_per_day x lead time + 1.645 x sqrt(lead time x variance of daily units), rounded up; the "
     "safety part is at "
     "least 3 days of demand while history is shorter than 14 days; lead time as stated, else 7 days",
     "units", "store,sku", "now", "level"},
    {"stock_available", "可用库存", "Available stock",
     "stated available, else on hand less reserved; the newest count of each warehouse, added up", "units", "store,sku", "now",
     "level"},
    {"stock_moved_units", "库存调整件数", "Units moved",
     "units of stock movements that are no sale, by the day of the movement; out is below 0", "units", "store,sku", "day",
     "additive"},
    {"stock_out_skus", "缺货 SKU 数", "SKUs out of stock",
     "SKUs with stock_available <= 0 that sold in the last 30 days or have a reorder policy, and are not off the shelf", "count",
     "store", "now", "level"},
    {"stock_position", "库存位置", "Stock position",
     "stock_available + units on their way: what levels state as inbound or what open purchase orders await, whichever is more",
     "units", "store,sku", "now", "level"},
    {"suggested_order_units", "建议采购量", "Suggested order",
     "demand_per_day x 30 + safety stock - stock_position, at least what lifts the position above the reorder point, in whole "
     "packs",
     "units", "store,sku", "now", "level"},
    {"unshipped", "未发货订单数", "Orders to be shipped",
     "orders that are paid, stated as not shipped, not closed, not refunded in full and without an open or settled refund; by "
     "pay day",
     "count", "store", "day", "additive"},
};

enum class By { nothing, store, sku, other };

struct Asked {
  std::vector<std::string> metrics;
  std::set<std::string, std::less<>> stores;  // Empty: all.
  Day from = 0, to = 0;
  std::string grain;
  By by = By::nothing;

  bool wants(std::string_view metric) const { return std::find(metrics.begin(), metrics.end(), metric) != metrics.end(); }
  bool wants_store(const Place& place) const {
    if (place.info->withdrawn || place.info->id.empty()) return false;
    return stores.empty() || stores.contains(place.info->id);
  }
  bool by_day() const { return grain == "day"; }
  bool wants_any_but(std::initializer_list<std::string_view> some) const {
    return std::ranges::any_of(metrics, [&](std::string_view metric) { return std::ranges::find(some, metric) == some.end(); });
  }
  bool wants_skus() const { return wants_any_but({"overdue", "unshipped"}); }
  bool wants_plans() const { return wants_any_but({"overdue", "unshipped", "stock_moved_units"}); }
  // Nothing is asked but what is kept ready for each store, or does not depend on SKUs.
  bool is_kept() const {
    constexpr std::string_view kept[] = {"available_skus",  "below_reorder_skus", "overdue",
                                         "stock_available", "stock_out_skus",     "unshipped"};
    return grain == "total" && by != By::sku && std::ranges::all_of(metrics, [&](std::string_view metric) {
             return std::ranges::find(kept, metric) != std::end(kept);
           });
  }
};

struct Cell {
  std::string store, key, from;
  std::string_view metric;
  auto operator<=>(const Cell&) const = default;
};

struct Figure {
  int64_t numerator = 0;
  std::optional<int64_t> denominator;
};

const MetricWords* find_metric(std::string_view id) {
  const auto found =
      std::find_if(std::begin(metrics), std::end(metrics), [&](const MetricWords& metric) { return metric.id == id; });
  return found == std::end(metrics) ? nullptr : found;
}

class Adder {
 public:
  explicit Adder(const Asked& asked) : asked_(asked) {}

  void add(const State& state) {
    const std::vector<const Place*> places = places_of(state);
    for (const Place* place : places) add_orders(*place);
    if (asked_.is_kept() && is_of_today(state, places))
      add_pools(state, places);
    else if (asked_.wants_skus())
      add_skus(state, places);
    as_of_ms_ = std::max(as_of_ms_, state.as_of());
  }

  // Calls `give(row)` for each figure.
  template <typename Give>
  void write(Give&& give) const {
    for (const auto& [cell, figure] : cells_) {
      if (Patience::is_over()) return;
      const MetricWords& metric = *find_metric(cell.metric);
      const bool reckoned = metric.id == "demand_per_day" || metric.id == "cover_days" || metric.id == "suggested_order_units";
      give(MetricRowView{cell.store,
                         cell.key,
                         cell.from,
                         cell.metric,
                         figure.numerator,
                         figure.denominator,
                         metric.unit,
                         {},
                         reckoned ? "estimated" : "provisional"});
    }
  }

  Millis as_of_ms() const { return as_of_ms_; }

 private:
  Figure& at(std::string_view store, std::string_view key, Day day, std::string_view metric) {
    Day from = asked_.from;
    if (asked_.by_day()) from = day;
    if (asked_.grain == "month") from = std::max(asked_.from, month_start(day));
    if (asked_.by != By::store) store = {};
    if (asked_.by != By::sku) key = {};
    // One SKU after another counts in the same cells.
    const MetricWords* const words = find_metric(metric);
    LastCell& last = last_[static_cast<size_t>(words - metrics)];
    if (last.figure == nullptr || last.from != from || last.store != store || last.key != key)
      last = {std::string(store), std::string(key), from,
              &cells_[Cell{std::string(store), std::string(key), format_day(from), words->id}]};
    return *last.figure;
  }

  void add_orders(const Place& place) {
    if (asked_.by == By::sku) return;
    const std::string& store = place.info->id;
    if (asked_.wants("unshipped"))
      place.unshipped.for_each(asked_.from, asked_.to,
                               [&](Day day, int64_t orders) { at(store, {}, day, "unshipped").numerator += orders; });
    // Zero is known where some order waits.
    if (!asked_.wants("overdue")) return;
    place.unshipped.for_each(asked_.from, asked_.to, [&](Day day, int64_t) { at(store, {}, day, "overdue"); });
    place.overdue.for_each(asked_.from, asked_.to,
                           [&](Day day, int64_t orders) { at(store, {}, day, "overdue").numerator += orders; });
  }

  // Those that are asked for; who asks for a few does not wait for all to be looked at.
  std::vector<const Place*> places_of(const State& state) const {
    std::vector<const Place*> places;
    for (const StoreInfo* info : state.stores().asked(asked_.stores))
      if (const auto place = state.places().find(store_hash(info->id)); place != state.places().end())
        places.push_back(&place->second);
    return places;
  }

  // Whether at every store that is asked for today is among the days that are.
  bool is_of_today(const State& state, const std::vector<const Place*>& places) const {
    return std::ranges::all_of(places, [&](const Place* place) {
      const Day today = place->info->zone.day_of(state.now());
      return asked_.from <= today && today <= asked_.to;
    });
  }

  // A pool's figures stand under each of its stores; where the stores are asked together, a pool counts once.
  void add_pools(const State& state, const std::vector<const Place*>& places) {
    std::set<PoolId> counted;
    for (const Place* place : places) {
      const StandingSums& sums = state.pool(place->pool).sums;
      if (sums.known == 0 || (asked_.by != By::store && !counted.insert(place->pool).second)) continue;
      const auto level = [&](std::string_view metric, int64_t units) {
        if (asked_.wants(metric)) at(place->info->id, {}, asked_.from, metric).numerator += units;
      };
      level("stock_available", sums.available_units);
      level("available_skus", sums.in_stock);
      level("stock_out_skus", sums.out);
      level("below_reorder_skus", sums.below);
    }
  }

  // The same SKU by SKU.
  void add_skus(const State& state, const std::vector<const Place*>& places) {
    std::set<PoolId> pools;
    for (const Place* place : places) pools.insert(place->pool);
    for (const PoolId pool : pools)
      for (const SkuId id : state.pool(pool).skus) {
        if (Patience::is_over()) return;
        add_sku(state, state.skus()[id]);
      }
  }

  void add_sku(const State& state, const Sku& sku) {
    bool counted = false;
    std::optional<Plan> plan;
    for (const Place* held : state.pool(sku.pool).places) {
      const Place& place = *held;
      if (!asked_.wants_store(place) || (counted && asked_.by != By::store)) continue;
      counted = true;
      if (asked_.wants("stock_moved_units"))
        sku.detail().supply().moved.for_each(asked_.from, asked_.to, [&](Day day, int64_t units) {
          at(place.info->id, state.name(sku.name), day, "stock_moved_units").numerator += units;
        });
      if (!asked_.wants_plans()) continue;
      const Day last = std::min(asked_.to, state.last_whole_day(sku));
      if (last < asked_.from - 1 || (sku.detail().levels.empty() && sku.sold.empty())) continue;
      if (!plan) plan = state.plan(sku, last);
      add_plan(place.info->id, state.name(sku.name), std::min(asked_.to, last + 1), *plan);
    }
  }

  void add_plan(std::string_view store, std::string_view key, Day day, const Plan& plan) {
    const auto level = [&](std::string_view metric, int64_t units) {
      if (asked_.wants(metric)) at(store, key, day, metric).numerator += units;
    };
    if (plan.demand && asked_.wants("demand_per_day")) {
      Figure& demand = at(store, key, day, "demand_per_day");
      demand.numerator += plan.demand->daily_micros;
      demand.denominator = micros;
    }
    if (plan.reorder_point) level("reorder_point_units", *plan.reorder_point);
    if (!plan.stock.available) return;
    level("stock_available", *plan.stock.available);
    level("stock_position", plan.stock.position());
    level("suggested_order_units", plan.suggested_units);
    if (asked_.by != By::sku) {
      level("available_skus", *plan.stock.available > 0);
      level("stock_out_skus", plan.is_out());
      level("below_reorder_skus", plan.is_below());
    }
    if (!asked_.wants("cover_days") || (!plan.demand && *plan.stock.available > 0)) return;
    Figure& cover = at(store, key, day, "cover_days");
    const int64_t daily = plan.demand ? plan.demand->daily_micros : 0;
    cover.numerator += std::max<int64_t>(0, *plan.stock.available) * micros;
    cover.denominator = cover.denominator.value_or(0) + (*plan.stock.available <= 0 && daily == 0 ? 1 : daily);
  }

  const Asked& asked_;
  std::map<Cell, Figure> cells_;
  struct LastCell {
    std::string store, key;
    Day from = 0;
    Figure* figure = nullptr;
  };
  std::array<LastCell, std::size(metrics)> last_;  // By metrics, the cells that were looked for last.
  Millis as_of_ms_ = 0;
};

Result<Asked> read_request(const query::v1::QueryMetricsRequest& request) {
  Asked asked;
  for (const std::string& metric : request.metrics())
    if (find_metric(metric)) asked.metrics.push_back(metric);
  asked.stores.insert(request.stores().begin(), request.stores().end());
  asked.from = TRY(parse_day(request.from()));
  asked.to = request.to().empty() ? asked.from : TRY(parse_day(request.to()));
  asked.grain = request.grain().empty() ? "total" : request.grain();
  if (asked.grain != "total" && asked.grain != "month" && asked.grain != "day" && asked.grain != "hour")
    return fail(Code::invalid_argument, "\"{}\" is no grain; use total, month, day or hour", request.grain());
  const std::map<std::string_view, By> dimensions = {{"", By::nothing},      {"store", By::store},    {"sku", By::sku},
                                                     {"channel", By::other}, {"campaign", By::other}, {"agent", By::other}};
  const auto by = dimensions.find(request.by());
  if (by == dimensions.end())
    return fail(Code::invalid_argument, "\"{}\" is no dimension; use store, sku, channel, campaign or agent", request.by());
  asked.by = by->second;
  return asked;
}

Result<query::v1::QueryMetricsResponse> query_metrics(std::span<State* const> states,
                                                      const query::v1::QueryMetricsRequest& request) {
  const Asked asked = TRY(read_request(request));
  query::v1::QueryMetricsResponse response;
  // Nothing here is known by the hour, nor by channels, campaigns or agents.
  if (asked.metrics.empty() || asked.by == By::other || asked.grain == "hour") return response;
  Adder adder(asked);
  for (const State* state : states) adder.add(*state);
  adder.write([&](const MetricRowView& row) { add_row(row, *response.mutable_rows()); });
  response.set_as_of_ms(adder.as_of_ms());
  return response;
}

// Levels stand as of the day; orders that wait are all of those paid up to it.
Result<query::v1::GetOverviewResponse> get_overview(std::span<State* const> states,
                                                    const query::v1::GetOverviewRequest& request) {
  Asked asked;
  asked.metrics = {"available_skus", "below_reorder_skus", "overdue", "stock_available", "stock_out_skus", "unshipped"};
  asked.by = By::store;
  asked.grain = "total";
  const std::optional<Day> day = request.day().empty() ? std::nullopt : std::optional<Day>(TRY(parse_day(request.day())));
  // Each store stands at its own newest day; those of one day are asked together, for of the past all SKUs are looked at.
  std::map<std::pair<const State*, Day>, std::set<std::string, std::less<>>> stores;
  for (const State* state : states)
    for (const StoreInfo* info : state->stores().asked(request.stores()))
      stores[{state, day.value_or(info->zone.day_of(state->now()))}].insert(info->id);
  struct OfDay {
    OfDay(const Asked& wanted, Day day) : asked(wanted), text(format_day(day)) { asked.to = day; }
    Asked asked;
    std::string text;
    Adder adder{asked};
  };
  std::deque<OfDay> days;  // Figures are views of what is added up here.
  std::vector<MetricRowView> figures;
  Millis as_of_ms = 0;
  for (auto& [of, ids] : stores) {
    asked.stores = std::move(ids);
    OfDay& of_day = days.emplace_back(asked, of.second);
    of_day.adder.add(*of.first);
    of_day.adder.write([&](MetricRowView figure) {
      figure.from = of_day.text;
      figures.push_back(figure);
    });
    as_of_ms = std::max(as_of_ms, of_day.adder.as_of_ms());
  }
  std::ranges::stable_sort(figures, {}, &MetricRowView::store);
  OverviewPart part;
  for (size_t index = 0; index < figures.size(); ++index) {
    const std::string_view store = figures[index].store;
    part.add(figures[index]);
    if (index + 1 == figures.size() || figures[index + 1].store != store) part.end_store(store, as_of_ms);
  }
  part.end_store({}, as_of_ms);
  return part.finish();
}

query::v1::GetMetricDefinitionsResponse metric_definitions() { return define(metrics, "inventory"); }

Result<std::string> answer(std::span<Fold* const> folds, std::string_view method, std::string_view request) {
  using namespace query::v1;
  if (method == "QueryMetrics") return answer_as<State, QueryMetricsRequest>(folds, request, query_metrics);
  if (method == "GetOverview") return answer_as<State, GetOverviewRequest>(folds, request, get_overview);
  return answer_of_registry<State>(folds, method, request, "inventory", shipped_rules(), metric_definitions);
}

}  // namespace

ServiceDefinition definition() {
  ServiceDefinition definition;
  definition.name = "inventory";
  definition.kinds = {v1::Fact::kStoreState, v1::Fact::kOrderState,    v1::Fact::kRefundState, v1::Fact::kListing,
                      v1::Fact::kStockLevel, v1::Fact::kPurchaseOrder, v1::Fact::kStockMove,   v1::Fact::kRuleSet};
  definition.shape = 9;
  definition.make_fold = [] { return std::make_unique<State>(); };
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::inventory
