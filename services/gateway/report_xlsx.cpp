// The morning pack as a workbook: a sheet for each section.
#include <xlsxwriter.h>

#include <filesystem>

#include "services/gateway/grpc_server.h"
#include "services/gateway/report.h"

namespace xundian::gateway {

namespace {

void write_cell(lxw_worksheet* sheet, lxw_row_t row, lxw_col_t column, const v1::ReportLine* cell, lxw_format* money) {
  if (cell == nullptr) return;
  const auto& value = cell->value();
  if (value.kind_case() == google::protobuf::Value::kNumberValue)
    worksheet_write_number(sheet, row, column, value.number_value(), nullptr);
  else if (value.kind_case() == google::protobuf::Value::kStringValue)
    worksheet_write_number(sheet, row, column, std::strtod(value.string_value().c_str(), nullptr), money);
}

void write_section(lxw_worksheet* sheet, const v1::ReportSection& section, const MetricNames& names, lxw_format* bold,
                   lxw_format* money) {
  const ReportTable table = table_of(section);
  lxw_col_t column = 0;
  worksheet_write_string(sheet, 0, column++, "店铺 Store", bold);
  worksheet_write_string(sheet, 0, column++, "项目 Item", bold);
  for (const auto& title : table.columns) worksheet_write_string(sheet, 0, column++, column_title(title, names).c_str(), bold);
  worksheet_set_column(sheet, 0, column, 18, nullptr);
  worksheet_freeze_panes(sheet, 1, 2);
  lxw_row_t at = 1;
  for (const ReportTable::Row& row : table.rows) {
    worksheet_write_string(sheet, at, 0, row.store.empty() ? "合计 Total" : row.store.c_str(), nullptr);
    worksheet_write_string(sheet, at, 1, row.key.c_str(), nullptr);
    for (size_t index = 0; index < row.cells.size(); ++index)
      write_cell(sheet, at, static_cast<lxw_col_t>(index + 2), row.cells[index], money);
    ++at;
  }
  ++at;
  for (const v1::Alert& alert : section.alerts()) {
    const std::string* texts[] = {&alert.store(), &alert.severity(), &alert.text_zh(), &alert.text_en()};
    lxw_col_t place = 0;
    for (const std::string* text : texts) worksheet_write_string(sheet, at, place++, text->c_str(), nullptr);
    ++at;
  }
}

void write_restated(lxw_worksheet* sheet, const v1::Report& report, const MetricNames& names, lxw_format* bold) {
  lxw_col_t column = 0;
  for (const char* title : {"店铺 Store", "项目 Item", "指标 Metric", "定稿 Frozen", "现在 Now"})
    worksheet_write_string(sheet, 0, column++, title, bold);
  lxw_row_t at = 1;
  for (const v1::ReportDifference& difference : report.restated()) {
    const std::string texts[] = {
        difference.store(), difference.key(), column_title({difference.metric(), difference.currency()}, names),
        difference.has_frozen() ? value_text(difference.frozen()) : "", difference.has_now() ? value_text(difference.now()) : ""};
    column = 0;
    for (const std::string& text : texts) worksheet_write_string(sheet, at, column++, text.c_str(), nullptr);
    ++at;
  }
}

}  // namespace

Result<std::string> report_xlsx(const v1::Report& report, const MetricNames& names, const std::string& scratch) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(scratch).parent_path(), error);
  lxw_workbook* book = workbook_new(scratch.c_str());
  if (book == nullptr) return fail(Code::internal, "{} cannot be written", scratch);
  lxw_format* bold = workbook_add_format(book);
  format_set_bold(bold);
  lxw_format* money = workbook_add_format(book);
  format_set_num_format(money, "#,##0.00");
  for (const v1::ReportSection& section : report.sections())
    write_section(workbook_add_worksheet(book, section.title_zh().c_str()), section, names, bold, money);
  write_restated(workbook_add_worksheet(book, "数据修订"), report, names, bold);
  const lxw_error closed = workbook_close(book);
  auto bytes = closed == LXW_NO_ERROR ? read_whole_file(scratch)
                                      : Result<std::string>(fail(Code::internal, "{}: {}", scratch, lxw_strerror(closed)));
  std::filesystem::remove(scratch, error);
  return bytes;
}

}  // namespace xundian::gateway
