// What follows from the things: which SKUs they touch, which orders wait, and what is kept when the service stops.
#include "services/inventory/state.h"

#include <algorithm>

namespace xundian::inventory {

namespace {

// A SKU's entry, in `days`, of units that enter or leave; days without units are not kept.
void add_units(std::map<Day, int64_t>& days, Day day, int64_t units) {
  const auto entry = days.try_emplace(day, 0).first;
  entry->second += units;
  if (entry->second == 0) days.erase(entry);
}

template <typename Thing>
void add_or_remove(std::vector<const Thing*>& things, const Thing& thing, bool enters) {
  if (enters)
    things.push_back(&thing);
  else
    std::erase(things, &thing);
}

}  // namespace

State::State() : rules_(shipped_rules()) {}

Place& State::place_of(const FactView& fact) {
  const auto [found, is_new] = places_.try_emplace(fact.store());
  Place& place = found->second;
  if (!is_new) return place;
  place.info = &stores_.of(fact);
  refresh_places();
  watch_midnight(place);
  return place;
}

// Which stores share stock, and from when on before a deadline the rules of each hold.
void State::refresh_places() {
  for (Pool& pool : pools_) pool.stores.clear();
  for (auto& [hash, place] : places_) {
    const std::string& stated = place.info->stock_pool;
    const std::string pool = stated.empty() ? "store/" + place.info->id : "pool/" + stated;
    place.pool = pool_ids_.try_emplace(pool, static_cast<PoolId>(pool_ids_.size())).first->second;
    pools_.resize(pool_ids_.size());
    pools_[place.pool].name = pool;
    pools_[place.pool].stores.push_back(hash);
    const auto hours = [&](std::string_view rule) {
      return rules_.find(rule, place.info->id, place.info->platform, {}).fire_at_micros * (hour_ms / 1000) / 1000;
    };
    place.near_ms = hours("shipping_deadline_near");
    place.late_ms = hours("unshipped_overdue");
  }
  for (Pool& pool : pools_)
    std::sort(pool.stores.begin(), pool.stores.end(),
              [&](uint64_t a, uint64_t b) { return places_.at(a).info->id < places_.at(b).info->id; });
}

void State::watch_midnight(const Place& place) {
  if (levels_.empty() && purchases_.empty()) return;
  const Zone& zone = place.info->zone;
  midnight_ms_ = std::min(midnight_ms_, zone.start_of(zone.day_of(now_) + 1));
}

SkuId State::sku_of(const Place& place, NameId name) {
  const auto [found, is_new] = sku_ids_.try_emplace(uint64_t{place.pool} << 32 | name, static_cast<SkuId>(skus_.size()));
  if (is_new) {
    skus_.emplace_back();
    skus_.back().pool = place.pool;
    skus_.back().name = name;
  }
  return found->second;
}

std::vector<SkuId> State::add_order(const Order& order, int64_t sign) {
  std::vector<SkuId> touched;
  const Place& place = places_.at(order.store);
  if (place.info->withdrawn || !order.is_demand()) return touched;
  const Day day = place.info->zone.day_of(order.paid_ms);
  for (const OrderLine& line : order.lines) {
    if (!order.counts(line)) continue;
    touched.push_back(sku_of(place, line.sku));
    add_units(skus_[touched.back()].sold, day, sign * line.quantity);
  }
  return touched;
}

std::vector<SkuId> State::add_purchase(const Purchase& purchase, int64_t sign) {
  std::vector<SkuId> touched;
  const Place& place = places_.at(purchase.store);
  if (place.info->withdrawn) return touched;
  for (const auto& [name, units] : purchase.awaited()) {
    touched.push_back(sku_of(place, name));
    skus_[touched.back()].awaited += sign * units;
  }
  return touched;
}

std::vector<SkuId> State::add_level(const Level& level, bool enters) {
  const Place& place = places_.at(level.store);
  const auto name = level.sku();
  if (place.info->withdrawn || !name) return {};
  const SkuId id = sku_of(place, *name);
  add_or_remove(skus_[id].levels, level, enters);
  return {id};
}

std::vector<SkuId> State::add_offer(const Offer& offer, bool enters) {
  const Place& place = places_.at(offer.store);
  if (place.info->withdrawn) return {};
  const SkuId id = sku_of(place, offer.sku);
  add_or_remove(skus_[id].offers, offer, enters);
  return {id};
}

void State::add_move(const Move& move, int64_t sign) {
  const Place& place = places_.at(move.store);
  if (place.info->withdrawn || !move.movement.live(move.withdrawn)) return;
  const Movement& movement = move.movement.content;
  add_units(skus_[sku_of(place, movement.sku)].moved, place.info->zone.day_of(movement.moved_ms), sign * movement.quantity);
}

// The next time at which one of the order's rules begins to hold.
void State::schedule(const Key& key, Unshipped& order) {
  if (order.due_ms != 0) timers_.erase({order.due_ms, key});
  order.due_ms = 0;
  const Place& place = places_.at(order.store);
  if (!place.info->is_news(order.deadline_ms) || place.info->withdrawn) return;
  Millis next = never;
  for (const Millis due : {order.deadline_ms - place.near_ms, order.deadline_ms, order.deadline_ms + place.late_ms})
    if (due > now_) next = std::min(next, due);
  if (next == never) return;
  order.due_ms = next;
  timers_.insert({next, key});
}

void State::settle_unshipped(const Key& key, std::string_view id, Outbox* outbox) {
  const auto order = orders_.find(key);
  const bool waits = order != orders_.end() && order->second.is_known_unshipped() && !refunds_of_.contains(key);
  auto held = unshipped_.find(key);
  if (held != unshipped_.end()) {
    Unshipped& was = held->second;
    if (waits && was.paid_ms == order->second.paid_ms && was.deadline_ms == order->second.deadline_ms()) return;
    Place& place = places_.at(was.store);
    add_units(place.unshipped, place.info->zone.day_of(was.paid_ms), -1);
    place.deadlines.erase({was.deadline_ms, key});
    if (was.due_ms != 0) timers_.erase({was.due_ms, key});
    if (!waits && outbox) judge_order(was, false, *outbox);
    unshipped_.erase(held);
  }
  if (!waits) return;
  Unshipped& entry = unshipped_[key];
  entry = {std::string(id), order->second.store, order->second.paid_ms, order->second.deadline_ms(), 0};
  Place& place = places_.at(entry.store);
  add_units(place.unshipped, place.info->zone.day_of(entry.paid_ms), 1);
  place.deadlines.insert({entry.deadline_ms, key});
  schedule(key, entry);
  if (outbox) judge_order(entry, true, *outbox);
}

void State::rebuild() {
  pools_.clear();
  pool_ids_.clear();
  skus_.clear();
  sku_ids_.clear();
  timers_.clear();
  refunds_of_.clear();
  for (auto& [hash, place] : places_) {
    place = Place();
    place.info = stores_.find(hash);
  }
  refresh_places();
  midnight_ms_ = never;
  for (const auto& [hash, place] : places_) watch_midnight(place);
  for (const auto& [key, level] : levels_) add_level(level, true);
  for (const auto& [key, offer] : offers_) add_offer(offer, true);
  for (const auto& [key, purchase] : purchases_) add_purchase(purchase, 1);
  for (const auto& [key, move] : moves_) add_move(move, 1);
  for (const auto& [key, order] : orders_) add_order(order, 1);
  for (const auto& [key, refund] : refunds_)
    if (refund.holds_order())
      ++refunds_of_[thing_key(v1::Fact::kOrderState, places_.at(refund.store).info->id, refund.order.content)];
  // Whether an order waits follows from the order and its refunds alone, so the same orders wait as before.
  std::map<Key, Unshipped> waiting;
  waiting.swap(unshipped_);
  for (const auto& [key, order] : waiting) settle_unshipped(key, order.id, nullptr);
}

}  // namespace xundian::inventory
