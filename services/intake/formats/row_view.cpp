#include "services/intake/formats/row_view.h"

#include <algorithm>

#include "common/hash.h"
#include "services/intake/formats/mask.h"

namespace xundian::intake {

int Header::find(const std::string& name) const {
  const auto found = by_name.find(name);
  if (found != by_name.end()) return found->second;
  for (size_t index = 0; index < names.size(); ++index)
    if (bare_name(names[index]) == name) return static_cast<int>(index);
  return -1;
}

Header read_header(const std::vector<std::string_view>& cells, const std::vector<std::string>& personal) {
  Header header;
  for (const std::string_view cell : cells) {
    header.texts.emplace_back(clean(cell));
    header.names.push_back(column_name(cell));
    const std::string& name = header.names.back();
    header.personal.push_back(is_personal_column(name) || std::find(personal.begin(), personal.end(), name) != personal.end());
    if (!name.empty()) header.by_name.emplace(name, static_cast<int>(header.names.size()) - 1);
  }
  while (!header.names.empty() && header.names.back().empty()) {  // A comma at the end of the header names no column.
    header.names.pop_back();
    header.texts.pop_back();
    header.personal.pop_back();
  }
  return header;
}

BoundRecord bind(const RecordMapping& mapping, const Header& header) {
  BoundRecord bound;
  bound.mapping = &mapping;
  for (const Condition& condition : mapping.when) bound.conditions.push_back({&condition, header.find(condition.column)});
  for (size_t field = 0; field < field_count; ++field)
    for (const Columns& alternative : mapping.columns[field]) {
      std::vector<int> columns;
      for (const std::string& name : alternative)
        if (const int column = header.find(name); column >= 0) columns.push_back(column);
      if (!columns.empty()) bound.columns[field].push_back(std::move(columns));
    }
  for (const std::string& name : mapping.line_hash)
    if (const int column = header.find(name); column >= 0) bound.line_hash.push_back(column);
  if (bound.line_hash.empty()) {
    // By name, so that a file with its columns in another order says the same.
    std::vector<std::pair<std::string, int>> all(header.by_name.begin(), header.by_name.end());
    std::sort(all.begin(), all.end());
    for (const auto& [name, column] : all) bound.line_hash.push_back(column);
  }
  return bound;
}

std::string_view RowView::cell(int column) const {
  if (column < 0 || static_cast<size_t>(column) >= row_->cells.size()) return {};
  const std::string_view text = clean(row_->cells[static_cast<size_t>(column)]);
  if (is_nothing(text)) return {};
  for (const std::string& null : mapping_.nulls)
    if (text == null) return {};
  return text;
}

bool RowView::holds(const BoundRecord& record) const {
  for (const auto& [condition, column] : record.conditions) {
    const std::string_view text = cell(column);
    bool holds = false;
    switch (condition->test) {
      case Condition::Test::starts:
        holds = text.starts_with(condition->values[0]);
        break;
      case Condition::Test::contains:
        holds = text.find(condition->values[0]) != std::string_view::npos;
        break;
      case Condition::Test::is:
      case Condition::Test::in:
        holds = std::find(condition->values.begin(), condition->values.end(), text) != condition->values.end();
        break;
      case Condition::Test::below:
      case Condition::Test::above: {
        const auto number = parse_money(text);
        holds = number && (condition->test == Condition::Test::below ? *number < condition->micros : *number > condition->micros);
        break;
      }
      case Condition::Test::empty:
        holds = text.empty();
        break;
      case Condition::Test::filled:
        holds = !text.empty();
        break;
    }
    if (holds == condition->negated) return false;
  }
  return true;
}

std::string_view RowView::text(Field field, size_t* which) {
  const auto& alternatives = record_->columns[static_cast<size_t>(field)];
  for (size_t index = 0; index < alternatives.size(); ++index) {
    column_ = alternatives[index].front();
    const std::string_view text = cell(column_);
    if (text.empty()) continue;
    if (which != nullptr) *which = index;
    return text;
  }
  return record_->mapping->values[static_cast<size_t>(field)];
}

std::string RowView::joined(Field field) {
  const auto& alternatives = record_->columns[static_cast<size_t>(field)];
  if (alternatives.empty()) return record_->mapping->values[static_cast<size_t>(field)];
  std::string all;
  for (const int column : alternatives.front()) {
    const std::string_view part = cell(column);
    if (part.empty()) continue;
    if (!all.empty()) all += '/';
    all += part;
  }
  return all;
}

Result<std::string_view> RowView::id(Field field, std::string_view what, size_t* which) {
  return parse_id(text(field, which), what);
}

template <typename Parse>
Result<std::optional<int64_t>> RowView::number(Field field, Parse parse) {
  const auto index = static_cast<size_t>(field);
  for (const std::vector<int>& columns : record_->columns[index]) {
    std::optional<int64_t> sum;
    for (const int column : columns) {
      column_ = column;
      const std::string_view text = cell(column);
      if (text.empty()) continue;
      const int64_t value = TRY(parse(text, column));
      int64_t total = 0;
      if (__builtin_add_overflow(sum.value_or(0), value, &total)) return fail(Code::out_of_range, "\"{}\" is too large", text);
      sum = total;
    }
    if (sum) return sum;
  }
  const std::string& constant = record_->mapping->values[index];
  if (constant.empty()) return std::nullopt;
  return std::optional<int64_t>(TRY(parse(constant, -1)));
}

Result<std::optional<int64_t>> RowView::money(Field field) {
  const int64_t unit = record_->mapping->units[static_cast<size_t>(field)];
  return number(field, [&](std::string_view text, int column) {
    return parse_money(text, unit != 0    ? unit
                             : column < 0 ? 1'000'000
                                          : micros_of_unit(header_.names[static_cast<size_t>(column)]));
  });
}

Result<std::optional<int64_t>> RowView::count(Field field) {
  return number(field, [](std::string_view text, int) { return parse_count(text); });
}

Result<std::optional<int64_t>> RowView::duration(Field field) {
  return number(field, [](std::string_view text, int) { return parse_duration(text); });
}

Result<std::optional<int64_t>> RowView::ratio(Field field) {
  return number(field, [](std::string_view text, int) { return parse_ratio(text); });
}

Result<Millis> RowView::time(Field field) {
  const std::string_view said = text(field);
  if (said.empty()) return 0;
  return times_.parse(said);
}

uint64_t RowView::content_hash() {
  scratch_.clear();
  for (const int column : record_->line_hash) {
    if (static_cast<size_t>(column) < row_->cells.size()) scratch_ += clean(row_->cells[static_cast<size_t>(column)]);
    scratch_ += '\x1f';
  }
  return hash64(scratch_);
}

std::string RowView::column_text() const {
  return column_ >= 0 && static_cast<size_t>(column_) < header_.texts.size() ? header_.texts[static_cast<size_t>(column_)]
                                                                             : std::string();
}

}  // namespace xundian::intake
