#include "services/inventory/level_scan.h"

namespace xundian::inventory {

namespace {

bool scan_count(std::string_view message, LevelScan::Count& count) {
  return walk_fields(message, [&](const FieldScan& field) {
    const auto number = static_cast<int64_t>(field.number());
    switch (field.field()) {
      case 1:
        count.sku = field.bytes();
        break;
      case 2:
        count.warehouse = field.bytes();
        break;
      case 3:
        count.on_hand = number;
        break;
      case 4:
        count.reserved = number;
        break;
      case 5:
        count.available = number;
        break;
      case 6:
        count.inbound = number;
        break;
      case 7:
        count.counted_ms = number;
        break;
      default:
        break;
    }
  });
}

bool scan_policy(std::string_view message, LevelScan::Policy& policy) {
  return walk_fields(message, [&](const FieldScan& field) {
    switch (field.field()) {
      case 1:
        policy.sku = field.bytes();
        break;
      case 2:
        policy.warehouse = field.bytes();
        break;
      case 3:
        policy.reorder_point = static_cast<int64_t>(field.number());
        break;
      case 4:
        policy.lead_time_days = static_cast<uint32_t>(field.number());
        break;
      default:
        break;
    }
  });
}

}  // namespace

bool LevelScan::scan(const FactView& fact) {
  const std::string_view payload = fact.payload();
  if (payload.empty()) return false;  // Every level states something; the body is cut off.
  bool whole = true;
  return walk_fields(payload,
                     [&](const FieldScan& aspect) {
                       if (aspect.field() == level_count) whole &= scan_count(aspect.bytes(), count);
                       if (aspect.field() == level_policy) whole &= scan_policy(aspect.bytes(), policy);
                     }) &&
         whole;
}

}  // namespace xundian::inventory
