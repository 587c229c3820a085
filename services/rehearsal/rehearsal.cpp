#include "services/rehearsal/rehearsal.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "services/rehearsal/stage.h"

namespace xundian::rehearsal {

namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t batch_facts = 500;
constexpr Millis batch_span_ms = minute_ms, tick_step_ms = second_ms;
constexpr size_t read_bytes = 4u << 20;

// What people did about alerts, and what services said then, belongs to the past as it was.
bool is_played(Kind kind) {
  switch (kind) {
    case v1::Fact::kTick:
    case v1::Fact::kFinding:
    case v1::Fact::kAlertState:
    case v1::Fact::kDelivery:
    case v1::Fact::kAckState:
    case v1::Fact::kSilenceState:
    case v1::Fact::kSubscriberState:
    case v1::Fact::kImportState:
      return false;
    default:
      return true;
  }
}

}  // namespace

void Past::add(Millis occurred_ms, std::string_view frame) {
  events_.push_back({occurred_ms, frames_.size()});
  frames_ += frame;
}

void Past::sort() {
  std::sort(events_.begin(), events_.end(),
            [](const Event& a, const Event& b) { return std::tie(a.occurred_ms, a.at) < std::tie(b.occurred_ms, b.at); });
}

std::string_view Past::frame(const Event& event) const {
  std::string_view rest = std::string_view(frames_).substr(event.at);
  const auto frame = split_frame(rest);
  CHECK(frame.has_value(), "a frame that was kept cannot be read");
  return *frame;
}

Result<Rehearsal> Rehearsal::make(query::v1::RehearseRequest request) {
  Rehearsal rehearsal;
  rehearsal.from_ = TRY(parse_day(request.from()));
  rehearsal.to_ = TRY(parse_day(request.to()));
  if (rehearsal.to_ < rehearsal.from_) return fail(Code::invalid_argument, "{} lies behind {}", request.from(), request.to());
  for (const v1::Rule& rule : request.list().rules()) rehearsal.rules_[rule.id()].set_rule(rule.id());
  rehearsal.request_ = std::move(request);
  return rehearsal;
}

Result<void> Rehearsal::read(JournalReader& reader) {
  const auto range = TRY(reader.range());
  Position position = range.low;
  Result<void> outcome;
  while (outcome && position < range.next) {
    const Position before = position;
    position = TRY(reader.read(position, read_bytes, [&](const CommitView& commit) {
      if (commit.position() >= range.next) return false;
      const auto walked = commit.for_each_batch(true, [&](const BatchView& batch) {
        const std::string scope(batch.scope());
        if (!outcome || batch.is_answer() || scope.substr(0, scope.find('/')) != request_.tenant()) return;
        const auto noted = batch.for_each(is_played, [&](std::string_view frame, Offset offset) {
          if (outcome) outcome = note(scope, FactView(frame, offset, batch.header().time_ms), frame);
        });
        if (!noted) outcome = noted;
      });
      if (!walked) outcome = walked;
      return outcome.has_value();
    }));
    if (position == before) break;
  }
  return outcome;
}

Result<void> Rehearsal::note(const std::string& scope, const FactView& view, std::string_view frame) {
  known_until_ms_ = std::max(known_until_ms_, view.occurred_ms());
  if (view.kind() != v1::Fact::kStoreState && view.kind() != v1::Fact::kRuleSet) {
    pasts_[scope].add(view.occurred_ms(), frame);
    return {};
  }
  Configuration& configuration = configuration_[scope];
  v1::Fact fact;
  if (!view.parse_fact(fact)) return {};  // The services skip it too.
  if (fact.has_store_state()) {
    stores_.fold(view);
    // In a rehearsal all that occurred is news.
    if (fact.store_state().has_settings()) fact.mutable_store_state()->mutable_settings()->clear_live_from_ms();
  } else if (fact.key() == request_.set()) {
    if (view.rank() < configuration.replaced_rank) return {};
    configuration.replaced_rank = view.rank();
    configuration.replaced = std::move(fact);
    return {};
  }
  configuration.facts.push_back(std::move(fact));
  return {};
}

// Stores and rules, as they hold from the beginning.
Result<std::string> Rehearsal::opening(const std::string& scope, bool rehearsed) const {
  BatchBuilder builder;
  const auto add = [&](v1::Fact fact) {
    fact.set_occurred_ms(1);
    return builder.add(fact);
  };
  const auto found = configuration_.find(scope);
  if (found != configuration_.end()) {
    for (const v1::Fact& fact : found->second.facts) TRY_VOID(add(fact));
    if (!rehearsed && found->second.replaced_rank != 0) TRY_VOID(add(found->second.replaced));
  }
  if (rehearsed) {
    v1::Fact fact;
    fact.set_key(request_.set());
    fact.set_as_of_ms(1);
    *fact.mutable_rule_set()->mutable_list() = request_.list();
    TRY_VOID(add(fact));
  }
  return builder.empty() ? std::string() : builder.finish(scope, 1, {});
}

// An alert counts for the days, by its store's clock, on any of which it fired.
bool Rehearsal::concerns(const std::string& store, Millis fired_ms, Millis resolved_ms) const {
  const StoreInfo* info = stores_.find(store);
  const Zone zone = info == nullptr ? Zone() : info->zone;
  return zone.day_of(fired_ms) <= to_ && (resolved_ms == 0 || zone.day_of(resolved_ms) >= from_);
}

Result<void> Rehearsal::play(const std::string& scope, bool rehearsed, query::v1::RehearseResponse& response) {
  Stage stage(scope);
  const std::string opening = TRY(this->opening(scope, rehearsed));
  if (!opening.empty()) TRY_VOID(stage.take(opening));
  // No zone is farther from UTC than 14 hours; what lies behind the newest fact nobody knows.
  const Millis end_ms = std::min((Millis{to_} + 1) * day_ms + 14 * hour_ms, known_until_ms_);
  Millis now = 0;
  const auto wake_until = [&](Millis until) -> Result<void> {
    for (Millis at = std::max(stage.next_wake(), now + tick_step_ms); at <= until;
         at = std::max(stage.next_wake(), now + tick_step_ms)) {
      TRY_VOID(stage.tick(at));
      now = at;
    }
    return {};
  };
  const Past& past = pasts_[scope];
  const auto& events = past.events();
  for (size_t index = 0; index < events.size() && events[index].occurred_ms <= end_ms;) {
    const Millis begin_ms = events[index].occurred_ms;
    TRY_VOID(wake_until(begin_ms));
    if (begin_ms > now) TRY_VOID(stage.tick(now = begin_ms));  // Alerts know the time from Ticks alone.
    BatchBuilder builder;
    for (size_t count = 0; index < events.size() && count < batch_facts && events[index].occurred_ms < begin_ms + batch_span_ms;
         ++count, ++index)
      builder.add_frame(past.frame(events[index]));
    const size_t facts = builder.count();
    TRY_VOID(stage.take(builder.finish(scope, 1, {})));
    now = std::max(now, events[index - 1].occurred_ms);
    played_ += facts;
    if (played_so_far_) played_so_far_(played_);
  }
  TRY_VOID(wake_until(end_ms));
  for (const auto& [id, episode] : stage.episodes()) {
    const auto rule = rules_.find(episode.rule);
    if (rule == rules_.end() || !concerns(episode.store, episode.fired_ms, episode.resolved_ms)) continue;
    if (!rehearsed) {
      rule->second.set_alerts_now(rule->second.alerts_now() + 1);
      continue;
    }
    rule->second.set_alerts(rule->second.alerts() + 1);
    query::v1::RehearsedAlert& alert = *response.add_alerts();
    alert.set_rule(episode.rule);
    alert.set_store(episode.store);
    alert.set_entity(episode.entity);
    *alert.mutable_fired() = TimeUtil::MillisecondsToTimestamp(episode.fired_ms);
    if (episode.resolved_ms != 0) *alert.mutable_resolved() = TimeUtil::MillisecondsToTimestamp(episode.resolved_ms);
  }
  return {};
}

Result<query::v1::RehearseResponse> Rehearsal::play(const std::function<void(uint64_t done, uint64_t all)>& progress) {
  query::v1::RehearseResponse response;
  uint64_t all = 0;
  for (const auto& [scope, past] : pasts_) all += 2 * past.events().size();
  if (progress) played_so_far_ = [&](uint64_t played) { progress(played, all); };
  for (const auto& [scope, configuration] : configuration_)
    for (const v1::Rule& rule : configuration.replaced.rule_set().list().rules()) rules_[rule.id()].set_rule(rule.id());
  for (auto& [scope, past] : pasts_) {
    past.sort();
    for (const bool rehearsed : {false, true}) TRY_VOID(play(scope, rehearsed, response));
  }
  std::sort(response.mutable_alerts()->begin(), response.mutable_alerts()->end(), [](const auto& a, const auto& b) {
    return std::make_tuple(a.fired().seconds(), a.fired().nanos(), std::string_view(a.store()), std::string_view(a.rule()),
                           std::string_view(a.entity())) <
           std::make_tuple(b.fired().seconds(), b.fired().nanos(), std::string_view(b.store()), std::string_view(b.rule()),
                           std::string_view(b.entity()));
  });
  for (const auto& [id, rule] : rules_) *response.add_per_rule() = rule;
  response.set_facts_done(played_);
  response.set_facts_all(all);
  response.set_done(true);
  return response;
}

}  // namespace xundian::rehearsal
