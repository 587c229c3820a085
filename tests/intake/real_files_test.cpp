// Real files, against totals that were counted from them by other means.
#include "tests/intake/import_case.h"

namespace xundian::intake {

namespace {

TEST(RealFiles, OnlineRetail) {
  uint64_t rows = 0, lines = 0, moves = 0, refund_lines = 0, skipped = 0;
  std::set<std::string> orders, buyers;
  for (const char* month : {"2010-12", "2011-01", "2011-02", "2011-03", "2011-04", "2011-05", "2011-06", "2011-07", "2011-08"}) {
    const std::string path = data_path(std::string("online_retail/") + month + ".csv.gz");
    NEEDS_DATA(path);
    const Imported imported = import_path(path);
    ASSERT_TRUE(imported.error.empty() && imported.rejects.empty()) << imported.why();
    rows += imported.reports.at(0).rows;
    skipped += imported.reports.at(0).skipped;
    EXPECT_EQ(imported.reports[0].format, "uci.online_retail");
    for (const v1::Fact& fact : imported.facts) {
      moves += fact.has_stock_move();
      refund_lines += static_cast<uint64_t>(fact.refund_state().opened().lines_size());
      if (!fact.has_order_state()) continue;
      EXPECT_TRUE(orders.insert(fact.store() + fact.key()).second);
      lines += static_cast<uint64_t>(fact.order_state().lines_size());
      EXPECT_EQ(fact.order_state().placed().created_ms(), fact.order_state().paid().paid_ms());
    }
  }
  EXPECT_EQ(rows, 320'705u);
  EXPECT_EQ(moves, 925u);
  EXPECT_EQ(skipped, 3u);
  EXPECT_EQ(rows, lines + moves + refund_lines + skipped);
}

TEST(RealFiles, DoubleElevenSnapshots) {
  const std::string path = data_path("double11_cosmetics/double11_cosmetics_2016.csv.gz");
  NEEDS_DATA(path);
  const Imported imported = import_path(path);
  ASSERT_TRUE(imported.error.empty() && imported.rejects.empty()) << imported.why();
  EXPECT_EQ(imported.reports[0].rows, 27'598u);
  std::set<std::string> stores, items;
  size_t unknown = 0;
  for (const v1::Fact& fact : imported.facts) {
    stores.insert(fact.store());
    if (!fact.has_product_report()) continue;
    const v1::ProductCell& cell = fact.product_report().cell();
    EXPECT_EQ(cell.cut().grain(), "snapshot");
    items.insert(cell.product());
    unknown += !cell.has_sold_count();
  }
  EXPECT_EQ(stores.size(), 22u);
  EXPECT_EQ(items.size(), 3'497u);
  EXPECT_EQ(unknown, 2'354u);
  EXPECT_EQ(imported.count(v1::Fact::kProductReport), 27'598u);
}

TEST(RealFiles, SupportTweets) {
  const std::string path = data_path("support_tweets/twcs_first5k.csv.gz");
  NEEDS_DATA(path);
  const Imported imported = import_path(path);
  ASSERT_EQ(imported.error, "");
  std::set<std::string> agents;
  size_t replies = 0;
  for (const v1::Fact& fact : imported.facts) {
    const v1::ChatLine& line = fact.chat_message().line();
    if (line.author() == v1::AUTHOR_KIND_AGENT) agents.insert(line.agent());
    if (line.author() == v1::AUTHOR_KIND_CUSTOMER) {
      EXPECT_NE(line.buyer(), 0u);
      EXPECT_EQ(line.agent(), "");
    }
    replies += !line.reply_to().empty();
    EXPECT_EQ(line.reply_to().find('.'), std::string::npos);
  }
  EXPECT_EQ(agents.size(), 76u);
  EXPECT_EQ(imported.count(v1::Fact::kChatMessage) + imported.rejects.size(), imported.reports[0].rows);
  EXPECT_EQ(imported.find(v1::Fact::kChatMessage, "1")->chat_message().line().reply_to(), "3");
  EXPECT_EQ(imported.find(v1::Fact::kChatMessage, "1")->chat_message().line().sent_ms(), 1'509'487'847'000);
  EXPECT_LE(imported.rejects.size(), 1u) << imported.why();
  // A lone carriage return amid a text ends no row; who takes it for an end counts 5,001.
  EXPECT_EQ(imported.reports[0].rows, 5'000u);
}

TEST(RealFiles, FacebookAds) {
  const std::string path = data_path("facebook_ads/KAG_conversion_data.csv");
  NEEDS_DATA(path);
  const Imported imported = import_path(path);
  ASSERT_TRUE(imported.error.empty() && imported.rejects.empty()) << imported.why();
  int64_t impressions = 0, clicks = 0, cost = 0, orders = 0;
  for (const v1::Fact& fact : imported.facts) {
    const v1::AdCell& cell = fact.ad_report().cell();
    impressions += cell.impressions();
    clicks += cell.clicks();
    cost += cell.cost_micros();
    orders += cell.attributed_orders();
  }
  EXPECT_EQ(imported.count(v1::Fact::kAdReport), 1'143u);
  EXPECT_EQ(impressions, 213'434'828);
  EXPECT_EQ(clicks, 38'165);
  EXPECT_EQ((cost + 5'000) / 10'000, 5'870'523);
  EXPECT_EQ(orders, 1'079);
}

TEST(RealFiles, StockOfAnIndianSeller) {
  const std::string path = data_path("india_marketplace_seller/Sale_Report.csv");
  NEEDS_DATA(path);
  const Imported imported = import_path(path);
  ASSERT_EQ(imported.error, "");
  EXPECT_EQ(imported.reports[0].rows, 9'271u);
  EXPECT_EQ(imported.reports[0].format, "india.sale_report");
  EXPECT_EQ(imported.rejects.size(), 98u);  // Rows without a SKU, or with #REF! for one.
  EXPECT_EQ(imported.count(v1::Fact::kStockLevel), 9'173u);
  EXPECT_EQ(imported.find(v1::Fact::kStockLevel, "AN201-RED-L@")->stock_level().count().on_hand_units(), 5);
}

TEST(RealFiles, SalesWithASecondHeader) {
  const std::string path = data_path("india_marketplace_seller/International_sale_Report.csv.gz");
  NEEDS_DATA(path);
  const TempFolder folder;
  ImportOptions options;
  options.mapping_path = folder.write(
      "m.toml",
      "format = \"india.sales\"\nplatform = \"other\"\nstore = \"india\"\ntime_zone = \"Asia/Kolkata\"\ndate_order = \"mdy\"\n"
      "[[record]]\nkind = \"skip\"\nwhen = [\"PCS empty\"]\n"
      "[[record]]\nkind = \"order\"\n[record.columns]\nkey = \"CUSTOMER\"\nsku = \"SKU\"\nquantity = \"PCS\"\n"
      "line_amount = \"GROSS AMT\"\ncreated = \"DATE\"\n");
  const Imported imported = import_path(path, options);
  ASSERT_EQ(imported.error, "");
  size_t lines_below = 0;
  for (const v1::Fact& fact : imported.facts)
    for (const v1::OrderLine& line : fact.order_state().lines()) lines_below += line.sku() == "SET290-KR-DPT-M";
  EXPECT_GT(lines_below, 0u);  // It stands below the second header alone.
  EXPECT_EQ(imported.reports[0].rows, 37'431u) << imported.why().substr(0, 2000);
}

TEST(RealFiles, SiteVisitors) {
  const std::string path = data_path("site_visitors/daily-website-visitors.csv");
  NEEDS_DATA(path);
  const Imported imported = import_path(path);
  ASSERT_TRUE(imported.error.empty() && imported.rejects.empty()) << imported.why();
  EXPECT_EQ(imported.count(v1::Fact::kTrafficReport), 2'167u);
  EXPECT_EQ(imported.facts[1].traffic_report().cell().uv(), 1'582);
  EXPECT_EQ(imported.facts[1].traffic_report().cell().period().from(), "2014-09-14");
}

}  // namespace

}  // namespace xundian::intake
