// The mappings that ship, each on rows of its platform's own header.
#include "tests/intake/import_case.h"

namespace xundian::intake {

namespace {

Imported import_at(const std::string& text) {
  ImportOptions options;
  options.store = "s";
  return import_text("a.csv", text, options);
}

const v1::Fact& only(const Imported& imported, v1::Fact::FactCase kind) {
  static const v1::Fact none;
  EXPECT_EQ(imported.count(kind), 1u) << imported.why();
  for (const v1::Fact& fact : imported.facts)
    if (fact.fact_case() == kind) return fact;
  return none;
}

TEST(Mappings, RefundsOfTmall) {
  const std::string header =
      "订单编号,退款编号,支付宝交易号,订单付款时间,商家编码,退款完结时间,买家会员名称,买家实际支付金额,宝贝标题,买家退款金额,"
      "退款的申请时间,超时时间,退款状态,买家退款原因,完结时间\n";
  const Imported settled = import_at(header +
                                     "1,R1,a,2017-07-08 00:00:00,P,,某人,20,锅,10.5,2017-07-09 08:00:00,2017-07-14 "
                                     "08:00:00,退款成功,不喜欢,2017-07-10 08:00:00\n");
  const v1::RefundState& refund = only(settled, v1::Fact::kRefundState).refund_state();
  EXPECT_EQ(refund.opened().order(), "1");
  EXPECT_EQ(refund.opened().amount_micros(), 10'500'000);
  EXPECT_EQ(refund.opened().opened_ms(), 1'499'558'400'000);
  EXPECT_EQ(refund.opened().deadline_ms() - refund.opened().opened_ms(), 5 * 86'400'000);
  EXPECT_EQ(refund.status().status(), "settled");
  EXPECT_EQ(refund.status().settled_ms(), 1'499'644'800'000);
  const Imported open = import_at(header +
                                  "1,R1,a,2017-07-08 00:00:00,P,,某人,20,锅,10.5,2017-07-09 08:00:00,2017-07-14 "
                                  "08:00:00,\"买家已经申请退款，等待卖家同意\",不喜欢,\n");
  EXPECT_EQ(only(open, v1::Fact::kRefundState).refund_state().status().status(), "open");
  EXPECT_EQ(open.facts.back().refund_state().status().settled_ms(), 0);
}

TEST(Mappings, OrdersOfJd) {
  const Imported imported = import_at(
      "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,结算金额,余额支付,应付金额,订单状态,订单类型,下单帐号,"
      "客户姓名,付款确认时间,货号,订单完成时间,订单渠道,\n"
      "9001,11,锅,2,在线支付,2016-03-01 10:00:00,50,130,120,0,120,完成,SOP,acc,某人,2016-03-01 10:05:00,POT,2016-03-05 "
      "10:00:00,APP,\n"
      "9001,12,盖,1,在线支付,2016-03-01 10:00:00,30,130,120,0,120,完成,SOP,acc,某人,2016-03-01 10:05:00,,2016-03-05 "
      "10:00:00,APP,\n");
  ASSERT_TRUE(imported.rejects.empty() && imported.error.empty()) << imported.why();
  const v1::OrderState& order = imported.order("9001");
  EXPECT_EQ(order.lines_size(), 2);
  EXPECT_EQ(order.paid().amount_micros(), 120'000'000);
  EXPECT_EQ(order.status().status(), "received");
  EXPECT_FALSE(order.has_shipped());  // JD's list says nothing of shipping.
  EXPECT_EQ(order.placed().channel(), "APP");
}

TEST(Mappings, AdReportsInCentsAndFractions) {
  const std::string header =
      "日期,推广计划名称,宝贝名称,宝贝类型,商品id,搜索类型,流量来源,展现量,点击量,花费(分),点击率,总成交金额(分),总成交笔数\n";
  const Imported imported =
      import_at(header +
                "2019-06-01,计划,锅,-,77,搜索,手机,\"1,000\",20,1234,2%,99900,3\n"
                "2019-06-01,计划,锅,-,77,搜索,电脑,500,5,66,1%,100,1\n总计,-,-,-,-,-,-,1500,25,1300,,100000,4\n");
  ASSERT_TRUE(imported.rejects.empty() && imported.error.empty()) << imported.why();
  const v1::AdCell& cell = only(imported, v1::Fact::kAdReport).ad_report().cell();
  EXPECT_EQ(cell.impressions(), 1500);
  EXPECT_EQ(cell.cost_micros(), 13'000'000);
  EXPECT_EQ(cell.attributed_amount_micros(), 1'000'000'000);
  EXPECT_EQ(cell.cut().dimensions(), "campaign+item");
  EXPECT_EQ(imported.reports[0].skipped, 1u);
  const Imported wanxiangtai = import_at(
      "日期,主体ID,主体类型,主体名称,展现量,点击量,花费,点击率,总成交金额,总成交笔数\n"
      "2026-06-01,77,商品,锅,1000,20,12.34,0.02,99.9,3\n2026-06-01,77,商品,锅,1,1,0.66,1,0.1,1\n,,,,1001,21,13,,100,4\n");
  const v1::AdCell& item = only(wanxiangtai, v1::Fact::kAdReport).ad_report().cell();
  EXPECT_EQ(item.channel(), "wanxiangtai");
  EXPECT_EQ(item.cost_micros(), 13'000'000);
  EXPECT_EQ(item.clicks(), 21);
}

TEST(Mappings, StockOfWarehousesAndErp) {
  const Imported snapshot = import_at(
      "sku,warehouse,on_hand,reserved,available,inbound,reorder_point,lead_time_days,counted_at\nMUG,north,10,2,8,5,4,7,2026-08-"
      "01 09:00:00\n");
  const v1::Fact& fact = only(snapshot, v1::Fact::kStockLevel);
  EXPECT_EQ(fact.key(), "MUG@north");
  EXPECT_EQ(fact.stock_level().count().available_units(), 8);
  EXPECT_EQ(fact.stock_level().policy().reorder_point_units(), 4);
  EXPECT_EQ(fact.stock_level().policy().lead_time_days(), 7u);
  EXPECT_EQ(fact.as_of_ms(), 1'785'546'000'000);
  const Imported erp = import_at(
      "日期,商品编码,类别,品牌,商品名称,总数量,可销数,单价成本,金额,财务库存,待入,待出,生产在途\n2026-08-01,MUG,a,b,杯,10,-2,1,"
      "10,10,3,12,4\n");
  const v1::StockCount& count = only(erp, v1::Fact::kStockLevel).stock_level().count();
  EXPECT_EQ(count.available_units(), -2);
  EXPECT_EQ(count.inbound_units(), 7);
  EXPECT_FALSE(erp.facts.back().stock_level().has_policy());
}

TEST(Mappings, ChatLogsKeepNoWords) {
  const Imported imported = import_at(
      "会话ID,发送时间,发送方,客服账号,买家昵称,内容\nC1,2026-08-01 09:00:00,买家,,某人,我的电话是13812345678\nC1,2026-08-01 "
      "09:00:30,客服,小王,某人,您好\n"
      "C1,2026-08-01 09:00:31,神,小王,某人,您好\n");
  ASSERT_EQ(imported.count(v1::Fact::kChatMessage), 2u) << imported.why();
  EXPECT_EQ(imported.facts[1].chat_message().line().author(), v1::AUTHOR_KIND_CUSTOMER);
  EXPECT_EQ(imported.facts[2].chat_message().line().agent(), "小王");
  EXPECT_EQ(imported.facts[1].chat_message().line().buyer(), imported.facts[2].chat_message().line().buyer());
  for (const v1::Fact& fact : imported.facts) EXPECT_EQ(fact.SerializeAsString().find("1381234"), std::string::npos);
  ASSERT_EQ(imported.rejects.size(), 1u);
  EXPECT_EQ(imported.rejects[0].row.find("您好"), std::string::npos);
}

TEST(Mappings, TrafficWithDwellAndBounce) {
  const Imported imported = import_at(
      "统计日期,支付金额,商品加购人数,商品浏览量,商品访客数,商品收藏人数,商品平均停留时长,支付买家数,商品详情页跳出率,客单价\n"
      "2025-01-27,\"1,234.50\",5,\"2,000\",100,3,11秒,7,45.5%,176\n");
  const v1::TrafficCell& cell = only(imported, v1::Fact::kTrafficReport).traffic_report().cell();
  EXPECT_EQ(cell.uv(), 100);
  EXPECT_EQ(cell.dwell_ms(), 1'100'000);
  EXPECT_EQ(cell.bounced_visitors(), 46);
  EXPECT_EQ(cell.paid_amount_micros(), 1'234'500'000);
}

TEST(Mappings, OlderExportsCarryOlderTimes) {
  const std::string text = "订单编号,买家会员名,总金额,订单状态,订单创建时间\n1,某人,10,等待买家付款,2020-02-21 08:00:00\n";
  ImportOptions options;
  options.store = "s";
  const Imported early = import_text("ExportOrderList202002211000.csv", text, options),
                 late = import_text("1791430000_new.csv", text, options), bare = import_text("orders.csv", text, options);
  EXPECT_LT(early.facts[1].as_of_ms(), late.facts[1].as_of_ms());
  EXPECT_EQ(bare.facts[1].as_of_ms(), 1'582'243'200'000);  // Neither a clock nor the file system is asked.
  EXPECT_EQ(bare.facts[0].as_of_ms(), 1);
  EXPECT_EQ(bare.facts[0].store_state().settings().time_zone(), "Asia/Shanghai");
}

}  // namespace

}  // namespace xundian::intake
