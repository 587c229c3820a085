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

}  // namespace

}  // namespace xundian::intake
