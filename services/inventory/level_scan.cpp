#include "services/inventory/level_scan.h"

namespace xundian::inventory {

namespace {

bool scan_count(std::string_view message, LevelScan::Count& count) {
  return scan_fields(message, scanned<bytes_tag(1)>([&](FieldCursor& at) { count.sku = at.bytes(); }),
                     scanned<bytes_tag(2)>([&](FieldCursor& at) { count.warehouse = at.bytes(); }),
                     scanned<varint_tag(3)>([&](FieldCursor& at) { count.on_hand = at.integer(); }),
                     scanned<varint_tag(4)>([&](FieldCursor& at) { count.reserved = at.integer(); }),
                     scanned<varint_tag(5)>([&](FieldCursor& at) { count.available = at.integer(); }),
                     scanned<varint_tag(6)>([&](FieldCursor& at) { count.inbound = at.integer(); }),
                     scanned<varint_tag(7)>([&](FieldCursor& at) { count.counted_ms = at.millis(); }));
}

bool scan_policy(std::string_view message, LevelScan::Policy& policy) {
  return scan_fields(
      message, scanned<bytes_tag(1)>([&](FieldCursor& at) { policy.sku = at.bytes(); }),
      scanned<bytes_tag(2)>([&](FieldCursor& at) { policy.warehouse = at.bytes(); }),
      scanned<varint_tag(3)>([&](FieldCursor& at) { policy.reorder_point = at.integer(); }),
      scanned<varint_tag(4)>([&](FieldCursor& at) { policy.lead_time_days = static_cast<uint32_t>(at.number()); }));
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
