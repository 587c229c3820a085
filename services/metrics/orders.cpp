// Orders: merging what is said of one, and what it counts.
#include <algorithm>

#include "common/mutant.h"
#include "services/metrics/state.h"

namespace xundian::metrics {

namespace {

constexpr uint32_t end_aspects = 1u << order_closed | 1u << order_refunded | 1u << withdrawn_aspect;

bool is_newer(const FactView& fact, uint32_t aspect, const Version& held) {
  return fact.states(aspect) && (fact.version(aspect) > held || mutant("older_version_wins"));
}

OrderLine* line_at(Order& order, uint64_t id) {
  return std::lower_bound(order.lines.begin(), order.lines.end(), id,
                          [](const OrderLine& line, uint64_t asked) { return line.id < asked; });
}

// Whether the fact says anything of the order that is not known; decided without decoding it.
bool says_more(const FactView& fact, Order& order) {
  const OrderEnd& end = order.end();
  if (is_newer(fact, order_placed, order.placed) || is_newer(fact, order_paid, order.paid) ||
      is_newer(fact, order_closed, end.closed) || is_newer(fact, order_refunded, end.refunded) ||
      is_newer(fact, withdrawn_aspect, end.withdrawn))
    return true;
  for (uint32_t i = 0; i < fact.line_count(); ++i) {
    const auto line = line_at(order, fact.line_id(i));
    if (line == order.lines.end() || line->id != fact.line_id(i) || fact.line_version(i) > line->version) return true;
  }
  return false;
}

}  // namespace

int64_t Order::paid_amount() const {
  if (amount_stated) return amount_micros;
  int64_t sum = 0;
  for (const OrderLine& line : lines)
    if (live(line)) sum += line.amount_micros;
  return sum;
}

Millis Order::fallback_ms() const {
  if (live(end().closed) && end().closed_ms > 0) return end().closed_ms;
  if (is_paid()) return paid_ms;
  return live(placed) && created_ms > 0 ? created_ms : 0;
}

void MetricsFold::merge_order(const FactView& fact, const OrderScan& stated, Order& order) {
  const auto take = [&](uint32_t aspect, Version& held) {
    if (!is_newer(fact, aspect, held)) return false;
    held = fact.version(aspect);
    return true;
  };
  if (take(order_placed, order.placed)) {
    order.created_ms = stated.created_ms;
    order.buyer = stated.buyer;
    order.currency = names_.of(stated.currency_code);
    order.channel = names_.of(stated.channel);
  }
  if (take(order_paid, order.paid)) {
    order.paid_ms = stated.paid_ms;
    order.amount_stated = stated.paid_amount_micros.has_value();
    order.amount_micros = stated.paid_amount_micros.value_or(0);
  }
  if ((fact.head().aspects & end_aspects) != 0) {
    OrderEnd& end = order.own_end(line_memory_);
    if (take(order_closed, end.closed)) end.closed_ms = stated.closed_ms;
    if (take(order_refunded, end.refunded)) end.refunded_micros = stated.refunded_micros;
    take(withdrawn_aspect, end.withdrawn);
  }
  if (order.lines.empty()) order.lines.reserve(line_memory_, fact.line_count());  // What comes later doubles it.
  for (uint32_t i = 0; i < fact.line_count(); ++i) {
    auto line = line_at(order, fact.line_id(i));
    if (line == order.lines.end() || line->id != fact.line_id(i))
      line = order.lines.insert(line_memory_, line, {.id = fact.line_id(i), .version = {}});
    if (fact.line_version(i) <= line->version) continue;
    const OrderLineScan& scanned = stated.lines[i];
    *line = {.id = line->id,
             .version = fact.line_version(i),
             .quantity = scanned.quantity,
             .amount_micros = scanned.amount_micros,
             .sku = scanned.sku_name != 0 ? scanned.sku_name : names_.of(scanned.sku),
             .withdrawn = scanned.withdrawn};
  }
}

OrderChange MetricsFold::fold_order(const FactView& fact, StoreBook& book, Outbox& outbox) {
  const auto [index, fresh] = orders_.of(fact.key());
  Order& order = orders_[index];
  if (fresh) {
    order.store = book_index_.at(book.store);
    book.orders.push_back(index);
  }
  if (!says_more(fact, order)) return {};
  const OrderScan* const stated = read_order(fact);
  if (stated == nullptr) {
    outbox.reject("the order cannot be read");
    return {};
  }
  const int64_t refunded_before = order.end().refunded_micros;
  if (!mutant("no_retraction")) count_order(book, order, -1);
  count_refunds_of(book, fact.key(), order, -1);
  merge_order(fact, *stated, order);
  count_order(book, order, 1);
  count_refunds_of(book, fact.key(), order, 1);
  if (order.is_paid()) book.last_paid_ms = std::max(book.last_paid_ms, order.paid_ms);
  return {.changed = true,
          .paid_ms = order.is_paid() ? order.paid_ms : 0,
          .refunded = order.end().refunded_micros != refunded_before};
}

void MetricsFold::add(DayCell& cell, NameId currency, int hour, std::optional<NameId> channel, const Counters& counters,
                      int sign) {
  auto day = std::find_if(cell.currencies.begin(), cell.currencies.end(),
                          [&](const CurrencyDay& one) { return one.currency == currency; });
  if (day == cell.currencies.end()) day = cell.currencies.insert(day, CurrencyDay{currency, {}, {}});
  day->total.add(counters, sign);
  if (day->total.empty()) cell.currencies.erase(day);
  cell.hours.add(cell_key(static_cast<uint32_t>(hour), currency), counters, sign);
  if (channel) cell.channels.add(cell_key(*channel, currency), counters, sign);
}

DayCell& MetricsFold::open_day(StoreBook& book, Day day) {
  const auto [cell, is_new] = book.days.try_emplace(day);
  book.packed_to = std::min(book.packed_to, day);
  if (is_new) pack_past(book, day);
  return cell->second;
}

// Days that no rule looks at any more, the oldest first; a few at a time, for those that come next wait meanwhile. The opened one
// is about to be changed.
void MetricsFold::pack_past(StoreBook& book, Day opened) {
  constexpr Day open_days = 35;
  constexpr int packed_at_once = 8;
  const Day newest = book.days.rbegin()->first;
  if (newest < day_min + open_days) return;
  const Day end = newest - open_days;
  Day packed_to = end;
  int packed = 0;
  for (auto cell = book.days.lower_bound(book.packed_to); cell != book.days.end() && cell->first < end; ++cell) {
    if (cell->first == opened) {
      packed_to = opened;
    } else if (cell->second.pack() && ++packed == packed_at_once) {
      packed_to = std::min(packed_to, cell->first);
      break;
    }
  }
  book.packed_to = std::max(book.packed_to, packed_to);
}

void MetricsFold::close_day(StoreBook& book, Day day) {
  const auto found = book.days.find(day);
  if (found != book.days.end() && found->second.empty()) book.days.erase(found);
}

// An order counts in a SKU once, however many of its lines have it.
void MetricsFold::count_skus(DayCell& cell, const Order& order, NameId currency, bool counted, int sign) {
  sku_parts_.clear();
  for (const OrderLine& line : order.lines)
    if (order.live(line)) sku_parts_.push_back({line.sku, line.amount_micros, line.quantity});
  std::sort(sku_parts_.begin(), sku_parts_.end(), [](const SkuPart& a, const SkuPart& b) { return a.sku < b.sku; });
  for (size_t i = 0; i < sku_parts_.size();) {
    const NameId sku = sku_parts_[i].sku;
    Counters counters{.orders = counted ? 1 : 0, .paid_orders = 1};
    for (; i < sku_parts_.size() && sku_parts_[i].sku == sku; ++i) {
      counters.paid_amount_micros += sku_parts_[i].amount_micros;
      if (counted) counters.units += sku_parts_[i].quantity;
    }
    cell.skus.open().add(cell_key(sku, currency), counters, sign);
  }
}

void MetricsFold::count_order(StoreBook& book, const Order& order, int sign) {
  if (!order.is_paid()) return;
  const bool placed = order.live(order.placed);
  const NameId currency = placed && order.currency != 0 ? order.currency : book.currency;
  const Day day = book.day_of(order.paid_ms);
  Counters counters{.paid_amount_micros = order.paid_amount(), .paid_orders = 1};
  const bool counted = counters.paid_amount_micros > 0;
  if (counted) {
    counters.orders = 1;
    for (const OrderLine& line : order.lines)
      if (order.live(line)) counters.units += line.quantity;
  }
  DayCell& cell = open_day(book, day);
  if (counted && placed && order.buyer != 0 && sign < 0) {
    for (CurrencyDay& one : cell.currencies)
      if (one.currency == currency)
        one.buyers.open().change(order.buyer, [](OrderCount& of_buyer) { of_buyer.orders -= of_buyer.orders > 0; });
  }
  add(cell, currency, book.zone.hour_of(order.paid_ms), placed ? order.channel : 0, counters, sign);
  if (counted && placed && order.buyer != 0 && sign > 0) {
    for (CurrencyDay& one : cell.currencies)
      if (one.currency == currency) one.buyers.open().change(order.buyer, [](OrderCount& of_buyer) { ++of_buyer.orders; });
  }
  count_skus(cell, order, currency, counted, sign);
  book.paid_orders += sign;
  if (sign < 0) close_day(book, day);
}

}  // namespace xundian::metrics
