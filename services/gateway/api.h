// The calls themselves: each is written once, and served over gRPC and HTTP alike.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/home.h"
#include "common/producer.h"
#include "services/gateway/call.h"
#include "services/gateway/config_view.h"
#include "services/gateway/journal_tail.h"
#include "services/gateway/methods.h"
#include "services/gateway/services.h"
#include "services/gateway/settings.h"

namespace xundian::gateway {

class Api {
 public:
  Api(const Settings& settings, const Home& home);
  ~Api();

#define XUNDIAN_DECLARE(Method, function, verb, unnamed) \
  Result<Given<v1::Method##Response>> function(const Call& call, const v1::Method##Request& request);
  XUNDIAN_UNARY_METHODS(XUNDIAN_DECLARE)
#undef XUNDIAN_DECLARE
#define XUNDIAN_DECLARE(Method, function, verb, unnamed) \
  Result<void> function(const Call& call, const v1::Method##Request& request, const Sink<v1::Method##Response>& sink);
  XUNDIAN_STREAM_METHODS(XUNDIAN_DECLARE)
#undef XUNDIAN_DECLARE

  // The stores, asked for at most once a second; what was last known if metrics are silent.
  std::shared_ptr<const StoreDirectory> directory();
  // As it was last told, without asking.
  std::shared_ptr<const StoreDirectory> directory_at_hand();
  // Ends the streams.
  void stop();
  bool stopping() const { return stopping_; }

 private:
  using Missing = google::protobuf::RepeatedPtrField<std::string>;
  using HeadMap = google::protobuf::Map<uint32_t, uint64_t>;

  // What services are asked for figures, and of them those that the token may see.
  std::vector<std::string> departments(const Call& call) const;
  struct Registry {
    std::map<std::string, query::v1::MetricDefinition> by_id;
    bool complete = false;  // Every department was heard.
  };
  // The definitions, kept once all departments have told theirs.
  std::shared_ptr<const Registry> registry();
  struct Figures {
    std::vector<query::v1::MetricRow> rows;
    Millis as_of_ms = 0;
  };
  // Rows from all services that own one of the metrics, in order.
  Result<Figures> figures(const Call& call, const query::v1::QueryMetricsRequest& request, Missing* missing);

  // The time by the home's clock: the wall's, or where the folds have come to.
  Result<Millis> home_time();
  // Puts facts and waits until they are durable. `scopes[i]` is "tenant/group" of facts[i].
  Result<void> put(const Call& call, std::vector<facts::v1::Fact> facts, const std::vector<std::string>& scopes, HeadMap* heads);
  // The same fact in every group of the token's tenant: each group has a partition of its own.
  Result<void> put_everywhere(const Call& call, const facts::v1::Fact& fact, HeadMap* heads);
  // Fills in what a fact stated by hand has in common with others.
  Result<facts::v1::Fact> stated(const std::string& request_id, const std::string& store, const std::string& key);

  // A mutating call that was carried out before under the same name, by the same token, is answered as it was then.
  template <typename Response>
  bool remembered(const Call& call, const char* method, const std::string& request_id, Response& response);
  template <typename Response>
  void remember(const Call& call, const char* method, const std::string& request_id, const Response& response);

  Result<Heads> heads_now();
  // "" = all folds have reached the heads; else who has not, in words.
  Result<std::string> who_lags(const Heads& heads, bool settled);
  Result<void> wait_for(const Call& call, const Heads& heads, bool settled);

  // A pack as things stand; `all` sees the whole tenant.
  Result<v1::Report> compose_report(const Call& all, const std::string& date);
  void add_alert_section(const Call& all, v1::Report& report);
  // The pack as it was frozen, with what has changed since; freezes it the first time that nothing is missing.
  Result<v1::Report> frozen_report(const Call& call, const std::string& date);
  Result<void> follow_import(const Call& call, uint64_t job, const Sink<v1::ImportFileResponse>& sink);

  const Settings settings_;
  const Home& home_;
  Services services_;
  JournalTail tail_;
  ConfigView config_view_;
  const Millis started_ms_;
  std::atomic<bool> stopping_ = false;

  std::timed_mutex publisher_mutex_;
  std::unique_ptr<Publisher> publisher_;  // Made with the first fact; one per process, for two fence each other.

  std::mutex directory_mutex_;
  std::shared_ptr<const StoreDirectory> directory_;
  Millis directory_read_ms_ = 0;

  std::mutex registry_mutex_;
  std::shared_ptr<const Registry> registry_;
  Millis registry_read_ms_ = 0;

  std::mutex remembered_mutex_;
  std::map<std::string, std::string> remembered_;
  std::deque<std::string> remembered_order_;

  std::mutex report_mutex_;
  std::mutex rehearsal_mutex_;  // One at a time: each holds the past in memory.
};

template <typename Response>
bool Api::remembered(const Call& call, const char* method, const std::string& request_id, Response& response) {
  if (request_id.empty()) return false;
  const std::lock_guard lock(remembered_mutex_);
  const auto found = remembered_.find(call.principal->name + "\n" + method + "\n" + request_id);
  return found != remembered_.end() && response.ParseFromString(found->second);
}

template <typename Response>
void Api::remember(const Call& call, const char* method, const std::string& request_id, const Response& response) {
  constexpr size_t remembered_max = 4'096;
  if (request_id.empty()) return;
  const std::string name = call.principal->name + "\n" + method + "\n" + request_id;
  const std::lock_guard lock(remembered_mutex_);
  if (!remembered_.emplace(name, response.SerializeAsString()).second) return;
  remembered_order_.push_back(name);
  if (remembered_order_.size() <= remembered_max) return;
  remembered_.erase(remembered_order_.front());
  remembered_order_.pop_front();
}

// Which part of a list a call asks for.
struct Page {
  int64_t from = 0, size = 0;
};
inline Result<Page> page_asked(int32_t page_size, int32_t page_size_default, const std::string& page_token) {
  Page asked;
  if (!page_token.empty()) {
    if (page_token.size() > 12 || page_token.find_first_not_of("0123456789") != std::string::npos)
      return fail(Code::invalid_argument, "the page token is none that this call gave");
    asked.from = std::stoll(page_token);
  }
  if (page_size < 0) return fail(Code::invalid_argument, "the page size is negative");
  asked.size = page_size == 0 ? page_size_default : page_size;
  return asked;
}

// The part of a list from `page_token` on; sets the token of the next page. The list's order must be the same at each call.
template <typename Items>
Result<void> page(Items& items, int32_t page_size, int32_t page_size_default, const std::string& page_token, std::string* next) {
  const auto [from, size] = TRY(page_asked(page_size, page_size_default, page_token));
  const auto all = static_cast<int64_t>(items.size());
  if (from + size < all) {
    *next = std::to_string(from + size);
    items.erase(items.begin() + from + size, items.end());
  }
  items.erase(items.begin(), items.begin() + std::min(from, all));
  return {};
}

// How the inner messages look from outside.
v1::Alert shown(const std::string& store, const facts::v1::AlertTerms& terms, Partition partition);
v1::Alert shown(const query::v1::Alert& alert);
google::protobuf::Timestamp timestamp(Millis time);
// "info" … "critical"; -1 = no such severity.
int severity_number(std::string_view name);
std::string severity_name(facts::v1::Severity severity);

}  // namespace xundian::gateway
