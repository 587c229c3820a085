// What the alerts service answers: alerts with what became of their notices, and, to its delivery shell, what is to be sent.
#include <algorithm>
#include <functional>

#include "services/alerts/state.h"

namespace xundian::alerts {

namespace {

namespace query = xundian::query::v1;

query::Alert describe(const Alert& alert) {
  query::Alert answer;
  answer.set_store(alert.store);
  *answer.mutable_terms() = alert.standing.terms;
  answer.set_cause(alert.standing.cause);
  answer.set_delivery(alert.delivery());
  return answer;
}

Result<v1::Condition> condition_of(const std::string& state) {
  if (state.empty()) return v1::CONDITION_UNSPECIFIED;
  if (state == "pending") return v1::CONDITION_PENDING;
  if (state == "firing") return v1::CONDITION_FIRING;
  if (state == "resolved") return v1::CONDITION_RESOLVED;
  return fail(Code::invalid_argument, "\"{}\" is no state of an alert; ask for pending, firing or resolved", state);
}

Result<query::ListAlertsResponse> list_alerts(std::span<State* const> folds, const query::ListAlertsRequest& request) {
  const v1::Condition wanted = TRY(condition_of(request.state()));
  std::vector<const Alert*> found;
  const auto consider = [&](const Alert& alert) {
    if (!request.store().empty() && alert.store != request.store()) return;
    if (wanted == v1::CONDITION_UNSPECIFIED ? alert.standing.open() : alert.standing.terms.condition() == wanted)
      found.push_back(&alert);
  };
  for (const State* fold : folds) {
    if (wanted == v1::CONDITION_RESOLVED)
      for (const auto& [key, alert] : fold->alerts()) consider(alert);
    else
      for (const std::string& key : fold->open()) consider(fold->alerts().at(key));
  }
  std::stable_sort(found.begin(), found.end(), [](const Alert* a, const Alert* b) {
    const v1::AlertTerms &left = a->standing.terms, &right = b->standing.terms;
    if (left.finding().severity() != right.finding().severity()) return left.finding().severity() > right.finding().severity();
    return std::make_pair(-left.since_ms(), left.alert()) < std::make_pair(-right.since_ms(), right.alert());
  });
  query::ListAlertsResponse response;
  for (const Alert* alert : found) *response.add_alerts() = describe(*alert);
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
  definition.shape = 1;
  definition.has_fingerprint = false;
  definition.make_fold = [] { return std::make_unique<State>(); };
  definition.present_only = {"ListDueNotices"};
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::alerts
