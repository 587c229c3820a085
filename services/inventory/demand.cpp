// How fast a SKU sells, how long its stock lasts, when and how much to order.
#include <algorithm>
#include <cmath>

#include "common/money.h"
#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

struct Window {
  size_t days;
  int64_t weight;  // In tenths.
};
constexpr Window windows[] = {{7, 5}, {14, 3}, {30, 2}};
constexpr int64_t window_days = 30;

int64_t units_between(const DayUnits& days, Day first, Day last) {
  int64_t units = 0;
  days.for_each(first, last, [&](Day, int64_t of_day) { units += of_day; });
  return units;
}

// Calls `each` for the newest of what several levels say of a warehouse; stores that share a pool may all report it. `aspect_of`
// gives a Level's. Levels are few, so each is held against the others.
template <typename AspectOf, typename Each>
void for_each_newest(const LevelsOfSku& levels, AspectOf&& aspect_of, Each&& each) {
  const auto said = [&](size_t index) -> const auto& { return aspect_of(*levels[index]); };
  const auto rank = [&](size_t index) { return std::pair(said(index).version, levels.size() - index); };
  for (size_t index = 0; index < levels.size(); ++index) {
    if (!said(index).live(levels[index]->withdrawn())) continue;
    bool newest = true;
    for (size_t other = 0; other < levels.size() && newest; ++other)
      newest = other == index || said(other).content.warehouse != said(index).content.warehouse ||
               !said(other).live(levels[other]->withdrawn()) || rank(other) < rank(index);
    if (newest) each(said(index).version, said(index).content);
  }
}

}  // namespace

// The means of 7, 14 and 30 days, weighted 5 : 3 : 2. A window counts the days in stock that history has of it; one that has none
// leaves its weight to the others.
Demand weigh_demand(const std::vector<int64_t>& units_back, const std::vector<bool>& in_stock_back) {
  Demand demand;
  int64_t weights = 0, units = 0, days = 0, weighted_micros = 0;
  size_t day = 0;
  double sum = 0, squares = 0;
  for (const Window& window : windows) {
    for (; day < std::min(window.days, units_back.size()); ++day) {
      if (!in_stock_back[day]) continue;
      units += units_back[day];
      ++days;
      const auto sold = static_cast<double>(units_back[day]);
      sum += sold;
      squares += sold * sold;
    }
    if (days == 0) continue;
    weighted_micros += divide_micros(window.weight * units, days);
    weights += window.weight;
  }
  demand.days_known = static_cast<int64_t>(units_back.size());
  if (weights > 0) demand.daily_micros = (weighted_micros + weights / 2) / weights;
  const auto count = static_cast<double>(days);
  if (days >= 2) demand.sigma = std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1)));
  return demand;
}

double safety_stock(double z, double sigma, double lead_time_days) { return z * std::sqrt(lead_time_days * sigma * sigma); }

int64_t order_units(int64_t need_units, uint32_t minimum_units, uint32_t pack_units) {
  if (need_units <= 0) return 0;
  const int64_t pack = std::max(1u, pack_units);
  return (std::max<int64_t>(need_units, minimum_units) + pack - 1) / pack * pack;
}

Stock State::stock(const Sku& sku) const {
  Stock stock;
  const auto stated_at = [&](const Version& version, Millis counted_ms) {
    stock.stated_ms = std::max({stock.stated_ms, counted_ms, rank_parts(version.rank).as_of_ms});
  };
  const LevelsOfSku& levels = sku.detail().levels;
  const auto count_of = [](const Level& level) -> const auto& { return level.count; };
  for_each_newest(levels, count_of, [&](const Version& version, const StockCount& count) {
    if (const auto sellable = count.sellable()) stock.available = stock.available.value_or(0) + *sellable;
    stock.inbound += count.inbound.stated().value_or(0);
    stated_at(version, count.counted_ms);
  });
  stock.inbound = std::max(stock.inbound, sku.detail().supply().awaited);
  const auto policy_of = [](const Level& level) -> const auto& { return level.terms().policy; };
  for_each_newest(levels, policy_of, [&](const Version& version, const StockPolicy& policy) {
    stock.has_policy = true;
    if (policy.reorder_point) stock.reorder_point = stock.reorder_point.value_or(0) + *policy.reorder_point;
    if (policy.lead_time_days) stock.lead_time_days = std::max(stock.lead_time_days.value_or(0), *policy.lead_time_days);
    stated_at(version, 0);
  });
  return stock;
}

// The first store, by id, that speaks of the SKU's stock: it is judged for that one.
const Place* State::home_of(const Sku& sku) const {
  for (const Place* place : pools_[sku.pool].places)
    for (const Level* level : sku.detail().levels)
      if (level->store == place->store) return place;
  return nullptr;
}

Day State::last_whole_day(const Sku& sku) const {
  const Place* home = home_of(sku);
  const Zone& zone = home ? home->info->zone : zone_of(sku);
  return zone.day_of(now_) - 1;
}

std::optional<int64_t> State::available_at(const Sku& sku, Millis time) const {
  std::map<NameId, StockPoint> newest;
  for (const Level* level : sku.detail().levels) {
    const auto point = level->history.last_before(time, level->withdrawn());
    if (!point) continue;
    const auto [held, is_first] = newest.try_emplace(level->count.content.warehouse, *point);
    const auto rank = [](const StockPoint& one) { return std::pair(one.counted_ms, one.version); };
    if (!is_first && rank(*point) > rank(held->second)) held->second = *point;
  }
  if (newest.empty()) return std::nullopt;
  int64_t units = 0;
  for (const auto& [warehouse, point] : newest) units += point.sellable;
  return units;
}

// A day counts as in stock if something was sold on it, or if it ended with stock, or if nobody knows.
std::optional<Demand> State::demand(const Sku& sku, Day last_day) const {
  const Zone& zone = zone_of(sku);
  std::optional<Day> first;
  if (!sku.sold.empty()) first = sku.sold.first();
  bool ran_out = false;
  for (const Level* level : sku.detail().levels)
    if (const auto oldest = level->history.oldest(level->withdrawn())) {
      const Day day = zone.day_of(oldest->counted_ms);
      first = std::min(first.value_or(day), day);
      ran_out |= level->history.ran_out();
    }
  if (!first || *first > last_day) return std::nullopt;
  const auto days = static_cast<size_t>(std::min<int64_t>(window_days, last_day - *first + 1));
  std::vector<int64_t> units(days, 0);
  std::vector<bool> in_stock(days, true);
  sku.sold.for_each(last_day - static_cast<Day>(days) + 1, last_day,
                    [&](Day day, int64_t of_day) { units[static_cast<size_t>(last_day - day)] = of_day; });
  for (size_t back = 0; back < days; ++back) {
    const Day day = last_day - static_cast<Day>(back);
    if (ran_out && units[back] <= 0) in_stock[back] = available_at(sku, zone.start_of(day + 1)).value_or(1) > 0;
  }
  Demand demand = weigh_demand(units, in_stock);
  demand.days_known = last_day - *first + 1;
  return demand;
}

void State::keep_demand(Sku& sku, Day last_day) const {
  if (sku.demand_day == last_day) return;
  sku.own().demand = demand(sku, last_day);
  sku.own().sold_units = units_between(sku.sold, last_day - window_days + 1, last_day);
  sku.demand_day = last_day;
}

void State::forget_demand(Sku& sku, Millis from) const {
  if (sku.demand_day != no_day && zone_of(sku).day_of(from) <= sku.demand_day) sku.demand_day = no_day;
}

Plan State::plan(const Sku& sku, Day last_day) const {
  Plan plan;
  plan.stock = stock(sku);
  const bool kept = sku.demand_day == last_day;
  plan.demand = kept ? sku.detail().demand : demand(sku, last_day);
  plan.sold_month = kept ? sku.detail().sold_units : units_between(sku.sold, last_day - window_days + 1, last_day);
  plan.sold_month += sku.sold.at(last_day + 1);
  Version newest_supply, newest_shelf;
  Supply supply;
  for (const Offer* offer : sku.detail().supply().offers) {
    if (offer->supply.live(offer->withdrawn) && offer->supply.version > newest_supply) {
      newest_supply = offer->supply.version;
      supply = offer->supply.content;
    }
    if (offer->on_shelf.live(offer->withdrawn) && offer->on_shelf.version > newest_shelf) {
      newest_shelf = offer->on_shelf.version;
      plan.off_shelf = !offer->on_shelf.content;
    }
  }
  plan.lead_time_days = plan.stock.lead_time_days.value_or(supply.lead_time_days.value_or(lead_time_days_default));
  plan.reorder_point = plan.stock.reorder_point;
  const int64_t daily_micros = plan.demand ? plan.demand->daily_micros : 0;
  if (daily_micros > 0) {
    const double daily = static_cast<double>(daily_micros) / micros;
    double safety = safety_stock(service_z, plan.demand->sigma, plan.lead_time_days);
    if (plan.demand->days_known < young_days) safety = std::max(safety, daily * safety_days);
    plan.safety_units = static_cast<int64_t>(std::ceil(safety - 1e-9));
    if (!plan.reorder_point) plan.reorder_point = static_cast<int64_t>(std::ceil(daily * plan.lead_time_days + safety - 1e-9));
  }
  if (plan.stock.available) {
    if (*plan.stock.available <= 0)
      plan.cover_micros = 0;
    else if (daily_micros > 0)
      plan.cover_micros = divide_micros(*plan.stock.available * micros, daily_micros);
    const double wanted = static_cast<double>(daily_micros) / micros * target_days;
    int64_t need = static_cast<int64_t>(std::ceil(wanted)) + plan.safety_units - plan.stock.position();
    if (plan.is_below()) need = std::max(need, *plan.reorder_point + 1 - plan.stock.position());
    plan.suggested_units = order_units(need, supply.minimum_units, supply.pack_units);
  }
  return plan;
}

}  // namespace xundian::inventory
