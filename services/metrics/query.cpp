// What metrics answers: figures by store, key and period, added up from the cells as they stand.
#include <algorithm>
#include <set>

#include "common/overview.h"
#include "common/registry.h"
#include "services/metrics/adder.h"

namespace xundian::metrics {

namespace {

// The stores that are asked for, each with its fold, by their ids.
std::vector<std::pair<const MetricsFold*, const StoreBook*>> stores_of(std::span<MetricsFold* const> folds, const Asked& asked) {
  std::vector<std::pair<const MetricsFold*, const StoreBook*>> stores;
  for (const MetricsFold* fold : folds) {
    if (!asked.stores.empty()) {
      for (const std::string& id : asked.stores)
        if (const StoreBook* book = fold->find_book(id); book != nullptr && !book->info->withdrawn)
          stores.emplace_back(fold, book);
      continue;
    }
    for (const StoreBook* book : fold->books()) stores.emplace_back(fold, book);
  }
  return stores;
}

template <typename Response>
void add_up(std::span<MetricsFold* const> folds, const Asked& asked, Response& response) {
  const auto stores = stores_of(folds, asked);
  Adder adder(asked, stores.size());
  for (size_t i = 0; i < stores.size(); ++i) {
    adder.add_store(*stores[i].first, *stores[i].second);
    if (i + 1 == stores.size() || stores[i + 1].first != stores[i].first) adder.unite_buyers();
  }
  adder.write([&](const MetricRowView& row) { add_row(row, *response.mutable_rows()); });
  response.set_as_of_ms(std::max(response.as_of_ms(), adder.as_of_ms()));
}

std::vector<const Metric*> metrics_of(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  std::map<std::string_view, const Metric*> found;
  for (const std::string& id : ids)
    if (const Metric* metric = find_metric(id)) found.emplace(id, metric);
  std::vector<const Metric*> metrics;
  metrics.reserve(found.size());
  for (const auto& [id, metric] : found) metrics.push_back(metric);
  return metrics;
}

std::vector<std::string> each_once(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  const std::set<std::string> ordered(ids.begin(), ids.end());
  return {ordered.begin(), ordered.end()};
}

Result<Asked> read_request(const query::v1::QueryMetricsRequest& request) {
  Asked asked;
  asked.metrics = metrics_of(request.metrics());
  asked.stores = each_once(request.stores());
  asked.from = TRY(parse_day(request.from()));
  asked.to = request.to().empty() ? asked.from : TRY(parse_day(request.to()));
  const std::map<std::string_view, Grain> grains = {
      {"", Grain::total}, {"total", Grain::total}, {"month", Grain::month}, {"day", Grain::day}, {"hour", Grain::hour}};
  const auto grain = grains.find(request.grain());
  if (grain == grains.end())
    return fail(Code::invalid_argument, "\"{}\" is no grain; use total, month, day or hour", request.grain());
  asked.grain = grain->second;
  const std::map<std::string_view, By> dimensions = {{"", By::nothing},        {"store", By::store},    {"sku", By::sku},
                                                     {"channel", By::channel}, {"campaign", By::other}, {"agent", By::other}};
  const auto by = dimensions.find(request.by());
  if (by == dimensions.end())
    return fail(Code::invalid_argument, "\"{}\" is no dimension; use store, sku, channel, campaign or agent", request.by());
  asked.by = by->second;
  return asked;
}

Result<query::v1::QueryMetricsResponse> query_metrics(std::span<MetricsFold* const> folds,
                                                      const query::v1::QueryMetricsRequest& request) {
  const Asked asked = TRY(read_request(request));
  query::v1::QueryMetricsResponse response;
  // Campaigns and agents are other services' dimensions.
  if (!asked.metrics.empty() && asked.by != By::other) add_up(folds, asked, response);
  return response;
}

Result<query::v1::GetOverviewResponse> get_overview(std::span<MetricsFold* const> folds,
                                                    const query::v1::GetOverviewRequest& request) {
  Asked asked;
  asked.grain = Grain::day;
  asked.by = By::store;
  for (const char* id : {"buyers", "conversion", "net_sales", "order_value", "orders", "paid_amount", "pv", "refund_amount",
                         "spend_per_buyer", "units", "uv"})
    asked.metrics.push_back(find_metric(id));
  asked.stores = each_once(request.stores());
  const std::optional<Day> day = request.day().empty() ? std::nullopt : std::optional<Day>(TRY(parse_day(request.day())));
  auto stores = stores_of(folds, asked);
  std::sort(stores.begin(), stores.end(), [](const auto& a, const auto& b) { return a.second->info->id < b.second->info->id; });
  OverviewPart part;
  for (const auto& [fold, book] : stores) {
    asked.from = asked.to = day.value_or(book->day_of(book->newest_ms));
    Adder adder(asked, 1);
    adder.add_store(*fold, *book);
    adder.unite_buyers();
    adder.write([&](const MetricRowView& row) { part.add(row); });
    part.end_store(book->info->id, adder.as_of_ms());
  }
  return part.finish();
}

Result<query::v1::ListStoresResponse> list_stores(std::span<MetricsFold* const> folds) {
  std::vector<query::v1::Store> stores;
  for (const MetricsFold* fold : folds)
    for (const StoreInfo* info : fold->stores().all()) stores.emplace_back(fold->stores().describe(*info)).set_scope(fold->scope);
  std::sort(stores.begin(), stores.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
  query::v1::ListStoresResponse response;
  for (query::v1::Store& store : stores) *response.add_stores() = std::move(store);
  return response;
}

Result<std::string> answer(std::span<Fold* const> folds, std::string_view method, std::string_view request) {
  using namespace query::v1;
  if (method == "QueryMetrics") return answer_as<MetricsFold, QueryMetricsRequest>(folds, request, query_metrics);
  if (method == "GetOverview") return answer_as<MetricsFold, GetOverviewRequest>(folds, request, get_overview);
  if (method == "ListStores")
    return answer_as<MetricsFold, ListStoresRequest>(folds, request,
                                                     [](auto concrete, const auto&) { return list_stores(concrete); });
  return answer_of_registry<MetricsFold>(folds, method, request, "metrics", shipped_rules(), metric_definitions);
}

}  // namespace

ServiceDefinition definition() {
  ServiceDefinition definition;
  definition.name = "metrics";
  definition.kinds = {v1::Fact::kStoreState,    v1::Fact::kOrderState,    v1::Fact::kRefundState,
                      v1::Fact::kTrafficReport, v1::Fact::kProductReport, v1::Fact::kRuleSet};
  definition.shape = state_shape;
  definition.make_fold = [] { return std::make_unique<MetricsFold>(); };
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::metrics
