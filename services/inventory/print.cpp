// Inventory's fingerprint: what the newest versions say of every thing, and every counter, in canonical form.
#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

// A thing's value: the live aspects, each under its number; nothing live, nothing to add.
class Value {
 public:
  template <typename Each>
  void aspect(uint32_t number, bool live, Each&& each) {
    if (!live) return;
    append(bytes_, number);
    each(*this);
  }
  template <typename T>
  Value& number(T value) {
    append(bytes_, static_cast<int64_t>(value));
    return *this;
  }
  template <typename T>
  Value& maybe(const std::optional<T>& value) {
    append(bytes_, static_cast<uint8_t>(value.has_value()));
    return number(value.value_or(T{}));
  }
  Value& text(std::string_view value) {
    append_text(bytes_, value);
    return *this;
  }
  void add_to(Fingerprint& sum, std::string_view kind, const Key& key) const {
    if (!bytes_.empty()) sum.add(fmt::format("{}/{}", kind, to_hex(key)), bytes_);
  }

 private:
  std::string bytes_;
};

void add_cell(Fingerprint& sum, std::string_view cell, int64_t value) {
  std::string bytes;
  append(bytes, value);
  sum.add(cell, bytes);
}

Value value_of(const Order& order, const Names& names) {
  Value value;
  const OrderCourse& course = order.course;
  const Version& gone = course.withdrawn;
  value.aspect(order_paid, order.paid > gone, [&](Value& v) { v.number(order.paid_ms).maybe(order.paid_micros); });
  value.aspect(order_status, order.status > gone, [&](Value& v) { v.number(order.stage); });
  value.aspect(order_shipped, course.shipped > gone, [&](Value& v) { v.number(course.shipped_ms).number(course.promised_ms); });
  value.aspect(order_received, course.received > gone, [&](Value& v) { v.number(course.received_ms); });
  value.aspect(order_closed, course.closed > gone, [&](Value& v) { v.number(course.closed_ms); });
  value.aspect(order_refunded, course.refunded > gone, [&](Value& v) { v.number(course.refunded_micros); });
  for (const OrderLine& line : order.lines)
    value.aspect(lines_aspect, order.counts(line),
                 [&](Value& v) { v.number(line.id).text(names[line.sku]).number(line.quantity).number(line.amount_micros); });
  return value;
}

Value value_of(const Level& level, const Names& names) {
  Value value;
  const StockCount& count = level.count.content;
  const Version& gone = level.withdrawn();
  value.aspect(1, level.count.live(gone), [&](Value& v) {
    v.text(names[count.sku]).text(names[count.warehouse]).maybe(count.on_hand.stated()).maybe(count.reserved.stated());
    v.maybe(count.available.stated()).maybe(count.inbound.stated()).number(count.counted_ms);
  });
  const StockPolicy& policy = level.terms().policy.content;
  value.aspect(2, level.terms().policy.live(gone), [&](Value& v) {
    v.text(names[policy.sku]).text(names[policy.warehouse]).maybe(policy.reorder_point).maybe(policy.lead_time_days);
  });
  level.history.for_each([&](const StockPoint& point) {
    value.aspect(3, point.version > gone, [&](Value& v) { v.number(point.counted_ms).number(point.sellable); });
  });
  return value;
}

Value value_of(const Purchase& purchase, const Names& names) {
  Value value;
  const auto lines = [&](Value& v, const std::vector<UnitLine>& units) {
    for (const UnitLine& line : units) v.text(names[line.sku]).number(line.quantity);
  };
  value.aspect(1, purchase.terms.live(purchase.withdrawn), [&](Value& v) {
    const PurchaseTerms& terms = purchase.terms.content;
    v.text(terms.supplier).number(terms.ordered_ms).number(terms.due_ms);
    lines(v, terms.lines);
  });
  value.aspect(2, purchase.receipt.live(purchase.withdrawn), [&](Value& v) {
    v.number(purchase.receipt.content.complete);
    lines(v, purchase.receipt.content.lines);
  });
  return value;
}

Value value_of(const Offer& offer) {
  Value value;
  value.aspect(1, offer.title.live(offer.withdrawn), [&](Value& v) { v.text(offer.title.content); });
  value.aspect(3, offer.on_shelf.live(offer.withdrawn), [&](Value& v) { v.number(offer.on_shelf.content); });
  value.aspect(4, offer.supply.live(offer.withdrawn), [&](Value& v) {
    const Supply& supply = offer.supply.content;
    v.maybe(supply.lead_time_days).number(supply.pack_units).number(supply.minimum_units);
  });
  return value;
}

}  // namespace

void State::fingerprint(Fingerprint& sum) const {
  stores_.fingerprint(sum);
  Order order;
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    read(index, order);
    value_of(order, names_).add_to(sum, "order", orders_.key(index));
  }
  levels_.for_each([&](const Key& key, const Level& level) { value_of(level, names_).add_to(sum, "level", key); });
  for (const auto& [key, purchase] : purchases_) value_of(purchase, names_).add_to(sum, "purchase", key);
  for (const auto& [key, offer] : offers_) value_of(offer).add_to(sum, "listing", key);
  for (const auto& [key, refund] : refunds_) {
    Value value;
    value.aspect(1, refund.order.live(refund.withdrawn), [&](Value& v) { v.text(refund.order.content); });
    value.aspect(2, refund.status.live(refund.withdrawn), [&](Value& v) { v.text(refund.status.content); });
    value.add_to(sum, "refund", key);
  }
  for (const auto& [key, move] : moves_) {
    Value value;
    const Movement& movement = move.movement.content;
    value.aspect(1, move.movement.live(move.withdrawn), [&](Value& v) {
      v.text(names_[movement.sku]).text(names_[movement.warehouse]).number(movement.quantity).text(movement.reason);
      v.number(movement.moved_ms);
    });
    value.add_to(sum, "move", key);
  }
  skus_.for_each([&](const Key&, const Sku& sku) {
    const std::string cell = fmt::format("{}\n{}", pools_[sku.pool].name, name(sku.name));
    sku.sold.for_each([&](Day day, int64_t units) { add_cell(sum, fmt::format("sold/{}/{}", cell, day), units); });
    const SkuSupply& supply = sku.detail().supply();
    supply.moved.for_each([&](Day day, int64_t units) { add_cell(sum, fmt::format("moved/{}/{}", cell, day), units); });
    if (supply.awaited != 0) add_cell(sum, fmt::format("awaited/{}", cell), supply.awaited);
  });
  for (const auto& [hash, place] : places_)
    place.unshipped.for_each(
        [&](Day day, int64_t orders) { add_cell(sum, fmt::format("unshipped/{}/{}", place.info->id, day), orders); });
}

}  // namespace xundian::inventory
