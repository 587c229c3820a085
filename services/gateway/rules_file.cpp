#include "services/gateway/rules_file.h"

#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "services/gateway/api.h"

namespace xundian::gateway {

namespace {

std::vector<std::string> names(const std::vector<query::v1::ShippedRule>& shipped, bool detectors) {
  std::set<std::string> found;
  for (const query::v1::ShippedRule& rule : shipped) found.insert(detectors ? rule.rule().detector() : rule.rule().id());
  return {found.begin(), found.end()};
}

bool take_micros(ConfigTable& table, std::string_view key, int64_t& micros) {
  double value = 0;
  if (!table.get(key, value)) return false;
  if (!std::isfinite(value) || std::abs(value) > 9e12)
    table.complain(key, "is out of range");
  else
    micros = std::llround(value * 1e6);
  return true;
}

// The rule that ships whose detector this one uses; null if there is none.
const query::v1::ShippedRule* base_of(const facts::v1::Rule& rule, const std::vector<query::v1::ShippedRule>& shipped) {
  for (const query::v1::ShippedRule& candidate : shipped)
    if (candidate.rule().id() == rule.id()) return &candidate;
  for (const query::v1::ShippedRule& candidate : shipped)
    if (!rule.detector().empty() && candidate.rule().detector() == rule.detector()) return &candidate;
  return nullptr;
}

void check_names(ConfigTable& table, facts::v1::Rule& rule, const std::vector<query::v1::ShippedRule>& shipped) {
  if (shipped.empty()) return;
  if (const auto* base = base_of(rule, shipped); base != nullptr) {
    if (rule.detector().empty())
      rule.set_detector(base->rule().detector());
    else if (base->rule().id() == rule.id() && base->rule().detector() != rule.detector())
      table.complain("detector",
                     fmt::format("the rule \"{}\" ships with the detector \"{}\"", rule.id(), base->rule().detector()));
    if (rule.has_fire_at_micros() && rule.has_clear_at_micros()) {
      const bool above = base->side() != "below";
      if (above ? rule.clear_at_micros() > rule.fire_at_micros() : rule.clear_at_micros() < rule.fire_at_micros())
        table.complain("clear_at", fmt::format("must lie {} fire_at, for the rule holds {} it", above ? "below" : "above",
                                               above ? "above" : "below"));
    }
    return;
  }
  const bool by_detector = !rule.detector().empty();
  const std::string& name = by_detector ? rule.detector() : rule.id();
  const std::string like = nearest(name, names(shipped, by_detector));
  table.complain(by_detector ? "detector" : "id",
                 fmt::format("\"{}\" is no {} there is{}", name, by_detector ? "detector" : "rule",
                             like.empty() ? "" : "; did you mean \"" + like + "\"?"));
}

facts::v1::Rule read_rule(ConfigTable& table, const std::vector<query::v1::ShippedRule>& shipped) {
  facts::v1::Rule rule;
  int64_t number = 0;
  std::string text;
  table.get("id", *rule.mutable_id());
  if (rule.id().empty()) table.complain("id", "a rule needs an id");
  table.get("detector", *rule.mutable_detector());
  table.get("store", *rule.mutable_store());
  table.get("platform", *rule.mutable_platform());
  table.get("entity", *rule.mutable_entity());
  if (take_micros(table, "fire_at", number)) rule.set_fire_at_micros(number);
  if (take_micros(table, "clear_at", number)) rule.set_clear_at_micros(number);
  if (table.get_duration("for", number)) rule.set_for_ms(number);
  if (table.get("sample_min", number, 0, 1'000'000'000)) rule.set_sample_min(number);
  if (table.get("severity", text)) {
    const int severity = severity_number(text);
    if (severity <= 0)
      table.complain("severity", fmt::format("\"{}\" is none of info, warning, high, critical", text));
    else
      rule.set_severity(static_cast<facts::v1::Severity>(severity));
  }
  table.get("owner", *rule.mutable_owner());
  table.get("zh", *rule.mutable_text_zh());
  table.get("en", *rule.mutable_text_en());
  table.get("next", *rule.mutable_next());
  bool disabled = false;
  if (table.get("disabled", disabled)) rule.set_disabled(disabled);
  check_names(table, rule, shipped);
  table.finish();  // Keys that are not known become complaints of the file.
  return rule;
}

// The line that a parser's message begins with ("rules:12: …").
int line_in(const std::string& message) {
  const size_t colon = message.find(':');
  int line = 0;
  if (colon != std::string::npos) std::from_chars(message.data() + colon + 1, message.data() + message.size(), line);
  return line;
}

}  // namespace

ReadRules read_rules(const std::string& text, const std::vector<query::v1::ShippedRule>& shipped) {
  ReadRules result;
  auto file = ConfigTable::parse(text, "rules");
  if (!file) {
    result.complaints.push_back({line_in(file.error().message), "", file.error().message});
    return result;
  }
  std::map<std::string, int> lines;  // Of what identifies a rule: its id and what it is for.
  for (ConfigTable& table : file->tables("rule")) {
    const facts::v1::Rule rule = read_rule(table, shipped);
    const std::string identity = rule.id() + "\n" + rule.store() + "\n" + rule.platform() + "\n" + rule.entity();
    const auto [first, is_new] = lines.emplace(identity, table.line());
    if (!is_new) table.complain("id", fmt::format("\"{}\" for the same scope is already in line {}", rule.id(), first->second));
    *result.rules.add_rules() = rule;
  }
  result.complaints = file->finish();
  if (result.rules.rules().empty() && result.complaints.empty())
    result.complaints.push_back({0, "rule", "the file holds no [[rule]]"});
  return result;
}

Result<v1::CheckRulesResponse> Api::check_rules(const Call& call, const v1::CheckRulesRequest& request) {
  v1::CheckRulesResponse response;
  const v1::ListRulesResponse known = TRY(list_rules(call, {}));
  *response.mutable_missing() = known.missing();
  // With a department silent, its detectors are not known, and nothing can be said about names.
  std::vector<query::v1::ShippedRule> shipped;
  if (known.missing().empty()) shipped.assign(known.rules().begin(), known.rules().end());
  const ReadRules read = read_rules(request.text(), shipped);
  response.set_rules(static_cast<uint32_t>(read.rules.rules_size()));
  for (const auto& complaint : read.complaints) {
    v1::RuleProblem& problem = *response.add_errors();
    problem.set_line(complaint.line);
    problem.set_key(complaint.key);
    problem.set_why(complaint.why);
  }
  return response;
}

Result<v1::PutRulesResponse> Api::put_rules(const Call& call, const v1::PutRulesRequest& request) {
  v1::PutRulesResponse response;
  if (remembered(call, "PutRules", request.request_id(), response)) return response;
  v1::CheckRulesRequest question;
  question.set_text(request.text());
  const v1::CheckRulesResponse checked = TRY(check_rules(call, question));
  if (!checked.missing().empty())
    return fail(Code::unavailable, "the rules cannot be checked while {} does not answer", fmt::join(checked.missing(), ", "));
  response.set_rules(checked.rules());
  *response.mutable_errors() = checked.errors();
  if (!checked.errors().empty()) return response;
  const std::string set = request.set().empty() ? "team" : request.set();
  facts::v1::Fact fact = TRY(stated(request.request_id(), "", set));
  const v1::ListRulesResponse known = TRY(list_rules(call, {}));
  *fact.mutable_rule_set()->mutable_list() = read_rules(request.text(), {known.rules().begin(), known.rules().end()}).rules;
  TRY_VOID(put_everywhere(call, fact, response.mutable_heads()));
  remember(call, "PutRules", request.request_id(), response);
  return response;
}

}  // namespace xundian::gateway
