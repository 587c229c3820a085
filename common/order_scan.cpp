#include "common/order_scan.h"

namespace xundian {

namespace {

bool scan_placed(std::string_view message, OrderScan& order) {
  return walk_fields(message, [&](const FieldScan& field) {
    switch (field.field()) {
      case 1:
        order.created_ms = static_cast<Millis>(field.number());
        break;
      case 2:
        order.buyer = field.number();
        break;
      case 3:
        order.buyer_key_id = static_cast<uint32_t>(field.number());
        break;
      case 4:
        order.currency_code = field.bytes();
        break;
      case 5:
        order.channel = field.bytes();
        break;
      case 6:
        order.agent = field.bytes();
        break;
      default:
        break;
    }
  });
}

bool scan_line(std::string_view message, OrderLineScan& line) {
  return walk_fields(message, [&](const FieldScan& field) {
    switch (field.field()) {
      case 2:
        line.sku = field.bytes();
        break;
      case 3:
        line.product = field.bytes();
        break;
      case 4:
        line.quantity = static_cast<int64_t>(field.number());
        break;
      case 5:
        line.amount_micros = static_cast<int64_t>(field.number());
        break;
      case 6:
        line.withdrawn = field.number() != 0;
        break;
      default:
        break;
    }
  });
}

bool scan_aspect(uint32_t aspect, std::string_view message, OrderScan& order) {
  switch (aspect) {
    case order_placed:
      return scan_placed(message, order);
    case order_paid:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.paid_ms = static_cast<Millis>(field.number());
        if (field.field() == 2) order.paid_amount_micros = static_cast<int64_t>(field.number());
      });
    case order_status:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.status = field.bytes();
      });
    case order_shipped:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.shipped_ms = field.zigzag();
        if (field.field() == 3) order.promised_ms = static_cast<Millis>(field.number());
      });
    case order_received:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.received_ms = static_cast<Millis>(field.number());
      });
    case order_closed:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.closed_ms = field.zigzag();
      });
    case order_refunded:
      return walk_fields(message, [&](const FieldScan& field) {
        if (field.field() == 1) order.refunded_micros = static_cast<int64_t>(field.number());
      });
    case lines_aspect:
      return scan_line(message, order.lines.emplace_back());
    default:
      return true;  // Not asked for.
  }
}

}  // namespace

bool OrderScan::scan(const FactView& fact, bool with_lines) {
  std::vector<OrderLineScan> kept = std::move(lines);
  *this = OrderScan();
  lines = std::move(kept);
  lines.clear();
  const std::string_view payload = fact.payload();
  if (payload.empty()) return false;  // Every order states something; the body is cut off.
  FieldScan scan(payload);
  while (scan.next()) {
    if (scan.field() == lines_aspect && !with_lines) continue;
    if (!scan_aspect(scan.field(), scan.bytes(), *this)) return false;
  }
  return scan.ok() && (!with_lines || lines.size() == fact.line_count());
}

}  // namespace xundian
