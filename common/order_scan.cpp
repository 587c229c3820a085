#include "common/order_scan.h"

namespace xundian {

namespace {

int64_t zigzag(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }

// Walks a sub-message; `take(field, number, bytes)` sees each of its fields.
template <typename Take>
bool walk(std::string_view message, Take&& take) {
  FieldScan scan(message);
  while (scan.next()) take(scan.field(), scan.number(), scan.bytes());
  return scan.ok();
}

bool scan_placed(std::string_view message, OrderScan& order) {
  return walk(message, [&](uint32_t field, uint64_t number, std::string_view bytes) {
    switch (field) {
      case 1:
        order.created_ms = static_cast<Millis>(number);
        break;
      case 2:
        order.buyer = number;
        break;
      case 3:
        order.buyer_key_id = static_cast<uint32_t>(number);
        break;
      case 4:
        order.currency_code = bytes;
        break;
      case 5:
        order.channel = bytes;
        break;
      case 6:
        order.agent = bytes;
        break;
      default:
        break;
    }
  });
}

bool scan_line(std::string_view message, OrderLineScan& line) {
  return walk(message, [&](uint32_t field, uint64_t number, std::string_view bytes) {
    switch (field) {
      case 2:
        line.sku = bytes;
        break;
      case 3:
        line.product = bytes;
        break;
      case 4:
        line.quantity = static_cast<int64_t>(number);
        break;
      case 5:
        line.amount_micros = static_cast<int64_t>(number);
        break;
      case 6:
        line.withdrawn = number != 0;
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
      return walk(message, [&](uint32_t field, uint64_t number, std::string_view) {
        if (field == 1) order.paid_ms = static_cast<Millis>(number);
        if (field == 2) order.paid_amount_micros = static_cast<int64_t>(number);
      });
    case order_status:
      return walk(message, [&](uint32_t field, uint64_t, std::string_view bytes) {
        if (field == 1) order.status = bytes;
      });
    case order_shipped:
      return walk(message, [&](uint32_t field, uint64_t number, std::string_view) {
        if (field == 1) order.shipped_ms = zigzag(number);
        if (field == 3) order.promised_ms = static_cast<Millis>(number);
      });
    case order_received:
      return walk(message, [&](uint32_t field, uint64_t number, std::string_view) {
        if (field == 1) order.received_ms = static_cast<Millis>(number);
      });
    case order_closed:
      return walk(message, [&](uint32_t field, uint64_t number, std::string_view) {
        if (field == 1) order.closed_ms = zigzag(number);
      });
    case order_refunded:
      return walk(message, [&](uint32_t field, uint64_t number, std::string_view) {
        if (field == 1) order.refunded_micros = static_cast<int64_t>(number);
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
