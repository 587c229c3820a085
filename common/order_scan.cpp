#include "common/order_scan.h"

namespace xundian {

namespace {

constexpr auto passed = [](FieldCursor& at) { at.bytes(); };

bool scan_placed(std::string_view message, OrderScan& order) {
  return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.created_ms = at.millis(); }),
                     scanned<fixed64_tag(2)>([&](FieldCursor& at) { order.buyer = at.fixed<uint64_t>(); }),
                     scanned<varint_tag(3)>([&](FieldCursor& at) { order.buyer_key_id = static_cast<uint32_t>(at.number()); }),
                     scanned<bytes_tag(4)>([&](FieldCursor& at) { order.currency_code = at.bytes(); }),
                     scanned<bytes_tag(5)>([&](FieldCursor& at) { order.channel = at.bytes(); }),
                     scanned<bytes_tag(6)>([&](FieldCursor& at) { order.agent = at.bytes(); }));
}

bool scan_paid(std::string_view message, OrderScan& order) {
  return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.paid_ms = at.millis(); }),
                     scanned<varint_tag(2)>([&](FieldCursor& at) { order.paid_amount_micros = at.integer(); }));
}

bool scan_line(std::string_view message, OrderLineScan& line) {
  return scan_fields(message, scanned<bytes_tag(1)>(passed),  // The line's id; FactView has its hash.
                     scanned<bytes_tag(2)>([&](FieldCursor& at) { line.sku = at.bytes(); }),
                     scanned<bytes_tag(3)>([&](FieldCursor& at) { line.product = at.bytes(); }),
                     scanned<varint_tag(4)>([&](FieldCursor& at) { line.quantity = at.integer(); }),
                     scanned<varint_tag(5)>([&](FieldCursor& at) { line.amount_micros = at.integer(); }),
                     scanned<varint_tag(6)>([&](FieldCursor& at) { line.withdrawn = at.number() != 0; }));
}

bool scan_shipped(std::string_view message, OrderScan& order) {
  return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.shipped_ms = at.zigzag(); }),
                     scanned<bytes_tag(2)>(passed),  // The carrier.
                     scanned<varint_tag(3)>([&](FieldCursor& at) { order.promised_ms = at.millis(); }));
}

bool scan_aspect(uint32_t tag, std::string_view message, OrderScan& order) {
  switch (tag) {
    case bytes_tag(order_placed):
      return scan_placed(message, order);
    case bytes_tag(order_paid):
      return scan_paid(message, order);
    case bytes_tag(order_status):
      return scan_fields(message, scanned<bytes_tag(1)>([&](FieldCursor& at) { order.status = at.bytes(); }));
    case bytes_tag(order_shipped):
      return scan_shipped(message, order);
    case bytes_tag(order_received):
      return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.received_ms = at.millis(); }));
    case bytes_tag(order_closed):
      return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.closed_ms = at.zigzag(); }));
    case bytes_tag(order_refunded):
      return scan_fields(message, scanned<varint_tag(1)>([&](FieldCursor& at) { order.refunded_micros = at.integer(); }));
    default:
      return true;  // Not asked for.
  }
}

}  // namespace

bool OrderScan::scan(const FactView& fact, bool with_lines) {
  static_cast<OrderFields&>(*this) = {};
  lines.clear();
  const std::string_view payload = fact.payload();
  if (payload.empty()) return false;  // Every order states something; the body is cut off.
  FieldCursor at(payload);
  while (const uint32_t tag = at.tag()) {
    if ((tag & 7) != 2) {
      at.skip(tag);
      continue;
    }
    const std::string_view message = at.bytes();
    if (tag == bytes_tag(lines_aspect)) {
      if (with_lines && !scan_line(message, lines.emplace_back())) return false;
    } else if (!scan_aspect(tag, message, *this)) {
      return false;
    }
  }
  return at.ok() && (!with_lines || lines.size() == fact.line_count());
}

}  // namespace xundian
