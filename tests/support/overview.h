// Asks for an overview, and for the same figures as any others; for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "common/overview.h"
#include "common/service.h"

namespace xundian::tests {

// "store day metric value unit currency status" a row, as clients see them.
inline std::string text_of(const google::protobuf::RepeatedPtrField<gateway::v1::MetricRow>& rows) {
  std::string text;
  for (const gateway::v1::MetricRow& row : rows) {
    const google::protobuf::Value& value = row.value();
    text += fmt::format("{} {} {} {} {} {} {}\n", row.store(), row.from(), row.metric(),
                        value.has_string_value()   ? "\"" + value.string_value() + "\""
                        : value.has_number_value() ? fmt::format("{}", value.number_value())
                                                   : "null",
                        row.unit(), row.currency(), row.status());
  }
  return text;
}

inline query::v1::GetOverviewResponse ask_overview(const ServiceDefinition& service, std::span<Fold* const> folds,
                                                   const query::v1::GetOverviewRequest& request = {}) {
  const auto bytes = service.answer(folds, "GetOverview", request.SerializeAsString());
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  query::v1::GetOverviewResponse response;
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
  return response;
}

// All rows, each under the store that its part names.
inline gateway::v1::GetOverviewResponse rows_of(const query::v1::GetOverviewResponse& response) {
  gateway::v1::GetOverviewResponse all;
  for (const query::v1::StoreOverview& store : response.stores()) {
    gateway::v1::GetOverviewResponse part;
    EXPECT_TRUE(part.ParseFromString(store.rows()));
    EXPECT_FALSE(part.rows().empty());
    for (const gateway::v1::MetricRow& row : part.rows()) EXPECT_EQ(row.store(), store.store());
    all.MergeFrom(part);
  }
  return all;
}

inline std::string overview(const ServiceDefinition& service, std::span<Fold* const> folds,
                            const query::v1::GetOverviewRequest& request = {}) {
  return text_of(rows_of(ask_overview(service, folds, request)).rows());
}

// What QueryMetrics says of a store's days.
inline std::string queried(const ServiceDefinition& service, std::span<Fold* const> folds,
                           std::initializer_list<const char*> metrics, const std::string& store, const std::string& day,
                           const std::string& last_day = {}) {
  query::v1::QueryMetricsRequest request;
  for (const char* metric : metrics) request.add_metrics(metric);
  request.add_stores(store);
  request.set_from(day);
  request.set_to(last_day.empty() ? day : last_day);
  request.set_grain("day");
  request.set_by("store");
  const auto bytes = service.answer(folds, "QueryMetrics", request.SerializeAsString());
  query::v1::QueryMetricsResponse response;
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
  gateway::v1::GetOverviewResponse shown;
  for (const query::v1::MetricRow& row : response.rows()) show(row, *shown.add_rows());
  return text_of(shown.rows());
}

}  // namespace xundian::tests
