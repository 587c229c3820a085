// What the alerts service knows: every alert and how it stands, who has it in hand, silences, subscribers, and what is to be
// sent.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/service.h"
#include "services/alerts/notices.h"

namespace xundian::alerts {

// An alert flaps when it fires and resolves, together, this often within so many changes and so long; it is calm again after a
// quiet while.
inline constexpr size_t flapping_turns = 4, flapping_changes = 20;
inline constexpr Millis flapping_window_ms = 3'600'000, flapping_calm_ms = 1'800'000;

// A change of an alert, as far as flapping goes.
struct Turn {
  Millis changed_ms = 0;
  bool turned = false;  // It began or ceased to fire.
};

// How an alert stands by what was said of it. Made of AlertState facts alone, because what is said next follows from it.
struct Standing {
  v1::AlertTerms terms;                            // Condition unspecified: nothing was said yet.
  uint64_t cause = 0;                              // Of the fact that said it.
  v1::Condition told = v1::CONDITION_UNSPECIFIED;  // What subscribers were told last, of which episode, how severe.
  uint32_t told_episode = 0;
  v1::Severity told_severity = v1::SEVERITY_UNSPECIFIED;
  std::deque<Turn> turns;  // The last changes, oldest first.

  bool firing() const { return terms.condition() == v1::CONDITION_FIRING; }
  bool open() const { return firing() || terms.condition() == v1::CONDITION_PENDING; }
  // People are shown it. What ended before it fired is nothing to them.
  bool listed() const { return open() || terms.condition() == v1::CONDITION_RESOLVED; }
  void take(const v1::AlertTerms& said, uint64_t said_cause);
};

// Somebody has taken charge, of one episode, as severe as it was then.
struct Ack {
  Version version;
  bool given = false;
  uint32_t episode = 0;
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  Millis until_ms = 0;  // 0 = while the episode lasts.

  bool holds(uint32_t of_episode, v1::Severity of_severity, Millis now) const {
    return given && episode == of_episode && of_severity <= severity && (until_ms == 0 || now < until_ms);
  }
};

struct Alert {
  std::string store;
  v1::FindingTerms finding;  // The newest.
  uint64_t finding_cause = 0;
  Ack ack;
  Standing standing;
  Millis due = never;  // When time alone may change how it stands.
  // What became of its newest notice, by subscriber: "pending", "retry", "delivered", "dead".
  uint32_t notice_change = 0;
  std::map<std::string, std::string> outcomes;

  std::string delivery() const;
};

using Entry = std::map<std::string, Alert>::value_type;

// An alert's place in a list: the most severe and newest comes first.
struct Place {
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  Millis since_ms = 0;
  const Entry* entry = nullptr;

  bool operator<(const Place& other) const {
    return std::tie(other.severity, other.since_ms, entry->first) < std::tie(severity, since_ms, other.entry->first);
  }
};

struct Silence {
  Version version;
  v1::SilenceTerms terms;  // Without an end if it was withdrawn.

  bool covers(const Alert& alert) const;
  bool covers(const Alert& alert, Millis now) const { return terms.start_ms() <= now && now < terms.end_ms() && covers(alert); }
};

struct Subscriber {
  Version version;
  v1::SubscriberTerms terms;
  bool withdrawn = false;

  bool wants(const Alert& alert) const;
};

// The same for all episodes: rule and identity, never value or severity.
std::string alert_key(const v1::FindingTerms& finding, std::string_view store);

// What is to be said of the alert next, if anything; said, it may be asked again.
std::optional<v1::AlertTerms> next_terms(const Standing& standing, const Alert& alert, bool silenced, Millis now);
// When time alone will change something; `never` if it will not.
Millis next_due(const Alert& alert);

class State : public Fold {
 public:
  void fold(const FactView& fact, Outbox& outbox) override;
  void said(const FactView& fact) override;
  void wake(Millis now, Outbox& outbox) override;
  Millis next_wake() const override;
  void save(std::string& bytes) const override;
  bool load(ByteReader bytes) override;
  std::vector<Held> held() const override;
  void fingerprint(Fingerprint& /*sum*/) const override {}

  const std::map<std::string, Alert>& alerts() const { return alerts_; }
  // By store: those that are listed, by condition.
  using List = std::set<Place>;
  using Lists = std::array<List, v1::Condition_ARRAYSIZE>;
  const std::map<std::string, Lists>& lists() const { return lists_; }
  // How many alerts fire at each store, by severity.
  using Counts = std::array<uint32_t, v1::Severity_ARRAYSIZE>;
  const std::map<std::string, Counts>& firing() const { return firing_; }
  const std::map<std::string, Subscriber>& subscribers() const { return subscribers_; }
  const std::map<std::string, Silence>& silences() const { return silences_; }
  const Notices& notices() const { return notices_; }

 private:
  void take_finding(const FactView& fact, Outbox& outbox);
  void take_ack(const FactView& fact, Outbox& outbox);
  void take_silence(const FactView& fact, Outbox& outbox);
  void take_subscriber(const FactView& fact, Outbox& outbox);
  void take_delivery(const FactView& fact, Outbox& outbox);
  void settle_silence(const std::string& id, Millis now);
  bool silenced(const Alert& alert, Millis now) const;
  void judge(const Entry& entry, Millis now, size_t said_before, Outbox& outbox) const;
  void judge_due(Millis now, Outbox& outbox);
  void enlist(const Entry& entry, bool enters);
  void count_firing(const Alert& alert, bool enters);
  void touch_open(const std::string& store, Millis now);
  void schedule(Entry& entry, Millis due);

  std::map<std::string, Alert> alerts_;  // By key.
  std::map<std::string, Lists> lists_;
  std::map<std::string, Counts> firing_;
  std::set<std::pair<Millis, std::string>> due_;
  std::map<std::string, Silence> silences_;
  std::set<std::string> running_;                   // Silences that are not over.
  std::set<std::pair<Millis, std::string>> edges_;  // When silences begin or end, as far as that is to come.
  std::map<std::string, Subscriber> subscribers_;
  Notices notices_;
};

ServiceDefinition definition();

}  // namespace xundian::alerts
