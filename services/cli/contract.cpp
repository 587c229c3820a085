// The JSON objects that --json prints. Other people's scripts read them: see the golden files of the tests before changing one.
#include "common/time.h"
#include "services/cli/commands.h"

namespace xundian::cli {

namespace {

void write_texts(Json& json, const google::protobuf::RepeatedPtrField<std::string>& texts) {
  json.begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write_counts(Json& json, const v1::ImportedFile& file) {
  json.field("rows", file.rows()).field("facts", file.facts()).field("new", file.new_()).field("updated", file.updated());
  json.field("unchanged", file.unchanged()).field("rejected", file.rejected());
}

// A figure's parts; what is unknown is null.
template <typename Figure>
void write_figure(Json& json, const Figure& figure) {
  write_value(json.key("value"), figure.value());
  json.key("numerator");
  if (figure.has_numerator())
    json.value(int64_t{figure.numerator()});
  else
    json.null();
  json.key("denominator");
  if (figure.has_denominator())
    json.value(int64_t{figure.denominator()});
  else
    json.null();
  json.field("unit", figure.unit());
  json.key("currency");
  if (figure.currency().empty())
    json.null();
  else
    json.value(figure.currency());
  json.field("status", figure.status());
}

}  // namespace

void write_value(Json& json, const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      json.value(value.number_value());
      return;
    case google::protobuf::Value::kStringValue:
      json.value(value.string_value());
      return;
    case google::protobuf::Value::kBoolValue:
      json.value(value.bool_value());
      return;
    default:
      json.null();
  }
}

void write_time(Json& json, const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0)
    json.null();
  else
    json.value(format_utc(time.seconds() * 1'000 + time.nanos() / 1'000'000));
}

void write_alert(Json& json, const v1::Alert& alert) {
  json.begin_object().field("key", alert.key()).field("rule", alert.rule()).field("store", alert.store());
  json.field("entity_kind", alert.entity_kind()).field("entity", alert.entity());
  json.field("condition", alert.condition()).field("handling", alert.handling()).field("muting", alert.muting());
  json.field("delivery", alert.delivery()).field("severity", alert.severity());
  write_time(json.key("since"), alert.since());
  write_time(json.key("changed"), alert.changed());
  json.field("text", alert.text_zh().empty() ? alert.text_en() : alert.text_zh());
  json.field("text_en", alert.text_en()).field("next", alert.next()).field("owner", alert.owner());
  json.key("evidence").begin_object();
  const std::map<std::string, google::protobuf::Value> sorted(alert.evidence().fields().begin(), alert.evidence().fields().end());
  for (const auto& [name, value] : sorted) write_value(json.key(name), value);
  json.end_object();
  json.field("partition", alert.partition());
  json.field("cause", uint64_t{alert.cause()}).field("episode", alert.episode()).field("change", alert.change());
  json.end_object();
}

void write_store(Json& json, const query::v1::Store& store) {
  const std::string& scope = store.scope();
  const size_t slash = std::min(scope.find('/'), scope.size());
  json.begin_object().field("id", store.id()).field("name", store.name()).field("platform", store.platform());
  json.field("currency", store.currency_code()).field("time_zone", store.time_zone()).field("day_cut", store.day_cut_minutes());
  json.field("calendar", store.calendar()).field("tenant", scope.substr(0, slash));
  json.field("group", slash == scope.size() ? std::string() : scope.substr(slash + 1)).field("stock_pool", store.stock_pool());
  json.key("live_from");
  if (store.live_from_ms() == 0)
    json.null();
  else
    json.value(format_utc(store.live_from_ms()));
  json.end_object();
}

Json import_json(const v1::ImportFileResponse& result) {
  Json json;
  json.begin_object().field("import", uint64_t{result.import_id()}).key("files").begin_array();
  for (const v1::ImportedFile& file : result.files()) {
    json.begin_object().field("file", file.file()).field("format", file.format()).field("encoding", file.encoding());
    write_counts(json, file);
    json.key("rejects_file");
    if (file.rejects_file().empty())
      json.null();
    else
      json.value(file.rejects_file());
    json.end_object();
  }
  json.end_array().key("total").begin_object();
  write_counts(json, result.total());
  json.end_object().end_object();
  return json;
}

Json metrics_json(const std::vector<v1::MetricRow>& rows, const google::protobuf::Timestamp* as_of,
                  const std::vector<std::string>& missing) {
  Json json;
  json.begin_object().key("as_of");
  if (as_of == nullptr)
    json.null();
  else
    write_time(json, *as_of);
  json.key("missing").begin_array();
  for (const std::string& service : missing) json.value(service);
  json.end_array().key("rows").begin_array();
  for (const v1::MetricRow& row : rows) {
    json.begin_object()
        .field("store", row.store())
        .field("key", row.key())
        .field("from", row.from())
        .field("metric", row.metric());
    write_figure(json, row);
    json.end_object();
  }
  json.end_array().end_object();
  return json;
}

void write_memory(Json& json, const v1::ServiceStatus& service) {
  json.field("resident_bytes", uint64_t{service.resident_bytes()}).key("memory").begin_array();
  for (const v1::HeldMemory& held : service.memory())
    json.begin_object()
        .field("name", held.name())
        .field("count", uint64_t{held.count()})
        .field("bytes", uint64_t{held.bytes()})
        .end_object();
  json.end_array();
}

Json status_json(const v1::GetStatusResponse& status) {
  Json json;
  json.begin_object().field("healthy", status.healthy()).key("services").begin_array();
  for (const v1::ServiceStatus& service : status.services()) {
    json.begin_object().field("name", service.name()).field("instance", service.instance()).field("healthy", service.healthy());
    json.field("lag_facts", uint64_t{service.lag_facts()});
    write_time(json.key("started"), service.started());
    json.field("skipped", uint64_t{service.skipped()}).field("problem", service.problem());
    if (service.resident_bytes() > 0) write_memory(json, service);
    json.end_object();
  }
  json.end_array().key("journal");
  if (!status.has_journal()) return json.null().end_object();
  const v1::JournalStatus& journal = status.journal();
  json.begin_object()
      .field("engine", journal.engine())
      .field("facts", uint64_t{journal.facts()})
      .field("bytes", uint64_t{journal.bytes()});
  json.field("sync_p50_us", uint64_t{journal.sync_p50_us()}).field("sync_p99_us", uint64_t{journal.sync_p99_us()});
  json.field("disk_free_bytes", uint64_t{journal.disk_free_bytes()}).field("disk_bytes", uint64_t{journal.disk_bytes()});
  json.field("home", journal.home()).field("clock", journal.clock()).end_object().end_object();
  return json;
}

Json fingerprint_json(const v1::GetFingerprintResponse& answer) {
  Json json;
  json.begin_object().key("head").begin_object();
  for (const auto& [partition, offset] : std::map<uint32_t, uint64_t>(answer.head().begin(), answer.head().end()))
    json.field(std::to_string(partition), uint64_t{offset});
  json.end_object().key("services").begin_object();
  for (const auto& [service, sum] : std::map<std::string, std::string>(answer.services().begin(), answer.services().end()))
    json.field(service, sum);
  json.end_object().end_object();
  return json;
}

Json rehearsal_json(const query::v1::RehearseResponse& result) {
  Json json;
  json.begin_object().key("alerts").begin_array();
  for (const query::v1::RehearsedAlert& alert : result.alerts()) {
    json.begin_object().field("rule", alert.rule()).field("store", alert.store()).field("entity", alert.entity());
    write_time(json.key("fired"), alert.fired());
    write_time(json.key("resolved"), alert.resolved());
    json.end_object();
  }
  json.end_array().key("per_rule").begin_object();
  for (const query::v1::RehearsedRule& rule : result.per_rule())
    json.key(rule.rule()).begin_object().field("alerts", rule.alerts()).field("alerts_now", rule.alerts_now()).end_object();
  json.end_object().end_object();
  return json;
}

Json rules_check_json(uint32_t rules, const google::protobuf::RepeatedPtrField<v1::RuleProblem>& errors) {
  Json json;
  json.begin_object().field("rules", rules).key("errors").begin_array();
  for (const v1::RuleProblem& error : errors)
    json.begin_object().field("line", int{error.line()}).field("key", error.key()).field("why", error.why()).end_object();
  json.end_array().end_object();
  return json;
}

Json report_json(const v1::Report& report) {
  Json json;
  json.begin_object().field("date", report.date());
  write_time(json.key("frozen_at"), report.frozen_at());
  write_texts(json.key("stores"), report.stores());
  json.key("sections").begin_array();
  for (const v1::ReportSection& section : report.sections()) {
    json.begin_object().field("id", section.id()).field("title_zh", section.title_zh()).field("title_en", section.title_en());
    json.field("service", section.service());
    write_time(json.key("as_of"), section.as_of());
    json.key("lines").begin_array();
    for (const v1::ReportLine& line : section.lines()) {
      json.begin_object().field("store", line.store()).field("key", line.key()).field("from", line.from());
      json.field("metric", line.metric()).field("definition", line.definition());
      write_figure(json, line);
      write_value(json.key("week_before"), line.week_before());
      json.key("change");
      if (line.has_change())
        json.value(line.change());
      else
        json.null();
      json.end_object();
    }
    json.end_array().key("alerts").begin_array();
    for (const v1::Alert& alert : section.alerts()) write_alert(json, alert);
    json.end_array().end_object();
  }
  json.end_array();
  write_texts(json.key("missing"), report.missing());
  json.key("restated").begin_array();
  for (const v1::ReportDifference& difference : report.restated()) {
    json.begin_object().field("section", difference.section()).field("store", difference.store()).field("key", difference.key());
    json.field("metric", difference.metric()).field("currency", difference.currency());
    write_value(json.key("frozen"), difference.frozen());
    write_value(json.key("now"), difference.now());
    json.end_object();
  }
  json.end_array().end_object();
  return json;
}

std::string value_text(const google::protobuf::Value& value, const std::string& unit) {
  if (value.kind_case() == google::protobuf::Value::kStringValue) return value.string_value();
  if (value.kind_case() != google::protobuf::Value::kNumberValue) return "–";
  const double number = value.number_value();
  if (unit == "ratio") return fmt::format("{:.4g}", number);
  if (number == static_cast<double>(static_cast<int64_t>(number))) return fmt::format("{}", static_cast<int64_t>(number));
  return fmt::format("{:.2f}", number);
}

}  // namespace xundian::cli
