// What follows from the things: which SKUs they touch, which orders wait, and what is kept when the service stops.
#include "services/inventory/state.h"

#include <algorithm>

namespace xundian::inventory {

namespace {

constexpr uint32_t orders_ahead = 8;

template <typename Thing>
void add_or_remove(std::vector<const Thing*>& things, const Thing& thing, bool enters) {
  if (enters)
    things.push_back(&thing);
  else
    std::erase(things, &thing);
}

}  // namespace

void StandingSums::add(const Standing& standing, int64_t sign) {
  known += sign * standing.is_known;
  in_stock += sign * standing.is_in_stock;
  out += sign * standing.is_out;
  below += sign * standing.is_below;
  available_units += sign * standing.available_units;
}

State::State() : rules_(shipped_rules()) {}

Place& State::place_of(const FactView& fact) {
  Place*& known = place_index_[fact.store()];
  if (known != nullptr) return *known;
  Place& place = *(known = &places_[fact.store()]);
  place.store = fact.store();
  place.info = &stores_.of(fact);
  join_pool(place);
  // The first of a pool says by which zone its days are reckoned.
  if (const Pool& pool = pools_[place.pool]; pool.places.size() > 1 && pool.places.front() == &place)
    for (SkuId id = 0; id < skus_.size(); ++id)
      if (skus_[id].pool == place.pool) skus_[id].demand_day = no_day;
  watch_midnight(place);
  return place;
}

// Which stores share the place's stock, and from when on before a deadline its rules hold.
void State::join_pool(Place& place) {
  const std::string& stated = place.info->stock_pool;
  const std::string name = stated.empty() ? "store/" + place.info->id : "pool/" + stated;
  place.pool = pool_ids_.try_emplace(name, static_cast<PoolId>(pool_ids_.size())).first->second;
  pools_.resize(pool_ids_.size());
  Pool& pool = pools_[place.pool];
  pool.name = name;
  const auto id = [](const Place* other) -> const std::string& { return other->info->id; };
  pool.places.insert(std::ranges::upper_bound(pool.places, place.info->id, {}, id), &place);
  read_order_rules(place);
}

void State::refresh_places() {
  for (Pool& pool : pools_) pool.places.clear();
  for (auto& [hash, place] : places_) join_pool(place);
}

void State::watch_midnight(Place& place) {
  if (now_ < place.watched_until_ms || (levels_.empty() && purchases_.empty())) return;
  const Zone& zone = place.info->zone;
  place.watched_until_ms = zone.start_of(zone.day_of(now_) + 1);
  midnight_ms_ = std::min(midnight_ms_, place.watched_until_ms);
}

void State::watch_midnights() {
  midnight_ms_ = never;
  for (auto& [hash, place] : places_) {
    place.watched_until_ms = 0;
    watch_midnight(place);
  }
}

Key State::sku_key(PoolId pool, NameId name) {
  const uint64_t number = uint64_t{pool} << 32 | name;
  return {MixHash()(number), number};
}

SkuId State::sku_of(const Place& place, NameId name) {
  const Key key = sku_key(place.pool, name);
  if (const SkuId near = near_sku(key); near < skus_.size() && skus_.key(near) == key) return near;
  const auto [id, is_new] = skus_.of(key);
  if (is_new) {
    skus_[id].pool = place.pool;
    skus_[id].name = name;
  }
  return id;
}

void State::add_order(const Order& order, int64_t sign, std::vector<SkuId>& touched) {
  const Place& place = *order.place;
  if (place.info->withdrawn || !order.is_demand()) return;
  const Day day = place.info->zone.day_of(order.paid_ms);
  for (const OrderLine& line : order.lines) {
    if (!order.counts(line)) continue;
    touched.push_back(sku_of(place, line.sku));
    Sku& sold = skus_[touched.back()];
    sold.sold.add(day_memory_, day, sign * line.quantity);
    if (day <= sold.demand_day) sold.demand_day = no_day;
  }
}

std::vector<SkuId> State::add_purchase(const Purchase& purchase, int64_t sign) {
  std::vector<SkuId> touched;
  const Place& place = places_.at(purchase.store);
  if (place.info->withdrawn) return touched;
  for (const auto& [name, units] : purchase.awaited()) {
    touched.push_back(sku_of(place, name));
    skus_[touched.back()].own().awaited += sign * units;
  }
  return touched;
}

void State::add_level(const Place& place, Level& level, NameId name, bool enters, std::vector<SkuId>& touched) {
  const SkuId id = sku_of(place, name);
  level.sku_index = enters ? id : Level::no_sku;
  if (enters && sweep_.skus && skus_[id].detail().levels.empty()) sweep_too(id);
  add_or_remove(skus_[id].own().levels, level, enters);
  touched.push_back(id);
}

std::vector<SkuId> State::add_offer(const Offer& offer, bool enters) {
  const Place& place = places_.at(offer.store);
  if (place.info->withdrawn) return {};
  const SkuId id = sku_of(place, offer.sku);
  add_or_remove(skus_[id].own().offers, offer, enters);
  return {id};
}

void State::add_move(const Move& move, int64_t sign) {
  const Place& place = places_.at(move.store);
  if (place.info->withdrawn || !move.movement.live(move.withdrawn)) return;
  const Movement& movement = move.movement.content;
  skus_[sku_of(place, movement.sku)].own().moved.add(day_memory_, place.info->zone.day_of(movement.moved_ms),
                                                     sign * movement.quantity);
}

// The next time at which one of the order's rules begins to hold.
void State::schedule(uint32_t index) {
  const Order& order = orders_[index];
  const Place& place = *order.place;
  const Millis deadline_ms = order.deadline_ms();
  Millis next = Timers::none;
  if (place.info->is_news(deadline_ms) && !place.info->withdrawn)
    for (const Millis due : {deadline_ms - place.near_ms, deadline_ms, deadline_ms + place.late_ms})
      if (due > now_) next = std::min(next, due);
  timers_.set(index, next);
}

void State::count_wait(uint32_t index, Order& order, const Wait& wait, bool enters) {
  Place& place = *order.place;
  const Day day = place.info->zone.day_of(wait.paid_ms);
  const int64_t sign = enters ? 1 : -1;
  place.unshipped.add(wait_memory_, day, sign);
  if (enters) order.overdue = wait.deadline_ms <= now_;
  if (order.overdue) place.overdue.add(wait_memory_, day, sign);
  deadlines_.set(index, enters && !order.overdue ? wait.deadline_ms : Timers::none);
  if (!enters) order.overdue = false;
  order.waits = enters;
}

// Time has gone on: orders whose deadline is behind it are overdue.
void State::pass_deadlines() {
  deadlines_.take_due(now_, [&](uint32_t index, Millis) {
    Order& order = orders_[index];
    order.overdue = true;
    order.place->overdue.add(wait_memory_, order.place->info->zone.day_of(order.paid_ms), 1);
  });
}

void State::settle_unshipped(uint32_t index, std::string_view id, const Wait& before, Outbox* outbox) {
  Order& order = orders_[index];
  const bool waits = order.is_known_unshipped() && !(!refunds_of_.empty() && refunds_of_.contains(orders_.key(index)));
  const Wait now = wait_of(order);
  const bool waited = order.waits;
  if (waited) {
    if (waits && before.paid_ms == now.paid_ms && before.deadline_ms == now.deadline_ms) return;
    count_wait(index, order, before, false);
    timers_.set(index, Timers::none);
    if (!waits && outbox) judge_order(order, id, false, *outbox);
  }
  if (!waits) return;
  if (order.id.empty()) order.id.assign(line_memory_, id);
  count_wait(index, order, now, true);
  schedule(index);
  // Of an order that did not wait nothing holds, and nothing begins to while its deadline is far.
  const Place& place = *order.place;
  const bool is_far = now_ + place.near_ms + second_ms < now.deadline_ms;
  if (outbox && (waited || !is_far || !place.plain_rules)) judge_order(order, id, true, *outbox);
}

void State::settle_refunded(const Key& key, std::string_view id, Outbox& outbox) {
  if (orders_.find(key) == nullptr) return;  // Nothing is known of the order yet.
  const uint32_t index = orders_.of(key).first;
  settle_unshipped(index, id, wait_of(orders_[index]), &outbox);
}

std::vector<uint32_t> State::waiting() const {
  std::vector<uint32_t> waiting;
  for (uint32_t index = 0; index < orders_.size(); ++index)
    if (orders_[index].waits) waiting.push_back(index);
  std::sort(waiting.begin(), waiting.end(), [&](uint32_t a, uint32_t b) { return orders_.key(a) < orders_.key(b); });
  return waiting;
}

void State::rebuild() {
  forget_what_follows();
  join_pools();
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    // SKUs lie anywhere in memory; those of the orders that come next are asked for meanwhile.
    if (index + orders_ahead < orders_.size())
      for (const OrderLine& line : orders_[index + orders_ahead].lines)
        skus_.prefetch(sku_key(orders_[index + orders_ahead].place->pool, line.sku));
    add_order(orders_[index], 1, touched_);
    touched_.clear();
  }
  for (const auto& [key, move] : moves_) add_move(move, 1);
  join_skus();
  // Whether an order waits follows from the order and its refunds alone, so the same orders wait as before.
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    Order& order = orders_[index];
    if (!order.waits) continue;
    order.waits = order.overdue = false;
    settle_unshipped(index, order.id_text(), {}, nullptr);
  }
}

void State::forget_what_follows() {
  pools_.clear();
  pool_ids_.clear();
  skus_.clear();
  swept_.clear();
  day_memory_.clear();
  wait_memory_.clear();
  timers_.clear();
  deadlines_.clear();
  refunds_of_.clear();
  for (auto& [hash, place] : places_) {
    place = Place();
    place.store = hash;
    place.info = stores_.find(hash);
  }
}

void State::join_pools() {
  refresh_places();
  watch_midnights();
}

// What points at other things, or is seldom.
void State::join_skus() {
  touched_.clear();
  for (uint32_t index = 0; index < levels_.size(); ++index) {
    Level& level = levels_[index];
    const Place& place = this->place(level.store);
    level.sku_index = Level::no_sku;
    if (const auto name = level.sku(); name && !place.info->withdrawn) add_level(place, level, *name, true, touched_);
  }
  for (const SkuId id : std::exchange(touched_, {})) settle_stock(skus_[id], stock(skus_[id]));
  for (const auto& [key, offer] : offers_) add_offer(offer, true);
  for (const auto& [key, purchase] : purchases_) add_purchase(purchase, 1);
  for (const auto& [key, refund] : refunds_)
    if (refund.holds_order())
      ++refunds_of_[thing_key(v1::Fact::kOrderState, places_.at(refund.store).info->id, refund.order.content)];
}

}  // namespace xundian::inventory
