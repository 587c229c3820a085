// Rules: data that says from which measured value on something matters, and the judge that turns measurements into findings.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <concepts>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/service.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

enum class Side { above, below };  // A rule holds at fire_at and beyond it, on this side.

inline constexpr int64_t micros = 1'000'000;

// A rule as it ships; every detector has at least one. Values are in the detector's unit times 1,000,000.
struct ShippedRule {
  std::string_view id;
  std::string_view detector;
  std::string_view entity_kind;  // "sku", "order", "campaign", "agent", "conversation", "store"
  std::string_view unit;         // "units", "days", "ratio", "seconds", "hours", "count", "money"
  Side side = Side::above;
  int64_t fire_at_micros = 0;
  int64_t clear_at_micros = 0;  // No longer holds when strictly on the other side of fire_at and at or beyond this.
  Millis for_ms = 0;
  int64_t sample_min = 0;
  v1::Severity severity = v1::SEVERITY_WARNING;
  std::string_view owner;
  std::string_view text_zh;  // {store}, {entity}, {value} and each evidence's {name} are replaced.
  std::string_view text_en;
  std::string_view next;
};

// Which of a service's shipped rules.
struct RulePlace {
  size_t index = 0;
};
// Made when a service is compiled, which fails where no such rule ships: judging looks nothing up by name.
consteval RulePlace place_of(std::span<const ShippedRule> shipped, std::string_view id) {
  size_t index = 0;
  while (shipped[index].id != id) ++index;
  return {index};
}

// A rule with what overrides it. Its texts are the rule book's own, until that is changed.
struct EffectiveRule {
  const ShippedRule* shipped = nullptr;
  int64_t fire_at_micros = 0;
  int64_t clear_at_micros = 0;
  Millis for_ms = 0;
  int64_t sample_min = 0;
  v1::Severity severity = v1::SEVERITY_WARNING;
  std::string_view owner, text_zh, text_en, next;
  bool disabled = false;
};

// The rules that hold: those that ship, overridden by RuleSet facts. The most specific override wins (entity, store, platform).
class RuleBook {
 public:
  explicit RuleBook(std::span<const ShippedRule> shipped);
  RuleBook(const RuleBook&) = delete;
  RuleBook& operator=(const RuleBook&) = delete;
  // Takes in a RuleSet fact. True if anything changed for a rule that ships here.
  bool fold(const FactView& rule_set);
  EffectiveRule find(RulePlace rule, std::string_view store, std::string_view platform, std::string_view entity) const;
  std::span<const ShippedRule> shipped() const { return shipped_; }
  // The rule as it ships, if nothing overrides it anywhere; else null, and it has to be found.
  const EffectiveRule* plain(RulePlace rule) const { return overrides_[rule.index].empty() ? &plain_[rule.index] : nullptr; }
  query::v1::ListRulesResponse list(std::string_view service) const;
  void save(std::string& bytes) const;
  bool load(ByteReader& bytes);

 private:
  struct Set {
    Version version;
    v1::RuleList rules;
  };
  struct Override {
    Version version;
    const v1::Rule* rule = nullptr;
  };
  // By what they are of, a store and an entity or any of them: they are looked for at every judgement, and a home may have
  // thousands.
  using Overrides = absl::flat_hash_map<Key, std::vector<Override>, KeyHash>;
  static Key key_of(std::string_view store, std::string_view entity);
  // Null: the rule is another service's.
  Overrides* overrides_of(const v1::Rule& rule);
  // True if any of the set's rules ships here.
  bool enter(const Set& set);
  bool leave(const Set& set);

  std::span<const ShippedRule> shipped_;
  std::map<Key, Set> sets_;
  std::vector<EffectiveRule> plain_;  // Those shipped, and
  std::vector<Overrides> overrides_;  // what overrides them, by their places.
};

// What a detector measured of a thing, and what supports it.
struct Measurement {
  int64_t value_micros = 0;
  int64_t sample = std::numeric_limits<int64_t>::max();  // Observations that it rests on.
  std::vector<v1::Evidence> evidence;
};

// `value` of a unit, as evidence.
v1::Evidence evidence(std::string_view name, int64_t value_micros, std::string_view unit);
v1::Evidence evidence(std::string_view name, std::string_view text);

// What a Finding says of its rule, read without building the message. Checked against the parser by a test.
struct FindingScan {
  std::string_view rule;  // Points into the finding's bytes.
  bool holds = false;
  Millis since_ms = 0;
  // False: the bytes are broken.
  bool scan(std::string_view finding);
};

// Remembers which conditions hold and says when one begins or ends to hold.
class Judge {
 public:
  // The rules must outlive it.
  explicit Judge(const RuleBook& rules) : rules_(rules), holding_(rules.shipped().size()) {}
  struct Subject {
    std::string_view store;  // Store id.
    std::string_view platform;
    std::string_view entity;  // Its own name; the finding's key is rule + "|" + entity.
  };
  // Compares a measurement with the rule and says a Finding if that changes whether it holds. Absent: nothing is wrong (or the
  // thing is gone); what held no longer does. `now` is the time of the record.
  void judge(RulePlace rule, const Subject& subject, const std::optional<Measurement>& measured, Millis now, Outbox& outbox);
  // The same, where `evidence()` is made only for what is said: of most judgements nothing is.
  template <typename MakeEvidence>
  requires std::invocable<MakeEvidence>
  void judge(RulePlace rule, const Subject& subject, std::optional<Measurement> measured, MakeEvidence&& evidence, Millis now,
             Outbox& outbox) {
    if (is_quiet(rule, measured, outbox)) return;
    const auto verdict = weigh(rule, subject, measured, now, outbox);
    if (!verdict) return;
    if (measured) measured->evidence = evidence();
    say(*verdict, subject, measured, now, outbox);
  }
  struct Said {
    RulePlace rule;
    bool holds = false;
  };
  // Takes in a fact that this service said, if it is a Finding; gives what that says of which rule.
  std::optional<Said> said(const FactView& fact);
  // Since when it holds; absent: it does not.
  std::optional<Millis> holds_since(std::string_view store, RulePlace rule, std::string_view entity) const;
  void save(std::string& bytes) const;
  bool load(ByteReader& bytes);

 private:
  // Whether the rule holds for this, whatever held before: it is measured, of enough observations, and at or beyond fire_at.
  static bool begins(const EffectiveRule& rule, const std::optional<Measurement>& measured) {
    if (!measured || rule.disabled || measured->sample < rule.sample_min) return false;
    return rule.shipped->side == Side::above ? measured->value_micros >= rule.fire_at_micros
                                             : measured->value_micros <= rule.fire_at_micros;
  }
  // As most judgements are: nothing begins to hold, and nothing held that could end.
  bool is_quiet(RulePlace place, const std::optional<Measurement>& measured, const Outbox& outbox) const {
    const EffectiveRule* rule = rules_.plain(place);
    return rule != nullptr && holding_[place.index].empty() && outbox.facts().empty() && !begins(*rule, measured);
  }
  // That a condition begins or ends to hold.
  struct Verdict {
    EffectiveRule rule;
    bool holds = false;
    Millis since = 0;
  };
  // Absent: it holds as it did, or holds as little.
  std::optional<Verdict> weigh(RulePlace place, const Subject& subject, const std::optional<Measurement>& measured, Millis now,
                               Outbox& outbox);
  static void say(const Verdict& verdict, const Subject& subject, const std::optional<Measurement>& measured, Millis now,
                  Outbox& outbox);

  const RuleBook& rules_;
  std::string key_;  // Kept between judgements to save allocations.
  // Since when findings hold, by the place of their rule and their thing_key: of most rules hardly any holds, and nothing has to
  // be looked up. What was said in answer to the input at hand is looked up in the outbox, so that two judgements of one thing
  // within an input say one thing.
  std::vector<absl::flat_hash_map<Key, Millis, KeyHash>> holding_;
};

}  // namespace xundian
