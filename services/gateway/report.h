// The morning pack in its several forms.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/error.h"
#include "xundian/gateway/v1/gateway.pb.h"

namespace xundian::gateway {

struct MetricName {
  std::string zh, en, unit;
};
using MetricNames = std::map<std::string, MetricName>;

// A section as a table: a line for each store and key, a column for each metric (and currency, where there are several).
struct ReportTable {
  struct Row {
    std::string store, key;
    std::vector<const v1::ReportLine*> cells;  // Null = there is no such figure.
  };
  std::vector<std::pair<std::string, std::string>> columns;  // Metric, currency.
  bool has_stores = false, has_keys = false;
  std::vector<Row> rows;
};
ReportTable table_of(const v1::ReportSection& section);

// "1,234.50 CNY", "12.3%", "3 min 05 s"; "–" if unknown.
std::string figure_text(const v1::ReportLine& line);
// "+12.3%"; empty if unknown.
std::string change_text(const v1::ReportLine& line);
std::string column_title(const std::pair<std::string, std::string>& column, const MetricNames& names);
std::string value_text(const google::protobuf::Value& value);

std::string report_markdown(const v1::Report& report, const MetricNames& names);
std::string report_html(const v1::Report& report, const MetricNames& names);
// The bytes of an XLSX workbook; `scratch` is a path that may be written and is removed.
Result<std::string> report_xlsx(const v1::Report& report, const MetricNames& names, const std::string& scratch);

}  // namespace xundian::gateway
