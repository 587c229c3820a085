#include "tests/metrics/ask.h"

namespace xundian::metrics::tests {
namespace {

const Ask by_day = {.metrics = {"refund_amount", "net_sales"}, .grain = "day"};

std::string refund(const std::string& key, const std::string& order, int64_t yuan, Millis opened, Millis settled,
                   const std::string& status = "settled") {
  return fmt::format(R"(store: "s" key: "{}" refund_state {{ opened {{ order: "{}" amount_micros: {} opened_ms: {} }}
                     status {{ status: "{}" settled_ms: {} }} }})",
                     key, order, yuan * 1'000'000, opened, status, settled);
}

TEST(Refunds, CountByTheirOwnTimeAndNetOnThePayDay) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, refund("r", "a", 4, nov1 + day_ms, nov1 + 3 * day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 6000000 CNY\n* * 2026-11-04 refund_amount 4000000 CNY\n");
  // Of a refund without a settlement time: when it was asked for.
  d.put(nov1 + 1, R"(store: "s" key: "r" refund_state { status { status: "settled" } })");
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 6000000 CNY\n* * 2026-11-02 refund_amount 4000000 CNY\n");
  d.put(nov1 + 2, R"(store: "s" key: "r" refund_state { status { status: "open" } })");
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 10000000 CNY\n");
}

TEST(Refunds, TakeTheOrdersTimeWhereTheyHaveNone) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, refund("r", "a", 4, 0, 0));
  EXPECT_EQ(ask(d, by_day), "");  // Nobody can say when.
  d.put(nov1, fmt::format(R"(store: "s" key: "a" order_state {{ placed {{ created_ms: {} }} }})", nov1 + day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-02 net_sales -4000000 CNY\n* * 2026-11-02 refund_amount 4000000 CNY\n");
  d.put(nov1,
        fmt::format(R"(store: "s" key: "a" order_state {{ paid {{ paid_ms: {} amount_micros: 9000000 }} }})", nov1 + 2 * day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-03 net_sales 5000000 CNY\n* * 2026-11-03 refund_amount 4000000 CNY\n");
  d.put(nov1, fmt::format(R"(store: "s" key: "a" order_state {{ closed {{ closed_ms: {} }} }})", nov1 + 5 * day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-03 net_sales 5000000 CNY\n* * 2026-11-06 refund_amount 4000000 CNY\n");
  d.put(nov1 + 1, R"(store: "s" key: "a" order_state { closed { closed_ms: -1 } })");  // At an unknown time.
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-03 net_sales 5000000 CNY\n* * 2026-11-03 refund_amount 4000000 CNY\n");
}

TEST(Refunds, OfUnknownOrdersAreBookedOnTheirOwnDay) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, refund("r", "elsewhere", 4, nov1, nov1 + day_ms));
  d.put(nov1, refund("q", "", 1, nov1, nov1 + day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-02 net_sales -5000000 CNY\n* * 2026-11-02 refund_amount 5000000 CNY\n");
}

// What the order list says counts only as long as no refund names the order.
TEST(Refunds, GiveWayToThoseThatNameTheOrder) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1,
        fmt::format(R"(store: "s" key: "a" order_state {{ refunded {{ amount_micros: 3000000 }} closed {{ closed_ms: {} }} }})",
                    nov1 + 2 * day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 7000000 CNY\n* * 2026-11-03 refund_amount 3000000 CNY\n");
  d.put(nov1, refund("r", "a", 4, nov1, nov1 + day_ms, "open"));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 10000000 CNY\n");
  d.put(nov1 + 1, refund("r", "a", 4, nov1, nov1 + day_ms));
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 6000000 CNY\n* * 2026-11-02 refund_amount 4000000 CNY\n");
  // It was another order's after all.
  d.put(nov1 + 2, refund("r", "b", 4, nov1, nov1 + day_ms));
  EXPECT_EQ(
      ask(d, by_day),
      "* * 2026-11-01 net_sales 7000000 CNY\n* * 2026-11-02 net_sales -4000000 CNY\n* * 2026-11-02 refund_amount 4000000 CNY\n"
      "* * 2026-11-03 refund_amount 3000000 CNY\n");
  d.put(nov1 + 3, R"(store: "s" key: "r" refund_state { withdrawn {} })");
  EXPECT_EQ(ask(d, by_day), "* * 2026-11-01 net_sales 7000000 CNY\n* * 2026-11-03 refund_amount 3000000 CNY\n");
}

TEST(Refunds, GoByLinesAndChannels) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 2, 10, "s", "live"));
  d.put(nov1, fmt::format(R"(store: "s" key: "r" refund_state {{ opened {{ order: "a" amount_micros: 5000000 opened_ms: {}
                          lines {{ sku: "mug" quantity: 1 amount_micros: 5000000 }} }} status {{ status: "settled" }} }})",
                          nov1));
  EXPECT_EQ(ask(d, {.metrics = {"refund_amount", "net_sales"}, .by = "sku"}),
            "* mug 2026-11-01 net_sales 5000000 CNY\n* mug 2026-11-01 refund_amount 5000000 CNY\n");
  EXPECT_EQ(ask(d, {.metrics = {"refund_amount", "net_sales"}, .by = "channel"}),
            "* live 2026-11-01 net_sales 5000000 CNY\n* live 2026-11-01 refund_amount 5000000 CNY\n");
}

}  // namespace
}  // namespace xundian::metrics::tests
