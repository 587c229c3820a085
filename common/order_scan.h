// An OrderState read by a scan of the fields that folds need, without building the message. Checked against the parser by a test.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/fact_view.h"

namespace xundian {

// Field numbers of OrderState's aspects.
enum OrderAspect : uint32_t {
  order_placed = 1,
  order_paid = 2,
  order_status = 3,
  order_shipped = 4,
  order_received = 5,
  order_closed = 6,
  order_refunded = 7,
};

struct OrderLineScan {
  std::string_view sku, product;
  int64_t quantity = 0;
  int64_t amount_micros = 0;
  bool withdrawn = false;
  uint32_t sku_name = 0;  // For a fold that has looked the SKU's name up ahead; 0: not yet.
};

// What an order says beside its lines. Texts point into the fact's bytes. What is not stated is zero; ask FactView::states.
struct OrderFields {
  Millis created_ms = 0;
  uint64_t buyer = 0;
  uint32_t buyer_key_id = 0;
  std::string_view currency_code, channel, agent;
  Millis paid_ms = 0;
  std::optional<int64_t> paid_amount_micros;
  std::string_view status;
  Millis shipped_ms = 0;
  Millis promised_ms = 0;
  Millis received_ms = 0;
  Millis closed_ms = 0;
  int64_t refunded_micros = 0;
};

struct OrderScan : OrderFields {
  std::vector<OrderLineScan> lines;  // In the order of FactView's lines.

  // False: the bytes are broken. Reuse one OrderScan to save allocations. Who counts no lines may leave them out.
  bool scan(const FactView& fact, bool with_lines = true);
};

}  // namespace xundian
