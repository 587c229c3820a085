// Figures as clients of the gateway see them, and a department's part of an overview, which is written in such.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/version.h"
#include "xundian/gateway/v1/gateway.pb.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

// A figure of an answer as departments add it up: the fields of a query::v1::MetricRow. Its texts are somebody else's.
struct MetricRowView {
  std::string_view store, key, from, metric;
  std::optional<int64_t> numerator, denominator;
  std::string_view unit, currency_code, status;
};

void add_row(const MetricRowView& figure, google::protobuf::RepeatedPtrField<query::v1::MetricRow>& rows);

// Writes a figure's row as clients get it over `row`; of it the value alone.
void show(const query::v1::MetricRow& figure, gateway::v1::MetricRow& row);
void show_value(const query::v1::MetricRow& figure, google::protobuf::Value& value);

// A department's part of an overview, store by store. The gateway joins the parts without reading their rows, and they are asked
// for often: what protobuf would make of each row is written straight away.
class OverviewPart {
 public:
  // A figure of the store at hand, as `show` would show it.
  void add(const MetricRowView& figure);
  // All figures of the store at hand are there; without any it has no part. `as_of_ms`: the newest occurred-at that they rest on.
  void end_store(std::string_view id, Millis as_of_ms);
  query::v1::GetOverviewResponse finish() { return std::move(response_); }

 private:
  query::v1::GetOverviewResponse response_;
  std::string rows_;  // Of the store at hand.
  std::string row_;   // Where one is written.
};

}  // namespace xundian
