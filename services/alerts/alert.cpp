#include "services/alerts/alert.h"

#include <algorithm>
#include <array>

namespace xundian::alerts {

namespace {

constexpr std::array<std::string_view, 4> outcome_words = {"dead", "retry", "pending", "delivered"};

// What of an alert's newest finding is as in the one that it stands by.
enum Alike : uint8_t { alike_in_nothing, alike_in_names, alike_in_all };

// What tells of which thing and which rule a finding is: of all findings of an alert nearly always the same.
template <typename Visit>
void for_each_name(const v1::FindingTerms& from, v1::FindingTerms& to, Visit&& visit) {
  visit(from.rule(), *to.mutable_rule());
  visit(from.entity_kind(), *to.mutable_entity_kind());
  visit(from.entity(), *to.mutable_entity());
  visit(from.owner(), *to.mutable_owner());
  visit(from.next(), *to.mutable_next());
}

Alike alike(const v1::FindingTerms& newest, v1::FindingTerms standing) {
  if (newest.SerializeAsString() == standing.SerializeAsString()) return alike_in_all;
  bool in_names = true;
  for_each_name(newest, standing, [&](const std::string& one, const std::string& other) { in_names &= one == other; });
  return in_names ? alike_in_names : alike_in_nothing;
}

// Field by field: what lies between the fields of a struct is chance.
void append_ack(std::string& bytes, const Ack& ack) {
  const bool was_given = ack.version != Version();
  append(bytes, static_cast<uint8_t>(was_given));
  if (!was_given) return;
  append(bytes, ack.version);
  append(bytes, static_cast<uint8_t>(ack.given));
  append(bytes, ack.episode);
  append(bytes, static_cast<uint32_t>(ack.severity));
  append(bytes, ack.until_ms);
}

Ack take_ack(ByteReader& bytes) {
  Ack ack;
  if (bytes.take<uint8_t>() == 0) return ack;
  ack.version = bytes.take<Version>();
  ack.given = bytes.take<uint8_t>() != 0;
  ack.episode = bytes.take<uint32_t>();
  ack.severity = static_cast<v1::Severity>(bytes.take<uint32_t>());
  ack.until_ms = bytes.take<Millis>();
  return ack;
}

// The name follows from the key, and most of the newest finding from the one that it stands by.
std::string pack(const Alert& alert, const Key& key) {
  std::string bytes;
  append(bytes, alert.finding_cause);
  append_text(bytes, alert.store);
  const Standing& standing = alert.standing;
  v1::AlertTerms terms = standing.terms;
  if (terms.alert() == to_hex(key)) terms.clear_alert();
  append_message(bytes, terms);
  v1::FindingTerms finding = alert.finding;
  // Of what has ended nobody reads how it was said any more, for it stands by other words, and begins again by others.
  if (!finding.holds() && !standing.open()) {
    finding.clear_evidence();
    finding.clear_text_zh();
    finding.clear_text_en();
  }
  const Alike is_alike = alike(finding, terms.finding());
  append(bytes, is_alike);
  if (is_alike == alike_in_names)
    for_each_name(alert.finding, finding, [](const std::string&, std::string& name) { name.clear(); });
  if (is_alike != alike_in_all) append_message(bytes, finding);
  append_ack(bytes, alert.ack);
  append(bytes, standing.cause);
  for (const uint32_t number :
       {static_cast<uint32_t>(standing.told), standing.told_episode, static_cast<uint32_t>(standing.told_severity)})
    append(bytes, number);
  append(bytes, static_cast<uint8_t>(standing.turns.size()));
  for (const Turn& turn : standing.turns) {
    append(bytes, turn.changed_ms);
    append(bytes, static_cast<uint8_t>(turn.turned));
  }
  append(bytes, alert.notice_change);
  append(bytes, static_cast<uint32_t>(alert.outcomes.size()));
  for (const auto& [subscriber, outcome] : alert.outcomes) {
    append(bytes, subscriber);
    append(bytes, outcome);
  }
  return bytes;
}

}  // namespace

Outcome outcome_of(std::string_view word) {
  return static_cast<Outcome>(std::ranges::find(outcome_words, word) - outcome_words.begin());
}

std::string_view Alert::delivery() const {
  const auto worst = std::ranges::min_element(outcomes, {}, &std::pair<NameId, Outcome>::second);
  return worst == outcomes.end() || worst->second == Outcome::other ? "none" : outcome_words[static_cast<size_t>(worst->second)];
}

Key key_of(std::string_view alert) { return from_hex(alert).value_or(hash128(alert)); }

Alert AlertTable::read(uint32_t index) const {
  Alert alert;
  CHECK(unpack(index, alert), "an alert is kept as it was packed");
  return alert;
}

void AlertTable::keep(const Alert& alert) { memory_.put(alerts_[alert.index].alert, pack(alert, key(alert.index))); }

bool AlertTable::unpack(uint32_t index, Alert& alert) const {
  alert.index = index;
  const std::string_view packed = alerts_[index].alert.bytes();
  if (packed.empty()) return true;  // Nothing is known of it yet.
  ByteReader bytes(packed);
  alert.finding_cause = bytes.take<uint64_t>();
  alert.store = bytes.take_text();
  Standing& standing = alert.standing;
  if (!take_message(bytes, standing.terms)) return false;
  if (standing.terms.alert().empty()) standing.terms.set_alert(to_hex(key(index)));
  const auto is_alike = bytes.take<uint8_t>();
  if (is_alike > alike_in_all) return false;
  if (is_alike == alike_in_all)
    alert.finding = standing.terms.finding();
  else if (!take_message(bytes, alert.finding))
    return false;
  if (is_alike == alike_in_names)
    for_each_name(standing.terms.finding(), alert.finding, [](const std::string& from, std::string& to) { to = from; });
  alert.ack = take_ack(bytes);
  standing.cause = bytes.take<uint64_t>();
  standing.told = static_cast<v1::Condition>(bytes.take<uint32_t>());
  standing.told_episode = bytes.take<uint32_t>();
  standing.told_severity = static_cast<v1::Severity>(bytes.take<uint32_t>());
  for (uint32_t left = bytes.take<uint8_t>(); left > 0 && bytes.ok(); --left) {
    const auto changed_ms = bytes.take<Millis>();
    standing.turns.push_back({changed_ms, bytes.take<uint8_t>() != 0});
  }
  alert.notice_change = bytes.take<uint32_t>();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto subscriber = bytes.take<NameId>();
    const auto outcome = bytes.take<Outcome>();
    if (!subscribers_.has(subscriber) || outcome > Outcome::other) return false;
    alert.outcomes.emplace_back(subscriber, outcome);
  }
  return bytes.ok() && bytes.empty();
}

void AlertTable::save(std::string& bytes) const {
  subscribers_.save(bytes);
  alerts_.save_keys(bytes);
  for (uint32_t index = 0; index < alerts_.size(); ++index) {
    append(bytes, alerts_[index].due);
    append_text(bytes, alerts_[index].alert.bytes());
  }
}

bool AlertTable::load(ByteReader& bytes) {
  memory_.clear();
  alerts_.clear();
  if (!subscribers_.load(bytes) || !alerts_.load_keys(bytes)) return false;
  for (uint32_t index = 0; index < alerts_.size() && bytes.ok(); ++index) {
    Kept& kept = alerts_[index];
    kept.due = bytes.take<Millis>();
    const std::string_view packed = bytes.take_text();
    if (packed.empty()) continue;
    if (packed.size() < sizeof(uint64_t)) return false;
    memory_.put(kept.alert, packed);
    if (Alert alert; !unpack(index, alert)) return false;
  }
  return bytes.ok();
}

}  // namespace xundian::alerts
