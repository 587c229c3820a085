// What the alerts service answers: alerts with what became of their notices, and, to its delivery shell, what is to be sent.
#include <algorithm>
#include <functional>
#include <queue>

#include "common/patience.h"
#include "services/alerts/state.h"

namespace xundian::alerts {

namespace {

namespace query = xundian::query::v1;

query::Alert describe(const Alert& alert) {
  query::Alert answer;
  answer.set_store(alert.store);
  *answer.mutable_terms() = alert.standing.terms;
  answer.set_cause(alert.standing.cause);
  answer.set_delivery(std::string(alert.delivery()));
  return answer;
}

// So that no answer holds up the loop for long, or comes near to what a socket takes (query_bytes_max).
constexpr uint32_t told_at_once = 10'000;

using Conditions = std::vector<v1::Condition>;

// How those that are asked for stand.
Result<Conditions> conditions_of(const query::ListAlertsRequest& request) {
  const std::string& state = request.state();
  if (state.empty() && request.has_alert())
    return Conditions{v1::CONDITION_PENDING, v1::CONDITION_FIRING, v1::CONDITION_RESOLVED};
  if (state.empty()) return Conditions{v1::CONDITION_PENDING, v1::CONDITION_FIRING};
  if (state == "pending") return Conditions{v1::CONDITION_PENDING};
  if (state == "firing") return Conditions{v1::CONDITION_FIRING};
  if (state == "resolved") return Conditions{v1::CONDITION_RESOLVED};
  return fail(Code::invalid_argument, "\"{}\" is no state of an alert; ask for pending, firing or resolved", state);
}

// What is left of a list that is read together with others.
struct Reading {
  const State* fold = nullptr;
  State::List::const_iterator next, end;  // Never the same: what has been read is put away.
  size_t number = 0;                      // Of two alerts that are alike, the one in the list of the lower number comes first.

  // The greatest is on top of a priority queue: here what is to be read first.
  bool operator<(const Reading& other) const { return *other.next < *next || (!(*next < *other.next) && other.number < number); }
};

// The lists of these stores and conditions, to be read as one.
std::priority_queue<Reading> read_together(std::span<State* const> folds, const std::set<std::string>& stores,
                                           const Conditions& conditions) {
  std::vector<Reading> readings;
  for (const State* fold : folds) {
    const auto add = [&](const State::Lists& of_store) {
      for (const v1::Condition condition : conditions)
        if (const State::List& list = of_store[condition]; !list.empty())
          readings.push_back({fold, list.begin(), list.end(), readings.size()});
    };
    if (stores.empty())
      for (const auto& [store, lists] : fold->lists()) add(lists);
    for (const std::string& store : stores)
      if (const auto found = fold->lists().find(store); found != fold->lists().end()) add(found->second);
  }
  return std::priority_queue<Reading>(std::less<Reading>(), std::move(readings));
}

Result<query::ListAlertsResponse> list_alerts(std::span<State* const> folds, const query::ListAlertsRequest& request) {
  const Conditions conditions = TRY(conditions_of(request));
  const std::set<std::string> stores(request.stores().begin(), request.stores().end());
  query::ListAlertsResponse response;
  if (request.has_alert()) {
    for (const State* fold : folds) {
      const auto index = fold->alerts().index_of(request.alert());
      if (!index) continue;
      const Alert alert = fold->alerts().read(*index);
      if (!stores.empty() && !stores.contains(alert.store)) continue;
      if (std::find(conditions.begin(), conditions.end(), alert.standing.terms.condition()) != conditions.end())
        *response.add_alerts() = describe(alert);
    }
    return response;
  }
  const uint32_t limit = request.limit() == 0 ? told_at_once : std::min(request.limit(), told_at_once);
  auto left = read_together(folds, stores, conditions);
  for (uint64_t place = 0; !left.empty() && !Patience::is_over(); ++place) {
    if (static_cast<uint32_t>(response.alerts_size()) == limit) {
      response.set_more(true);
      break;
    }
    Reading first = left.top();
    left.pop();
    if (place >= request.skip()) *response.add_alerts() = describe(first.fold->alerts().read(first.next->index));
    if (++first.next != first.end) left.push(first);
  }
  return response;
}

// The alerts' part of an overview: how many fire, at the stores that are asked for together.
Result<query::GetOverviewResponse> get_overview(std::span<State* const> folds, const query::GetOverviewRequest& request) {
  const std::set<std::string> wanted(request.stores().begin(), request.stores().end());
  State::Counts sums{};
  const auto add = [&](const State::Counts& counts) {
    std::transform(sums.begin(), sums.end(), counts.begin(), sums.begin(), std::plus());
  };
  for (const State* fold : folds) {
    if (wanted.empty())
      for (const auto& [store, counts] : fold->firing()) add(counts);
    for (const std::string& store : wanted)
      if (const auto found = fold->firing().find(store); found != fold->firing().end()) add(found->second);
  }
  query::GetOverviewResponse response;
  for (size_t severity = 0; severity < sums.size(); ++severity) {
    if (sums[severity] == 0) continue;
    query::FiringCount& count = *response.add_firing();
    count.set_severity(static_cast<v1::Severity>(severity));
    count.set_count(sums[severity]);
  }
  return response;
}

Result<query::ListDueNoticesResponse> list_due_notices(std::span<State* const> folds,
                                                       const query::ListDueNoticesRequest& request) {
  query::ListDueNoticesResponse response;
  Millis next = never;
  for (const State* fold : folds) {
    for (const Notices::Due& due : fold->notices().due(request.now_ms(), request.limit())) {
      query::DueNotice& answer = *response.add_due();
      answer.set_scope(fold->scope);
      answer.set_subscriber(due.subscriber);
      *answer.mutable_terms() = fold->subscribers().at(due.subscriber).terms;
      answer.mutable_alert()->set_store(due.notice->store);
      *answer.mutable_alert()->mutable_terms() = due.notice->terms;
      answer.mutable_alert()->set_cause(due.notice->cause);
      answer.mutable_alert()->set_delivery(due.attempts == 0 ? "pending" : "retry");
      answer.set_attempts(due.attempts);
    }
    next = std::min(next, fold->notices().next_due(request.now_ms()));
  }
  response.set_next_due_ms(next == never ? 0 : next);
  return response;
}

Result<std::string> answer(std::span<Fold* const> folds, std::string_view method, std::string_view request) {
  if (method == "ListAlerts") return answer_as<State, query::ListAlertsRequest>(folds, request, list_alerts);
  if (method == "GetOverview") return answer_as<State, query::GetOverviewRequest>(folds, request, get_overview);
  if (method == "ListDueNotices") return answer_as<State, query::ListDueNoticesRequest>(folds, request, list_due_notices);
  return fail(Code::unimplemented, "alerts answers no {}", method);
}

}  // namespace

ServiceDefinition definition() {
  ServiceDefinition definition;
  definition.name = "alerts";
  definition.kinds = {v1::Fact::kFinding, v1::Fact::kAckState, v1::Fact::kSilenceState, v1::Fact::kSubscriberState,
                      v1::Fact::kDelivery};
  definition.shape = 2;
  definition.has_fingerprint = false;
  definition.make_fold = [] { return std::make_unique<State>(); };
  definition.present_only = {"ListDueNotices"};
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::alerts
