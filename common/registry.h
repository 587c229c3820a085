// What a department answers when it is asked which metrics and rules it has.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "common/rules.h"
#include "common/service.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

// A metric's words; what reads its figure comes behind them, in what derives from it.
struct MetricWords {
  std::string_view id, name_zh, name_en, formula;
  std::string_view unit;        // "count", "units", "money", "ratio", "seconds", "days"
  std::string_view dimensions;  // "store,sku"
  std::string_view grain;       // The finest: "hour", "day", "now"
  std::string_view additivity;  // "additive", "distinct", "ratio", "level"
};

template <typename Metrics>
query::v1::GetMetricDefinitionsResponse define(const Metrics& metrics, std::string_view service) {
  query::v1::GetMetricDefinitionsResponse response;
  for (const MetricWords& metric : metrics) {
    query::v1::MetricDefinition& definition = *response.add_definitions();
    definition.set_id(std::string(metric.id));
    definition.set_name_zh(std::string(metric.name_zh));
    definition.set_name_en(std::string(metric.name_en));
    definition.set_formula(std::string(metric.formula));
    definition.set_unit(std::string(metric.unit));
    definition.set_dimensions(std::string(metric.dimensions));
    definition.set_grain(std::string(metric.grain));
    definition.set_additivity(std::string(metric.additivity));
    definition.set_version(1);
    definition.set_service(std::string(service));
  }
  return response;
}

// The rules that ship, and what overrides them in the groups. A rule set is told to every group; what several of them hold is
// listed once.
template <typename State>
query::v1::ListRulesResponse list_rules(std::span<State* const> groups, std::span<const ShippedRule> shipped,
                                        std::string_view service) {
  query::v1::ListRulesResponse response = RuleBook(shipped).list(service);
  std::set<std::string> listed;
  for (const State* group : groups) {
    const query::v1::ListRulesResponse told = group->rules().list(service);
    for (const v1::Rule& rule : told.overrides())
      if (listed.insert(rule.SerializeAsString()).second) *response.add_overrides() = rule;
  }
  return response;
}

// What every department answers: which rules it has, and which metrics. Code::unimplemented for any other method.
template <typename State>
Result<std::string> answer_of_registry(std::span<Fold* const> folds, std::string_view method, std::string_view request,
                                       std::string_view service, std::span<const ShippedRule> shipped,
                                       query::v1::GetMetricDefinitionsResponse (*metric_definitions)()) {
  using namespace query::v1;
  if (method == "ListRules")
    return answer_as<State, ListRulesRequest>(folds, request, [&](auto groups, const auto&) {
      return Result<ListRulesResponse>(list_rules(groups, shipped, service));
    });
  if (method == "GetMetricDefinitions")
    return answer_as<State, GetMetricDefinitionsRequest>(
        folds, request, [&](auto, const auto&) { return Result<GetMetricDefinitionsResponse>(metric_definitions()); });
  return fail(Code::unimplemented, "{} does not answer {}", service, method);
}

}  // namespace xundian
