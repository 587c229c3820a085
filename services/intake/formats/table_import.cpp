#include "services/intake/formats/table_import.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "common/config.h"
#include "services/intake/formats/mask.h"

namespace xundian::intake {

namespace {

constexpr size_t header_rows_max = 20;
constexpr uint64_t progress_rows = 4096;

std::vector<std::string_view> views_of(const std::vector<std::string>& cells) { return {cells.begin(), cells.end()}; }

size_t filled(const std::vector<std::string_view>& cells) {
  return static_cast<size_t>(
      std::count_if(cells.begin(), cells.end(), [](std::string_view cell) { return !clean(cell).empty(); }));
}

}  // namespace

TableImport::TableImport(RowReader& reader, std::string name, std::string file_name, const ImportOptions& options,
                         const std::vector<const Mapping*>& candidates, const TableSinks& sinks)
    : reader_(reader),
      name_(std::move(name)),
      file_name_(std::move(file_name)),
      options_(options),
      candidates_(candidates),
      sinks_(sinks) {
  report_.file = name_;
}

TableImport::~TableImport() = default;

Result<FileReport> TableImport::run() {
  TRY_VOID(find_header());
  TRY_VOID(open());
  for (size_t index = header_row_ + 1; index < first_rows_.size(); ++index) {
    Row row;
    row.line = first_rows_[index].line;
    row.fault = first_rows_[index].fault;
    row.cells = views_of(first_rows_[index].cells);
    take(row, false);
  }
  for (Row row; reader_.next(row);) take(row, true);
  TRY_VOID(finish());
  return report_;
}

Result<void> TableImport::find_header() {
  Row row;
  while (first_rows_.size() < header_rows_max && reader_.next(row))
    first_rows_.push_back({row.line, row.fault, {row.cells.begin(), row.cells.end()}});
  Choice best;
  for (size_t index = 0; index < first_rows_.size(); ++index) {
    const auto cells = views_of(first_rows_[index].cells);
    if (filled(cells) < 2) continue;
    const Header header = read_header(cells, {});
    for (const Mapping* mapping : candidates_) offer(*mapping, index, header, best);
  }
  if (best.mapping == nullptr) {
    if (reader_.trouble()) return tl::unexpected<Error>(*reader_.trouble());
    return unknown_header();
  }
  mapping_ = best.mapping;
  header_row_ = best.row;
  return {};
}

// A header fits a mapping if all columns by which the mapping is known are there; the one that knows most of its columns fits
// best.
void TableImport::offer(const Mapping& mapping, size_t row, const Header& header, Choice& best) const {
  const bool chosen = candidates_.size() == 1;  // By the caller: then a few columns may be missing.
  if (!chosen && mapping.detect.empty()) return;
  size_t missing = 0;
  for (const auto& spellings : mapping.detect)
    missing += std::none_of(spellings.begin(), spellings.end(), [&](const std::string& name) { return header.find(name) >= 0; });
  if (missing > 0 && !chosen) return;
  size_t score = 0;
  for (const std::string& name : mapping.known_columns()) score += header.find(name) >= 0;
  if (chosen && score < 2) return;
  if (best.mapping == nullptr || score > best.score) best = {&mapping, row, score};
}

tl::unexpected<Error> TableImport::unknown_header() const {
  const Mapping* nearest_mapping = nullptr;
  std::vector<std::string> nearest_missing;
  double nearest_share = 0;
  for (const KeptRow& row : first_rows_) {
    const Header header = read_header(views_of(row.cells), {});
    for (const Mapping* mapping : candidates_) {
      std::vector<std::string> missing;
      for (size_t index = 0; index < mapping->detect.size(); ++index) {
        const auto& spellings = mapping->detect[index];
        if (std::none_of(spellings.begin(), spellings.end(), [&](const std::string& name) { return header.find(name) >= 0; }))
          missing.push_back(mapping->detect_texts[index]);
      }
      if (mapping->detect.empty()) continue;
      const double share = 1.0 - static_cast<double>(missing.size()) / static_cast<double>(mapping->detect.size());
      if (share <= nearest_share) continue;
      nearest_share = share;
      nearest_mapping = mapping;
      nearest_missing = std::move(missing);
    }
  }
  if (nearest_mapping == nullptr)
    return fail(Code::invalid_argument,
                "{}: no header of a known format stands in the first {} rows; pass --mapping with a mapping of your own (see "
                "deploy/mappings)",
                name_, header_rows_max);
  return fail(
      Code::invalid_argument,
      "{}: the header is that of no known format; the nearest is {}, but for {} missing: {}. Export again with these columns, or "
      "pass --mapping",
      name_, nearest_mapping->format, nearest_missing.size() == 1 ? "a column" : "columns", fmt::join(nearest_missing, ", "));
}

Result<void> TableImport::bind_header(const std::vector<std::string_view>& cells) {
  Header header = read_header(cells, mapping_->personal);
  std::vector<BoundRecord> records;
  for (const RecordMapping& record : mapping_->records) {
    BoundRecord bound = bind(record, header);
    std::vector<Field> needed = required_fields(record.kind);
    if (record.kind != RecordKind::skip)
      for (const std::string& field : mapping_->required) needed.push_back(TRY(find_field(field)));
    for (const Field field : needed) {
      if (bound.states(field)) continue;
      const std::string& spelling = record.first_spelling[static_cast<size_t>(field)];
      return fail(Code::invalid_argument, "{}: the column {} is missing, without which {} says nothing; export again with it",
                  name_, spelling.empty() ? field_name(field) : spelling, mapping_->format);
    }
    records.push_back(std::move(bound));
  }
  header_ = std::move(header);
  records_ = std::move(records);
  known_names_.clear();
  known_names_.insert(header_.texts.begin(), header_.texts.end());
  for (const std::string& name : mapping_->known_columns()) known_names_.insert(name);
  known_names_.erase(std::string());
  const auto find_all = [&](const std::vector<std::string>& names, std::vector<int>& columns) {
    columns.clear();
    for (const std::string& name : names)
      if (const int column = header_.find(name); column >= 0) columns.push_back(column);
  };
  find_all(mapping_->store_columns, store_columns_);
  find_all(mapping_->store_name_columns, store_name_columns_);
  return {};
}

Result<void> TableImport::open() {
  report_.format = mapping_->format;
  report_.complete = mapping_->complete;
  TRY_VOID(bind_header(views_of(first_rows_[header_row_].cells)));
  if (options_.store.empty() && store_columns_.empty() && mapping_->store.empty())
    return fail(Code::invalid_argument, "{}: the file does not say which store it is of; pass --store ID", name_);
  const Zone zone = TRY(Zone::find(mapping_->time_zone));
  times_.emplace(zone, mapping_->date_order, reader_.serial_epoch());
  view_.emplace(*mapping_, header_, *times_);
  frame_.mapping = mapping_;
  frame_.options = &options_;
  frame_.exported_ms = std::max(time_in_name(file_name_, zone).value_or(0), written_export_time(header_row_));
  frame_.say = [this](v1::Fact&& fact) {
    report_.facts += 1;
    sinks_.say(std::move(fact));
  };
  frame_.reject = [this](uint64_t line, std::string column, std::string reason) {
    report_.rejected += 1;
    sinks_.reject({name_, line, std::move(column), std::move(reason), {}});
  };
  for (const RecordMapping& record : mapping_->records)
    if (!books_.contains(record.kind)) books_[record.kind] = make_book(record.kind, frame_);
  return {};
}

// "导出时间：2026-08-11 15:58" above the header.
Millis TableImport::written_export_time(size_t header_row) const {
  TimeParser times = *times_;
  Millis newest = 0;
  for (size_t row = 0; row < header_row; ++row)
    for (size_t index = 0; index < first_rows_[row].cells.size(); ++index) {
      const std::string cell = half_width(first_rows_[row].cells[index]);
      for (const std::string_view mark : {"导出时间", "生成时间", "Exported at", "Export time"}) {
        const size_t at = cell.find(mark);
        if (at == std::string::npos) continue;
        std::string_view rest = std::string_view(cell).substr(at + mark.size());
        if (rest.starts_with(':')) rest.remove_prefix(1);
        if (clean(rest).empty() && index + 1 < first_rows_[row].cells.size()) rest = first_rows_[row].cells[index + 1];
        if (const auto time = times.parse(clean(rest))) newest = std::max(newest, *time);
      }
    }
  return newest;
}

void TableImport::take(Row& row, bool live) {
  if (row.fault.empty() && filled(row.cells) == 0) return;
  report_.rows += 1;
  if (sinks_.progress && report_.rows % progress_rows == 0) sinks_.progress(reader_.bytes_read(), report_.rows);
  if (!row.fault.empty()) return reject_row(row, {}, row.fault, false);
  if (is_header(row)) {
    report_.rows -= 1;
    const auto bound = bind_header(row.cells);
    header_fault_ =
        bound ? std::string() : fmt::format("the header on line {} cannot be used: {}", row.line, bound.error().message);
    return;
  }
  if (!header_fault_.empty()) return reject_row(row, {}, header_fault_, false);
  if (is_total(row)) {
    report_.skipped += 1;
    return;
  }
  if (std::string why = misfit(row); !why.empty()) {
    // Perhaps a stray quote has joined rows that are sound.
    if (live && row.spans_lines) {
      why += "; a quote may stand open on this line";
      reject_row(row, {}, std::move(why), false);
      return reader_.tear();
    }
    return reject_row(row, {}, std::move(why), false);
  }
  import_row(row);
}

// A header in mid-file, as files have that were put together by hand; its columns may stand in another order.
bool TableImport::is_header(const Row& row) const {
  size_t looked = 0;
  bool perhaps = false;
  for (const std::string_view cell : row.cells) {
    const std::string_view text = clean(cell);
    if (text.empty()) continue;
    if (text.size() < 100 && known_names_.contains(std::string(text))) perhaps = true;
    if (perhaps || ++looked == 3) break;
  }
  if (!perhaps) return false;
  size_t known = 0, all = 0;
  for (const std::string_view cell : row.cells) {
    const std::string name = column_name(cell);
    if (name.empty()) continue;
    all += 1;
    known += known_names_.contains(name) || header_.by_name.contains(name);
  }
  return known >= 2 && known * 10 >= all * 6;
}

bool TableImport::is_total(const Row& row) const {
  static constexpr std::string_view words[] = {"总计",   "合计",       "汇总",       "总合计",      "总计:", "合计:", "总计：",
                                               "合计：", "店铺汇总值", "店铺平均值", "Grand Total", "Total", "TOTAL", "Totals"};
  for (const std::string_view cell : row.cells) {
    const std::string_view text = clean(cell);
    if (text.empty()) continue;
    if (text.size() > 30) return false;
    return std::find(std::begin(words), std::end(words), text) != std::end(words) ||
           std::find(mapping_->total_words.begin(), mapping_->total_words.end(), text) != mapping_->total_words.end();
  }
  return false;
}

std::string TableImport::misfit(const Row& row) const {
  const size_t expected = header_.names.size();
  if (row.cells.size() > expected)
    for (size_t index = expected; index < row.cells.size(); ++index)
      if (!clean(row.cells[index]).empty())
        return fmt::format("the row has {} cells, the header {}: a delimiter stands in a text without quotes", row.cells.size(),
                           expected);
  if (row.cells.size() < expected && !reader_.short_rows())
    return fmt::format("the row has {} cells, the header {}: the row is cut off, or a line break stands in a text without quotes",
                       row.cells.size(), expected);
  return {};
}

void TableImport::import_row(const Row& row) {
  view_->look_at(row, &records_.front());
  for (const BoundRecord& record : records_) {
    if (!view_->holds(record)) continue;
    if (record.mapping->kind == RecordKind::skip) break;
    const auto store = store_of();
    if (!store) return reject_row(row, "", store.error().message, true);
    view_->look_at(row, &record);
    const auto added = books_[record.mapping->kind]->add(**store, *view_);
    if (!added) reject_row(row, view_->column_text(), added.error().message, true);
    return;
  }
  report_.skipped += 1;
}

Result<const std::string*> TableImport::store_of() {
  std::string_view id = options_.store;
  for (size_t index = 0; id.empty() && index < store_columns_.size(); ++index) {
    id = view_->cell(store_columns_[index]);
    if (id == "0") id = {};
  }
  if (id.empty()) id = mapping_->store;
  if (id.empty()) return fail(Code::invalid_argument, "the row does not say which store it is of; pass --store ID");
  if (id == store_text_) return &store_;
  store_text_ = id;
  store_ = id.size() > 200 ? id.substr(0, 200) : id;
  if (!stores_.insert(store_).second) return &store_;
  std::string_view name = mapping_->store_name;
  for (size_t index = 0; name.empty() && index < store_name_columns_.size(); ++index)
    name = view_->cell(store_name_columns_[index]);
  v1::Fact fact;
  fact.set_store(store_);
  fact.set_key(store_);
  fact.set_as_of_ms(1);  // What a format takes for granted gives way to anything that anybody says.
  fact.set_source_rank(mapping_->platform == "other" ? 0 : 1);  // And to a format that knows its platform.
  fact.set_source(mapping_->format);
  fact.set_import_id(options_.import_id);
  v1::StoreState& state = *fact.mutable_store_state();
  state.mutable_identity()->set_platform(mapping_->platform);
  state.mutable_identity()->set_name(std::string(name));
  state.mutable_settings()->set_currency_code(mapping_->currency);
  state.mutable_settings()->set_time_zone(mapping_->time_zone);
  frame_.say(std::move(fact));
  return &store_;
}

void TableImport::reject_row(const Row& row, std::string column, const std::string& reason, bool aligned) {
  report_.rejected += 1;
  sinks_.reject({name_, row.line, std::move(column), mask_text(reason), mask_row(row.cells, header_.personal, aligned)});
}

Result<void> TableImport::finish() {
  for (auto& [kind, book] : books_)
    if (book) book->close();
  report_.encoding = reader_.encoding();
  if (reader_.trouble()) {
    const Error& trouble = *reader_.trouble();
    if (trouble.code != Code::data_loss || report_.rows == 0) return tl::unexpected<Error>(trouble);
    report_.rejected += 1;
    sinks_.reject({name_, 0, {}, fmt::format("{}; the {} rows before this place were read", trouble.message, report_.rows), {}});
  }
  if (report_.rows > 0 && report_.facts == 0 && report_.rejected == report_.rows && !store_columns_.empty() && stores_.empty() &&
      options_.store.empty() && mapping_->store.empty())
    return fail(Code::invalid_argument, "{}: no row says which store it is of; pass --store ID", name_);
  if (sinks_.progress) sinks_.progress(reader_.bytes_read(), report_.rows);
  return {};
}

}  // namespace xundian::intake
