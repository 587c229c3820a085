// What the calls have in common: which stores and metrics there are, what time it is, and putting facts.
#include "services/gateway/api.h"

#include <algorithm>

#include "common/clock.h"
#include "common/log.h"

namespace xundian::gateway {

namespace {

constexpr Millis directory_age_ms = 1'000;
constexpr Millis registry_retry_ms = 1'000;
constexpr Millis registry_age_ms = 60'000;
constexpr uint32_t stated_source_rank = 255;  // A person's own word outranks every export.
const std::vector<std::string> all_departments = {"metrics", "campaigns", "inventory", "support"};

}  // namespace

Api::Api(const Settings& settings, const Home& home)
    : settings_(settings),
      home_(home),
      services_(home, settings.service_timeout_ms),
      tail_(home),
      config_view_(tail_),
      started_ms_(wall_ms()),
      directory_(std::make_shared<StoreDirectory>()),
      registry_(std::make_shared<Registry>()) {}

Api::~Api() = default;

void Api::stop() {
  stopping_ = true;
  tail_.stop();
}

std::shared_ptr<const StoreDirectory> Api::directory() {
  {
    const std::lock_guard lock(directory_mutex_);
    if (directory_read_ms_ != 0 && steady_ms() - directory_read_ms_ < directory_age_ms) return directory_;
  }
  // Several may ask at once; each answer is as good as the other's.
  const auto told = services_.ask_as<query::v1::ListStoresResponse>("metrics", "ListStores", query::v1::ListStoresRequest());
  const std::lock_guard lock(directory_mutex_);
  directory_read_ms_ = steady_ms();
  if (!told) return directory_;
  auto read = std::make_shared<StoreDirectory>();
  read->known = true;
  for (const query::v1::Store& store : told->stores()) read->stores[store.id()] = store;
  directory_ = read;
  return directory_;
}

std::shared_ptr<const StoreDirectory> Api::directory_at_hand() {
  const std::lock_guard lock(directory_mutex_);
  return directory_;
}

std::vector<std::string> Api::departments(const Call& call) const {
  std::vector<std::string> seen;
  for (const std::string& department : all_departments)
    if (call.principal->may_see_department(department)) seen.push_back(department);
  return seen;
}

std::shared_ptr<const Api::Registry> Api::registry() {
  {
    const std::lock_guard lock(registry_mutex_);
    const Millis age = steady_ms() - registry_read_ms_;
    if (registry_read_ms_ != 0 && age < (registry_->complete ? registry_age_ms : registry_retry_ms)) return registry_;
  }
  Missing missing;
  auto read = std::make_shared<Registry>();
  const auto asked = services_.ask_all<query::v1::GetMetricDefinitionsResponse>(
      all_departments, "GetMetricDefinitions", query::v1::GetMetricDefinitionsRequest(), &missing,
      [&](const std::string& service, const query::v1::GetMetricDefinitionsResponse& told) {
        for (query::v1::MetricDefinition definition : told.definitions()) {
          if (definition.service().empty()) definition.set_service(service);
          read->by_id[definition.id()] = std::move(definition);
        }
      });
  const std::lock_guard lock(registry_mutex_);
  registry_read_ms_ = steady_ms();
  // A department that is silent now is still known by what it told before.
  read->complete = (asked && missing.empty()) || registry_->complete;
  for (const auto& [id, definition] : registry_->by_id) read->by_id.emplace(id, definition);
  registry_ = read;
  return registry_;
}

Result<Api::Figures> Api::figures(const Call& call, const query::v1::QueryMetricsRequest& request, Missing* missing) {
  const auto known = registry();
  std::set<std::string> owners;
  bool all_known = true;
  for (const std::string& metric : request.metrics()) {
    const auto found = known->by_id.find(metric);
    if (found == known->by_id.end())
      all_known = false;
    else
      owners.insert(found->second.service());
  }
  std::vector<std::string> asked;
  for (const std::string& department : departments(call))
    if (!all_known || owners.contains(department)) asked.push_back(department);
  Figures figures;
  TRY_VOID(services_.ask_all<query::v1::QueryMetricsResponse>(asked, "QueryMetrics", request, missing,
                                                              [&](const std::string&, query::v1::QueryMetricsResponse& told) {
                                                                figures.as_of_ms = std::max(figures.as_of_ms, told.as_of_ms());
                                                                for (query::v1::MetricRow& row : *told.mutable_rows())
                                                                  figures.rows.push_back(std::move(row));
                                                              }));
  std::stable_sort(figures.rows.begin(), figures.rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.store(), a.key(), a.from(), a.metric(), a.currency_code()) <
           std::tie(b.store(), b.key(), b.from(), b.metric(), b.currency_code());
  });
  return figures;
}

Result<Millis> Api::home_time() {
  if (home_.settings().clock == Clock::wall) return wall_ms();
  // Under the facts' clock "now" is where the folds have come to: a wall time would drag it years ahead.
  const auto status = services_.ask_as<query::v1::GetStatusResponse>("alerts", "GetStatus", query::v1::GetStatusRequest());
  const auto other =
      status ? status : services_.ask_as<query::v1::GetStatusResponse>("metrics", "GetStatus", query::v1::GetStatusRequest());
  if (!other)
    return fail(Code::unavailable, "this home goes by its facts' time, and no service says what time that is: {}",
                other.error().message);
  Millis now = 1;
  for (const auto& partition : other->partitions()) now = std::max<Millis>(now, partition.time_ms());
  return now;
}

Result<facts::v1::Fact> Api::stated(const std::string& request_id, const std::string& store, const std::string& key) {
  facts::v1::Fact fact;
  fact.set_id(request_id);
  fact.set_store(store);
  fact.set_key(key);
  fact.set_as_of_ms(wall_ms());
  fact.set_occurred_ms(TRY(home_time()));
  fact.set_source("gateway.call");
  fact.set_source_rank(stated_source_rank);
  return fact;
}

Result<void> Api::put(const Call& call, std::vector<facts::v1::Fact> facts, const std::vector<std::string>& scopes,
                      HeadMap* heads) {
  // A bus that is down is said at once: the publisher would wait for it, and everybody behind this call with it.
  TRY(heads_now());
  const std::unique_lock lock(publisher_mutex_, std::chrono::milliseconds(call.left_ms(deadline_max_ms)));
  if (!lock) return fail(Code::deadline_exceeded, "others were putting facts all the time; try again");
  if (!publisher_) publisher_ = std::make_unique<Publisher>(home_, "gateway");
  for (size_t index = 0; index < facts.size(); ++index) {
    if (const auto queued = publisher_->put(scopes[index], facts[index]); !queued) {
      publisher_.reset();  // What it holds is not durable; the caller is told so.
      return tl::unexpected(queued.error());
    }
  }
  const auto durable = publisher_->flush(std::max<Millis>(call.left_ms(deadline_max_ms), 1));
  if (!durable) {
    publisher_.reset();
    return fail(durable.error().code, "it is not known to be durable, so say it again with the same request_id: {}",
                durable.error().message);
  }
  for (const auto& [partition, offset] : *durable) (*heads)[partition] = offset;
  return {};
}

Result<void> Api::put_everywhere(const Call& call, const facts::v1::Fact& fact, HeadMap* heads) {
  std::set<std::string> scopes = {call.tenant() + "/default"};
  for (const auto& [id, store] : directory()->stores)
    if (call.sees_scope(store.scope())) scopes.insert(store.scope());
  return put(call, std::vector<facts::v1::Fact>(scopes.size(), fact), {scopes.begin(), scopes.end()}, heads);
}

}  // namespace xundian::gateway
