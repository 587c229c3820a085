#include "services/inventory/level_scan.h"

namespace xundian::inventory {

namespace {

bool scan_count(std::string_view message, LevelScan::Count& count) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    switch (tag) {
      case bytes_tag(1):
        count.sku = at.bytes();
        break;
      case bytes_tag(2):
        count.warehouse = at.bytes();
        break;
      case varint_tag(3):
        count.on_hand = at.integer();
        break;
      case varint_tag(4):
        count.reserved = at.integer();
        break;
      case varint_tag(5):
        count.available = at.integer();
        break;
      case varint_tag(6):
        count.inbound = at.integer();
        break;
      case varint_tag(7):
        count.counted_ms = at.millis();
        break;
      default:
        at.skip(tag);
    }
  }
  return at.ok();
}

bool scan_policy(std::string_view message, LevelScan::Policy& policy) {
  FieldCursor at(message);
  while (const uint32_t tag = at.tag()) {
    switch (tag) {
      case bytes_tag(1):
        policy.sku = at.bytes();
        break;
      case bytes_tag(2):
        policy.warehouse = at.bytes();
        break;
      case varint_tag(3):
        policy.reorder_point = at.integer();
        break;
      case varint_tag(4):
        policy.lead_time_days = static_cast<uint32_t>(at.number());
        break;
      default:
        at.skip(tag);
    }
  }
  return at.ok();
}

}  // namespace

bool LevelScan::scan(const FactView& fact) {
  const std::string_view payload = fact.payload();
  if (payload.empty()) return false;  // Every level states something; the body is cut off.
  FieldCursor at(payload);
  while (const uint32_t tag = at.tag()) {
    if (tag == bytes_tag(level_count)) {
      if (!scan_count(at.bytes(), count)) return false;
    } else if (tag == bytes_tag(level_policy)) {
      if (!scan_policy(at.bytes(), policy)) return false;
    } else {
      at.skip(tag);
    }
  }
  return at.ok();
}

}  // namespace xundian::inventory
