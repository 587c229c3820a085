// The platforms' own exports: every generation of header, every way of quoting, every quirk that was seen.
#include <xlsxwriter.h>

#include <algorithm>
#include <random>

#include "services/intake/formats/cells.h"
#include "tests/intake/import_case.h"

namespace xundian::intake {

namespace {

constexpr Millis july_8 = 1'499'445'752'000;  // 2017-07-08 00:42:32 +0800

ImportOptions at_store(const std::string& store) {
  ImportOptions options;
  options.store = store;
  return options;
}

// The values of a row by column; a header that asks for none of them gets an empty cell.
using Values = std::map<std::string, std::string>;

std::string csv_row(const std::vector<std::string>& header, const Values& values) {
  std::string row;
  for (const std::string& column : header) {
    const auto found = values.find(std::string(clean(column)));
    row += (row.empty() ? "\"" : ",\"") + (found == values.end() ? std::string() : found->second) + "\"";
  }
  return row + "\n";
}

std::string csv_header(const std::vector<std::string>& header) {
  std::string row;
  for (const std::string& column : header) row += (row.empty() ? "" : ",") + column;
  return row + "\n";
}

// "name": ["a", "b"], of platform_headers.json.
std::vector<std::string> header_list(const std::string& json, const std::string& name) {
  std::vector<std::string> columns;
  size_t at = json.find("\"" + name + "\"");
  if (at == std::string::npos) return columns;
  at = json.find('[', at);
  const size_t end = json.find(']', at);
  while ((at = json.find('"', at + 1)) < end) {
    const size_t close = json.find('"', at + 1);
    columns.push_back(json.substr(at + 1, close - at - 1));
    at = close;
  }
  return columns;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Platforms, EveryGenerationOfTheTaobaoOrderList) {
  const std::string path = data_path("platform_headers/platform_headers.json");
  NEEDS_DATA(path);
  const std::string json = read_text(path);
  const Values values = {{"订单编号", "=\"\"35153131473290001\"\""},
                         {"买家会员名", "某人"},
                         {"总金额", "￥1,201.12"},
                         {"买家实际支付金额", "0元"},
                         {"订单状态", "交易成功"},
                         {"订单创建时间", "2017-07-08 00:42:32"},
                         {"订单付款时间", "2017-07-08 00:42:39"},
                         {"物流单号", "No:123"},
                         {"物流公司", "顺丰"},
                         {"退款金额", "1201.12"},
                         {"店铺Id", "0"},
                         {"店铺名称", "某店"},
                         {"订单关闭原因", "订单未关闭"},
                         {"确认收货时间", "2017/7/12 8:00"},
                         {"联系手机", "'13800000000"}};
  std::vector<std::string> old = header_list(json, "taobao_ExportOrderList_2017_46");
  old.resize(30);  // 2012: it ended at 买家服务费.
  std::vector<std::vector<std::string>> headers = {old};
  for (const char* name :
       {"taobao_ExportOrderList_2017_46", "taobao_ExportOrderList_201809_56", "taobao_ExportOrderList_2019plus_61"})
    headers.push_back(header_list(json, name));
  const std::vector<size_t> sizes = {30, 46, 56, 61};
  for (size_t index = 0; index < headers.size(); ++index) {
    ASSERT_EQ(headers[index].size(), sizes[index]);
    const Imported imported =
        import_text("ExportOrderList201707121558.csv", csv_header(headers[index]) + csv_row(headers[index], values));
    ASSERT_EQ(imported.reports.size(), 1u) << imported.why();
    EXPECT_EQ(imported.reports[0].format, "taobao.order_list");
    const v1::OrderState& order = imported.order("35153131473290001");
    EXPECT_EQ(order.placed().created_ms(), july_8);
    EXPECT_EQ(order.paid().paid_ms(), july_8 + 7000);
    EXPECT_EQ(order.paid().amount_micros(), 1'201'120'000);
    EXPECT_EQ(order.status().status(), "received");
    EXPECT_EQ(order.shipped().shipped_ms(), -1);
    EXPECT_EQ(order.closed().closed_ms(), 0);
    EXPECT_EQ(order.has_refunded(), index > 0);
    EXPECT_EQ(order.has_received(), index > 1);
    EXPECT_EQ(order.lines_size(), 0);
    const v1::Fact* fact = imported.find(v1::Fact::kOrderState, "35153131473290001");
    EXPECT_EQ(fact->store(), "某店");
    EXPECT_EQ(fact->as_of_ms(), 1'499'846'280'000);  // The file's name says when it was exported: 2017-07-12 15:58.
    EXPECT_EQ(fact->occurred_ms(), index > 1 ? 1'499'817'600'000 : july_8 + 7000);
    EXPECT_NE(order.placed().buyer(), 0u);
  }
}

TEST(Platforms, TheDetailListStatesLinesAlone) {
  const std::string text =
      "订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码\n"
      "=\"35153131473290001\",锅,100.50,2,,颜色分类:红;尺码:M,,,交易成功,POT\n"
      "=\"35153131473290001\",锅,100.50,2,,颜色分类:红;尺码:M,,,交易成功,POT\n"
      "=\"35153131473290001\",盖,9.9,1,LID-7,,,,交易成功,\n";
  const Imported imported = import_text("ExportOrderDetailList.csv", text, at_store("s"));
  ASSERT_TRUE(imported.rejects.empty() && imported.error.empty()) << imported.why();
  const v1::OrderState& order = imported.order("35153131473290001");
  EXPECT_FALSE(order.has_placed() || order.has_paid() || order.has_status() || order.has_shipped() || order.has_closed());
  ASSERT_EQ(order.lines_size(), 3);
  std::set<std::string> ids, skus;
  int64_t sum = 0;
  for (const v1::OrderLine& line : order.lines()) {
    ids.insert(line.line_id());
    skus.insert(line.sku());
    sum += line.amount_micros();
  }
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(skus, (std::set<std::string>{"POT", "LID-7"}));
  EXPECT_EQ(sum, 411'900'000);
  EXPECT_NE(import_text("ExportOrderDetailList.csv", text).error.find("pass --store"), std::string::npos);
}

TEST(Platforms, LinesOfAnOrderAreJoinedInAnyOrder) {
  std::vector<std::string> rows;
  for (int order = 0; order < 40; ++order)
    for (int line = 0; line < 3; ++line)
      rows.push_back(fmt::format("{}{},{},P{},锅,{},{},{},{},2023-05-0{} 10:00:00,2023-05-01 10:0{}:00,{},{}\n", 1000 + order,
                                 line, 1000 + order, line, line + 1, 10 * (line + 1),
                                 line == 2 ? "交易关闭" : "卖家已发货，等待买家确认", line == 1 ? "退款成功" : "没有申请退款",
                                 1 + line, line, line == 1 ? "2023-05-02 08:00:00" : "", line == 1 ? "3.5" : "无退款申请"));
  const std::string header =
      "子订单编号,主订单编号,商品ID,商品标题,购买数量,商品价格,订单状态,退款状态,订单创建时间,订单付款时间,发货时间,退款金额\n";
  std::multiset<std::string> first;
  std::mt19937 random(7);
  for (int round = 0; round < 4; ++round) {
    std::string text = header;
    for (const std::string& row : rows) text += row;
    const Imported imported = import_text("ExportItemList.csv", text, at_store("s"));
    ASSERT_TRUE(imported.rejects.empty() && imported.error.empty()) << imported.why();
    EXPECT_EQ(imported.reports[0].format, "taobao.item_list");
    if (round == 0) {
      first = imported.said();
      const v1::OrderState& order = imported.order("1007");
      EXPECT_EQ(order.lines_size(), 3);
      EXPECT_EQ(order.status().status(), "shipped");  // Its least advanced line that is not closed.
      EXPECT_EQ(order.refunded().amount_micros(), 3'500'000);
      EXPECT_FALSE(order.paid().has_amount_micros());
      EXPECT_EQ(order.lines(1).amount_micros(), 40'000'000);
    }
    EXPECT_EQ(imported.said(), first);
    std::shuffle(rows.begin(), rows.end(), random);
  }
}

TEST(Platforms, ASecondHeaderBringsAnotherOrderOfColumns) {
  const std::string text =
      "主订单编号,子订单编号,商品标题,购买数量,商品价格,订单创建时间\n1,11,锅,2,5,2023-05-01\n总计,,,2,5,\n\n"
      "商品标题,购买数量,备注一,商品价格,订单创建时间,子订单编号,主订单编号\n盖,3,,7,2023-05-02,21,2\n";
  const Imported imported = import_text("a.csv", text, at_store("s"));
  ASSERT_TRUE(imported.rejects.empty()) << imported.why();
  EXPECT_EQ(imported.order("2").lines(0).amount_micros(), 21'000'000);
  EXPECT_EQ(imported.order("2").lines(0).sku(), "盖");
  EXPECT_EQ(imported.reports[0].rows, 3u);
  EXPECT_EQ(imported.reports[0].skipped, 1u);
  const Imported unusable = import_text("a.csv",
                                        "主订单编号,子订单编号,商品标题,购买数量,商品价格,订单创建时间\n1,11,锅,2,5,2023-05-01\n"
                                        "商品标题,购买数量,商品价格\n盖,3,7\n",
                                        at_store("s"));
  ASSERT_EQ(unusable.rejects.size(), 1u);
  EXPECT_NE(unusable.rejects[0].reason.find("主订单编号"), std::string::npos);
}

TEST(Platforms, IdsDamagedByASpreadsheetAreRefused) {
  const std::string header = "订单编号,买家会员名,总金额,订单状态,订单创建时间,订单付款时间\n";
  const Imported scientific = import_text(
      "a.csv",
      header + "3.51531E+16,某人,10,交易成功,2020/2/21 0:00,2020/2/21 0:00\n35153131473290001,某人,10,交易成功,2020/2/21 0:00,\n",
      at_store("s"));
  ASSERT_EQ(scientific.rejects.size(), 1u) << scientific.why();
  EXPECT_NE(scientific.rejects[0].reason.find("do not open it in Excel"), std::string::npos);
  EXPECT_EQ(scientific.rejects[0].column, "订单编号");
  EXPECT_EQ(scientific.rejects[0].row, "3.51531E+16,***,10,交易成功,2020/2/21 0:00,2020/2/21 0:00");
  EXPECT_TRUE(scientific.order("35153131473290001").has_paid());  // The column is there, so it states that nothing was paid.
  EXPECT_EQ(scientific.order("35153131473290001").paid().paid_ms(), 0);
  std::string rounded = header, sound = header;
  for (int index = 0; index < 9; ++index) {
    rounded += fmt::format("35153131473{}200000,某人,10,交易成功,2020-02-21 08:00:00,\n", 100 + index);
    sound += fmt::format("35153131473{}20000{},某人,10,交易成功,2020-02-21 08:00:00,\n", 100 + index, index);
  }
  EXPECT_EQ(import_text("a.csv", rounded, at_store("s")).rejects.size(), 9u);
  EXPECT_EQ(import_text("a.csv", sound, at_store("s")).rejects.size(), 0u);  // One of nine may well end so.
}

TEST(Platforms, FixtureRows) {
  std::string path = data_path("platform_fixture_rows/ExportOrderList_quoting.gbk.csv");
  NEEDS_DATA(path);
  const std::string gbk = read_text(path);
  const Imported taobao = import_text("orders.utf8.csv", gbk);  // Its name lies.
  ASSERT_TRUE(taobao.rejects.empty() && taobao.error.empty()) << taobao.why();
  EXPECT_EQ(taobao.reports[0].encoding, "gb18030");
  EXPECT_EQ(taobao.order("35153131473290001").status().status(), "paid");
  EXPECT_EQ(taobao.order("35153131473290001").shipped().shipped_ms(), 0);
  EXPECT_EQ(taobao.order("35153131473290001").paid().amount_micros(), 201'120'000);

  const Imported douyin = import_path(data_path("platform_fixture_rows/douyin_orders.csv"), at_store("s"));
  ASSERT_TRUE(douyin.rejects.empty() && douyin.error.empty()) << douyin.why();
  EXPECT_EQ(douyin.reports[0].encoding, "utf-8-bom");
  EXPECT_EQ(douyin.order("6917926768823643751").status().status(), "refunded");
  EXPECT_EQ(douyin.order("6917926768823643751").lines(0).sku(), "300400008");
  EXPECT_EQ(douyin.order("6917926768823643753").shipped().shipped_ms(), 0);

  const Imported pinduoduo = import_path(data_path("platform_fixture_rows/pdd_orders_blank_time.csv"), at_store("s"));
  ASSERT_TRUE(pinduoduo.rejects.empty() && pinduoduo.error.empty()) << pinduoduo.why();
  EXPECT_EQ(pinduoduo.order("260517-607198974342268").paid().paid_ms(), 1'778'947'200'000);  // 2026-05-17 in Shanghai
  EXPECT_EQ(pinduoduo.order("260531-607198974342268").paid().paid_ms(), 1'780'243'380'000);
  EXPECT_EQ(pinduoduo.order("260531-607198974342268").lines(0).amount_micros(), 17'800'000);

  const Imported shopify = import_path(data_path("platform_fixture_rows/shopify_orders_export.csv"), at_store("s"));
  ASSERT_TRUE(shopify.rejects.empty() && shopify.error.empty()) << shopify.why();
  EXPECT_EQ(shopify.order("5001").lines_size(), 2);
  EXPECT_EQ(shopify.order("5001").paid().amount_micros(), 34'980'000);
  EXPECT_EQ(shopify.order("5001").placed().created_ms(), 1'714'557'492'000);
  EXPECT_EQ(shopify.order("5001").placed().currency_code(), "USD");
  EXPECT_EQ(shopify.order("5001").status().status(), "shipped");

  const Imported ads = import_path(data_path("platform_fixture_rows/pdd_promotion_with_total.csv"), at_store("s"));
  ASSERT_TRUE(ads.rejects.empty() && ads.error.empty()) << ads.why();
  EXPECT_EQ(ads.count(v1::Fact::kAdReport), 2u);
  EXPECT_EQ(ads.reports[0].skipped, 1u);
}

TEST(Platforms, EncodingsAreTakenFromTheContent) {
  const std::string utf8 = "订单编号,买家会员名,总金额,订单状态,订单创建时间\n1,某人,10,等待买家付款,2020-02-21 08:00:00\n";
  std::string utf16 = "\xff\xfe";
  for (size_t at = 0; at < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[at]);
    const unsigned code = lead < 0x80 ? lead : ((lead & 15u) << 12 | (utf8[at + 1] & 63u) << 6 | (utf8[at + 2] & 63u));
    utf16 += static_cast<char>(code & 255);
    utf16 += static_cast<char>(code >> 8);
    at += lead < 0x80 ? 1 : 3;
  }
  for (const auto& [text, encoding] : {std::pair{utf8, "utf-8"}, {"\xef\xbb\xbf" + utf8, "utf-8-bom"}, {utf16, "utf-16"}}) {
    const Imported imported = import_text("a.gbk.csv", text, at_store("s"));
    ASSERT_EQ(imported.reports.size(), 1u) << imported.why();
    EXPECT_EQ(imported.reports[0].encoding, encoding);
    EXPECT_EQ(imported.order("1").status().status(), "unpaid");
  }
  std::string tabs = utf8;
  std::replace(tabs.begin(), tabs.end(), ',', '\t');
  EXPECT_EQ(import_text("a.txt", tabs, at_store("s")).count(v1::Fact::kOrderState), 1u);
  std::replace(tabs.begin(), tabs.end(), '\t', ';');
  EXPECT_EQ(import_text("a.txt", tabs, at_store("s")).count(v1::Fact::kOrderState), 1u);
}

TEST(Platforms, WorkbooksOfSeveralSheets) {
  const TempFolder folder;
  const std::string path = folder.path() + "/orders.xlsx";
  lxw_workbook* book = workbook_new(path.c_str());
  lxw_worksheet* notes = workbook_add_worksheet(book, "说明");
  worksheet_write_string(notes, 0, 0, "导出说明", nullptr);
  lxw_worksheet* orders = workbook_add_worksheet(book, "订单报表");
  worksheet_write_string(orders, 0, 0, "名称：订单", nullptr);
  worksheet_write_string(orders, 1, 0, "导出时间：2024-01-05 10:00:00", nullptr);
  const char* header[] = {"订单编号", "买家会员名", "总金额", "订单状态", "订单创建时间", "订单付款时间 ", "退款金额"};
  for (uint16_t column = 0; column < std::size(header); ++column)
    worksheet_write_string(orders, 2, column, header[column], nullptr);
  worksheet_write_string(orders, 3, 0, "35153131473290001", nullptr);
  worksheet_write_string(orders, 3, 1, "a & \"b\"\nc", nullptr);
  worksheet_write_number(orders, 3, 2, 0.1 + 0.2, nullptr);
  worksheet_write_string(orders, 3, 3, "交易成功", nullptr);
  worksheet_write_number(orders, 3, 4, 42924.0294791667, nullptr);  // 2017-07-08 00:42:27
  worksheet_write_string(orders, 3, 5, "2017-07-08 00:42:39", nullptr);
  worksheet_write_number(orders, 4, 0, 35153131473290002, nullptr);  // Too long for a number.
  worksheet_write_number(orders, 4, 2, 5, nullptr);
  lxw_worksheet* items = workbook_add_worksheet(book, "销售明细");
  const char* item_header[] = {"子订单编号", "主订单编号", "商品标题", "购买数量", "商品价格"};
  for (uint16_t column = 0; column < std::size(item_header); ++column)
    worksheet_write_string(items, 0, column, item_header[column], nullptr);
  for (uint16_t column = 0; column < 2; ++column)
    worksheet_write_string(items, 1, column, column == 0 ? "9" : "35153131473290001", nullptr);
  worksheet_write_string(items, 1, 2, "锅", nullptr);
  worksheet_write_number(items, 1, 3, 2, nullptr);
  worksheet_write_number(items, 1, 4, 5.5, nullptr);
  workbook_close(book);
  const Imported imported = import_path(path, at_store("s"));
  ASSERT_EQ(imported.reports.size(), 3u) << imported.why();
  EXPECT_EQ(imported.reports[0].encoding, "xlsx");
  const v1::Fact* fact = imported.find(v1::Fact::kOrderState, "35153131473290001");
  ASSERT_NE(fact, nullptr) << imported.why();
  EXPECT_EQ(fact->order_state().paid().amount_micros(), 300'000);
  EXPECT_EQ(fact->order_state().placed().created_ms(), july_8 - 5000);
  EXPECT_TRUE(fact->order_state().has_refunded());
  EXPECT_EQ(fact->as_of_ms(), 1'704'420'000'000);
  ASSERT_EQ(imported.rejects.size(), 2u) << imported.why();  // The damaged id, and the sheet that is no table.
  EXPECT_NE(imported.rejects[0].reason.find("damaged by a spreadsheet"), std::string::npos);
  EXPECT_EQ(imported.rejects[0].line, 5u);
  EXPECT_EQ(imported.facts.back().order_state().lines(0).amount_micros(), 11'000'000);
}

}  // namespace

}  // namespace xundian::intake
