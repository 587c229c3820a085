#include "services/campaigns/cell_scan.h"

namespace xundian::campaigns {

namespace {

constexpr uint32_t cell_aspect = 1;

constexpr Unwanted refused = Unwanted::refused;

bool scan_cut(std::string_view message, CellScan& cell) {
  cell.has_cut = true;
  return scan_fields<refused>(
      message, scanned<bytes_tag(1)>([&](FieldCursor& at) { cell.dimensions = at.bytes(); }),
      scanned<bytes_tag(2)>([&](FieldCursor& at) { cell.grain = at.bytes(); }),
      scanned<varint_tag(3)>([&](FieldCursor& at) { cell.attribution_days = static_cast<uint32_t>(at.number()); }));
}

bool scan_period(std::string_view message, CellScan& cell) {
  cell.has_period = true;
  return scan_fields<refused>(message, scanned<bytes_tag(1)>([&](FieldCursor& at) { cell.from = at.bytes(); }),
                              scanned<bytes_tag(2)>([&](FieldCursor& at) { cell.to = at.bytes(); }),
                              scanned<varint_tag(3)>([&](FieldCursor& at) { cell.hour = static_cast<uint32_t>(at.number()); }));
}

bool scan_cell(std::string_view message, CellScan& cell) {
  bool parts_are_whole = true;
  const auto figure = [&](Figure which) {
    return [&cell, which](FieldCursor& at) {
      cell.figures[which] = at.integer();
      cell.stated |= static_cast<uint8_t>(1u << which);
    };
  };
  const bool is_whole = scan_fields<refused>(
      message, scanned<bytes_tag(1)>([&](FieldCursor& at) { parts_are_whole &= scan_cut(at.bytes(), cell); }),
      scanned<bytes_tag(2)>([&](FieldCursor& at) { parts_are_whole &= scan_period(at.bytes(), cell); }),
      scanned<bytes_tag(3)>([&](FieldCursor& at) { cell.channel = at.bytes(); }),
      scanned<bytes_tag(4)>([&](FieldCursor& at) { cell.campaign = at.bytes(); }),
      scanned<bytes_tag(5)>([&](FieldCursor& at) { cell.item = at.bytes(); }),
      scanned<bytes_tag(6)>([&](FieldCursor& at) { cell.currency_code = at.bytes(); }),
      scanned<varint_tag(7)>(figure(figure_impressions)), scanned<varint_tag(8)>(figure(figure_clicks)),
      scanned<varint_tag(9)>(figure(figure_cost_micros)), scanned<varint_tag(10)>(figure(figure_orders)),
      scanned<varint_tag(11)>(figure(figure_amount_micros)));
  return is_whole && parts_are_whole;
}

}  // namespace

bool CellScan::scan(const FactView& fact) {
  *this = {};
  FieldCursor at(fact.payload());
  if (at.tag() != bytes_tag(cell_aspect)) return false;
  return scan_cell(at.bytes(), *this) && at.tag() == 0 && at.ok();
}

}  // namespace xundian::campaigns
