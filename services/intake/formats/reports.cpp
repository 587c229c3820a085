// Cells of reports: products, ads, traffic. A cell belongs to the cut of its file: dimensions, grain and attribution window.
#include <absl/container/flat_hash_map.h>

#include <algorithm>

#include "services/intake/formats/books.h"

namespace xundian::intake {

namespace {

// The period of a row, and when it begins by the store's clock.
struct Span {
  std::string from, to;
  std::optional<uint32_t> hour;
  Millis start_ms = 0;
};

Result<Span> read_span(RowView& view) {
  const Zone& zone = view.times().zone();
  Span span;
  const Millis from = TRY(view.time(Field::day));
  if (from == 0) return fail(Code::invalid_argument, "the day is empty");
  const Day day = zone.day_of(from);
  span.from = format_day(day);
  span.start_ms = zone.start_of(day);
  const Millis to = TRY(view.time(Field::day_to));
  if (to != 0 && to != from) span.to = format_day(zone.day_of(to));
  if (const auto hour = TRY(view.count(Field::hour))) {
    if (*hour < 0 || *hour > 23) return fail(Code::invalid_argument, "the hour {} is not one of 0 to 23", *hour);
    span.hour = static_cast<uint32_t>(*hour);
    span.start_ms += *hour * hour_ms;
  }
  return span;
}

// What the two have in common is written once: the cut, the period and the beginning of the key.
struct CellPlace {
  std::string key;
  Span span;
};

void set_place(const CellPlace& place, const std::string& dimensions, const RecordMapping& mapping, v1::Cut& cut,
               v1::Period& period) {
  cut.set_dimensions(mapping.dimensions.empty() ? dimensions : mapping.dimensions);
  cut.set_grain(!mapping.grain.empty() ? mapping.grain : place.span.hour ? "hour" : "day");
  cut.set_attribution_days(mapping.attribution_days);
  period.set_from(place.span.from);
  period.set_to(place.span.to);
  if (place.span.hour) period.set_hour(*place.span.hour);
}

std::string cell_key(const v1::Cut& cut, const v1::Period& period, std::initializer_list<std::string_view> names) {
  std::string key = fmt::format("{}|{}|{}|{}", cut.dimensions(), cut.grain(), cut.attribution_days(), period.from());
  if (!period.to().empty()) key += ".." + period.to();
  if (period.has_hour()) key += fmt::format("T{:02}", period.hour());
  for (const std::string_view name : names) key += '|', key += name;
  return key;
}

// Names of the dimensions that a row has columns for.
std::string dimensions_of(const RowView& view, std::initializer_list<std::pair<Field, std::string_view>> names,
                          std::string_view none) {
  std::string all;
  for (const auto& [field, name] : names) {
    if (!view.record().mapping->maps(field) || !view.states(field)) continue;
    if (!all.empty()) all += '+';
    all += name;
  }
  return all.empty() ? std::string(none) : all;
}

#define XUNDIAN_SET(message, name, value) \
  if (const auto said = (value)) (message).set_##name(*said)

// Keeps the cells of a report whose rows are finer than the cells, and adds them up; else says each row at once.
template <typename Cell>
class ReportBook : public Book {
 public:
  explicit ReportBook(const TableFrame& frame) : frame_(frame) {}

 protected:
  void put(v1::Fact&& fact, bool join, const std::function<Cell&(v1::Fact&)>& cell_of) {
    if (!join) return frame_.say(std::move(fact));
    const auto [found, fresh] = index_.try_emplace(fact.store() + '\n' + fact.key(), facts_.size());
    if (fresh) return facts_.push_back(std::move(fact));
    v1::Fact& kept = facts_[found->second];
    kept.set_as_of_ms(std::max(kept.as_of_ms(), fact.as_of_ms()));
    add_numbers(cell_of(kept), cell_of(fact));
  }
  void close() override {
    for (v1::Fact& fact : facts_) frame_.say(std::move(fact));
    facts_.clear();
    index_.clear();
  }

  const TableFrame& frame_;

 private:
  // Every optional number of a cell is a count or an amount.
  static void add_numbers(Cell& to, const Cell& from) {
    const auto* reflection = from.GetReflection();
    for (int index = 0; index < from.GetDescriptor()->field_count(); ++index) {
      const auto* field = from.GetDescriptor()->field(index);
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_INT64 || !reflection->HasField(from, field)) continue;
      reflection->SetInt64(&to, field, reflection->GetInt64(to, field) + reflection->GetInt64(from, field));
    }
  }

  std::vector<v1::Fact> facts_;
  absl::flat_hash_map<std::string, size_t> index_;
};

class ProductReportBook : public ReportBook<v1::ProductCell> {
 public:
  using ReportBook::ReportBook;
  Result<void> add(std::string_view store, RowView& view) override {
    const RecordMapping& mapping = *view.record().mapping;
    CellPlace place;
    place.span = TRY(read_span(view));
    const Millis modified = TRY(view.time(Field::modified));
    v1::Fact fact = frame_.fact(store, {}, modified, place.span.start_ms);
    v1::ProductCell& cell = *fact.mutable_product_report()->mutable_cell();
    set_place(place, "product", mapping, *cell.mutable_cut(), *cell.mutable_period());
    cell.set_product(std::string(TRY(view.id(Field::product, "product id"))));
    if (cell.product().empty()) return fail(Code::invalid_argument, "the product is empty");
    XUNDIAN_SET(cell, uv, TRY(view.count(Field::uv)));
    XUNDIAN_SET(cell, pv, TRY(view.count(Field::pv)));
    XUNDIAN_SET(cell, cart_users, TRY(view.count(Field::cart_users)));
    XUNDIAN_SET(cell, favourite_users, TRY(view.count(Field::favourite_users)));
    XUNDIAN_SET(cell, sold_count, TRY(view.count(Field::sold_count)));
    XUNDIAN_SET(cell, comment_count, TRY(view.count(Field::comment_count)));
    XUNDIAN_SET(cell, price_micros, TRY(view.money(Field::price)));
    fact.set_key(cell_key(cell.cut(), cell.period(), {cell.product()}));
    put(std::move(fact), mapping.join,
        [](v1::Fact& one) -> v1::ProductCell& { return *one.mutable_product_report()->mutable_cell(); });
    return {};
  }
};

class AdReportBook : public ReportBook<v1::AdCell> {
 public:
  using ReportBook::ReportBook;
  Result<void> add(std::string_view store, RowView& view) override {
    const RecordMapping& mapping = *view.record().mapping;
    CellPlace place;
    place.span = TRY(read_span(view));
    const Millis modified = TRY(view.time(Field::modified));
    v1::Fact fact = frame_.fact(store, {}, modified, place.span.start_ms);
    v1::AdCell& cell = *fact.mutable_ad_report()->mutable_cell();
    const std::string dimensions = dimensions_of(view, {{Field::campaign, "campaign"}, {Field::item, "item"}}, "channel");
    set_place(place, dimensions, mapping, *cell.mutable_cut(), *cell.mutable_period());
    cell.set_channel(std::string(view.text(Field::channel)));
    cell.set_campaign(std::string(TRY(view.id(Field::campaign, "campaign id"))));
    cell.set_item(std::string(TRY(view.id(Field::item, "item id"))));
    cell.set_currency_code(std::string(view.text(Field::currency)));
    XUNDIAN_SET(cell, impressions, TRY(view.count(Field::impressions)));
    XUNDIAN_SET(cell, clicks, TRY(view.count(Field::clicks)));
    XUNDIAN_SET(cell, cost_micros, TRY(view.money(Field::cost)));
    XUNDIAN_SET(cell, attributed_orders, TRY(view.count(Field::attributed_orders)));
    XUNDIAN_SET(cell, attributed_amount_micros, TRY(view.money(Field::attributed_amount)));
    fact.set_key(cell_key(cell.cut(), cell.period(), {cell.channel(), cell.campaign(), cell.item()}));
    put(std::move(fact), mapping.join, [](v1::Fact& one) -> v1::AdCell& { return *one.mutable_ad_report()->mutable_cell(); });
    return {};
  }
};

class TrafficReportBook : public ReportBook<v1::TrafficCell> {
 public:
  using ReportBook::ReportBook;
  Result<void> add(std::string_view store, RowView& view) override {
    const RecordMapping& mapping = *view.record().mapping;
    CellPlace place;
    place.span = TRY(read_span(view));
    const Millis modified = TRY(view.time(Field::modified));
    v1::Fact fact = frame_.fact(store, {}, modified, place.span.start_ms);
    v1::TrafficCell& cell = *fact.mutable_traffic_report()->mutable_cell();
    const bool by_source = view.states(Field::source), by_device = view.states(Field::device);
    const char* dimensions = by_source && by_device ? "store+source+device"
                             : by_source            ? "store+source"
                             : by_device            ? "store+device"
                                                    : "store";
    set_place(place, dimensions, mapping, *cell.mutable_cut(), *cell.mutable_period());
    cell.set_source(view.joined(Field::source));
    cell.set_device(std::string(view.text(Field::device)));
    XUNDIAN_SET(cell, uv, TRY(view.count(Field::uv)));
    XUNDIAN_SET(cell, pv, TRY(view.count(Field::pv)));
    XUNDIAN_SET(cell, cart_users, TRY(view.count(Field::cart_users)));
    XUNDIAN_SET(cell, favourite_users, TRY(view.count(Field::favourite_users)));
    XUNDIAN_SET(cell, paid_buyers, TRY(view.count(Field::paid_buyers)));
    XUNDIAN_SET(cell, paid_amount_micros, TRY(view.money(Field::amount)));
    // Platforms give means; what adds up is kept.
    const auto dwell = TRY(view.duration(Field::dwell_average));
    if (dwell && cell.has_uv()) cell.set_dwell_ms(*dwell * cell.uv());
    const auto bounced = TRY(view.ratio(Field::bounce_rate));
    if (bounced && cell.has_uv()) cell.set_bounced_visitors((*bounced * cell.uv() + 500'000) / 1'000'000);
    fact.set_key(cell_key(cell.cut(), cell.period(), {cell.source(), cell.device()}));
    put(std::move(fact), mapping.join,
        [](v1::Fact& one) -> v1::TrafficCell& { return *one.mutable_traffic_report()->mutable_cell(); });
    return {};
  }
};

#undef XUNDIAN_SET

}  // namespace

std::unique_ptr<Book> product_report_book(const TableFrame& frame) { return std::make_unique<ProductReportBook>(frame); }
std::unique_ptr<Book> ad_report_book(const TableFrame& frame) { return std::make_unique<AdReportBook>(frame); }
std::unique_ptr<Book> traffic_report_book(const TableFrame& frame) { return std::make_unique<TrafficReportBook>(frame); }

}  // namespace xundian::intake
