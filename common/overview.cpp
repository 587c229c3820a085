#include "common/overview.h"

#include <algorithm>

#include "common/bytes.h"
#include "common/fact_view.h"
#include "common/money.h"

namespace xundian {

namespace {

using google::protobuf::Value;
using Shown = gateway::v1::MetricRow;

// Micros shared out, rounded half away from zero.
int64_t shared_out(int64_t micros, int64_t among) {
  __extension__ typedef __int128 Wide;
  const Wide doubled = Wide{micros} * 2 / among;
  return static_cast<int64_t>((doubled + (doubled < 0 ? -1 : 1)) / 2);
}

// A figure's value: nothing is known, a number, or money.
struct Shows {
  enum { nothing, number, money } what = nothing;
  double number_value = 0;
  std::string money_value;
};

Shows value_of(std::optional<int64_t> numerator, std::optional<int64_t> denominator, bool is_money) {
  if (!numerator || denominator == 0) return {};
  if (is_money) return {Shows::money, 0, format_micros(denominator ? shared_out(*numerator, *denominator) : *numerator, 2)};
  const auto upper = static_cast<double>(*numerator);
  return {Shows::number, denominator ? upper / static_cast<double>(*denominator) : upper, {}};
}

// Fields as protobuf writes them, from `at` on; what is behind them is returned.
char* put_bytes(char* at, uint32_t field, std::string_view bytes) {
  at = put_varint(put_varint(at, bytes_tag(field)), bytes.size());
  return at + bytes.copy(at, bytes.size());
}

// What is empty is left out.
char* put_text(char* at, uint32_t field, std::string_view text) { return text.empty() ? at : put_bytes(at, field, text); }

char* put_number(char* at, uint32_t field, std::optional<int64_t> number) {
  if (!number) return at;
  return put_varint(put_varint(at, varint_tag(field)), static_cast<uint64_t>(*number));
}

constexpr size_t value_bytes_max = 64;                    // An amount in micros has 21 letters at most.
constexpr size_t field_bytes_max = 2 * varint_bytes_max;  // Of a tag and what is no text.
constexpr size_t fields_of_row = 10;

char* put_value(char* at, const Shows& shows) {
  if (shows.what == Shows::money) return put_bytes(at, Value::kStringValueFieldNumber, shows.money_value);
  if (shows.what == Shows::nothing) return put_number(at, Value::kNullValueFieldNumber, google::protobuf::NULL_VALUE);
  at = put_varint(at, fixed64_tag(Value::kNumberValueFieldNumber));
  store(at, shows.number_value);
  return at + sizeof shows.number_value;
}

}  // namespace

void add_row(const MetricRowView& figure, google::protobuf::RepeatedPtrField<query::v1::MetricRow>& rows) {
  const auto set = [](std::string& to, std::string_view text) { to.assign(text); };
  query::v1::MetricRow& row = *rows.Add();
  set(*row.mutable_store(), figure.store);
  set(*row.mutable_key(), figure.key);
  set(*row.mutable_from(), figure.from);
  set(*row.mutable_metric(), figure.metric);
  if (figure.numerator) row.set_numerator(*figure.numerator);
  if (figure.denominator) row.set_denominator(*figure.denominator);
  set(*row.mutable_unit(), figure.unit);
  set(*row.mutable_currency_code(), figure.currency_code);
  set(*row.mutable_status(), figure.status);
}

void show_value(const query::v1::MetricRow& figure, Value& value) {
  Shows shows = value_of(figure.has_numerator() ? std::optional(figure.numerator()) : std::nullopt,
                         figure.has_denominator() ? std::optional(figure.denominator()) : std::nullopt, figure.unit() == "money");
  if (shows.what == Shows::nothing)
    value.set_null_value(google::protobuf::NULL_VALUE);
  else if (shows.what == Shows::number)
    value.set_number_value(shows.number_value);
  else
    value.set_string_value(std::move(shows.money_value));
}

void show(const query::v1::MetricRow& figure, Shown& row) {
  row.set_store(figure.store());
  row.set_key(figure.key());
  row.set_from(figure.from());
  row.set_metric(figure.metric());
  show_value(figure, *row.mutable_value());
  if (figure.has_numerator()) row.set_numerator(figure.numerator());
  if (figure.has_denominator()) row.set_denominator(figure.denominator());
  row.set_unit(figure.unit());
  row.set_currency(figure.currency_code());
  row.set_status(figure.status());
}

void OverviewPart::add(const MetricRowView& figure) {
  const size_t texts = figure.store.size() + figure.key.size() + figure.from.size() + figure.metric.size() + figure.unit.size() +
                       figure.currency_code.size() + figure.status.size();
  row_.resize(std::max(row_.size(), fields_of_row * field_bytes_max + texts + value_bytes_max));
  char value[value_bytes_max];
  const char* const value_end = put_value(value, value_of(figure.numerator, figure.denominator, figure.unit == "money"));
  char* at = row_.data();
  at = put_text(at, Shown::kStoreFieldNumber, figure.store);
  at = put_text(at, Shown::kKeyFieldNumber, figure.key);
  at = put_text(at, Shown::kFromFieldNumber, figure.from);
  at = put_text(at, Shown::kMetricFieldNumber, figure.metric);
  at = put_bytes(at, Shown::kValueFieldNumber, {value, value_end});
  at = put_number(at, Shown::kNumeratorFieldNumber, figure.numerator);
  at = put_number(at, Shown::kDenominatorFieldNumber, figure.denominator);
  at = put_text(at, Shown::kUnitFieldNumber, figure.unit);
  at = put_text(at, Shown::kCurrencyFieldNumber, figure.currency_code);
  at = put_text(at, Shown::kStatusFieldNumber, figure.status);
  const std::string_view row(row_.data(), at);
  char head[field_bytes_max];
  char* const head_end = put_varint(put_varint(head, bytes_tag(gateway::v1::GetOverviewResponse::kRowsFieldNumber)), row.size());
  rows_.append(head, head_end).append(row);
}

void OverviewPart::end_store(std::string_view id, Millis as_of_ms) {
  response_.set_as_of_ms(std::max(response_.as_of_ms(), as_of_ms));
  if (rows_.empty()) return;
  query::v1::StoreOverview& store = *response_.add_stores();
  store.set_store(std::string(id));
  store.set_rows(rows_);
  rows_.clear();
}

}  // namespace xundian
