// How the inner messages look from outside.
#include "common/money.h"
#include "services/gateway/api.h"

namespace xundian::gateway {

namespace {

constexpr const char* severities[] = {"", "info", "warning", "high", "critical"};

const char* condition_name(facts::v1::Condition condition) {
  switch (condition) {
    case facts::v1::CONDITION_INACTIVE:
      return "inactive";
    case facts::v1::CONDITION_PENDING:
      return "pending";
    case facts::v1::CONDITION_FIRING:
      return "firing";
    case facts::v1::CONDITION_RESOLVED:
      return "resolved";
    default:
      return "";
  }
}

const char* muting_name(facts::v1::Muting muting) {
  switch (muting) {
    case facts::v1::MUTING_SILENCED:
      return "silenced";
    case facts::v1::MUTING_FLAPPING:
      return "flapping";
    default:
      return "active";
  }
}

google::protobuf::Value number(double value) {
  google::protobuf::Value result;
  result.set_number_value(value);
  return result;
}

google::protobuf::Value figure(const facts::v1::Evidence& evidence) {
  google::protobuf::Value result;
  if (!evidence.has_value_micros())
    result.set_string_value(evidence.text());
  else if (evidence.unit() == "money")
    result.set_string_value(format_micros(evidence.value_micros(), 2));
  else
    result = number(static_cast<double>(evidence.value_micros()) / 1e6);
  return result;
}

}  // namespace

google::protobuf::Timestamp timestamp(Millis time) {
  google::protobuf::Timestamp result;
  result.set_seconds(time / 1'000);
  result.set_nanos(static_cast<int32_t>(time % 1'000) * 1'000'000);
  return result;
}

std::string severity_name(facts::v1::Severity severity) {
  return severity >= 0 && severity <= facts::v1::SEVERITY_CRITICAL ? severities[severity] : "";
}

int severity_number(std::string_view name) {
  for (int severity = 0; severity <= facts::v1::SEVERITY_CRITICAL; ++severity)
    if (name == severities[severity]) return severity;
  return -1;
}

v1::Alert shown(const std::string& store, const facts::v1::AlertTerms& terms, Partition partition) {
  const facts::v1::FindingTerms& finding = terms.finding();
  v1::Alert result;
  result.set_key(terms.alert());
  result.set_rule(finding.rule());
  result.set_store(store);
  result.set_entity_kind(finding.entity_kind());
  result.set_entity(finding.entity());
  result.set_condition(condition_name(terms.condition()));
  result.set_handling(terms.handling() == facts::v1::HANDLING_ACKED ? "acked" : "open");
  result.set_muting(muting_name(terms.muting()));
  result.set_severity(severity_name(finding.severity()));
  *result.mutable_since() = timestamp(terms.since_ms());
  *result.mutable_changed() = timestamp(terms.changed_ms() != 0 ? terms.changed_ms() : terms.since_ms());
  result.set_text_zh(finding.text_zh());
  result.set_text_en(finding.text_en());
  result.set_next(finding.next());
  result.set_owner(finding.owner());
  for (const facts::v1::Evidence& evidence : finding.evidence())
    (*result.mutable_evidence()->mutable_fields())[evidence.name()] = figure(evidence);
  result.set_partition(partition);
  result.set_cause(terms.finding_cause());
  result.set_episode(terms.episode());
  result.set_change(terms.change());
  return result;
}

v1::Alert shown(const query::v1::Alert& alert) {
  v1::Alert result = shown(alert.store(), alert.terms(), static_cast<Partition>(alert.partition()));
  result.set_delivery(alert.delivery());
  return result;
}

}  // namespace xundian::gateway
