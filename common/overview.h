// Figures as clients of the gateway see them, and a department's part of an overview, which is written in such.
#pragma once

#include <string>
#include <utility>

#include "common/version.h"
#include "xundian/gateway/v1/gateway.pb.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

// Writes a figure's row as clients get it over `row`; of it the value alone.
void show(const query::v1::MetricRow& figure, gateway::v1::MetricRow& row);
void show_value(const query::v1::MetricRow& figure, google::protobuf::Value& value);

// A department's part of an overview, store by store. The gateway joins the parts without reading their rows.
class OverviewPart {
 public:
  // Where the figures of the store at hand go.
  google::protobuf::RepeatedPtrField<query::v1::MetricRow>& figures() { return figures_; }
  // All figures of the store at hand are there. `as_of_ms`: the newest occurred-at that they rest on.
  void end_store(const std::string& id, Millis as_of_ms);
  query::v1::GetOverviewResponse finish() { return std::move(response_); }

 private:
  query::v1::GetOverviewResponse response_;
  // Kept between stores to save allocations.
  google::protobuf::RepeatedPtrField<query::v1::MetricRow> figures_;
  gateway::v1::GetOverviewResponse rows_;
};

}  // namespace xundian
