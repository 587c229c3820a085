// A StockLevel read by a scan of its fields, without building the message. Checked against the parser by a test.
#pragma once

#include <optional>
#include <string_view>

#include "common/fact_view.h"

namespace xundian::inventory {

enum LevelAspect : uint32_t { level_count = 1, level_policy = 2 };

// Texts point into the fact's bytes. What is not stated is zero; ask FactView::states.
struct LevelScan {
  struct Count {
    std::string_view sku, warehouse;
    std::optional<int64_t> on_hand, reserved, available, inbound;  // Units.
    Millis counted_ms = 0;
  } count;
  struct Policy {
    std::string_view sku, warehouse;
    std::optional<int64_t> reorder_point;  // Units.
    std::optional<uint32_t> lead_time_days;
  } policy;

  // False: the bytes are broken.
  bool scan(const FactView& fact);
};

}  // namespace xundian::inventory
