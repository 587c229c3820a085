// What the alerts service knows: every alert and how it stands, who has it in hand, silences, subscribers, and what is to be
// sent.
#pragma once

#include <absl/container/btree_set.h>

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/service.h"
#include "services/alerts/alert.h"
#include "services/alerts/notices.h"

namespace xundian::alerts {

// An alert flaps when it fires and resolves, together, this often within so many changes and so long; it is calm again after a
// quiet while.
inline constexpr size_t flapping_turns = 4, flapping_changes = 20;
inline constexpr Millis flapping_window_ms = 3'600'000, flapping_calm_ms = 1'800'000;

// An alert's place in a list: the most severe and newest comes first.
struct Place {
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  Millis since_ms = 0;
  Key key;
  uint32_t index = 0;  // Where the alert lies in the table.

  bool operator<(const Place& other) const {
    return std::tie(other.severity, other.since_ms, key.high, key.low) <
           std::tie(severity, since_ms, other.key.high, other.key.low);
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

  const AlertTable& alerts() const { return alerts_; }
  // By store: those that are listed, by condition.
  using List = absl::btree_set<Place>;
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
  void stop_silence(const std::string& id);
  bool runs(const std::string& id, const Silence& silence) const;
  bool silenced(const Alert& alert, Millis now) const;
  void judge(const Alert& alert, Millis now, size_t said_before, Outbox& outbox) const;
  void judge_due(Millis now, Outbox& outbox);
  void enlist(const Alert& alert, bool enters);
  void count_firing(const Alert& alert, bool enters);
  void notify(Alert& alert, const FactView& fact);
  void touch_open(const std::string& store, Millis now);
  void schedule(uint32_t index, Millis due);

  AlertTable alerts_;
  std::map<std::string, Lists> lists_;
  std::map<std::string, Counts> firing_;
  std::set<std::pair<Millis, uint32_t>> due_;  // By where they lie.
  std::map<std::string, Silence> silences_;
  std::map<std::string, std::set<std::string>> running_;  // Silences that are not over, by their store; "" = all.
  std::set<std::pair<Millis, std::string>> edges_;        // When silences begin or end, as far as that is to come.
  std::map<std::string, Subscriber> subscribers_;
  Notices notices_;
};

ServiceDefinition definition();

}  // namespace xundian::alerts
