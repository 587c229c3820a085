// Commands that read: status, stores, overview, metrics, report, fingerprint.
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "services/cli/commands.h"
#include "services/cli/terminal.h"

namespace xundian::cli {

namespace {

using Stub = v1::GatewayService::Stub;

void tell_missing(const google::protobuf::RepeatedPtrField<std::string>& missing) {
  if (!missing.empty()) fmt::print(stderr, "xundian: no answer from: {}\n", fmt::join(missing, ", "));
}

// Metric id to its names.
std::map<std::string, std::string> metric_names(Client& client) {
  std::map<std::string, std::string> names;
  const auto told = client.call(&Stub::GetMetricDefinitions, v1::GetMetricDefinitionsRequest());
  if (!told) return names;
  for (const query::v1::MetricDefinition& definition : told->definitions())
    names[definition.id()] = definition.name_zh() + " " + definition.name_en();
  return names;
}

Table figures_table(const std::vector<v1::MetricRow>& rows, std::map<std::string, std::string> names) {
  Table table({"店铺 Store", "项目 Key", "起 From", "指标 Metric", ">值 Value", "", "状态 Status"});
  for (const v1::MetricRow& row : rows) {
    const std::string& name = names[row.metric()];
    table.add({row.store().empty() ? "合计 all" : row.store(), row.key(), row.from(), name.empty() ? row.metric() : name,
               value_text(row.value(), row.unit()), row.currency().empty() ? row.unit() : row.currency(), row.status()});
  }
  return table;
}

Result<int> define_metrics(Client& client, const MetricsOptions& options) {
  const auto told = TRY(client.call(&Stub::GetMetricDefinitions, v1::GetMetricDefinitionsRequest()));
  Json json;
  Table table({"指标 Metric", "名称 Name", "单位 Unit", "维度 By", "粒度 Grain", "公式 Formula"});
  json.begin_object().key("missing").begin_array();
  for (const std::string& service : told.missing()) json.value(service);
  json.end_array().key("metrics").begin_array();
  for (const query::v1::MetricDefinition& d : told.definitions()) {
    json.begin_object()
        .field("id", d.id())
        .field("name_zh", d.name_zh())
        .field("name_en", d.name_en())
        .field("formula", d.formula());
    json.field("unit", d.unit())
        .field("dimensions", d.dimensions())
        .field("grain", d.grain())
        .field("additivity", d.additivity());
    json.field("version", d.version()).field("effective", d.effective()).field("service", d.service()).end_object();
    table.add({d.id(), d.name_zh() + " " + d.name_en(), d.unit(), d.dimensions(), d.grain(), d.formula()});
  }
  json.end_array().end_object();
  if (options.json)
    print_json(json);
  else
    fmt::print("{}", table.text());
  tell_missing(told.missing());
  return done;
}

void print_memory(const v1::GetStatusResponse& told) {
  Table table({"服务 Service", "内存 Held", ">数 Count", ">字节 Bytes", ">每个 Each"});
  for (const v1::ServiceStatus& service : told.services()) {
    for (const v1::HeldMemory& held : service.memory())
      table.add({service.name(), held.name(), fmt::format("{}", held.count()), bytes_text(held.bytes()),
                 held.count() > 0 ? fmt::format("{}", held.bytes() / held.count()) : "–"});
    if (service.resident_bytes() > 0) table.add({service.name(), "进程 process", "", bytes_text(service.resident_bytes()), ""});
  }
  fmt::print("{}", table.text());
}

}  // namespace

void print_json(const Json& json) { fmt::print("{}\n", json.text()); }

int status(bool as_json, bool memory) {
  return with_client([&](Client& client) -> Result<int> {
    v1::GetStatusRequest request;
    request.set_memory(memory);
    const auto told = TRY(client.call(&Stub::GetStatus, request));
    if (as_json) {
      print_json(status_json(told));
      return done;
    }
    Table table({"服务 Service", "状态 State", ">积压 Lag", "启动 Started"});
    for (const v1::ServiceStatus& service : told.services())
      table.add({service.instance() > 0 ? fmt::format("{}.{}", service.name(), service.instance()) : service.name(),
                 service.healthy() ? "正常 up" : "异常 " + (service.problem().empty() ? "not well" : service.problem()),
                 fmt::format("{}", service.lag_facts()), local_time_text(service.started().seconds())});
    fmt::print("{}", table.text());
    const v1::JournalStatus& journal = told.journal();
    if (told.has_journal())
      fmt::print("日志 Journal: {}, {} facts, {}, sync p50 {} µs p99 {} µs, disk free {} of {}, clock {}\n", journal.engine(),
                 journal.facts(), bytes_text(journal.bytes()), journal.sync_p50_us(), journal.sync_p99_us(),
                 bytes_text(journal.disk_free_bytes()), bytes_text(journal.disk_bytes()), journal.clock());
    for (const v1::ImportSummary& import : told.imports())
      fmt::print("导入 Import {}: {} ({}), {} rows, {} facts, {} rejected{}\n", import.import_id(), import.file(),
                 import.format(), import.rows(), import.facts(), import.rejected(), import.undone() ? ", undone" : "");
    if (memory) print_memory(told);
    fmt::print("{}\n", told.healthy() ? "正常 All is well." : "异常 Not all is well.");
    return done;
  });
}

int list_stores(bool as_json) {
  return with_client([&](Client& client) -> Result<int> {
    v1::ListStoresRequest request;
    Json json;
    Table table({"店铺 Store", "名称 Name", "平台 Platform", "货币 Currency", "时区 Time zone", "分组 Group"});
    json.begin_object().key("stores").begin_array();
    google::protobuf::RepeatedPtrField<std::string> missing;
    do {
      const auto told = TRY(client.call(&Stub::ListStores, request));
      for (const query::v1::Store& store : told.stores()) {
        write_store(json, store);
        table.add({store.id(), store.name(), store.platform(), store.currency_code(), store.time_zone(), store.scope()});
      }
      missing = told.missing();
      request.set_page_token(told.next_page_token());
    } while (!request.page_token().empty());
    json.end_array().key("missing").begin_array();
    for (const std::string& service : missing) json.value(service);
    json.end_array().end_object();
    if (as_json)
      print_json(json);
    else if (table.empty())
      fmt::print("还没有店铺。导入一个文件，或 xundian stores set。No stores yet: import a file, or xundian stores set.\n");
    else
      fmt::print("{}", table.text());
    tell_missing(missing);
    return done;
  });
}

int overview(const OverviewOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::GetOverviewRequest request;
    request.mutable_stores()->Add(options.stores.begin(), options.stores.end());
    request.set_day(options.day);
    const auto told = TRY(client.call(&Stub::GetOverview, request));
    const std::vector<v1::MetricRow> rows(told.rows().begin(), told.rows().end());
    if (options.json) {
      std::string text =
          metrics_json(rows, told.has_as_of() ? &told.as_of() : nullptr, {told.missing().begin(), told.missing().end()}).text();
      Json counts;
      counts.begin_object();
      for (const v1::SeverityCount& count : told.alerts()) counts.field(count.severity(), count.firing());
      counts.end_object();
      text.pop_back();  // The alerts stand beside the rows in the same object.
      fmt::print("{},\"alerts\":{}}}\n", text, counts.text());
      return done;
    }
    fmt::print("{}", rows.empty() ? "暂无数据 No data.\n" : figures_table(rows, metric_names(client)).text());
    for (const v1::SeverityCount& count : told.alerts())
      if (count.firing() > 0) fmt::print("告警 Alerts {}: {}\n", count.severity(), count.firing());
    tell_missing(told.missing());
    return done;
  });
}

int metrics(const MetricsOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    if (options.define) return define_metrics(client, options);
    v1::QueryMetricsRequest request;
    request.mutable_metrics()->Add(options.metrics.begin(), options.metrics.end());
    request.mutable_stores()->Add(options.stores.begin(), options.stores.end());
    request.set_from(options.from);
    request.set_to(options.to);
    request.set_grain(options.grain);
    request.set_by(options.by);
    std::vector<v1::MetricRow> rows;
    v1::QueryMetricsResponse told;
    do {
      told = TRY(client.call(&Stub::QueryMetrics, request));
      rows.insert(rows.end(), told.rows().begin(), told.rows().end());
      request.set_page_token(told.next_page_token());
    } while (!request.page_token().empty());
    if (options.json)
      print_json(metrics_json(rows, told.has_as_of() ? &told.as_of() : nullptr, {told.missing().begin(), told.missing().end()}));
    else
      fmt::print("{}", rows.empty() ? "暂无数据 No data.\n" : figures_table(rows, metric_names(client)).text());
    tell_missing(told.missing());
    return done;
  });
}

int morning_report(const ReportOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::GetReportRequest request;
    request.set_date(options.date);
    request.set_store(options.store);
    request.set_format(options.json ? "json" : options.format);
    if (request.format() == "xlsx" && options.out.empty() && isatty(STDOUT_FILENO))
      return fail(Code::invalid_argument, "a workbook is no text for a terminal; name a file: --out morning.xlsx");
    const auto told = TRY(client.call(&Stub::GetReport, request));
    const std::string content = request.format() == "json" ? report_json(told.report()).text() + "\n" : told.content();
    if (options.out.empty()) {
      std::fwrite(content.data(), 1, content.size(), stdout);
    } else {
      std::ofstream file(options.out, std::ios::binary);
      if (!(file << content) || !file.flush()) return fail(Code::invalid_argument, "{} cannot be written", options.out);
      fmt::print(stderr, "{} written\n", options.out);
    }
    tell_missing(told.report().missing());
    return done;
  });
}

int fingerprint(bool as_json) {
  return with_client([&](Client& client) -> Result<int> {
    const auto told = TRY(client.call(&Stub::GetFingerprint, v1::GetFingerprintRequest(), 60'000));
    if (as_json) {
      print_json(fingerprint_json(told));
      return done;
    }
    for (const auto& [service, sum] : std::map<std::string, std::string>(told.services().begin(), told.services().end()))
      fmt::print("{:12} {}\n", service, sum);
    return done;
  });
}

}  // namespace xundian::cli
