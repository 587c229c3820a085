#include "services/campaigns/report_table.h"

#include <algorithm>

#include "services/campaigns/totals.h"

namespace xundian::campaigns {

namespace {

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> parts;
  while (!names.empty()) {
    const size_t end = std::min(names.find('+'), names.size());
    if (end > 0) parts.emplace_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return parts;
}

uint8_t grain_place(std::string_view grain, const v1::Period& period) {
  if (period.has_hour()) return 1;
  constexpr std::string_view grains[] = {"day", "hour", "week", "month"};
  const auto found = std::find(std::begin(grains), std::end(grains), grain);
  return static_cast<uint8_t>(found - std::begin(grains));
}

// How a cell's message states and gives each figure.
struct FigureField {
  bool (v1::AdCell::*has)() const;
  int64_t (v1::AdCell::*get)() const;
  void (v1::AdCell::*set)(int64_t);
};
constexpr FigureField figure_fields[figure_end] = {
    {&v1::AdCell::has_impressions, &v1::AdCell::impressions, &v1::AdCell::set_impressions},
    {&v1::AdCell::has_clicks, &v1::AdCell::clicks, &v1::AdCell::set_clicks},
    {&v1::AdCell::has_cost_micros, &v1::AdCell::cost_micros, &v1::AdCell::set_cost_micros},
    {&v1::AdCell::has_attributed_orders, &v1::AdCell::attributed_orders, &v1::AdCell::set_attributed_orders},
    {&v1::AdCell::has_attributed_amount_micros, &v1::AdCell::attributed_amount_micros,
     &v1::AdCell::set_attributed_amount_micros}};

}  // namespace

// A dimension counts if the cell has a value for it: a row of totals in a campaign report belongs to the channel's cut.
Cut cut_of(const v1::AdCell& cell) {
  Cut cut;
  std::vector<std::string> names;
  if (!cell.campaign().empty()) {
    cut.dimensions |= by_campaign;
    names.push_back("campaign");
  }
  if (!cell.item().empty()) {
    cut.dimensions |= by_item;
    names.push_back("item");
  }
  for (const std::string& name : split_names(cell.cut().dimensions()))
    if (name != "store" && name != "channel" && name != "campaign" && name != "item" && name != "sku" && name != "product")
      names.push_back(name);
  cut.depth = static_cast<uint8_t>(std::min<size_t>(names.size(), 255));
  for (const std::string& name : names) cut.names += (cut.names.empty() ? "" : "+") + name;
  cut.grain = grain_place(cell.cut().grain(), cell.period());
  cut.attribution_left = UINT32_MAX - cell.cut().attribution_days();
  return cut;
}

std::optional<Slot> slot_of(const v1::Period& period) {
  const auto from = parse_day(period.from());
  const auto to = period.to().empty() ? from : parse_day(period.to());
  if (!from || !to || *to < *from || *to - *from > 3660) return std::nullopt;
  return Slot{*from, *to, period.has_hour() ? static_cast<int32_t>(std::min(period.hour(), 23u)) : -1};
}

Millis Report::reached_ms() const { return std::min(counted->end_ms(), as_of_ms()); }

bool Report::is_wrong() const {
  if (states(figure_clicks) && states(figure_impressions) && figures[figure_clicks] > figures[figure_impressions]) return true;
  constexpr Figure never_negative[] = {figure_cost_micros, figure_clicks, figure_impressions, figure_orders};
  return std::ranges::any_of(never_negative, [&](Figure figure) { return figures[figure] < 0; });
}

ReportTable::ReportTable() { forget(); }

void ReportTable::forget() {
  cuts_.clear();
  periods_.clear();
  reports_.clear();
  withdrawn_.clear();
  Report nothing;
  take(nothing, v1::AdCell());
}

void ReportTable::take(Report& report, const v1::AdCell& cell) {
  const v1::Cut& cut = cell.cut();
  const v1::Period& period = cell.period();
  const StatedCut stated_cut{.dimensions = names_.of(cut.dimensions()),
                             .grain = names_.of(cut.grain()),
                             .attribution_days = cut.attribution_days(),
                             .has_cut = cell.has_cut(),
                             .has_campaign = !cell.campaign().empty(),
                             .has_item = !cell.item().empty(),
                             .has_hour = period.has_hour()};
  const StatedPeriod stated_period{.from = names_.of(period.from()),
                                   .to = names_.of(period.to()),
                                   .hour = period.hour(),
                                   .has_period = cell.has_period(),
                                   .has_hour = period.has_hour()};
  report.cut = cuts_.of(stated_cut, [&] { return cut_of(cell); });
  report.period = periods_.of(stated_period, [&] { return slot_of(period); });
  report.channel = names_.of(cell.channel());
  report.campaign_name = names_.of(cell.campaign());
  report.item = names_.of(cell.item());
  report.currency = names_.of(cell.currency_code());
  report.figures = {};
  report.stated = 0;
  for (uint32_t figure = 0; figure < figure_end; ++figure) {
    const FigureField& field = figure_fields[figure];
    if (!(cell.*field.has)()) continue;
    report.figures[figure] = (cell.*field.get)();
    report.stated |= static_cast<uint8_t>(1u << figure);
  }
}

bool ReportTable::differs_in_figures_alone(const Report& report, const CellScan& cell) const {
  const StatedCut& cut = cuts_.stated(report.cut);
  const StatedPeriod& period = periods_.stated(report.period);
  return cell.campaign == name(report.campaign_name) && cell.item == name(report.item) && cell.channel == name(report.channel) &&
         cell.currency_code == name(report.currency) && cell.has_cut == cut.has_cut && cell.dimensions == name(cut.dimensions) &&
         cell.grain == name(cut.grain) && cell.attribution_days == cut.attribution_days && cell.has_period == period.has_period &&
         cell.from == name(period.from) && cell.to == name(period.to) && cell.hour.has_value() == period.has_hour &&
         cell.hour.value_or(0) == period.hour;
}

void ReportTable::take_figures(Report& report, const CellScan& cell) {
  report.figures = cell.figures;
  report.stated = cell.stated;
}

v1::AdCell ReportTable::cell(const Report& report) const {
  v1::AdCell cell;
  give_cut(cuts_.stated(report.cut), cell);
  give_period(periods_.stated(report.period), cell);
  cell.set_channel(name(report.channel));
  cell.set_campaign(name(report.campaign_name));
  cell.set_item(name(report.item));
  cell.set_currency_code(name(report.currency));
  for (uint32_t figure = 0; figure < figure_end; ++figure) {
    const FigureField& field = figure_fields[figure];
    if (report.states(static_cast<Figure>(figure))) (cell.*field.set)(report.figures[figure]);
  }
  return cell;
}

void ReportTable::give_cut(const StatedCut& stated, v1::AdCell& cell) const {
  if (!stated.has_cut) return;
  v1::Cut& cut = *cell.mutable_cut();
  cut.set_dimensions(name(stated.dimensions));
  cut.set_grain(name(stated.grain));
  cut.set_attribution_days(stated.attribution_days);
}

void ReportTable::give_period(const StatedPeriod& stated, v1::AdCell& cell) const {
  if (!stated.has_period) return;
  v1::Period& period = *cell.mutable_period();
  period.set_from(name(stated.from));
  period.set_to(name(stated.to));
  if (stated.has_hour) period.set_hour(stated.hour);
}

Version ReportTable::withdrawn(uint32_t index) const {
  const auto found = withdrawn_.find(index);
  return found == withdrawn_.end() ? Version() : found->second;
}

// Field by field: what lies between the fields of a struct is chance.
void ReportTable::save(std::string& bytes) const {
  names_.save(bytes);
  append(bytes, static_cast<uint32_t>(cuts_.size()));
  for (uint32_t number = 0; number < cuts_.size(); ++number) {
    const StatedCut& cut = cuts_.stated(number);
    append(bytes, cut.dimensions);
    append(bytes, cut.grain);
    append(bytes, cut.attribution_days);
    for (const bool has : {cut.has_cut, cut.has_campaign, cut.has_item, cut.has_hour}) append(bytes, static_cast<uint8_t>(has));
  }
  append(bytes, static_cast<uint32_t>(periods_.size()));
  for (uint32_t number = 0; number < periods_.size(); ++number) {
    const StatedPeriod& period = periods_.stated(number);
    for (const uint32_t part : {period.from, period.to, period.hour}) append(bytes, part);
    for (const bool has : {period.has_period, period.has_hour}) append(bytes, static_cast<uint8_t>(has));
  }
  reports_.save_keys(bytes);
  for (uint32_t index = 0; index < reports_.size(); ++index) {
    const Report& report = reports_[index];
    append(bytes, report.version);
    append(bytes, report.figures);
    for (const uint32_t number :
         {report.store, report.cut, report.period, report.channel, report.campaign_name, report.item, report.currency})
      append(bytes, number);
    append(bytes, report.stated);
  }
  append(bytes, static_cast<uint32_t>(withdrawn_.size()));
  for (const auto& [index, version] : withdrawn_) {
    append(bytes, index);
    append(bytes, version);
  }
}

bool ReportTable::load(ByteReader& bytes, size_t books) {
  forget();
  if (!names_.load(bytes) || !load_shared(bytes) || !load_reports(bytes, books)) return false;
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto index = bytes.take<uint32_t>();
    if (index >= reports_.size()) return false;
    withdrawn_[index] = bytes.take<Version>();
  }
  for (uint32_t index = 0; index < reports_.size(); ++index) settle(index);
  return bytes.ok();
}

// What they mean follows from a cell that states them.
bool ReportTable::load_shared(ByteReader& bytes) {
  const uint32_t cuts = bytes.take<uint32_t>();
  for (uint32_t number = 0; number < cuts && bytes.ok(); ++number) {
    StatedCut cut;
    cut.dimensions = bytes.take<NameId>();
    cut.grain = bytes.take<NameId>();
    cut.attribution_days = bytes.take<uint32_t>();
    for (bool* has : {&cut.has_cut, &cut.has_campaign, &cut.has_item, &cut.has_hour}) *has = bytes.take<uint8_t>() != 0;
    if (!names_.has(cut.dimensions) || !names_.has(cut.grain)) return false;
    v1::AdCell cell;
    give_cut(cut, cell);
    if (cut.has_campaign) cell.set_campaign("any");
    if (cut.has_item) cell.set_item("any");
    if (cut.has_hour) cell.mutable_period()->set_hour(0);
    if (cuts_.of(cut, [&] { return cut_of(cell); }) != number) return false;  // It comes twice, or nothing is not the first.
  }
  const uint32_t periods = bytes.take<uint32_t>();
  for (uint32_t number = 0; number < periods && bytes.ok(); ++number) {
    StatedPeriod period;
    for (uint32_t* part : {&period.from, &period.to, &period.hour}) *part = bytes.take<uint32_t>();
    for (bool* has : {&period.has_period, &period.has_hour}) *has = bytes.take<uint8_t>() != 0;
    if (!names_.has(period.from) || !names_.has(period.to)) return false;
    v1::AdCell cell;
    give_period(period, cell);
    if (periods_.of(period, [&] { return slot_of(cell.period()); }) != number) return false;
  }
  return bytes.ok() && cuts > 0 && periods > 0;
}

bool ReportTable::load_reports(ByteReader& bytes, size_t books) {
  if (!reports_.load_keys(bytes)) return false;
  for (uint32_t index = 0; index < reports_.size() && bytes.ok(); ++index) {
    Report& report = reports_[index];
    report.version = bytes.take<Version>();
    report.figures = bytes.take<Figures>();
    for (uint32_t* number :
         {&report.store, &report.cut, &report.period, &report.channel, &report.campaign_name, &report.item, &report.currency})
      *number = bytes.take<uint32_t>();
    report.stated = bytes.take<uint8_t>();
    const bool is_named = std::ranges::all_of(std::array{report.channel, report.campaign_name, report.item, report.currency},
                                              [&](NameId id) { return names_.has(id); });
    if (!is_named || report.store >= books || report.cut >= cuts_.size() || report.period >= periods_.size() ||
        report.stated >> figure_end != 0)
      return false;
  }
  return bytes.ok();
}

std::vector<Held> ReportTable::held() const {
  const size_t shared = cuts_.size() + periods_.size();
  return {{"report cells", reports_.size(), reports_.bytes() + tree_bytes(withdrawn_)},
          {"cuts and periods", shared, 2 * (cuts_.size() * sizeof(Cut) + periods_.size() * sizeof(StatedPeriod))},
          names_.held()};
}

}  // namespace xundian::campaigns
