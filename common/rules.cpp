#include "common/rules.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>

#include "common/money.h"
#include "common/mutant.h"

namespace xundian {

namespace {

constexpr uint32_t list_aspect = 1;

// How specific an override is; -1 = it does not concern the thing.
int specificity(const v1::Rule& rule, std::string_view store, std::string_view platform, std::string_view entity) {
  if ((!rule.store().empty() && rule.store() != store) || (!rule.platform().empty() && rule.platform() != platform) ||
      (!rule.entity().empty() && rule.entity() != entity))
    return -1;
  return (rule.entity().empty() ? 0 : 4) + (rule.store().empty() ? 0 : 2) + (rule.platform().empty() ? 0 : 1);
}

void override_with(EffectiveRule& rule, const v1::Rule& by) {
  if (by.has_fire_at_micros()) {
    // A rule that moves its threshold and says nothing of clearing clears as far away as it did.
    rule.clear_at_micros += by.fire_at_micros() - rule.fire_at_micros;
    rule.fire_at_micros = by.fire_at_micros();
  }
  if (by.has_clear_at_micros()) rule.clear_at_micros = by.clear_at_micros();
  if (by.has_for_ms()) rule.for_ms = by.for_ms();
  if (by.has_sample_min()) rule.sample_min = by.sample_min();
  if (by.severity() != v1::SEVERITY_UNSPECIFIED) rule.severity = by.severity();
  if (!by.owner().empty()) rule.owner = by.owner();
  if (!by.text_zh().empty()) rule.text_zh = by.text_zh();
  if (!by.text_en().empty()) rule.text_en = by.text_en();
  if (!by.next().empty()) rule.next = by.next();
  rule.disabled = by.disabled();
}

// What holds goes on until the value is at or beyond clear_at on the other side; a clear_at that equals fire_at clears as soon as
// the value is no longer beyond that.
bool goes_on(const EffectiveRule& rule, int64_t value) {
  const bool is_clear = rule.shipped->side == Side::above ? value <= rule.clear_at_micros : value >= rule.clear_at_micros;
  return !is_clear && rule.clear_at_micros != rule.fire_at_micros;
}

std::string value_text(int64_t value_micros, std::string_view unit) {
  // Two digits are enough to act on.
  const int64_t rounded = (value_micros >= 0 ? value_micros + 5'000 : value_micros - 5'000) / 10'000 * 10'000;
  if (unit == "ratio")
    return format_micros((value_micros * 100 >= 0 ? value_micros * 100 + 50'000 : value_micros * 100 - 50'000) / 100'000 *
                         100'000) +
           "%";
  return format_micros(rounded);
}

void set_key(std::string& key, std::string_view rule, std::string_view entity) {
  key.assign(rule);
  key += '|';
  key += entity;
}

std::string fill(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values) {
  std::string filled(text);
  for (const auto& [name, value] : values) {
    const std::string mark = "{" + name + "}";
    for (size_t at = filled.find(mark); at != std::string::npos; at = filled.find(mark, at + value.size()))
      filled.replace(at, mark.size(), value);
  }
  return filled;
}

// What clears because the thing is gone has no evidence; a dash stands for each.
std::string dash_marks(std::string text) {
  for (size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open)) {
    const size_t close = text.find('}', open);
    if (close == std::string::npos) break;
    text.replace(open, close - open + 1, "–");
  }
  return text;
}

}  // namespace

RuleBook::RuleBook(std::span<const ShippedRule> shipped) : shipped_(shipped), overrides_(shipped.size()) {
  for (const ShippedRule& rule : shipped)
    plain_.push_back({.shipped = &rule,
                      .fire_at_micros = rule.fire_at_micros,
                      .clear_at_micros = rule.clear_at_micros,
                      .for_ms = rule.for_ms,
                      .sample_min = rule.sample_min,
                      .severity = rule.severity,
                      .owner = rule.owner,
                      .text_zh = rule.text_zh,
                      .text_en = rule.text_en,
                      .next = rule.next});
}

bool RuleBook::fold(const FactView& fact) {
  Set& set = sets_[fact.key()];
  v1::RuleSet state;
  if (!fact.parse(state)) return false;
  const uint32_t aspect = fact.withdrawn() ? withdrawn_aspect : list_aspect;
  if (!fact.states(aspect) || fact.version(aspect) <= set.version || mutant("rules_not_applied")) return false;
  const bool left = leave(set);
  set.version = fact.version(aspect);
  set.rules = fact.withdrawn() ? v1::RuleList() : state.list();
  return enter(set) || left;
}

Key RuleBook::key_of(std::string_view store, std::string_view entity) { return hash128({store, "\n", entity}); }

RuleBook::Overrides* RuleBook::overrides_of(const v1::Rule& rule) {
  const auto shipped = std::ranges::find(shipped_, rule.id(), &ShippedRule::id);
  return shipped == shipped_.end() ? nullptr : &overrides_[static_cast<size_t>(shipped - shipped_.begin())];
}

bool RuleBook::enter(const Set& set) {
  bool any = false;
  for (const v1::Rule& rule : set.rules.rules())
    if (Overrides* const overrides = overrides_of(rule)) {
      (*overrides)[key_of(rule.store(), rule.entity())].push_back({set.version, &rule});
      any = true;
    }
  return any;
}

bool RuleBook::leave(const Set& set) {
  bool any = false;
  for (const v1::Rule& rule : set.rules.rules())
    if (Overrides* const overrides = overrides_of(rule)) {
      const auto found = overrides->find(key_of(rule.store(), rule.entity()));
      std::erase_if(found->second, [&](const Override& held) { return held.rule == &rule; });
      if (found->second.empty()) overrides->erase(found);
      any = true;
    }
  return any;
}

EffectiveRule RuleBook::find(RulePlace place, std::string_view store, std::string_view platform, std::string_view entity) const {
  EffectiveRule rule = plain_[place.index];
  const Overrides& all = overrides_[place.index];
  if (all.empty()) return rule;
  // From the least to the most specific; among equals the newest set wins.
  absl::InlinedVector<std::tuple<int, Version, const v1::Rule*>, 4> overrides;
  const auto consider = [&](std::string_view of_store, std::string_view of_entity) {
    const auto held = all.find(key_of(of_store, of_entity));
    if (held == all.end()) return;
    for (const Override& candidate : held->second)
      if (const int how = specificity(*candidate.rule, store, platform, entity); how >= 0)
        overrides.emplace_back(how, candidate.version, candidate.rule);
  };
  consider({}, {});
  if (!store.empty()) consider(store, {});
  if (!entity.empty()) consider({}, entity);
  if (!store.empty() && !entity.empty()) consider(store, entity);
  std::stable_sort(overrides.begin(), overrides.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  for (const auto& [how, version, candidate] : overrides) override_with(rule, *candidate);
  return rule;
}

query::v1::ListRulesResponse RuleBook::list(std::string_view service) const {
  query::v1::ListRulesResponse list;
  for (const ShippedRule& shipped : shipped_) {
    query::v1::ShippedRule& entry = *list.add_rules();
    v1::Rule& rule = *entry.mutable_rule();
    rule.set_id(std::string(shipped.id));
    rule.set_detector(std::string(shipped.detector));
    rule.set_fire_at_micros(shipped.fire_at_micros);
    rule.set_clear_at_micros(shipped.clear_at_micros);
    rule.set_for_ms(shipped.for_ms);
    rule.set_sample_min(shipped.sample_min);
    rule.set_severity(shipped.severity);
    rule.set_owner(std::string(shipped.owner));
    rule.set_text_zh(std::string(shipped.text_zh));
    rule.set_text_en(std::string(shipped.text_en));
    rule.set_next(std::string(shipped.next));
    entry.set_unit(std::string(shipped.unit));
    entry.set_side(shipped.side == Side::above ? "above" : "below");
    entry.set_service(std::string(service));
    entry.set_entity_kind(std::string(shipped.entity_kind));
  }
  for (const auto& [key, set] : sets_)
    for (const v1::Rule& rule : set.rules.rules())
      if (std::any_of(shipped_.begin(), shipped_.end(), [&](const ShippedRule& shipped) { return shipped.id == rule.id(); }))
        *list.add_overrides() = rule;
  return list;
}

void RuleBook::save(std::string& bytes) const {
  append(bytes, static_cast<uint32_t>(sets_.size()));
  for (const auto& [key, set] : sets_) {
    append(bytes, key);
    append(bytes, set.version);
    append_text(bytes, set.rules.SerializeAsString());
  }
}

bool RuleBook::load(ByteReader& bytes) {
  sets_.clear();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    Set& set = sets_[bytes.take<Key>()];
    set.version = bytes.take<Version>();
    const std::string_view rules = bytes.take_text();
    if (!set.rules.ParseFromArray(rules.data(), static_cast<int>(rules.size()))) return false;
  }
  overrides_.assign(shipped_.size(), {});
  for (const auto& [key, set] : sets_) enter(set);
  return bytes.ok();
}

v1::Evidence evidence(std::string_view name, int64_t value_micros, std::string_view unit) {
  v1::Evidence item;
  item.set_name(std::string(name));
  item.set_value_micros(value_micros);
  item.set_unit(std::string(unit));
  return item;
}

v1::Evidence evidence(std::string_view name, std::string_view text) {
  v1::Evidence item;
  item.set_name(std::string(name));
  item.set_text(std::string(text));
  return item;
}

void Judge::judge(RulePlace rule, const Subject& subject, const std::optional<Measurement>& measured, Millis now,
                  Outbox& outbox) {
  const auto verdict = weigh(rule, subject, measured, now, outbox);
  if (verdict) say(*verdict, subject, measured, now, outbox);
}

std::optional<Judge::Verdict> Judge::weigh(RulePlace place, const Subject& subject, const std::optional<Measurement>& measured,
                                           Millis now, Outbox& outbox) {
  std::optional<EffectiveRule> found;
  const EffectiveRule* plain = rules_.plain(place);
  const EffectiveRule& rule = plain ? *plain : found.emplace(rules_.find(place, subject.store, subject.platform, subject.entity));
  const bool begins = Judge::begins(rule, measured);
  const auto& holding = holding_[place.index];
  if (!begins && holding.empty() && outbox.facts().empty()) return std::nullopt;  // Nothing could end.
  set_key(key_, rule.shipped->id, subject.entity);
  const auto held = holding.find(thing_key(v1::Fact::kFinding, subject.store, key_));
  bool is_held = held != holding.end();
  Millis since = is_held ? held->second : now;
  // What was already said in answer to this input stands.
  for (auto said = outbox.facts().rbegin(); said != outbox.facts().rend(); ++said) {
    if (!said->has_finding() || said->key() != key_ || said->store() != subject.store) continue;
    is_held = said->finding().terms().holds();
    since = is_held ? said->finding().terms().since_ms() : now;
    break;
  }
  const bool is_judged = measured && !rule.disabled && measured->sample >= rule.sample_min;
  const bool holds_now = begins || (is_held && is_judged && goes_on(rule, measured->value_micros));
  if (holds_now == is_held) return std::nullopt;
  return Verdict{rule, holds_now, holds_now ? now : since};
}

void Judge::say(const Verdict& verdict, const Subject& subject, const std::optional<Measurement>& measured, Millis now,
                Outbox& outbox) {
  const EffectiveRule& rule = verdict.rule;
  v1::Fact& fact = outbox.add();
  fact.set_store(std::string(subject.store));
  set_key(*fact.mutable_key(), rule.shipped->id, subject.entity);
  v1::FindingTerms& terms = *fact.mutable_finding()->mutable_terms();
  terms.set_rule(std::string(rule.shipped->id));
  terms.set_entity_kind(std::string(rule.shipped->entity_kind));
  terms.set_entity(std::string(subject.entity));
  terms.set_holds(verdict.holds);
  terms.set_value_micros(measured ? measured->value_micros : 0);
  terms.set_judged_ms(now);
  terms.set_since_ms(verdict.since);
  terms.set_severity(rule.severity);
  terms.set_for_ms(rule.for_ms);
  terms.set_owner(std::string(rule.owner));
  terms.set_next(std::string(rule.next));
  std::vector<std::pair<std::string, std::string>> values = {{"store", std::string(subject.store)},
                                                             {"entity", std::string(subject.entity)}};
  if (measured) {
    values.emplace_back("value", value_text(measured->value_micros, rule.shipped->unit));
    for (const v1::Evidence& item : measured->evidence) {
      *terms.add_evidence() = item;
      values.emplace_back(item.name(), item.has_value_micros() ? value_text(item.value_micros(), item.unit()) : item.text());
    }
  }
  const std::string text_zh = fill(rule.text_zh, values), text_en = fill(rule.text_en, values);
  terms.set_text_zh(measured ? text_zh : dash_marks(text_zh));
  terms.set_text_en(measured ? text_en : dash_marks(text_en));
}

std::optional<Judge::Said> Judge::said(const FactView& fact) {
  // Texts and evidence, which are most of it, are for others.
  FindingScan finding;
  if (fact.kind() != v1::Fact::kFinding || !finding.scan(fact.payload())) return std::nullopt;
  const auto shipped = std::ranges::find(rules_.shipped(), finding.rule, &ShippedRule::id);
  if (shipped == rules_.shipped().end()) return std::nullopt;  // It no longer ships.
  const RulePlace rule{static_cast<size_t>(shipped - rules_.shipped().begin())};
  auto& holding = holding_[rule.index];
  if (finding.holds)
    holding[fact.key()] = finding.since_ms;
  else
    holding.erase(fact.key());
  return Said{rule, finding.holds};
}

bool FindingScan::scan(std::string_view finding) {
  bool is_whole = true;
  const auto take_terms = [&](FieldCursor& at) {
    is_whole &= scan_fields(at.bytes(), scanned<bytes_tag(1)>([&](FieldCursor& terms) { rule = terms.bytes(); }),
                            scanned<varint_tag(4)>([&](FieldCursor& terms) { holds = terms.number() != 0; }),
                            scanned<varint_tag(7)>([&](FieldCursor& terms) { since_ms = terms.millis(); }));
  };
  return scan_fields(finding, scanned<bytes_tag(1)>(take_terms)) && is_whole;
}

std::optional<Millis> Judge::holds_since(std::string_view store, RulePlace rule, std::string_view entity) const {
  const auto& holding = holding_[rule.index];
  if (holding.empty()) return std::nullopt;
  std::string key;
  set_key(key, rules_.shipped()[rule.index].id, entity);
  const auto held = holding.find(thing_key(v1::Fact::kFinding, store, key));
  if (held == holding.end()) return std::nullopt;
  return held->second;
}

void Judge::save(std::string& bytes) const {
  append(bytes, static_cast<uint32_t>(holding_.size()));
  for (size_t place = 0; place < holding_.size(); ++place) {
    append_text(bytes, rules_.shipped()[place].id);
    const std::map<Key, Millis> sorted(holding_[place].begin(), holding_[place].end());
    append(bytes, static_cast<uint32_t>(sorted.size()));
    for (const auto& [key, since] : sorted) {
      append(bytes, key);
      append(bytes, since);
    }
  }
}

bool Judge::load(ByteReader& bytes) {
  for (auto& holding : holding_) holding.clear();
  for (uint32_t rules = bytes.take<uint32_t>(); rules > 0 && bytes.ok(); --rules) {
    const auto shipped = std::ranges::find(rules_.shipped(), bytes.take_text(), &ShippedRule::id);
    for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
      const Key key = bytes.take<Key>();
      const auto since = bytes.take<Millis>();
      if (shipped != rules_.shipped().end()) holding_[static_cast<size_t>(shipped - rules_.shipped().begin())][key] = since;
    }
  }
  return bytes.ok();
}

}  // namespace xundian
