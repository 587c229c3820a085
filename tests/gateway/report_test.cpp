// How a pack looks: tables, figures, forms.
#include "services/gateway/report.h"

#include <gtest/gtest.h>

#include "common/overview.h"

namespace xundian::gateway {
namespace {

v1::ReportLine line(const std::string& store, const std::string& metric, int64_t numerator, const std::string& unit,
                    const std::string& currency = {}, std::optional<int64_t> denominator = {}) {
  query::v1::MetricRow row;
  row.set_store(store);
  row.set_metric(metric);
  row.set_numerator(numerator);
  if (denominator) row.set_denominator(*denominator);
  row.set_unit(unit);
  row.set_currency_code(currency);
  v1::ReportLine made;
  made.set_store(store);
  made.set_metric(metric);
  show_value(row, *made.mutable_value());
  made.set_unit(unit);
  made.set_currency(currency);
  return made;
}

TEST(Figures, AreShownByTheirUnit) {
  EXPECT_EQ(figure_text(line("a", "paid_amount", 1'234'567'500'000, "money", "CNY")), "1,234,567.50");
  EXPECT_EQ(figure_text(line("a", "refund_amount", -1'234'000'000, "money", "CNY")), "-1,234.00");
  EXPECT_EQ(figure_text(line("a", "orders", 1'000, "count")), "1,000");
  EXPECT_EQ(figure_text(line("a", "orders", 999, "count")), "999");
  EXPECT_EQ(figure_text(line("a", "conversion", 123, "ratio", "", 1'000)), "12.3%");
  EXPECT_EQ(figure_text(line("a", "roas", 300, "ratio", "", 100)), "3");
  EXPECT_EQ(figure_text(line("a", "first_response_s", 119, "seconds")), "119 s");
  EXPECT_EQ(figure_text(line("a", "first_response_s", 185, "seconds")), "3 min 05 s");
  EXPECT_EQ(figure_text(line("a", "conversion", 1, "ratio", "", 0)), "–");
}

TEST(Figures, MoneyAndRatiosKeepTheirParts) {
  query::v1::MetricRow row;
  const auto value = [&] {
    v1::MetricRow shown;
    show(row, shown);
    return shown.value();
  };
  row.set_unit("money");
  row.set_numerator(10'000'000);
  row.set_denominator(3);
  EXPECT_EQ(value().string_value(), "3.333333");
  row.clear_denominator();
  EXPECT_EQ(value().string_value(), "10.00");
  row.clear_numerator();
  EXPECT_EQ(value().kind_case(), google::protobuf::Value::kNullValue);
}

v1::Report pack() {
  v1::Report report;
  report.set_date("2026-11-11");
  v1::ReportSection& section = *report.add_sections();
  section.set_id("sales");
  section.set_title_zh("昨日销售");
  section.set_title_en("Sales of the day");
  *section.add_lines() = line("mall", "paid_amount", 100'000'000, "money", "CNY");
  *section.add_lines() = line("<b>", "orders", 5, "count");
  section.mutable_lines(0)->set_change(0.25);
  v1::ReportDifference& difference = *report.add_restated();
  difference.set_store("mall");
  difference.set_metric("orders");
  difference.mutable_frozen()->set_number_value(4);
  difference.mutable_now()->set_number_value(5);
  return report;
}

const MetricNames names = {{"paid_amount", {"支付金额", "Paid amount", "money"}}, {"orders", {"订单数", "Orders", "count"}}};

TEST(Pack, IsATableInEachForm) {
  const std::string markdown = report_markdown(pack(), names);
  EXPECT_NE(markdown.find("| 店铺 Store | 支付金额 Paid amount CNY | 订单数 Orders |\n|---|---:|---:|\n| <b> | – | 5 |\n| mall | "
                          "100.00 (+25.0%) | – |\n"),
            std::string::npos)
      << markdown;
  EXPECT_NE(markdown.find("mall · 订单数 Orders: 4 → 5"), std::string::npos) << markdown;
  const std::string html = report_html(pack(), names);
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_NE(html.find("&lt;b&gt;"), std::string::npos);
  const auto workbook = report_xlsx(pack(), names, testing::TempDir() + "/xundian-report.xlsx");
  ASSERT_TRUE(workbook.has_value()) << workbook.error().message;
  EXPECT_EQ(workbook->substr(0, 2), "PK");
}

}  // namespace
}  // namespace xundian::gateway
