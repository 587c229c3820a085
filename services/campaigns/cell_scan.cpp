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
  const bool is_whole = scan_fields<refused>(
      message, scanned<bytes_tag(1)>([&](FieldCursor& at) { parts_are_whole &= scan_cut(at.bytes(), cell); }),
      scanned<bytes_tag(2)>([&](FieldCursor& at) { parts_are_whole &= scan_period(at.bytes(), cell); }),
      scanned<bytes_tag(3)>([&](FieldCursor& at) { cell.channel = at.bytes(); }),
      scanned<bytes_tag(4)>([&](FieldCursor& at) { cell.campaign = at.bytes(); }),
      scanned<bytes_tag(5)>([&](FieldCursor& at) { cell.item = at.bytes(); }),
      scanned<bytes_tag(6)>([&](FieldCursor& at) { cell.currency_code = at.bytes(); }),
      scanned<varint_tag(7)>([&](FieldCursor& at) { cell.impressions = at.integer(); }),
      scanned<varint_tag(8)>([&](FieldCursor& at) { cell.clicks = at.integer(); }),
      scanned<varint_tag(9)>([&](FieldCursor& at) { cell.cost_micros = at.integer(); }),
      scanned<varint_tag(10)>([&](FieldCursor& at) { cell.attributed_orders = at.integer(); }),
      scanned<varint_tag(11)>([&](FieldCursor& at) { cell.attributed_amount_micros = at.integer(); }));
  return is_whole && parts_are_whole;
}

}  // namespace

bool CellScan::scan(const FactView& fact) {
  *this = {};
  FieldCursor at(fact.payload());
  if (at.tag() != bytes_tag(cell_aspect)) return false;
  return scan_cell(at.bytes(), *this) && at.tag() == 0 && at.ok();
}

bool CellScan::differs_in_figures_alone(const v1::AdCell& cell) const {
  const v1::Cut& cut = cell.cut();
  const v1::Period& period = cell.period();
  const auto says_more = [](const auto& message) { return !message.GetReflection()->GetUnknownFields(message).empty(); };
  return !says_more(cell) && !says_more(cut) && !says_more(period) && has_cut == cell.has_cut() &&
         has_period == cell.has_period() && channel == cell.channel() && campaign == cell.campaign() && item == cell.item() &&
         currency_code == cell.currency_code() && dimensions == cut.dimensions() && grain == cut.grain() &&
         attribution_days == cut.attribution_days() && from == period.from() && to == period.to() &&
         hour == (period.has_hour() ? std::optional(period.hour()) : std::nullopt);
}

void CellScan::give_figures(v1::AdCell& cell) const {
  const auto give = [&](const std::optional<int64_t>& figure, auto set, auto clear) {
    figure ? (cell.*set)(*figure) : (cell.*clear)();
  };
  give(impressions, &v1::AdCell::set_impressions, &v1::AdCell::clear_impressions);
  give(clicks, &v1::AdCell::set_clicks, &v1::AdCell::clear_clicks);
  give(cost_micros, &v1::AdCell::set_cost_micros, &v1::AdCell::clear_cost_micros);
  give(attributed_orders, &v1::AdCell::set_attributed_orders, &v1::AdCell::clear_attributed_orders);
  give(attributed_amount_micros, &v1::AdCell::set_attributed_amount_micros, &v1::AdCell::clear_attributed_amount_micros);
}

}  // namespace xundian::campaigns
