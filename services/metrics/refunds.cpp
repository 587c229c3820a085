// Refunds: those that are told by themselves, those that an order list tells, and how one takes the place of the other.
#include <algorithm>

#include "services/metrics/state.h"

namespace xundian::metrics {

namespace {

constexpr uint32_t opened_aspect = 1, status_aspect = 2;

}  // namespace

void MetricsFold::merge_refund(const FactView& fact, Refund& refund, std::string_view store) {
  const auto take = [&](uint32_t aspect, Version& held) {
    if (!fact.states(aspect) || fact.version(aspect) <= held) return false;
    held = fact.version(aspect);
    return true;
  };
  const bool opened = take(opened_aspect, refund.opened), status = take(status_aspect, refund.status);
  take(withdrawn_aspect, refund.withdrawn);
  if (opened) {
    const v1::RefundOpened& stated = refund_state_.opened();
    refund.names_order = !stated.order().empty();
    refund.order = refund.names_order ? thing_key(v1::Fact::kOrderState, store, stated.order()) : Key{};
    refund.amount_micros = stated.amount_micros();
    refund.currency = names_.of(stated.currency_code());
    refund.opened_ms = stated.opened_ms();
    refund.lines.clear();
    for (const v1::RefundLine& line : stated.lines())
      refund.lines.push_back({names_.of(line.sku()), line.quantity(), line.amount_micros()});
  }
  if (status) {
    refund.status_text = names_.of(refund_state_.status().status());
    refund.settled = refund_state_.status().status() == "settled";
    refund.settled_ms = refund_state_.status().settled_ms();
  }
}

void MetricsFold::fold_refund(const FactView& fact, StoreBook& book, Outbox& outbox) {
  const auto [index, fresh] = refunds_.of(fact.key());
  Refund& refund = refunds_[index];
  if (fresh) {
    refund.store = book_index_.at(book.store);
    book.refunds.push_back(index);
  }
  const auto newer = [&](uint32_t aspect, const Version& held) { return fact.states(aspect) && fact.version(aspect) > held; };
  if (!newer(opened_aspect, refund.opened) && !newer(status_aspect, refund.status) && !newer(withdrawn_aspect, refund.withdrawn))
    return;
  if (!fact.parse(refund_state_)) return outbox.reject("the refund cannot be read");

  // The order that was named and the one that is named now count their own word or not, depending on this refund.
  const auto recount_order = [&](int sign) {
    const Order* order = refund.names_order ? find_order(refund.order) : nullptr;
    if (order != nullptr) count_refunded(book, refund.order, *order, sign);
  };
  count_refund(book, refund, -1);
  recount_order(-1);
  link_refund(index, refund, false);
  recount_order(1);
  merge_refund(fact, refund, book.info->id);
  recount_order(-1);
  link_refund(index, refund, true);
  recount_order(1);
  count_refund(book, refund, 1);
}

void MetricsFold::link_refund(uint32_t index, const Refund& refund, bool linked) {
  if (!refund.names_order || !refund.live(refund.opened)) return;
  if (linked) {
    refunds_by_order_[refund.order].push_back(index);
    return;
  }
  const auto found = refunds_by_order_.find(refund.order);
  if (found == refunds_by_order_.end()) return;
  std::erase(found->second, index);
  if (found->second.empty()) refunds_by_order_.erase(found);
}

void MetricsFold::count_refunds_of(StoreBook& book, const Key& key, const Order& order, int sign) {
  count_refunded(book, key, order, sign);
  if (refunds_by_order_.empty()) return;
  if (const auto naming = refunds_by_order_.find(key); naming != refunds_by_order_.end())
    for (const uint32_t index : naming->second) count_refund(book, refunds_[index], sign);
}

void MetricsFold::count_refunded(StoreBook& book, const Key& key, const Order& order, int sign) {
  const OrderEnd& end = order.end;
  if (!order.live(end.refunded) || end.refunded_micros == 0 || refunds_by_order_.contains(key)) return;
  const NameId currency = order.live(order.placed) ? order.currency : 0;
  book_refund(book, &order, order.fallback_ms(), currency, end.refunded_micros, nullptr, sign);
}

void MetricsFold::count_refund(StoreBook& book, const Refund& refund, int sign) {
  if (!refund.is_settled()) return;
  const Order* order = refund.names_order ? find_order(refund.order) : nullptr;
  Millis own_ms = refund.settled_ms > 0 ? refund.settled_ms : refund.opened_ms;
  if (own_ms <= 0 && order != nullptr) own_ms = order->fallback_ms();
  book_refund(book, order, own_ms, refund.currency, refund.amount_micros, &refund.lines, sign);
}

// Counts a refund on its own day, and for net sales on the pay day of its order, else on its own day. Without any time it waits
// until its order is known.
void MetricsFold::book_refund(StoreBook& book, const Order* order, Millis own_ms, NameId currency, int64_t amount_micros,
                              const std::vector<RefundLine>* lines, int sign) {
  if (own_ms <= 0) return;
  if (currency == 0) currency = book.currency;
  const Millis booked_ms = order != nullptr && order->is_paid() ? order->paid_ms : own_ms;
  std::optional<NameId> channel;
  if (order != nullptr && order->live(order->placed)) channel = order->channel;
  const auto count = [&](Millis time, const Counters& unit, int64_t Counters::*amount) {
    const Day day = book.day_of(time);
    DayCell& cell = open_day(book, day);
    Counters counters = unit;
    counters.*amount = amount_micros;
    add(cell, currency, book.zone.hour_of(time), channel, counters, sign);
    for (size_t i = 0; lines != nullptr && i < lines->size(); ++i) {
      counters.*amount = (*lines)[i].amount_micros;
      cell.skus.open().add(cell_key((*lines)[i].sku, currency), counters, sign);
    }
    if (sign < 0) close_day(book, day);
  };
  count(own_ms, Counters{.refunds = 1}, &Counters::refund_micros);
  count(booked_ms, Counters{.booked = 1}, &Counters::booked_micros);
}

}  // namespace xundian::metrics
