// Calls that read what services know.
#include <algorithm>
#include <map>
#include <optional>

#include "common/config.h"
#include "common/overview.h"
#include "common/time.h"
#include "services/gateway/api.h"

namespace xundian::gateway {

namespace {

bool one_of(const std::string& value, std::initializer_list<const char*> allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const char* name) { return value == name; });
}

Result<void> check(const v1::QueryMetricsRequest& request) {
  if (request.metrics().empty()) return fail(Code::invalid_argument, "no metric is named; GetMetricDefinitions lists them");
  const Day from = TRY(parse_day(request.from())), to = TRY(parse_day(request.to()));
  if (from > to) return fail(Code::invalid_argument, "from {} lies behind to {}", request.from(), request.to());
  if (!one_of(request.grain(), {"", "total", "month", "day", "hour"}))
    return fail(Code::invalid_argument, "the grain \"{}\" is none of total, month, day, hour", request.grain());
  if (!one_of(request.by(), {"", "store", "sku", "channel", "campaign", "agent"}))
    return fail(Code::invalid_argument, "by \"{}\" is none of store, sku, channel, campaign, agent", request.by());
  return {};
}

// The stores whose alerts a call is told, "" being that of what concerns a whole group; nothing = all there are. An empty list
// is: none.
std::optional<std::vector<std::string>> stores_of_alerts(const Call& call, const std::string& named) {
  std::vector<std::string> seen;
  if (!named.empty()) {
    if (call.sees(named)) seen.push_back(named);
    return seen;
  }
  if (!call.principal->all_stores) return std::vector<std::string>(call.principal->stores.begin(), call.principal->stores.end());
  if (call.principal->tenant == "*") return std::nullopt;
  seen.emplace_back();  // What concerns a whole group.
  for (const auto& [id, store] : call.directory->stores)
    if (call.sees(id)) seen.push_back(id);
  return seen;
}

}  // namespace

Result<v1::ListStoresResponse> Api::list_stores(const Call& call, const v1::ListStoresRequest& request) {
  v1::ListStoresResponse response;
  query::v1::ListStoresResponse told;
  TRY_VOID(services_.ask_all<query::v1::ListStoresResponse>(
      {"metrics"}, "ListStores", query::v1::ListStoresRequest(), response.mutable_missing(),
      [&](const std::string&, query::v1::ListStoresResponse& answer) { told = std::move(answer); }));
  for (query::v1::Store& store : *told.mutable_stores())
    if (call.sees(store.id()) && call.sees_scope(store.scope())) *response.add_stores() = std::move(store);
  TRY_VOID(
      page(*response.mutable_stores(), request.page_size(), 10'000, request.page_token(), response.mutable_next_page_token()));
  return response;
}

Result<Serialized<v1::GetOverviewResponse>> Api::get_overview(const Call& call, const v1::GetOverviewRequest& request) {
  if (!request.day().empty()) TRY(parse_day(request.day()));
  const auto stores = call.stores_asked(request.stores());
  if (stores && stores->empty()) return Serialized<v1::GetOverviewResponse>();
  query::v1::GetOverviewRequest question;
  if (stores) question.mutable_stores()->Add(stores->begin(), stores->end());
  question.set_day(request.day());
  std::vector<std::string> asked = departments(call);
  if (call.principal->may_see_department("alerts")) asked.push_back("alerts");
  v1::GetOverviewResponse response;  // All but the rows.
  std::vector<query::v1::StoreOverview> parts;
  std::optional<std::map<int, uint32_t>> firing;  // By severity, if alerts told.
  Millis as_of_ms = 0;
  TRY_VOID(
      services_.ask_all<query::v1::GetOverviewResponse>(asked, "GetOverview", question, response.mutable_missing(),
                                                        [&](const std::string& service, query::v1::GetOverviewResponse& told) {
                                                          as_of_ms = std::max(as_of_ms, told.as_of_ms());
                                                          for (query::v1::StoreOverview& part : *told.mutable_stores())
                                                            parts.push_back(std::move(part));
                                                          if (service != "alerts") return;
                                                          firing.emplace();
                                                          for (const query::v1::FiringCount& count : told.firing())
                                                            (*firing)[count.severity()] = count.count();
                                                        }));
  if (as_of_ms != 0) *response.mutable_as_of() = timestamp(as_of_ms);
  for (int severity = facts::v1::SEVERITY_CRITICAL; firing && severity >= facts::v1::SEVERITY_INFO; --severity) {
    v1::SeverityCount& count = *response.add_alerts();
    count.set_severity(severity_name(static_cast<facts::v1::Severity>(severity)));
    count.set_firing((*firing)[severity]);
  }
  // By store; within one the departments' own order, which is that of importance.
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.store() < b.store(); });
  Serialized<v1::GetOverviewResponse> whole{response.SerializeAsString()};
  size_t bytes = whole.bytes.size();
  for (const query::v1::StoreOverview& part : parts) bytes += part.rows().size();
  whole.bytes.reserve(bytes);
  for (const query::v1::StoreOverview& part : parts) whole.bytes += part.rows();
  return whole;
}

Result<v1::QueryMetricsResponse> Api::query_metrics(const Call& call, const v1::QueryMetricsRequest& request) {
  TRY_VOID(check(request));
  const auto known = registry();
  for (const std::string& metric : request.metrics()) {
    if (known->by_id.contains(metric) || !known->complete) continue;
    std::vector<std::string> names;
    for (const auto& [id, definition] : known->by_id) names.push_back(id);
    const std::string like = nearest(metric, names);
    return fail(Code::invalid_argument, "there is no metric \"{}\"{}", metric,
                like.empty() ? "" : "; did you mean \"" + like + "\"?");
  }
  v1::QueryMetricsResponse response;
  const auto stores = call.stores_asked(request.stores());
  if (stores && stores->empty()) return response;
  query::v1::QueryMetricsRequest question;
  *question.mutable_metrics() = request.metrics();
  if (stores) question.mutable_stores()->Add(stores->begin(), stores->end());
  question.set_from(request.from());
  question.set_to(request.to());
  question.set_grain(request.grain().empty() ? "total" : request.grain());
  question.set_by(request.by());
  auto [rows, as_of_ms] = TRY(figures(call, question, response.mutable_missing()));
  TRY_VOID(page(rows, request.page_size(), 10'000, request.page_token(), response.mutable_next_page_token()));
  for (const query::v1::MetricRow& row : rows) show(row, *response.add_rows());
  if (as_of_ms != 0) *response.mutable_as_of() = timestamp(as_of_ms);
  return response;
}

Result<v1::GetMetricDefinitionsResponse> Api::get_metric_definitions(const Call& call, const v1::GetMetricDefinitionsRequest&) {
  v1::GetMetricDefinitionsResponse response;
  std::map<std::string, query::v1::MetricDefinition> by_id;
  TRY_VOID(services_.ask_all<query::v1::GetMetricDefinitionsResponse>(
      departments(call), "GetMetricDefinitions", query::v1::GetMetricDefinitionsRequest(), response.mutable_missing(),
      [&](const std::string& service, query::v1::GetMetricDefinitionsResponse& told) {
        for (query::v1::MetricDefinition& definition : *told.mutable_definitions()) {
          if (definition.service().empty()) definition.set_service(service);
          by_id[definition.id()] = std::move(definition);
        }
      }));
  for (auto& [id, definition] : by_id) *response.add_definitions() = std::move(definition);
  return response;
}

Result<v1::ListAlertsResponse> Api::list_alerts(const Call& call, const v1::ListAlertsRequest& request) {
  if (!one_of(request.state(), {"", "pending", "firing", "resolved"}))
    return fail(Code::invalid_argument, "the state \"{}\" is none of pending, firing, resolved", request.state());
  v1::ListAlertsResponse response;
  if (!call.principal->may_see_department("alerts")) return response;
  const Page asked = TRY(page_asked(request.page_size(), 1'000, request.page_token()));
  const auto stores = stores_of_alerts(call, request.store());
  if (stores && stores->empty()) return response;
  query::v1::ListAlertsRequest question;
  if (stores) question.mutable_stores()->Add(stores->begin(), stores->end());
  question.set_state(request.state());
  if (!request.alert().empty()) question.set_alert(request.alert());
  // Alerts tells a large page in parts.
  bool more = false;
  do {
    more = false;
    question.set_skip(static_cast<uint64_t>(asked.from + response.alerts_size()));
    question.set_limit(static_cast<uint32_t>(asked.size - response.alerts_size()));
    TRY_VOID(services_.ask_all<query::v1::ListAlertsResponse>({"alerts"}, "ListAlerts", question, response.mutable_missing(),
                                                              [&](const std::string&, const query::v1::ListAlertsResponse& told) {
                                                                for (const query::v1::Alert& alert : told.alerts())
                                                                  if (call.sees(alert.store()))  // Whoever answered.
                                                                    *response.add_alerts() = shown(alert);
                                                                more = told.more();
                                                              }));
  } while (more && response.alerts_size() < asked.size);
  if (more) response.set_next_page_token(std::to_string(asked.from + response.alerts_size()));
  return response;
}

Result<v1::ListSubscribersResponse> Api::list_subscribers(const Call& call, const v1::ListSubscribersRequest& request) {
  v1::ListSubscribersResponse response;
  TRY_VOID(config_view_.refresh(call.left_ms(deadline_max_ms)));
  for (v1::Subscriber& subscriber : config_view_.subscribers(call)) *response.add_subscribers() = std::move(subscriber);
  TRY_VOID(page(*response.mutable_subscribers(), request.page_size(), 1'000, request.page_token(),
                response.mutable_next_page_token()));
  return response;
}

Result<v1::ListRulesResponse> Api::list_rules(const Call& call, const v1::ListRulesRequest& request) {
  v1::ListRulesResponse response;
  std::map<std::string, query::v1::ShippedRule> by_id;
  std::map<std::string, facts::v1::Rule> overrides;  // Every service tells all of them.
  TRY_VOID(services_.ask_all<query::v1::ListRulesResponse>(departments(call), "ListRules", query::v1::ListRulesRequest(),
                                                           response.mutable_missing(),
                                                           [&](const std::string& service, query::v1::ListRulesResponse& told) {
                                                             for (query::v1::ShippedRule& rule : *told.mutable_rules()) {
                                                               if (rule.service().empty()) rule.set_service(service);
                                                               by_id[rule.rule().id()] = std::move(rule);
                                                             }
                                                             for (const facts::v1::Rule& rule : told.overrides())
                                                               if (rule.store().empty() || call.sees(rule.store()))
                                                                 overrides[rule.SerializeAsString()] = rule;
                                                           }));
  for (auto& [id, rule] : by_id) *response.add_rules() = std::move(rule);
  if (request.page_token().empty())
    for (auto& [bytes, rule] : overrides) *response.add_overrides() = std::move(rule);
  TRY_VOID(
      page(*response.mutable_rules(), request.page_size(), 10'000, request.page_token(), response.mutable_next_page_token()));
  return response;
}

}  // namespace xundian::gateway
