// What follows from the things: which SKUs they touch, which orders wait, and what is kept when the service stops.
#include "services/inventory/state.h"

#include <algorithm>

namespace xundian::inventory {

namespace {

constexpr uint32_t orders_at_once = 8;

template <typename Things, typename Thing>
void add_or_remove(Things& things, const Thing& thing, bool enters) {
  if (enters)
    things.push_back(&thing);
  else
    things.erase(std::remove(things.begin(), things.end(), &thing), things.end());
}

// Whether the rules of waiting orders say anything of such a one.
bool is_judged(const Place& place, Millis deadline_ms) { return place.info->is_news(deadline_ms) && !place.info->withdrawn; }

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
  place.number = static_cast<uint32_t>(numbered_places_.size());
  numbered_places_.push_back(&place);
  place.info = &stores_.of(fact);
  join_pool(place);
  // The first of a pool says by which zone its days are reckoned.
  if (const Pool& pool = pools_[place.pool]; pool.places.size() > 1 && pool.places.front() == &place)
    for (const SkuId id : pool.skus) skus_[id].demand_day = no_day;
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
    pools_[place.pool].skus.push_back(id);
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

bool State::sells_alike(const Order& one, const Order& other) {
  if (!one.is_demand() && !other.is_demand()) return true;
  const auto lines_alike = [&](const OrderLine& line, const OrderLine& of_other) {
    return one.counts(line) == other.counts(of_other) && line.sku == of_other.sku && line.quantity == of_other.quantity;
  };
  return one.is_demand() == other.is_demand() && one.paid_ms == other.paid_ms &&
         std::ranges::equal(one.lines, other.lines, lines_alike);
}

std::vector<SkuId> State::add_purchase(const Purchase& purchase, int64_t sign) {
  std::vector<SkuId> touched;
  const Place& place = places_.at(purchase.store);
  if (place.info->withdrawn) return touched;
  for (const auto& [name, units] : purchase.awaited()) {
    touched.push_back(sku_of(place, name));
    skus_[touched.back()].own().own_supply().awaited += sign * units;
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
  add_or_remove(skus_[id].own().own_supply().offers, offer, enters);
  return {id};
}

void State::add_move(const Move& move, int64_t sign) {
  const Place& place = places_.at(move.store);
  if (place.info->withdrawn || !move.movement.live(move.withdrawn)) return;
  const Movement& movement = move.movement.content;
  skus_[sku_of(place, movement.sku)].own().own_supply().moved.add(day_memory_, place.info->zone.day_of(movement.moved_ms),
                                                                  sign * movement.quantity);
}

bool State::read(uint32_t index, Order& order) const {
  const Packed& kept = orders_[index];
  if (!order.unpack(kept.bytes())) return false;
  const Aside aside = Aside::of(kept);
  order.place = numbered_places_[aside.place];
  order.waits = aside.waits;
  order.overdue = aside.overdue;
  return true;
}

Order& State::open(uint32_t index) {
  CHECK(read(index, order_), "an order is kept as it was packed");
  return order_;
}

void State::keep(uint32_t index, const Order& order) {
  Packed& kept = orders_[index];
  order_memory_.put(kept, order.pack(order_memory_));
  kept.aside = Aside{order.place->number, order.waits, order.overdue}.packed();
}

// The next time at which one of the order's rules begins to hold, or its deadline passes.
void State::schedule(uint32_t index, const Order& order) {
  const Place& place = *order.place;
  const Millis deadline_ms = order.deadline_ms();
  Millis next = deadline_ms > now_ ? deadline_ms : Timers::none;
  if (is_judged(place, deadline_ms))
    for (const Millis due : {deadline_ms - place.near_ms, deadline_ms + place.late_ms})
      if (due > now_) next = std::min(next, due);
  timers_.set(index, next);
}

void State::count_wait(Order& order, const Wait& wait, bool enters) {
  Place& place = *order.place;
  const Day day = place.info->zone.day_of(wait.paid_ms);
  const int64_t sign = enters ? 1 : -1;
  place.unshipped.add(wait_memory_, day, sign);
  if (order.overdue) place.overdue.add(wait_memory_, day, sign);
  order.waits = enters;
}

// Time has gone on: orders whose deadline is behind it are overdue, and those of which a rule may hold now are to be judged.
void State::pass_deadlines() {
  timers_.take_due(now_, [&](uint32_t index, Millis due_ms) {
    const Order& order = open(index);
    const Millis deadline_ms = order.deadline_ms();
    if (!order.overdue && deadline_ms <= now_) {
      Aside aside = Aside::of(orders_[index]);
      aside.overdue = true;
      orders_[index].aside = aside.packed();
      order.place->overdue.add(wait_memory_, order.place->info->zone.day_of(order.paid_ms), 1);
    }
    if (is_judged(*order.place, deadline_ms)) judge_later(index, due_ms);
    schedule(index, order);
  });
}

void State::judge_later(uint32_t index, Millis due_ms) {
  due_.push_back({due_ms, orders_.key(index), index});
  std::push_heap(due_.begin(), due_.end(), std::greater());
}

void State::settle_unshipped(uint32_t index, Order& order, std::string_view id, const Wait& before, Outbox* outbox) {
  const bool waits = order.is_known_unshipped() && !(!refunds_of_.empty() && refunds_of_.contains(orders_.key(index)));
  const Wait now = wait_of(order);
  const bool waited = order.waits;
  if (waited) {
    if (waits && before.paid_ms == now.paid_ms && before.deadline_ms == now.deadline_ms) return;
    count_wait(order, before, false);
    order.overdue = false;
    if (!waits) timers_.set(index, Timers::none);
    if (!waits && outbox) judge_order(order, id, false, *outbox);
  }
  if (!waits) return;
  order.id = id;
  order.overdue = now.deadline_ms <= now_;
  count_wait(order, now, true);
  schedule(index, order);
  // Of an order that did not wait nothing holds, and nothing begins to while its deadline is far.
  const Place& place = *order.place;
  const bool is_far = now_ + place.near_ms + second_ms < now.deadline_ms;
  if (outbox && (waited || !is_far || !place.plain_rules)) judge_order(order, id, true, *outbox);
}

void State::settle_refunded(const Key& key, std::string_view id, Outbox& outbox) {
  if (orders_.find(key) == nullptr) return;  // Nothing is known of the order yet.
  const uint32_t index = orders_.of(key).first;
  Order& order = open(index);
  settle_unshipped(index, order, id, wait_of(order), &outbox);
  keep(index, order);
}

void State::rebuild() {
  forget_what_follows();
  join_pools();
  // SKUs lie anywhere in memory; those of some orders are asked for together.
  std::array<Order, orders_at_once> orders;
  for (uint32_t from = 0; from < orders_.size(); from += orders_at_once) {
    const uint32_t count = std::min(orders_at_once, orders_.size() - from);
    for (uint32_t index = 0; index < count; ++index) {
      read(from + index, orders[index]);
      for (const OrderLine& line : orders[index].lines) skus_.prefetch(sku_key(orders[index].place->pool, line.sku));
    }
    for (uint32_t index = 0; index < count; ++index) add_order(orders[index], 1, touched_);
    touched_.clear();
  }
  for (const auto& [key, move] : moves_) add_move(move, 1);
  join_skus();
  for (const SkuId id : std::exchange(touched_, {})) settle_stock(skus_[id], stock(skus_[id]));
  // Whether an order waits follows from the order and its refunds alone, so the same orders wait as before.
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    if (!Aside::of(orders_[index]).waits) continue;
    Order& order = open(index);
    order.waits = order.overdue = false;
    settle_unshipped(index, order, order.id, {}, nullptr);
    keep(index, order);
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
  due_.clear();
  refunds_of_.clear();
  for (auto& [hash, place] : places_) {
    const uint32_t number = place.number;
    place = Place();
    place.store = hash;
    place.number = number;
    place.info = stores_.find(hash);
  }
}

void State::join_pools() {
  refresh_places();
  watch_midnights();
}

// What points at other things, or is seldom. Whose levels came in is in `touched_` then.
void State::join_skus() {
  touched_.clear();
  const auto key_of = [&](uint32_t index) {
    const auto name = levels_[index].sku();
    return sku_key(place(levels_[index].store).pool, name.value_or(0));
  };
  for (uint32_t index = 0; index < levels_.size(); ++index) {
    // SKUs lie anywhere in memory; those of the levels that come next are asked for meanwhile.
    if (levels_.size() - index > 2 * things_ahead) skus_.prefetch(key_of(index + 2 * things_ahead));
    if (levels_.size() - index > things_ahead) skus_.prefetch_thing(key_of(index + things_ahead));
    Level& level = levels_[index];
    const Place& place = this->place(level.store);
    level.sku_index = Level::no_sku;
    if (const auto name = level.sku(); name && !place.info->withdrawn) add_level(place, level, *name, true, touched_);
  }
  for (const auto& [key, offer] : offers_) add_offer(offer, true);
  for (const auto& [key, purchase] : purchases_) add_purchase(purchase, 1);
  for (const auto& [key, refund] : refunds_)
    if (refund.holds_order())
      ++refunds_of_[thing_key(v1::Fact::kOrderState, places_.at(refund.store).info->id, refund.order.content)];
}

}  // namespace xundian::inventory
