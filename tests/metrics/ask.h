// Asks a fold for figures and gives them as text, one row a line; for tests.
#pragma once

#include "services/metrics/state.h"
#include "tests/support/drive.h"

namespace xundian::metrics::tests {

using xundian::tests::Drive;

inline Drive drive() { return Drive(std::make_unique<MetricsFold>()); }

// 2026-11-01T00:00:00Z, a Sunday.
inline constexpr Millis nov1 = 1'793'491'200'000;

struct Ask {
  std::vector<std::string> metrics, stores = {};
  std::string from = "2026-11-01", to = "2026-11-30", grain = "total", by = "";
};

// "store key from metric numerator[/denominator] [currency] status" a row.
inline std::string print(const google::protobuf::RepeatedPtrField<query::v1::MetricRow>& rows) {
  std::string text;
  for (const query::v1::MetricRow& row : rows) {
    std::string words = fmt::format("{} {} {} {} {}", row.store().empty() ? "*" : row.store(),
                                    row.key().empty() ? "*" : row.key(), row.from(), row.metric(), row.numerator());
    if (row.has_denominator()) words += fmt::format("/{}", row.denominator());
    if (!row.currency_code().empty()) words += " " + row.currency_code();
    if (row.status() != "final") words += " " + row.status();
    text += words + "\n";
  }
  return text;
}

inline std::string ask(Drive& drive, const Ask& asked) {
  query::v1::QueryMetricsRequest request;
  for (const std::string& metric : asked.metrics) request.add_metrics(metric);
  for (const std::string& store : asked.stores) request.add_stores(store);
  request.set_from(asked.from);
  request.set_to(asked.to);
  request.set_grain(asked.grain);
  request.set_by(asked.by);
  const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
  if (!bytes) return "error: " + bytes.error().message;
  query::v1::QueryMetricsResponse response;
  EXPECT_TRUE(response.ParseFromString(*bytes));
  return print(response.rows());
}

// A store in Shanghai, in CNY, whose newest day is behind all others, so that they are final.
inline void open_store(Drive& drive, const std::string& id = "s", const std::string& zone = "Asia/Shanghai",
                       const std::string& currency = "CNY") {
  drive.put(nov1, fmt::format(R"(store: "{0}" key: "{0}" as_of_ms: 1 store_state {{ identity {{ platform: "taobao" }}
                              settings {{ currency_code: "{1}" time_zone: "{2}" }} }})",
                              id, currency, zone));
  drive.put(nov1 + 40 * day_ms, fmt::format(R"(store: "{}" key: "none" order_state {{ placed {{ created_ms: 1 }} }})", id));
}

// An order paid at a time, with one line.
inline std::string paid(const std::string& key, Millis at, int64_t buyer, const std::string& sku, int64_t quantity, int64_t yuan,
                        const std::string& store = "s", const std::string& channel = "") {
  return fmt::format(
      R"(store: "{}" key: "{}" as_of_ms: 1000 occurred_ms: {} order_state {{ placed {{ created_ms: {} buyer: {} channel: "{}" }}
                     paid {{ paid_ms: {} }} lines {{ line_id: "1" sku: "{}" quantity: {} amount_micros: {} }} }})",
      store, key, at, at, buyer, channel, at, sku, quantity, yuan * 1'000'000);
}

}  // namespace xundian::metrics::tests
