// What the alerts service comes to know when something is found, silenced, taken in charge or sent.
#include <algorithm>

#include "services/alerts/state.h"

namespace xundian::alerts {

namespace {

constexpr uint32_t terms_aspect = 1;
// Alerts that one input moves at most; the rest wait for the next, so that an answer fits into a batch.
constexpr size_t judged_at_once = 256;

// Whether the fact states its terms, or their end, newer than what is held.
bool take_newer(const FactView& fact, Version& held) {
  const uint32_t aspect = fact.withdrawn() ? withdrawn_aspect : terms_aspect;
  if (!fact.states(aspect) || fact.version(aspect) <= held) return false;
  held = fact.version(aspect);
  return true;
}

}  // namespace

void State::fold(const FactView& fact, Outbox& outbox) {
  switch (fact.kind()) {
    case v1::Fact::kFinding:
      return take_finding(fact, outbox);
    case v1::Fact::kAckState:
      return take_ack(fact, outbox);
    case v1::Fact::kSilenceState:
      return take_silence(fact, outbox);
    case v1::Fact::kSubscriberState:
      return take_subscriber(fact, outbox);
    case v1::Fact::kDelivery:
      return take_delivery(fact, outbox);
    default:
      return;
  }
}

// Findings count in the order of the journal: of one thing they come from one fold.
void State::take_finding(const FactView& fact, Outbox& outbox) {
  v1::Finding finding;
  if (!fact.parse(finding)) return outbox.reject("the finding cannot be read");
  const std::string store(fact.store_id()), key = alert_key(finding.terms(), store);
  // What never held is no alert when it does not hold.
  if (!finding.terms().holds() && !alerts_.index_of(key)) return;
  Alert alert = alerts_.read(alerts_.make(key));
  alert.store = store;
  alert.finding = finding.terms();
  alert.finding_cause = fact.cause();
  alerts_.keep(alert);
  judge(alert, fact.time_ms(), outbox.facts().size(), outbox);
  schedule(alert.index, next_due(alert));
}

void State::take_ack(const FactView& fact, Outbox& outbox) {
  v1::AckState state;
  if (!fact.parse(state)) return outbox.reject("the acknowledgement cannot be read");
  const auto index = alerts_.index_of(fact.key_text());
  if (!index) return;  // Nothing to take charge of.
  Alert alert = alerts_.read(*index);
  if (!take_newer(fact, alert.ack.version)) return;
  alert.ack.given = !fact.withdrawn() && alert.standing.open();
  alert.ack.episode = alert.standing.terms.episode();
  alert.ack.severity = alert.standing.terms.finding().severity();
  alert.ack.until_ms = state.terms().until_ms();
  alerts_.keep(alert);
  judge(alert, fact.time_ms(), outbox.facts().size(), outbox);
  schedule(alert.index, next_due(alert));
}

void State::take_silence(const FactView& fact, Outbox& outbox) {
  v1::SilenceState state;
  if (!fact.parse(state)) return outbox.reject("the silence cannot be read");
  const std::string id(fact.key_text());
  Silence& silence = silences_[id];
  if (!take_newer(fact, silence.version)) return;
  edges_.erase({silence.terms.start_ms(), id});
  edges_.erase({silence.terms.end_ms(), id});
  std::set<std::string> stores;  // "" = all.
  if (silence.terms.end_ms() != 0) stores.insert(silence.terms.store());
  stop_silence(id);
  silence.terms = fact.withdrawn() ? v1::SilenceTerms() : state.terms();
  const Millis now = fact.time_ms();
  for (const Millis edge : {silence.terms.start_ms(), silence.terms.end_ms()})
    if (edge > now) edges_.emplace(edge, id);
  settle_silence(id, now);
  if (!fact.withdrawn()) stores.insert(silence.terms.store());
  for (const std::string& store : stores) touch_open(store, now);
  judge_due(now, outbox);
}

void State::take_subscriber(const FactView& fact, Outbox& outbox) {
  v1::SubscriberState state;
  if (!fact.parse(state)) return outbox.reject("the subscriber cannot be read");
  const std::string id(fact.key_text());
  Subscriber& subscriber = subscribers_[id];
  if (!take_newer(fact, subscriber.version)) return;
  subscriber.withdrawn = fact.withdrawn();
  subscriber.terms = fact.withdrawn() ? v1::SubscriberTerms() : state.terms();
  if (subscriber.withdrawn) notices_.drop(id);
}

void State::take_delivery(const FactView& fact, Outbox& outbox) {
  v1::Delivery state;
  if (!fact.parse(state)) return outbox.reject("the delivery cannot be read");
  const v1::DeliveryAttempt& attempt = state.attempt();
  notices_.settle(attempt);
  const std::string key = attempt.notice().substr(0, attempt.notice().rfind('.'));
  const auto index = alerts_.index_of(key);
  if (!index) return;
  Alert alert = alerts_.read(*index);
  const auto outcome =
      std::ranges::find(alert.outcomes, alerts_.find_subscriber(attempt.subscriber()), &std::pair<NameId, Outcome>::first);
  if (outcome == alert.outcomes.end() || attempt.notice() != notice_id(key, alert.notice_change)) return;
  if (is_final(outcome->second)) return;
  outcome->second = outcome_of(attempt.outcome());
  alerts_.keep(alert);
}

// Silences that are over are kept for people to read, and looked at no more.
void State::settle_silence(const std::string& id, Millis now) {
  if (silences_[id].terms.end_ms() > now)
    running_[silences_[id].terms.store()].insert(id);
  else
    stop_silence(id);
}

void State::stop_silence(const std::string& id) {
  const auto of_store = running_.find(silences_[id].terms.store());
  if (of_store == running_.end()) return;
  of_store->second.erase(id);
  if (of_store->second.empty()) running_.erase(of_store);
}

bool State::runs(const std::string& id, const Silence& silence) const {
  const auto of_store = running_.find(silence.terms.store());
  return of_store != running_.end() && of_store->second.contains(id);
}

bool State::silenced(const Alert& alert, Millis now) const {
  const auto one_covers = [&](const std::string& store) {
    const auto of_store = running_.find(store);
    return of_store != running_.end() &&
           std::ranges::any_of(of_store->second, [&](const std::string& id) { return silences_.at(id).covers(alert, now); });
  };
  return one_covers("") || (!alert.store.empty() && one_covers(alert.store));
}

// Says what is new of an alert, on top of what was already said of it in answer to this input (the first `said_before` facts).
void State::judge(const Alert& alert, Millis now, size_t said_before, Outbox& outbox) const {
  const std::string key = alert_key(alert.finding, alert.store);
  Standing standing = alert.standing;
  for (size_t index = 0; index < said_before; ++index)
    if (const v1::Fact& said = outbox.facts()[index]; said.has_alert_state() && said.key() == key)
      standing.take(said.alert_state().terms(), 0);
  const bool is_silenced = silenced(alert, now);
  while (const auto terms = next_terms(standing, alert, is_silenced, now)) {
    v1::Fact& fact = outbox.add();
    fact.set_store(alert.store);
    fact.set_key(key);
    *fact.mutable_alert_state()->mutable_terms() = *terms;
    standing.take(*terms, 0);
  }
}

void State::judge_due(Millis now, Outbox& outbox) {
  const size_t said_before = outbox.facts().size();
  std::vector<uint32_t> indices;
  for (auto due = due_.begin(); due != due_.end() && due->first <= now && indices.size() < judged_at_once; ++due)
    indices.push_back(due->second);
  for (const uint32_t index : indices) {
    const Alert alert = alerts_.read(index);
    judge(alert, now, said_before, outbox);
    // What is said moves it on in said().
    schedule(index, next_due(alert));
  }
}

// A silence of a store, or of all, began or ended: the open alerts are looked at, some now, the rest with the next records.
void State::touch_open(const std::string& store, Millis now) {
  const auto from = store.empty() ? lists_.begin() : lists_.find(store);
  const auto to = store.empty() || from == lists_.end() ? lists_.end() : std::next(from);
  for (auto at = from; at != to; ++at)
    for (const v1::Condition condition : {v1::CONDITION_PENDING, v1::CONDITION_FIRING})
      for (const Place& place : at->second[condition]) schedule(place.index, now);
}

void State::schedule(uint32_t index, Millis due) {
  Millis& held = alerts_.due(index);
  if (held == due) return;
  if (held != never) due_.erase({held, index});
  held = due;
  if (due != never) due_.emplace(due, index);
}

// The alert enters the list of those that stand as it does, or leaves it, which it must before it stands otherwise.
void State::enlist(const Alert& alert, bool enters) {
  count_firing(alert, enters);
  if (!alert.standing.listed()) return;
  const v1::AlertTerms& terms = alert.standing.terms;
  List& list = lists_[alert.store][terms.condition()];
  const Place place{terms.finding().severity(), terms.since_ms(), alerts_.key(alert.index), alert.index};
  if (enters)
    list.insert(place);
  else
    list.erase(place);
}

void State::count_firing(const Alert& alert, bool enters) {
  if (!alert.standing.firing()) return;
  const auto severity = static_cast<size_t>(alert.standing.terms.finding().severity());
  Counts& counts = firing_[alert.store];
  counts[std::min(severity, counts.size() - 1)] += enters ? 1 : -1;
}

void State::said(const FactView& fact) {
  if (fact.kind() != v1::Fact::kAlertState) return;
  v1::AlertState state;
  CHECK(fact.parse(state), "what the alerts service said cannot be read");
  const v1::AlertTerms& terms = state.terms();
  Alert alert = alerts_.read(alerts_.make(terms.alert()));
  enlist(alert, false);
  if (alert.finding.rule().empty()) {  // Said by another build, of what this one passes over.
    alert.store = fact.store_id();
    alert.finding = terms.finding();
  }
  alert.standing.take(terms, fact.cause());
  enlist(alert, true);
  schedule(alert.index, next_due(alert));
  if (terms.notify()) notify(alert, fact);
  alerts_.keep(alert);
}

// Each subscriber who wants it is told how the alert stands now.
void State::notify(Alert& alert, const FactView& fact) {
  const v1::AlertTerms& terms = alert.standing.terms;
  const auto notice = std::make_shared<const Notice>(Notice{std::string(fact.store_id()), terms, fact.cause()});
  alert.notice_change = terms.change();
  alert.outcomes.clear();
  for (const auto& [id, subscriber] : subscribers_) {
    if (!subscriber.wants(alert)) continue;
    notices_.add(id, notice);
    alert.outcomes.emplace_back(alerts_.subscriber_of(id), Outcome::pending);
  }
}

void State::wake(Millis now, Outbox& outbox) {
  for (; !edges_.empty() && edges_.begin()->first <= now; edges_.erase(edges_.begin())) {
    const std::string& id = edges_.begin()->second;
    settle_silence(id, now);
    touch_open(silences_.at(id).terms.store(), now);
  }
  judge_due(now, outbox);
}

Millis State::next_wake() const {
  Millis first = never;
  if (!due_.empty()) first = std::min(first, due_.begin()->first);
  if (!edges_.empty()) first = std::min(first, edges_.begin()->first);
  return first;
}

void State::save(std::string& bytes) const {
  alerts_.save(bytes);
  append(bytes, static_cast<uint32_t>(silences_.size()));
  for (const auto& [id, silence] : silences_) {
    append_text(bytes, id);
    append(bytes, silence.version);
    append_message(bytes, silence.terms);
    append(bytes, static_cast<uint8_t>(runs(id, silence)));
  }
  append(bytes, static_cast<uint32_t>(edges_.size()));
  for (const auto& [edge, id] : edges_) {
    append(bytes, edge);
    append_text(bytes, id);
  }
  append(bytes, static_cast<uint32_t>(subscribers_.size()));
  for (const auto& [id, subscriber] : subscribers_) {
    append_text(bytes, id);
    append(bytes, subscriber.version);
    append(bytes, static_cast<uint8_t>(subscriber.withdrawn));
    append_message(bytes, subscriber.terms);
  }
  notices_.save(bytes);
}

bool State::load(ByteReader bytes) {
  if (!alerts_.load(bytes)) return false;
  for (uint32_t index = 0; index < alerts_.size(); ++index) {
    enlist(alerts_.read(index), true);
    if (alerts_.due(index) != never) due_.emplace(alerts_.due(index), index);
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const std::string id(bytes.take_text());
    Silence& silence = silences_[id];
    silence.version = bytes.take<Version>();
    if (!take_message(bytes, silence.terms)) return false;
    if (bytes.take<uint8_t>() != 0) running_[silence.terms.store()].insert(id);
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto edge = bytes.take<Millis>();
    edges_.emplace(edge, bytes.take_text());
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    Subscriber& subscriber = subscribers_[std::string(bytes.take_text())];
    subscriber.version = bytes.take<Version>();
    subscriber.withdrawn = bytes.take<uint8_t>() != 0;
    if (!take_message(bytes, subscriber.terms)) return false;
  }
  return notices_.load(bytes) && bytes.empty();
}

std::vector<Held> State::held() const {
  Held alerts{"alerts", alerts_.size(), alerts_.bytes()};
  for (const auto& [store, lists] : lists_)
    for (const List& list : lists) alerts.bytes += list.size() * sizeof(Place) * 4 / 3;  // A B-tree's nodes are so full, or so.
  return {alerts,
          {"silences", silences_.size(), tree_bytes(silences_)},
          {"subscribers", subscribers_.size(), tree_bytes(subscribers_)}};
}

}  // namespace xundian::alerts
