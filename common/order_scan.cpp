#include "common/order_scan.h"

namespace xundian {

namespace {

bool scan_placed(std::string_view message, OrderScan& order) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    switch (tag) {
      case varint_tag(1):
        order.created_ms = at.millis();
        break;
      case fixed64_tag(2):
        order.buyer = at.fixed<uint64_t>();
        break;
      case varint_tag(3):
        order.buyer_key_id = static_cast<uint32_t>(at.number());
        break;
      case bytes_tag(4):
        order.currency_code = at.bytes();
        break;
      case bytes_tag(5):
        order.channel = at.bytes();
        break;
      case bytes_tag(6):
        order.agent = at.bytes();
        break;
      default:
        at.skip(tag);
    }
  }
  return at.ok();
}

bool scan_paid(std::string_view message, OrderScan& order) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    if (tag == varint_tag(1))
      order.paid_ms = at.millis();
    else if (tag == varint_tag(2))
      order.paid_amount_micros = at.integer();
    else
      at.skip(tag);
  }
  return at.ok();
}

bool scan_line(std::string_view message, OrderLineScan& line) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    switch (tag) {
      case bytes_tag(2):
        line.sku = at.bytes();
        break;
      case bytes_tag(3):
        line.product = at.bytes();
        break;
      case varint_tag(4):
        line.quantity = at.integer();
        break;
      case varint_tag(5):
        line.amount_micros = at.integer();
        break;
      case varint_tag(6):
        line.withdrawn = at.number() != 0;
        break;
      default:
        at.skip(tag);
    }
  }
  return at.ok();
}

bool scan_shipped(std::string_view message, OrderScan& order) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    if (tag == varint_tag(1))
      order.shipped_ms = at.zigzag();
    else if (tag == varint_tag(3))
      order.promised_ms = at.millis();
    else
      at.skip(tag);
  }
  return at.ok();
}

// An aspect of which the first field alone is wanted: `take(cursor)` takes it.
template <typename Take>
bool scan_first(std::string_view message, uint32_t wanted, Take&& take) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    if (tag == wanted)
      take(at);
    else
      at.skip(tag);
  }
  return at.ok();
}

bool scan_aspect(uint32_t tag, std::string_view message, OrderScan& order) {
  switch (tag) {
    case bytes_tag(order_placed):
      return scan_placed(message, order);
    case bytes_tag(order_paid):
      return scan_paid(message, order);
    case bytes_tag(order_status):
      return scan_first(message, bytes_tag(1), [&](FieldCursor& at) { order.status = at.bytes(); });
    case bytes_tag(order_shipped):
      return scan_shipped(message, order);
    case bytes_tag(order_received):
      return scan_first(message, varint_tag(1), [&](FieldCursor& at) { order.received_ms = at.millis(); });
    case bytes_tag(order_closed):
      return scan_first(message, varint_tag(1), [&](FieldCursor& at) { order.closed_ms = at.zigzag(); });
    case bytes_tag(order_refunded):
      return scan_first(message, varint_tag(1), [&](FieldCursor& at) { order.refunded_micros = at.integer(); });
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
