// GetReport: the morning pack, composed from what all departments say of a day, frozen when it is first complete.
#include "services/gateway/report.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "common/clock.h"
#include "common/log.h"
#include "common/overview.h"
#include "common/time.h"
#include "services/gateway/api.h"
#include "services/gateway/grpc_server.h"

namespace xundian::gateway {

namespace {

enum class Period { day, backlog, now };  // The day itself; the month up to it; as things stand.

struct Question {
  const char* by;
  std::vector<std::string> metrics;
};

struct SectionPlan {
  const char* id;
  const char* title_zh;
  const char* title_en;
  const char* service;
  Period period;
  std::vector<Question> questions;
};

// What the pack holds, in its order. Metrics that no service defines are left out.
const std::vector<SectionPlan> plans = {
    {"sales",
     "昨日销售",
     "Sales of the day",
     "metrics",
     Period::day,
     {{"store", {"paid_amount", "orders", "units", "buyers", "refund_amount", "net_sales", "spend_per_buyer", "order_value"}},
      {"", {"paid_amount", "orders", "units", "buyers", "refund_amount", "net_sales", "spend_per_buyer", "order_value"}}}},
    {"traffic",
     "流量与转化",
     "Traffic and conversion",
     "metrics",
     Period::day,
     {{"store", {"uv", "pv", "conversion", "cart_rate"}}}},
    {"ads",
     "推广",
     "Advertising",
     "campaigns",
     Period::day,
     {{"channel", {"ad_cost", "clicks", "cpc", "impressions", "ad_amount", "roas"}},
      {"store", {"ad_cost", "clicks", "ad_amount", "roas"}}}},
    {"stock",
     "库存",
     "Stock",
     "inventory",
     Period::now,
     {{"store", {"stock_available", "stock_out_skus", "below_reorder_skus", "cover_days"}}}},
    {"shipping", "发货", "Shipping", "inventory", Period::backlog, {{"store", {"unshipped", "overdue"}}}},
    {"support",
     "客服",
     "Customer service",
     "support",
     Period::day,
     {{"store", {"conversations", "first_response_s", "average_response_s", "reply_rate", "waiting_now", "unanswered"}}}},
};

constexpr Day backlog_days = 30;

using LineKey = std::tuple<std::string, std::string, std::string, std::string>;
LineKey key_of(const v1::ReportLine& line) { return {line.store(), line.key(), line.metric(), line.currency()}; }
LineKey key_of(const query::v1::MetricRow& row) { return {row.store(), row.key(), row.metric(), row.currency_code()}; }

std::optional<double> ratio_of(const query::v1::MetricRow& row) {
  if (!row.has_numerator() || (row.has_denominator() && row.denominator() == 0)) return std::nullopt;
  const double value = static_cast<double>(row.numerator());
  return row.has_denominator() ? value / static_cast<double>(row.denominator()) : value;
}

v1::ReportLine line_of(const query::v1::MetricRow& row, const query::v1::MetricRow* week_before, uint32_t definition_version) {
  v1::MetricRow figure;
  show(row, figure);
  v1::ReportLine line;
  line.set_store(figure.store());
  line.set_key(figure.key());
  line.set_metric(figure.metric());
  line.set_definition(fmt::format("{}@{}", figure.metric(), definition_version));
  *line.mutable_value() = figure.value();
  if (figure.has_numerator()) line.set_numerator(figure.numerator());
  if (figure.has_denominator()) line.set_denominator(figure.denominator());
  line.set_unit(figure.unit());
  line.set_currency(figure.currency());
  line.set_status(figure.status());
  line.set_from(figure.from());
  if (week_before == nullptr) return line;
  show_value(*week_before, *line.mutable_week_before());
  const auto now = ratio_of(row), then = ratio_of(*week_before);
  if (now && then && *then != 0) line.set_change((*now - *then) / std::abs(*then));
  return line;
}

// Under the same name, whole or not at all.
Result<void> write_file(const std::string& path, const std::string& content) {
  const std::string other = path + ".new";
  const int file = ::open(other.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::internal, "{} cannot be made: {}", other, std::strerror(errno));
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t written = ::write(file, content.data() + done, content.size() - done);
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  const bool durable = done == content.size() && ::fsync(file) == 0;
  ::close(file);
  if (!durable || ::rename(other.c_str(), path.c_str()) != 0)
    return fail(Code::internal, "{} cannot be written: {}", path, std::strerror(errno));
  return {};
}

const v1::ReportSection* section_of(const v1::Report& report, const std::string& id) {
  for (const v1::ReportSection& section : report.sections())
    if (section.id() == id) return &section;
  return nullptr;
}

// What the pack says of days and is now told otherwise. How things stand changes by nature and is no restatement.
void compare(const v1::Report& frozen, const v1::Report& now, v1::Report& into) {
  for (const SectionPlan& plan : plans) {
    if (plan.period != Period::day) continue;
    const v1::ReportSection *before = section_of(frozen, plan.id), *after = section_of(now, plan.id);
    // A department that does not answer now restates nothing.
    if (before == nullptr || after == nullptr || std::count(now.missing().begin(), now.missing().end(), plan.service) > 0)
      continue;
    std::map<LineKey, std::pair<const v1::ReportLine*, const v1::ReportLine*>> lines;
    for (const v1::ReportLine& line : before->lines()) lines[key_of(line)].first = &line;
    for (const v1::ReportLine& line : after->lines()) lines[key_of(line)].second = &line;
    for (const auto& [key, pair] : lines) {
      const auto& [was, is] = pair;
      if (was != nullptr && is != nullptr && was->value().SerializeAsString() == is->value().SerializeAsString()) continue;
      const v1::ReportLine& any = was != nullptr ? *was : *is;
      v1::ReportDifference& difference = *into.add_restated();
      difference.set_section(plan.id);
      difference.set_store(any.store());
      difference.set_key(any.key());
      difference.set_metric(any.metric());
      difference.set_currency(any.currency());
      if (was != nullptr) *difference.mutable_frozen() = was->value();
      if (is != nullptr) *difference.mutable_now() = is->value();
    }
  }
}

// Leaves of a pack what the caller may see, and asked for.
void narrow(v1::Report& report, const Call& call, const std::string& store) {
  const bool whole = call.principal->all_stores && store.empty();
  const auto kept = [&](const std::string& of) {
    if (whole) return of.empty() || call.sees(of);
    return store.empty() ? !of.empty() && call.sees(of) : of == store;
  };
  const auto drop = [&](auto* items) {
    items->erase(std::remove_if(items->begin(), items->end(), [&](const auto& item) { return !kept(item.store()); }),
                 items->end());
  };
  auto& stores = *report.mutable_stores();
  stores.erase(std::remove_if(stores.begin(), stores.end(), [&](const std::string& id) { return !kept(id); }), stores.end());
  auto& sections = *report.mutable_sections();
  sections.erase(
      std::remove_if(sections.begin(), sections.end(),
                     [&](const v1::ReportSection& section) { return !call.principal->may_see_department(section.service()); }),
      sections.end());
  for (v1::ReportSection& section : sections) {
    // Counts over all stores stay only where all stores are seen.
    drop(section.mutable_lines());
    drop(section.mutable_alerts());
  }
  drop(report.mutable_restated());
}

}  // namespace

void Api::add_alert_section(const Call& all, v1::Report& report) {
  v1::ReportSection& section = *report.add_sections();
  section.set_id("alerts");
  section.set_title_zh("未处理告警");
  section.set_title_en("Open alerts");
  section.set_service("alerts");
  v1::ListAlertsRequest question;
  question.set_state("firing");
  const auto told = list_alerts(all, question);
  if (!told || !told->missing().empty()) {
    report.add_missing("alerts");
    return;
  }
  *section.mutable_alerts() = told->alerts();
  std::map<std::pair<std::string, int>, int> counts;  // By store and severity; the store "" = all.
  for (const v1::Alert& alert : told->alerts()) {
    ++counts[{"", -severity_number(alert.severity())}];
    ++counts[{alert.store(), -severity_number(alert.severity())}];
    if (!section.has_as_of() || section.as_of().seconds() < alert.changed().seconds()) *section.mutable_as_of() = alert.changed();
  }
  for (const auto& [which, count] : counts) {
    v1::ReportLine& line = *section.add_lines();
    line.set_store(which.first);
    line.set_key(severity_name(static_cast<facts::v1::Severity>(-which.second)));
    line.set_metric("alerts_firing");
    line.set_definition("alerts_firing@1");
    line.mutable_value()->set_number_value(count);
    line.set_numerator(count);
    line.set_unit("count");
    line.set_status("provisional");
  }
}

Result<v1::Report> Api::compose_report(const Call& all, const std::string& date) {
  const Day day = TRY(parse_day(date));
  v1::Report report;
  report.set_date(date);
  std::set<std::string> missing;
  const auto known = registry();
  const v1::ListStoresResponse stores = TRY(list_stores(all, {}));
  for (const query::v1::Store& store : stores.stores()) report.add_stores(store.id());
  missing.insert(stores.missing().begin(), stores.missing().end());
  const auto asked_stores = all.stores_seen();
  for (const SectionPlan& plan : plans) {
    v1::ReportSection& section = *report.add_sections();
    section.set_id(plan.id);
    section.set_title_zh(plan.title_zh);
    section.set_title_en(plan.title_en);
    section.set_service(plan.service);
    Millis as_of_ms = 0;
    for (const Question& part : plan.questions) {
      query::v1::QueryMetricsRequest question;
      for (const std::string& metric : part.metrics)
        if (known->by_id.contains(metric)) question.add_metrics(metric);
      if (question.metrics().empty() && !known->complete) missing.insert(plan.service);
      if (question.metrics().empty() || (asked_stores && asked_stores->empty())) continue;
      if (asked_stores) question.mutable_stores()->Add(asked_stores->begin(), asked_stores->end());
      question.set_by(part.by);
      question.set_grain(plan.period == Period::day ? "day" : "total");
      question.set_from(plan.period == Period::backlog ? format_day(day - backlog_days) : date);
      question.set_to(date);
      Missing silent;
      Figures told = TRY(figures(all, question, &silent));
      // The figures of a thing in the order of the plan, which is that of importance.
      const auto place = [&](const std::string& metric) { return std::find(part.metrics.begin(), part.metrics.end(), metric); };
      std::stable_sort(told.rows.begin(), told.rows.end(), [&](const query::v1::MetricRow& a, const query::v1::MetricRow& b) {
        return std::tuple(a.store(), a.key(), place(a.metric())) < std::tuple(b.store(), b.key(), place(b.metric()));
      });
      as_of_ms = std::max(as_of_ms, told.as_of_ms);
      std::map<LineKey, query::v1::MetricRow> week_before;
      if (plan.period == Period::day) {
        question.set_from(format_day(day - 7));
        question.set_to(format_day(day - 7));
        for (query::v1::MetricRow& row : TRY(figures(all, question, &silent)).rows) week_before[key_of(row)] = std::move(row);
      }
      missing.insert(silent.begin(), silent.end());
      for (const query::v1::MetricRow& row : told.rows) {
        const auto before = week_before.find(key_of(row));
        const auto definition = known->by_id.find(row.metric());
        *section.add_lines() = line_of(row, before == week_before.end() ? nullptr : &before->second,
                                       definition == known->by_id.end() ? 1 : std::max(definition->second.version(), 1u));
      }
    }
    if (as_of_ms != 0) *section.mutable_as_of() = timestamp(as_of_ms);
  }
  add_alert_section(all, report);
  missing.insert(report.missing().begin(), report.missing().end());
  report.mutable_missing()->Clear();
  for (const std::string& service : missing) report.add_missing(service);
  return report;
}

Result<v1::Report> Api::frozen_report(const Call& call, const std::string& date) {
  // The pack is made for the whole tenant, whoever asks first; what the caller may see is cut out of it.
  Call all = call;
  auto principal = std::make_shared<Principal>(*call.principal);
  principal->all_stores = true;
  principal->stores.clear();
  principal->departments.clear();
  all.principal = principal;
  all.directory = directory();
  const std::string folder = home_.path(principal->tenant == "*" ? "reports" : "reports/" + principal->tenant);
  const std::string path = folder + "/" + date + ".json";
  v1::Report now = TRY(compose_report(all, date));
  const std::lock_guard lock(report_mutex_);
  if (std::filesystem::exists(path)) {
    v1::Report frozen;
    const std::string kept = TRY(read_whole_file(path));
    if (!google::protobuf::util::JsonStringToMessage(kept, &frozen).ok())
      return fail(Code::data_loss, "{} cannot be read; move it away to have the pack made anew", path);
    compare(frozen, now, frozen);
    for (const std::string& service : now.missing())
      if (std::count(frozen.missing().begin(), frozen.missing().end(), service) == 0) frozen.add_missing(service);
    return frozen;
  }
  if (!now.missing().empty()) return now;  // A pack with a hole is shown, never frozen.
  *now.mutable_frozen_at() = timestamp(wall_ms());
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string json;
  CHECK(google::protobuf::util::MessageToJsonString(now, &json, options).ok(), "a report cannot be printed as JSON");
  TRY_VOID(write_file(path, json));
  spdlog::info("report_frozen date={} stores={}", date, now.stores_size());
  return now;
}

Result<v1::GetReportResponse> Api::get_report(const Call& call, const v1::GetReportRequest& request) {
  const std::string format = request.format().empty() ? "json" : request.format();
  if (format != "json" && format != "md" && format != "html" && format != "xlsx")
    return fail(Code::invalid_argument, "the format \"{}\" is none of json, md, html, xlsx", format);
  TRY(parse_day(request.date()));
  v1::Report report = TRY(frozen_report(call, request.date()));
  Call seen = call;
  seen.directory = directory();
  narrow(report, seen, request.store());
  v1::GetReportResponse response;
  response.set_file_name(fmt::format("morning-{}.{}", request.date(), format));
  if (format == "json") {
    response.set_content_type("application/json");
    *response.mutable_report() = std::move(report);
    return response;
  }
  MetricNames names = {{"alerts_firing", {"触发中告警", "Firing alerts", "count"}}};
  for (const auto& [id, definition] : registry()->by_id)
    names[id] = {definition.name_zh(), definition.name_en(), definition.unit()};
  if (format == "md") {
    response.set_content_type("text/markdown; charset=utf-8");
    response.set_content(report_markdown(report, names));
  } else if (format == "html") {
    response.set_content_type("text/html; charset=utf-8");
    response.set_content(report_html(report, names));
  } else {
    static std::atomic<uint64_t> count = 0;
    response.set_content_type("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    response.set_content(TRY(report_xlsx(report, names, home_.path(fmt::format("run/report-{}-{}.xlsx", getpid(), ++count)))));
  }
  return response;
}

}  // namespace xundian::gateway
