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

// Whether the fact says anything of the order that is not known; decided without decoding it.
bool says_more(const FactView& fact, const Order& order) {
  const OrderEnd& end = order.end;
  if (is_newer(fact, order_placed, order.placed) || is_newer(fact, order_paid, order.paid) ||
      is_newer(fact, order_closed, end.closed) || is_newer(fact, order_refunded, end.refunded) ||
      is_newer(fact, withdrawn_aspect, end.withdrawn))
    return true;
  return say_more(fact, order.lines);
}

// Whether all that is counted of one is counted of the other: they differ in their versions at most.
bool counts_alike(const Order& one, const Order& other) {
  const auto said = [](const Order& order) {
    const OrderEnd& end = order.end;
    return std::tuple(order.created_ms, order.paid_ms, order.buyer, order.amount_micros, order.currency, order.channel,
                      order.amount_stated, end.closed_ms, end.refunded_micros, order.live(order.placed), order.live(order.paid),
                      order.live(end.closed), order.live(end.refunded));
  };
  const auto lines_alike = [&](const OrderLine& line, const OrderLine& of_other) {
    return one.live(line) == other.live(of_other) && line.sku == of_other.sku && line.quantity == of_other.quantity &&
           line.amount_micros == of_other.amount_micros;
  };
  return said(one) == said(other) && std::ranges::equal(one.lines, other.lines, lines_alike);
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
  if (live(end.closed) && end.closed_ms > 0) return end.closed_ms;
  if (is_paid()) return paid_ms;
  return live(placed) && created_ms > 0 ? created_ms : 0;
}

std::string_view Order::pack(PackedMemory& memory) const {
  const PackBase base(placed.rank != 0 ? placed.rank : paid.rank != 0 || lines.empty() ? paid.rank : lines.front().version.rank);
  const bool one_rank = has_one_rank(base, {placed, paid}, lines);
  const bool has_end = end != OrderEnd();
  constexpr size_t own_bytes_max = 9 * sizeof(uint64_t) + pack_bytes_max<6> + pack_bytes_max<5>;
  PackWriter to(memory.ahead(own_bytes_max + lines.size() * line_bytes_max), base);
  to.numbers<6>({uint64_t{amount_stated} | uint64_t{has_end} << 1 | uint64_t{!one_rank} << 2 | lines.size() << 3,
                 base.packed_time(created_ms), base.packed_time(paid_ms), zigzag(amount_micros), currency, channel});
  to.words<3>({placed.digest, paid.digest, buyer});
  pack_lines(to, lines);
  if (!one_rank) pack_ranks(to, {placed, paid}, lines);
  if (has_end) {
    to.numbers<5>({base.packed_rank(end.closed.rank), base.packed_rank(end.refunded.rank), base.packed_rank(end.withdrawn.rank),
                   zigzag(end.closed_ms), zigzag(end.refunded_micros)});
    to.words<3>({end.closed.digest, end.refunded.digest, end.withdrawn.digest});
  }
  return to.packed();
}

bool Order::unpack(std::string_view packed) {
  if (packed.empty()) {  // Nothing could be read of it.
    clear_order(*this);
    return true;
  }
  PackReader from(packed);
  const PackBase base = from.base();
  const auto head = from.numbers<6>();
  const auto words = from.words<3>();
  amount_stated = (head[0] & 1) != 0;
  created_ms = base.unpacked_time(head[1]);
  paid_ms = base.unpacked_time(head[2]);
  amount_micros = unzigzag(head[3]);
  currency = static_cast<NameId>(head[4]);
  channel = static_cast<NameId>(head[5]);
  placed = base.implied(words[0]);
  paid = base.implied(words[1]);
  buyer = words[2];
  unpack_lines(from, head[0] >> 3, lines);
  if ((head[0] & 4) != 0) unpack_ranks(from, {&placed, &paid}, lines);
  end = OrderEnd();
  if ((head[0] & 2) != 0) {
    const auto said = from.numbers<5>();
    const auto digests = from.words<3>();
    end = {.closed = {base.unpacked_rank(said[0]), digests[0]},
           .refunded = {base.unpacked_rank(said[1]), digests[1]},
           .withdrawn = {base.unpacked_rank(said[2]), digests[2]},
           .closed_ms = unzigzag(said[3]),
           .refunded_micros = unzigzag(said[4])};
  }
  return from.ok() && from.left() == 0;
}

bool Order::is_whole(std::string_view packed, const Names& names) {
  if (packed.empty()) return true;
  PackReader from(packed);
  const auto head = from.numbers<6>();
  from.words<3>();
  if (!names.has(static_cast<NameId>(head[4])) || !names.has(static_cast<NameId>(head[5]))) return false;
  if (!pass_lines(from, head[0] >> 3, names)) return false;
  if ((head[0] & 4) != 0) pass_ranks(from, head[0] >> 3, 2);
  if ((head[0] & 2) != 0) from.numbers<5>(), from.words<3>();
  return from.ok() && from.left() == 0;
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
  if ((fact.aspects() & end_aspects) != 0) {
    OrderEnd& end = order.end;
    if (take(order_closed, end.closed)) end.closed_ms = stated.closed_ms;
    if (take(order_refunded, end.refunded)) end.refunded_micros = stated.refunded_micros;
    take(withdrawn_aspect, end.withdrawn);
  }
  merge_lines(order.lines, fact, stated, names_);
}

OrderChange MetricsFold::fold_order(const FactView& fact, StoreBook& book, Outbox& outbox) {
  const auto [index, fresh] = orders_.of(fact.key());
  Packed& kept = orders_[index];
  Order& order = order_;
  if (fresh) {
    clear_order(order);
    kept.aside = book_index_.at(book.store);
    book.orders.push_back(index);
  } else {
    order.unpack(kept.bytes());
  }
  if (!says_more(fact, order)) return {};
  const OrderScan* const stated = ahead_.read(fact);
  if (stated == nullptr) {
    outbox.reject("the order cannot be read");
    return {};
  }
  Order& before = order_before_;
  before = order;
  merge_order(fact, *stated, order);
  // An export that overlaps the one before says the same once more; its day, perhaps long packed, stays as it is.
  if (!fresh && counts_alike(before, order)) {
    order_memory_.put(kept, order.pack(order_memory_));
    return {};
  }
  if (!mutant("no_retraction")) count_order(book, before, -1);
  count_refunds_of(book, fact.key(), before, -1);
  order_memory_.put(kept, order.pack(order_memory_));  // Between: its refunds look at what is kept.
  count_order(book, order, 1);
  count_refunds_of(book, fact.key(), order, 1);
  if (order.is_paid()) book.last_paid_ms = std::max(book.last_paid_ms, order.paid_ms);
  return {.changed = true,
          .paid_ms = order.is_paid() ? order.paid_ms : 0,
          .refunded = order.end.refunded_micros != before.end.refunded_micros};
}

const Order* MetricsFold::find_order(const Key& key) {
  const Packed* const kept = orders_.find(key);
  return kept != nullptr && named_order_.unpack(kept->bytes()) ? &named_order_ : nullptr;
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
  sku_lines_.clear();
  for (size_t index = 0; index < order.lines.size(); ++index)
    if (order.live(order.lines[index])) sku_lines_.push_back(uint64_t{order.lines[index].sku} << 32 | index);
  std::sort(sku_lines_.begin(), sku_lines_.end());
  for (size_t i = 0; i < sku_lines_.size();) {
    const auto sku = static_cast<NameId>(sku_lines_[i] >> 32);
    Counters counters{.orders = counted ? 1 : 0, .paid_orders = 1};
    for (; i < sku_lines_.size() && sku_lines_[i] >> 32 == sku; ++i) {
      const OrderLine& line = order.lines[sku_lines_[i] & UINT32_MAX];
      counters.paid_amount_micros += line.amount_micros;
      if (counted) counters.units += line.quantity;
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
