// How an alert lives: from findings, silences, charges and time to what is to be said of it next.
#include <algorithm>

#include "services/alerts/state.h"

namespace xundian::alerts {

namespace {

struct Course {
  v1::Condition condition = v1::CONDITION_UNSPECIFIED;
  Millis changed_ms = 0;
  bool begins = false;         // A new episode.
  bool finding_counts = true;  // The newest finding is what this follows from.
};

// A condition that held long enough fired, even if nobody looked before it ended.
Course next_condition(const Standing& standing, const v1::FindingTerms& found, Millis now) {
  const v1::Condition stands = standing.terms.condition();
  if (!standing.open()) {
    if (!found.holds()) return {stands, now};
    const bool fires = now >= found.since_ms() + found.for_ms();
    return {fires ? v1::CONDITION_FIRING : v1::CONDITION_PENDING, now, true};
  }
  if (stands == v1::CONDITION_FIRING) return {found.holds() ? stands : v1::CONDITION_RESOLVED, now};
  if (found.holds()) {
    const Millis due = standing.terms.since_ms() + found.for_ms();
    if (now >= due) return {v1::CONDITION_FIRING, std::max(due, standing.terms.changed_ms())};
    return {stands, now};
  }
  const Millis due = standing.terms.since_ms() + standing.terms.finding().for_ms();
  if (found.judged_ms() >= due) return {v1::CONDITION_FIRING, std::max(due, standing.terms.changed_ms()), false, false};
  // Who was told that it fires, in an episode before, is told that it does not.
  return {standing.told == v1::CONDITION_FIRING ? v1::CONDITION_RESOLVED : v1::CONDITION_INACTIVE, now};
}

size_t turns_after(const Standing& standing, Millis after) {
  return static_cast<size_t>(std::count_if(standing.turns.begin(), standing.turns.end(),
                                           [&](const Turn& turn) { return turn.turned && turn.changed_ms > after; }));
}

Millis last_turn(const Standing& standing) {
  for (auto turn = standing.turns.rbegin(); turn != standing.turns.rend(); ++turn)
    if (turn->turned) return turn->changed_ms;
  return standing.terms.changed_ms();
}

bool flaps(const Standing& standing, bool turns, Millis now) {
  if (turns)
    return standing.terms.muting() == v1::MUTING_FLAPPING ||
           turns_after(standing, now - flapping_window_ms) + 1 >= flapping_turns;
  return standing.terms.muting() == v1::MUTING_FLAPPING && now < last_turn(standing) + flapping_calm_ms;
}

// Whether subscribers are to hear of it: that it fires, that what they heard of no longer does, that a silence ended meanwhile.
bool notifies(const Standing& standing, const v1::AlertTerms& terms, bool silenced) {
  const v1::AlertTerms& stands = standing.terms;
  const bool firing = terms.condition() == v1::CONDITION_FIRING;
  if (!firing && terms.condition() != v1::CONDITION_RESOLVED) return false;
  if (terms.muting() == v1::MUTING_FLAPPING) return stands.muting() != v1::MUTING_FLAPPING && !silenced;
  if (!firing) return standing.told == v1::CONDITION_FIRING;  // A silence lets this through.
  if (terms.muting() == v1::MUTING_SILENCED) return false;
  const bool silence_ended = standing.firing() && stands.muting() == v1::MUTING_SILENCED;
  return standing.told != v1::CONDITION_FIRING || standing.told_episode != terms.episode() ||
         terms.finding().severity() > standing.told_severity || (silence_ended && terms.handling() != v1::HANDLING_ACKED);
}

// What ended because its thing is gone has no measurement; people are told in the words in which they heard of it.
void keep_words(v1::FindingTerms& ended, const v1::FindingTerms& held) {
  *ended.mutable_evidence() = held.evidence();
  ended.set_text_zh(held.text_zh());
  ended.set_text_en(held.text_en());
}

}  // namespace

void Standing::take(const v1::AlertTerms& said, uint64_t said_cause) {
  turns.push_back({said.changed_ms(), firing() != (said.condition() == v1::CONDITION_FIRING)});
  if (turns.size() > flapping_changes - 1) turns.pop_front();  // The next change is one of the twenty.
  terms = said;
  cause = said_cause;
  if (!said.notify()) return;
  told = said.condition();
  told_episode = said.episode();
  told_severity = said.finding().severity();
}

bool Silence::covers(const Alert& alert) const {
  return (terms.rule().empty() || terms.rule() == alert.finding.rule()) &&
         (terms.store().empty() || terms.store() == alert.store) &&
         (terms.entity().empty() || terms.entity() == alert.finding.entity());
}

bool Subscriber::wants(const Alert& alert) const {
  const auto among = [](const auto& list, const std::string& item) {
    return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
  };
  return !withdrawn && alert.standing.terms.finding().severity() >= terms.severity_min() && among(terms.stores(), alert.store) &&
         among(terms.rules(), alert.finding.rule());
}

std::string alert_key(const v1::FindingTerms& finding, std::string_view store) {
  return to_hex(hash128(fmt::format("{}\n{}\n{}\n{}", finding.rule(), store, finding.entity_kind(), finding.entity())));
}

std::optional<v1::AlertTerms> next_terms(const Standing& standing, const Alert& alert, bool silenced, Millis now) {
  const v1::AlertTerms& stands = standing.terms;
  const Course next = next_condition(standing, alert.finding, now);
  const bool moves = next.condition != stands.condition();
  const bool firing = next.condition == v1::CONDITION_FIRING, open = firing || next.condition == v1::CONDITION_PENDING;
  const bool severity_moves = open && next.finding_counts && alert.finding.severity() != stands.finding().severity();
  const uint32_t episode = stands.episode() + (next.begins ? 1 : 0);

  v1::Muting muting = stands.muting();
  if (flaps(standing, firing != standing.firing(), next.changed_ms))
    muting = v1::MUTING_FLAPPING;
  else if (moves || firing || muting == v1::MUTING_FLAPPING)
    muting = silenced ? v1::MUTING_SILENCED : v1::MUTING_ACTIVE;
  const v1::FindingTerms& finding =
      moves || severity_moves ? (next.finding_counts ? alert.finding : stands.finding()) : stands.finding();
  v1::Handling handling = stands.handling();
  if (open) handling = alert.ack.holds(episode, finding.severity(), now) ? v1::HANDLING_ACKED : v1::HANDLING_OPEN;
  if (!moves && !severity_moves && muting == stands.muting() && handling == stands.handling()) return std::nullopt;

  v1::AlertTerms terms;
  terms.set_alert(alert_key(alert.finding, alert.store));
  terms.set_episode(episode);
  terms.set_change(stands.change() + 1);
  terms.set_condition(next.condition);
  terms.set_handling(handling);
  terms.set_muting(muting);
  terms.set_since_ms(next.begins ? alert.finding.since_ms() : stands.since_ms());
  terms.set_changed_ms(next.changed_ms);
  *terms.mutable_finding() = finding;
  if (!finding.holds() && finding.evidence().empty()) keep_words(*terms.mutable_finding(), stands.finding());
  terms.set_finding_cause(next.finding_counts ? alert.finding_cause : stands.finding_cause());
  terms.set_notify(notifies(standing, terms, silenced));
  return terms;
}

Millis next_due(const Alert& alert) {
  const v1::AlertTerms& stands = alert.standing.terms;
  Millis due = never;
  if (stands.condition() == v1::CONDITION_PENDING && alert.finding.holds())
    due = std::min(due, stands.since_ms() + alert.finding.for_ms());
  if (stands.muting() == v1::MUTING_FLAPPING) due = std::min(due, last_turn(alert.standing) + flapping_calm_ms);
  if (stands.handling() == v1::HANDLING_ACKED && alert.standing.open() && alert.ack.until_ms != 0)
    due = std::min(due, alert.ack.until_ms);
  return due;
}

}  // namespace xundian::alerts
