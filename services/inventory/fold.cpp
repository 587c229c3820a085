// What the warehouse comes to know when something is stated. What was known of a thing leaves the SKUs, what is known now enters:
// stated twice, it counts once.
#include <algorithm>

#include "services/inventory/level_scan.h"
#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

enum RefundAspect : uint32_t { refund_opened = 1, refund_status = 2 };
enum PurchaseAspect : uint32_t { purchase_terms = 1, purchase_receipt = 2 };
enum ListingAspect : uint32_t { listing_identity = 1, listing_shelf = 3, listing_supply = 4 };
constexpr uint32_t move_movement = 1;
// Whether a fact says anything of an order that is newer than what is held.
bool is_newer(const Order& order, const FactView& fact) {
  const OrderCourse& course = order.course;
  const std::pair<uint32_t, const Version*> aspects[] = {{order_paid, &order.paid},
                                                         {order_status, &order.status},
                                                         {order_shipped, &course.shipped},
                                                         {order_received, &course.received},
                                                         {order_closed, &course.closed},
                                                         {order_refunded, &course.refunded},
                                                         {withdrawn_aspect, &course.withdrawn}};
  for (const auto& [aspect, held] : aspects)
    if (fact.states(aspect) && fact.version(aspect) > *held) return true;
  return say_more(fact, order.lines);
}

constexpr uint32_t course_aspects =
    1u << order_shipped | 1u << order_received | 1u << order_closed | 1u << order_refunded | 1u << withdrawn_aspect;

void merge_course(OrderCourse& course, const FactView& fact, const OrderScan& stated) {
  if (take_newer(fact, order_shipped, course.shipped)) {
    course.shipped_ms = stated.shipped_ms;
    course.promised_ms = stated.promised_ms;
  }
  if (take_newer(fact, order_received, course.received)) course.received_ms = stated.received_ms;
  if (take_newer(fact, order_closed, course.closed)) course.closed_ms = stated.closed_ms;
  if (take_newer(fact, order_refunded, course.refunded)) course.refunded_micros = stated.refunded_micros;
  take_newer(fact, withdrawn_aspect, course.withdrawn);
}

void merge(Order& order, const FactView& fact, const OrderScan& stated, Names& names) {
  if (take_newer(fact, order_paid, order.paid)) {
    order.paid_ms = stated.paid_ms;
    order.paid_micros = stated.paid_amount_micros;
  }
  if (take_newer(fact, order_status, order.status)) order.stage = stage_of(stated.status);
  if ((fact.aspects() & course_aspects) != 0) merge_course(order.course, fact, stated);
  merge_lines(order.lines, fact, stated, names);
}

template <typename Value>
std::optional<Value> stated_if(bool has, Value value) {
  return has ? std::optional<Value>(value) : std::nullopt;
}

std::vector<UnitLine> read_lines(const google::protobuf::RepeatedPtrField<v1::PurchaseLine>& lines, Names& names) {
  std::vector<UnitLine> units;
  for (const v1::PurchaseLine& line : lines) units.push_back({names.of(line.sku()), line.quantity()});
  return units;
}

}  // namespace

void State::expect(const FactView& fact) {
  levels_ahead_.add(fact) = {fact.kind() == v1::Fact::kStockLevel ? fact.key() : Key()};
  expect_levels();
  if (fact.kind() == v1::Fact::kOrderState) expect_order(fact);
}

// Memory is asked in two steps, for where a thing lies is known when its place in the directory is at hand.
void State::expect_order(const FactView& fact) {
  orders_.prefetch(fact.key());
  order_memory_.prefetch_ahead();
  Coming& coming = ahead_.add(fact);
  const auto place = place_index_.find(fact.store());
  if (!coming.is_whole || place == place_index_.end()) return;
  coming.pool = place->second->pool;
  for (OrderLineScan& line : coming.scan.lines) {
    line.sku_name = names_.find(line.sku);
    skus_.prefetch(sku_key(coming.pool, line.sku_name));
  }
  if (const Coming* earlier = ahead_.before_last(6))
    if (const Packed* order = std::as_const(orders_).find(earlier->key)) order->prefetch();
  constexpr size_t behind = 4;
  const Coming* const earlier = ahead_.before_last(behind);
  if (earlier == nullptr) return;
  orders_.prefetch_thing(earlier->key);
  for (const OrderLineScan& line : earlier->scan.lines) {
    const Key key = sku_key(earlier->pool, line.sku_name);
    near_sku(key) = skus_.prefetch_thing(key);
  }
}

// A level comes nearer in steps: its place in the directory, itself, its newest count and its SKU, what is known of that SKU.
void State::expect_levels() {
  const auto told_before = [this](size_t calls) {
    ComingLevel* const coming = levels_ahead_.before_last(calls);
    return coming == nullptr || coming->key == Key() ? nullptr : coming;
  };
  if (const ComingLevel* coming = told_before(0)) levels_.prefetch(coming->key);
  if (ComingLevel* coming = told_before(2)) coming->index = levels_.prefetch_thing(coming->key);
  if (ComingLevel* coming = told_before(4)) {
    if (coming->index >= levels_.size() || levels_.key(coming->index) != coming->key) {
      coming->index = no_level;
    } else {
      const Level& level = levels_[coming->index];
      if (level.sku_index != Level::no_sku) skus_.prefetch_thing(level.sku_index);
    }
  }
  if (const ComingLevel* coming = told_before(6); coming != nullptr && coming->index < levels_.size())
    if (const SkuId id = levels_[coming->index].sku_index; id != Level::no_sku) prefetch_whole(skus_[id].more.get());
}

void State::fold(const FactView& fact, Outbox& outbox) {
  now_ = std::max(now_, fact.time_ms());
  as_of_ = std::max(as_of_, fact.occurred_ms());
  pass_deadlines();
  switch (fact.kind()) {
    case v1::Fact::kStoreState:
      return fold_store(fact, outbox);
    case v1::Fact::kOrderState:
      return fold_order(fact, outbox);
    case v1::Fact::kRefundState:
      return fold_refund(fact, outbox);
    case v1::Fact::kListing:
      return fold_listing(fact, outbox);
    case v1::Fact::kStockLevel:
      return fold_level(fact, outbox);
    case v1::Fact::kPurchaseOrder:
      return fold_purchase(fact, outbox);
    case v1::Fact::kStockMove:
      return fold_move(fact, outbox);
    case v1::Fact::kRuleSet:
      if (!rules_.fold(fact)) return;
      refresh_places();
      return judge_all(outbox);
    default:
      return;  // Not ours.
  }
}

// Time has come to a deadline, or to a day's beginning, which moves the days that demand is reckoned by.
void State::wake(Millis now, Outbox& outbox) {
  now_ = std::max(now_, now);
  pass_deadlines();
  if (now_ >= midnight_ms_) {
    watch_midnights();
    begin_sweep();
  }
  go_on_sweeping(outbox);
  judge_due(outbox);
}

Millis State::next_wake() const { return std::min(midnight_ms_, sweep_.runs() || !due_.empty() ? now_ : timers_.first()); }

void State::fold_store(const FactView& fact, Outbox& outbox) {
  v1::StoreState state;
  if (!fact.parse(state)) return outbox.reject("the store's state cannot be read");
  if (!places_.contains(fact.store())) {  // Nothing is known that would have to be reckoned anew.
    stores_.fold(fact);
    place_of(fact);
    return;
  }
  const StoreInfo before = stores_.of(fact);
  stores_.fold(fact);
  const StoreInfo& after = stores_.of(fact);
  if (before.zone == after.zone && before.stock_pool == after.stock_pool && before.withdrawn == after.withdrawn &&
      before.platform == after.platform && before.live_from_ms == after.live_from_ms)
    return;
  if (before.zone == after.zone && before.stock_pool == after.stock_pool && before.withdrawn == after.withdrawn)
    refresh_places();
  else
    rebuild();
  judge_all(outbox);
}

void State::fold_order(const FactView& fact, Outbox& outbox) {
  const OrderScan* const stated = ahead_.read(fact);
  if (stated == nullptr) return outbox.reject("the order cannot be read");
  const auto [index, is_new] = orders_.of(fact.key());
  Order& order = order_;
  if (is_new) {
    clear_order(order);
    order.place = &place_of(fact);
  } else if (!is_newer(open(index), fact)) {
    return;
  }
  const Wait before = wait_of(order);
  if (!is_new) order_before_ = order;
  merge(order, fact, *stated, names_);
  settle_unshipped(index, order, fact.key_text(), before, &outbox);
  keep(index, order);
  // That it was shipped, or arrived, tells nothing of its SKUs.
  if (!is_new && sells_alike(order_before_, order)) return;
  touched_.clear();
  if (!is_new) add_order(order_before_, -1, touched_);
  add_order(order, 1, touched_);
  // What is paid today moves no mean of whole days; it matters only to a SKU that has run out.
  const Zone& zone = order.place->info->zone;
  if (zone.day_of(std::min(before.paid_ms > 0 ? before.paid_ms : order.paid_ms, order.paid_ms)) >= zone.day_of(now_))
    std::erase_if(touched_, [&](SkuId id) { return !skus_[id].is_out; });
  judge_skus(touched_, outbox);
}

// A refund holds an order back; that is a function of both, made anew when either changes.
void State::fold_refund(const FactView& fact, Outbox& outbox) {
  v1::RefundState state;
  if (!fact.parse(state)) return outbox.reject("the refund cannot be read");
  const Place& place = place_of(fact);
  Refund& refund = refunds_[fact.key()];
  refund.store = fact.store();
  const std::string before = refund.holds_order() ? refund.order.content : "";
  if (take_newer(fact, refund_opened, refund.order.version)) refund.order.content = state.opened().order();
  if (take_newer(fact, refund_status, refund.status.version)) refund.status.content = state.status().status();
  take_newer(fact, withdrawn_aspect, refund.withdrawn);
  const std::string after = refund.holds_order() ? refund.order.content : "";
  if (before == after) return;
  if (!before.empty()) {
    const Key order = thing_key(v1::Fact::kOrderState, place.info->id, before);
    if (--refunds_of_[order] == 0) refunds_of_.erase(order);
    settle_refunded(order, before, outbox);
  }
  if (!after.empty()) {
    const Key order = thing_key(v1::Fact::kOrderState, place.info->id, after);
    ++refunds_of_[order];
    settle_refunded(order, after, outbox);
  }
}

void State::fold_level(const FactView& fact, Outbox& outbox) {
  LevelScan said;
  if (!said.scan(fact)) return outbox.reject("the stock level cannot be read");
  Place& place = place_of(fact);
  Level& level = levels_[fact.key()];
  level.store = fact.store();
  const std::optional<NameId> before = level.sku();
  const auto what = [&] { return std::pair(level.withdrawn(), level.count.content.warehouse); };
  const auto what_before = what();
  const auto oldest = [&] { return level.history.oldest(level.withdrawn()).value_or(StockPoint()).counted_ms; };
  const Millis oldest_before = oldest();
  std::optional<Millis> changed;  // From when on.
  if (fact.states(level_count)) {
    const LevelScan::Count& count = said.count;
    const StockCount stated{
        names_.of(count.sku), names_.of(count.warehouse), count.on_hand, count.reserved, count.available, count.inbound,
        count.counted_ms};
    changed = level.remember(fact.version(level_count), stated);
    if (take_newer(fact, level_count, level.count.version)) level.count.content = stated;
  }
  if (fact.states(level_policy) || fact.states(withdrawn_aspect)) {
    LevelTerms& terms = level.own();
    if (take_newer(fact, level_policy, terms.policy.version))
      terms.policy.content = {names_.of(said.policy.sku), names_.of(said.policy.warehouse), said.policy.reorder_point,
                              said.policy.lead_time_days};
    take_newer(fact, withdrawn_aspect, terms.withdrawn);
  }
  const std::optional<NameId> after = level.sku();
  // Of what went at the history's other end the day alone matters.
  const auto begins_other_day = [&] {
    const Zone& zone = level.sku_index == Level::no_sku ? place.info->zone : zone_of(skus_[level.sku_index]);
    return oldest() != oldest_before && zone.day_of(oldest()) != zone.day_of(oldest_before);
  };
  if (before != after || what() != what_before || begins_other_day()) changed = 0;
  watch_midnight(place);
  if (place.info->withdrawn) return;
  touched_.clear();
  if (before == after) {
    if (after) touched_.push_back(level.sku_index);
  } else {
    if (before) add_level(place, level, *before, false, touched_);
    if (after) add_level(place, level, *after, true, touched_);
  }
  if (changed)
    for (const SkuId id : touched_) forget_demand(skus_[id], *changed);
  judge_skus(touched_, outbox);
}

void State::fold_purchase(const FactView& fact, Outbox& outbox) {
  v1::PurchaseOrder state;
  if (!fact.parse(state)) return outbox.reject("the purchase order cannot be read");
  Place& place = place_of(fact);
  Purchase& purchase = purchases_[fact.key()];
  purchase.store = fact.store();
  if (purchase.id.empty()) purchase.id = fact.key_text();
  std::vector<SkuId> touched = add_purchase(purchase, -1);
  if (take_newer(fact, purchase_terms, purchase.terms.version)) {
    const v1::PurchaseTerms& said = state.terms();
    purchase.terms.content = {said.supplier(), said.ordered_ms(), said.due_ms(), read_lines(said.lines(), names_)};
  }
  if (take_newer(fact, purchase_receipt, purchase.receipt.version))
    purchase.receipt.content = {state.receipt().complete(), read_lines(state.receipt().lines(), names_)};
  take_newer(fact, withdrawn_aspect, purchase.withdrawn);
  const std::vector<SkuId> entered = add_purchase(purchase, 1);
  touched.insert(touched.end(), entered.begin(), entered.end());
  watch_midnight(place);
  judge_skus(touched, outbox);
  judge_purchase(purchase, outbox);
}

void State::fold_move(const FactView& fact, Outbox& outbox) {
  v1::StockMove state;
  if (!fact.parse(state)) return outbox.reject("the stock movement cannot be read");
  place_of(fact);
  Move& move = moves_[fact.key()];
  move.store = fact.store();
  add_move(move, -1);
  if (take_newer(fact, move_movement, move.movement.version)) {
    const v1::StockMovement& said = state.movement();
    move.movement.content = {names_.of(said.sku()), names_.of(said.warehouse()), said.quantity(), said.reason(), said.moved_ms()};
  }
  take_newer(fact, withdrawn_aspect, move.withdrawn);
  add_move(move, 1);
}

void State::fold_listing(const FactView& fact, Outbox& outbox) {
  v1::Listing state;
  if (!fact.parse(state)) return outbox.reject("the listing cannot be read");
  place_of(fact);
  Offer& offer = offers_[fact.key()];
  offer.store = fact.store();
  add_offer(offer, false);
  offer.sku = names_.of(fact.key_text());
  if (take_newer(fact, listing_identity, offer.title.version)) offer.title.content = state.identity().title();
  if (take_newer(fact, listing_shelf, offer.on_shelf.version)) offer.on_shelf.content = state.shelf().on_shelf();
  if (take_newer(fact, listing_supply, offer.supply.version)) {
    const v1::ListingSupply& said = state.supply();
    offer.supply.content = {stated_if(said.has_lead_time_days(), said.lead_time_days()), said.pack_units(),
                            said.minimum_order_units()};
  }
  take_newer(fact, withdrawn_aspect, offer.withdrawn);
  judge_skus(add_offer(offer, true), outbox);
}

}  // namespace xundian::inventory
