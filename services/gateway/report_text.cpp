// The morning pack as Markdown and HTML, in Chinese and English.
#include <algorithm>
#include <cmath>
#include <set>

#include "common/time.h"
#include "services/gateway/report.h"

namespace xundian::gateway {

namespace {

constexpr const char* dash = "–";

// 1234567.5 → "1,234,567.5"
std::string grouped(std::string number) {
  const size_t point = std::min(number.find('.'), number.size());
  const size_t first = number.starts_with('-') ? 1 : 0;
  for (size_t at = point; at > first + 3;) {
    at -= 3;
    number.insert(at, ",");
  }
  return number;
}

std::string seconds_text(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole < 120) return fmt::format("{} s", whole);
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

std::string time_text(const google::protobuf::Timestamp& time) {
  return format_utc(time.seconds() * 1'000).substr(0, 16).replace(10, 1, " ") + " UTC";
}

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

std::string markdown_escaped(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '|' || letter == '\\') escaped += '\\';
    escaped += letter == '\n' ? ' ' : letter;
  }
  return escaped;
}

std::string store_title(const std::string& store) { return store.empty() ? "合计 Total" : store; }

struct Heading {
  std::string text;
  bool number = false;
};

std::vector<Heading> headings(const ReportTable& table, const MetricNames& names) {
  std::vector<Heading> result;
  if (table.has_stores) result.push_back({"店铺 Store"});
  if (table.has_keys) result.push_back({"项目 Item"});
  for (const auto& column : table.columns) result.push_back({column_title(column, names), true});
  return result;
}

// A row's texts: figure and, behind it, the change against the week before.
std::vector<std::string> texts(const ReportTable& table, const ReportTable::Row& row) {
  std::vector<std::string> result;
  if (table.has_stores) result.push_back(store_title(row.store));
  if (table.has_keys) result.push_back(row.key.empty() ? "合计 Total" : row.key);
  for (const v1::ReportLine* cell : row.cells) {
    if (cell == nullptr) {
      result.push_back(dash);
      continue;
    }
    const std::string change = change_text(*cell);
    result.push_back(figure_text(*cell) + (change.empty() ? "" : " (" + change + ")"));
  }
  return result;
}

std::string notes(const v1::Report& report) {
  std::string text = report.has_frozen_at() ? "定稿 Frozen " + time_text(report.frozen_at()) : "未定稿 Not frozen";
  if (!report.missing().empty()) text += fmt::format(" · 缺数据 Missing: {}", fmt::join(report.missing(), ", "));
  return text;
}

std::string difference_text(const v1::ReportDifference& difference, const MetricNames& names) {
  const std::string what = column_title({difference.metric(), difference.currency()}, names);
  return fmt::format("{}{} · {}: {} → {}", store_title(difference.store()),
                     difference.key().empty() ? "" : " / " + difference.key(), what,
                     difference.has_frozen() ? value_text(difference.frozen()) : dash,
                     difference.has_now() ? value_text(difference.now()) : dash);
}

constexpr const char* page_head =
    "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>"
    "body{font:15px/1.5 system-ui,\"PingFang SC\",\"Microsoft YaHei\",\"Noto Sans CJK SC\",sans-serif;margin:1rem "
    "auto;max-width:72rem;padding:0 1rem;"
    "color:#1b1f24;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:1.6rem}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;border-bottom:1px solid "
    "#d8dee4;text-align:left;white-space:nowrap}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}.note{color:#57606a}.critical,.high{color:#b42318;font-weight:600}"
    "@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}.note{color:#9198a1}"
    ".critical,.high{color:#ff7b72}}</style>";

}  // namespace

ReportTable table_of(const v1::ReportSection& section) {
  ReportTable table;
  std::vector<std::string> metrics;  // In the order of the pack.
  std::map<std::string, std::set<std::string>> currencies;
  std::map<std::tuple<bool, std::string, std::string>, std::map<std::pair<std::string, std::string>, const v1::ReportLine*>> rows;
  for (const v1::ReportLine& line : section.lines()) {
    if (std::find(metrics.begin(), metrics.end(), line.metric()) == metrics.end()) metrics.push_back(line.metric());
    currencies[line.metric()].insert(line.currency());
    rows[{line.store().empty() && line.key().empty(), line.store(), line.key()}][{line.metric(), line.currency()}] =
        &line;  // Totals last.
    table.has_stores = table.has_stores || !line.store().empty();
    table.has_keys = table.has_keys || !line.key().empty();
  }
  for (const std::string& metric : metrics)
    for (const std::string& currency : currencies[metric]) table.columns.emplace_back(metric, currency);
  for (const auto& [name, cells] : rows) {
    ReportTable::Row& row = table.rows.emplace_back();
    row.store = std::get<1>(name);
    row.key = std::get<2>(name);
    for (const auto& column : table.columns) {
      const auto found = cells.find(column);
      row.cells.push_back(found == cells.end() ? nullptr : found->second);
    }
  }
  return table;
}

std::string value_text(const google::protobuf::Value& value) {
  if (value.kind_case() == google::protobuf::Value::kStringValue) return grouped(value.string_value());
  if (value.kind_case() != google::protobuf::Value::kNumberValue) return dash;
  const double number = value.number_value();
  if (number == static_cast<double>(static_cast<int64_t>(number)))
    return grouped(fmt::format("{}", static_cast<int64_t>(number)));
  return grouped(fmt::format("{:.2f}", number));
}

std::string figure_text(const v1::ReportLine& line) {
  const auto& value = line.value();
  const bool is_number = value.kind_case() == google::protobuf::Value::kNumberValue;
  std::string text = value_text(value);
  // Money is rounded here and nowhere else.
  if (line.unit() == "money" && value.kind_case() == google::protobuf::Value::kStringValue)
    text = grouped(fmt::format("{:.2f}", std::strtod(value.string_value().c_str(), nullptr)));
  if (is_number && line.unit() == "seconds") text = seconds_text(value.number_value());
  if (is_number && line.unit() == "ratio" && line.metric() != "roas") text = fmt::format("{:.1f}%", value.number_value() * 100);
  if (line.status() == "estimated" && text != dash) text = "≈" + text;
  return text;
}

std::string change_text(const v1::ReportLine& line) {
  return line.has_change() ? fmt::format("{:+.1f}%", line.change() * 100) : std::string();
}

std::string column_title(const std::pair<std::string, std::string>& column, const MetricNames& names) {
  const auto found = names.find(column.first);
  std::string title = found == names.end() ? column.first : found->second.zh + " " + found->second.en;
  if (!column.second.empty()) title += " " + column.second;
  return title;
}

std::string report_markdown(const v1::Report& report, const MetricNames& names) {
  std::string text = fmt::format("# 晨会报告 Morning pack · {}\n\n{}\n", report.date(), notes(report));
  for (const v1::ReportSection& section : report.sections()) {
    text += fmt::format("\n## {} · {}\n\n", section.title_zh(), section.title_en());
    const ReportTable table = table_of(section);
    if (table.rows.empty() && section.alerts().empty()) text += "暂无数据 No data.\n";
    if (!table.rows.empty()) {
      std::string rule;
      for (const Heading& heading : headings(table, names)) {
        text += "| " + markdown_escaped(heading.text) + " ";
        rule += heading.number ? "|---:" : "|---";
      }
      text += "|\n" + rule + "|\n";
      for (const ReportTable::Row& row : table.rows) {
        for (const std::string& cell : texts(table, row)) text += "| " + markdown_escaped(cell) + " ";
        text += "|\n";
      }
    }
    for (const v1::Alert& alert : section.alerts())
      text += fmt::format("- **{}** {} · {} / {}\n", alert.severity(), markdown_escaped(alert.store()),
                          markdown_escaped(alert.text_zh()), markdown_escaped(alert.text_en()));
    if (section.has_as_of()) text += fmt::format("\n截至 As of {}\n", time_text(section.as_of()));
  }
  if (!report.restated().empty()) text += "\n## 数据修订 · Restated since\n\n";
  for (const v1::ReportDifference& difference : report.restated())
    text += "- " + markdown_escaped(difference_text(difference, names)) + "\n";
  text += "\n括号内为与上周同日相比 In brackets: against the same weekday of the week before.\n";
  return text;
}

std::string report_html(const v1::Report& report, const MetricNames& names) {
  std::string html = fmt::format(
      "<!doctype html><html lang=\"zh\"><head>{}<title>晨会报告 {}</title></head><body><h1>晨会报告 Morning pack · {}</h1><p "
      "class=\"note\">{}</p>",
      page_head, report.date(), report.date(), html_escaped(notes(report)));
  for (const v1::ReportSection& section : report.sections()) {
    html += fmt::format("<h2>{} · {}</h2>", section.title_zh(), section.title_en());
    const ReportTable table = table_of(section);
    if (table.rows.empty() && section.alerts().empty()) html += "<p class=\"note\">暂无数据 No data.</p>";
    if (!table.rows.empty()) {
      html += "<div class=\"scroll\"><table><thead><tr>";
      const auto titles = headings(table, names);
      for (const Heading& heading : titles)
        html += fmt::format("<th{}>{}</th>", heading.number ? " class=\"n\"" : "", html_escaped(heading.text));
      html += "</tr></thead><tbody>";
      for (const ReportTable::Row& row : table.rows) {
        html += "<tr>";
        const auto cells = texts(table, row);
        for (size_t index = 0; index < cells.size(); ++index)
          html += fmt::format("<td{}>{}</td>", titles[index].number ? " class=\"n\"" : "", html_escaped(cells[index]));
        html += "</tr>";
      }
      html += "</tbody></table></div>";
    }
    if (!section.alerts().empty()) html += "<ul>";
    for (const v1::Alert& alert : section.alerts())
      html += fmt::format("<li><span class=\"{0}\">{0}</span> {1} · {2}<br><span class=\"note\">{3}</span></li>",
                          html_escaped(alert.severity()), html_escaped(alert.store()), html_escaped(alert.text_zh()),
                          html_escaped(alert.text_en()));
    if (!section.alerts().empty()) html += "</ul>";
    if (section.has_as_of()) html += fmt::format("<p class=\"note\">截至 As of {}</p>", time_text(section.as_of()));
  }
  if (!report.restated().empty()) html += "<h2>数据修订 · Restated since</h2><ul>";
  for (const v1::ReportDifference& difference : report.restated())
    html += "<li>" + html_escaped(difference_text(difference, names)) + "</li>";
  if (!report.restated().empty()) html += "</ul>";
  return html +
         "<p class=\"note\">括号内为与上周同日相比 In brackets: against the same weekday of the week before.</p></body></html>\n";
}

}  // namespace xundian::gateway
