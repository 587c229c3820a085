#include "common/overview.h"

#include <algorithm>

#include "common/money.h"

namespace xundian {

namespace {

// Micros shared out, rounded half away from zero.
int64_t shared_out(int64_t micros, int64_t among) {
  __extension__ typedef __int128 Wide;
  const Wide doubled = Wide{micros} * 2 / among;
  return static_cast<int64_t>((doubled + (doubled < 0 ? -1 : 1)) / 2);
}

}  // namespace

void show_value(const query::v1::MetricRow& figure, google::protobuf::Value& value) {
  if (!figure.has_numerator() || (figure.has_denominator() && figure.denominator() == 0))
    value.set_null_value(google::protobuf::NULL_VALUE);
  else if (figure.unit() == "money")
    value.set_string_value(
        format_micros(figure.has_denominator() ? shared_out(figure.numerator(), figure.denominator()) : figure.numerator(), 2));
  else if (!figure.has_denominator())
    value.set_number_value(static_cast<double>(figure.numerator()));
  else
    value.set_number_value(static_cast<double>(figure.numerator()) / static_cast<double>(figure.denominator()));
}

void show(const query::v1::MetricRow& figure, gateway::v1::MetricRow& row) {
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

void OverviewPart::end_store(const std::string& id, Millis as_of_ms) {
  response_.set_as_of_ms(std::max(response_.as_of_ms(), as_of_ms));
  if (figures_.empty()) return;
  for (const query::v1::MetricRow& figure : figures_) show(figure, *rows_.add_rows());
  query::v1::StoreOverview& store = *response_.add_stores();
  store.set_store(id);
  rows_.AppendToString(store.mutable_rows());
  rows_.Clear();
  figures_.Clear();
}

}  // namespace xundian
