#include "tests/metrics/ask.h"

namespace xundian::metrics::tests {
namespace {

std::string traffic(const std::string& key, const std::string& dimensions, const std::string& period, const std::string& figures,
                    const std::string& source = "", const std::string& device = "") {
  return fmt::format(R"(store: "s" key: "{}" traffic_report {{ cell {{ cut {{ dimensions: "{}" grain: "day" }} period {{ {} }}
                     source: "{}" device: "{}" {} }} }})",
                     key, dimensions, period, source, device, figures);
}

std::string snapshot(const std::string& product, const std::string& day, const std::string& figures) {
  return fmt::format(
      R"(store: "s" key: "{0}@{1}" product_report {{ cell {{ cut {{ dimensions: "product" grain: "snapshot" }} period {{ from: "{1}" }}
                     product: "{0}" {2} }} }})",
      product, day, figures);
}

TEST(Traffic, IsAnsweredFromOneCellOfThatVeryPeriod) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, traffic("1", "store", R"(from: "2026-11-01")",
                      "uv: 100 pv: 250 cart_users: 10 favourite_users: 5 bounced_visitors: 40 dwell_ms: 90000"));
  d.put(nov1, traffic("2", "store", R"(from: "2026-11-02")", "uv: 80 pv: 100"));
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  const std::vector<std::string> all = {
      "uv", "pv", "conversion", "cart_rate", "favourite_rate", "pages_per_visitor", "bounce_rate", "average_dwell_s"};
  EXPECT_EQ(
      ask(d, {.metrics = all, .grain = "day"}),
      "* * 2026-11-01 average_dwell_s 90000/100000\n* * 2026-11-01 bounce_rate 40/100\n* * 2026-11-01 cart_rate 10/100\n"
      "* * 2026-11-01 conversion 1/100\n* * 2026-11-01 favourite_rate 5/100\n* * 2026-11-01 pages_per_visitor 250/100\n"
      "* * 2026-11-01 pv 250\n* * 2026-11-01 uv 100\n"
      "* * 2026-11-02 conversion 0/80\n* * 2026-11-02 pages_per_visitor 100/80\n* * 2026-11-02 pv 100\n* * 2026-11-02 uv 80\n");
  // Visitors are never added over days; page views are.
  EXPECT_EQ(ask(d, {.metrics = all, .to = "2026-11-02"}), "* * 2026-11-01 pv 350\n");
  d.put(nov1, traffic("3", "store", R"(from: "2026-11-01" to: "2026-11-02")", "uv: 150"));
  EXPECT_EQ(ask(d, {.metrics = {"uv", "conversion", "pv"}, .to = "2026-11-02"}),
            "* * 2026-11-01 conversion 1/150\n* * 2026-11-01 pv 350\n* * 2026-11-01 uv 150\n");
}

TEST(Traffic, TakesTheCoarsestCutAndNeverAddsTwo) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, traffic("1", "store+source", R"(from: "2026-11-01")", "uv: 60 pv: 70", "search"));
  d.put(nov1, traffic("2", "store+source", R"(from: "2026-11-01")", "uv: 50 pv: 55", "live"));
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv"}, .grain = "day"}), "");  // Sources do not add up to the store.
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .grain = "day", .by = "channel"}), "* live 2026-11-01 uv 50\n* search 2026-11-01 uv 60\n");
  d.put(nov1, traffic("3", "store+source", R"(from: "2026-11-01")", "uv: 95 pv: 120"));
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv"}, .grain = "day"}), "* * 2026-11-01 pv 120\n* * 2026-11-01 uv 95\n");
  d.put(nov1, traffic("4", "store", R"(from: "2026-11-01")", "uv: 100"));
  // Each figure from the coarsest cut that states it.
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv", "pages_per_visitor"}, .grain = "day"}),
            "* * 2026-11-01 pages_per_visitor 120/95\n* * 2026-11-01 pv 120\n* * 2026-11-01 uv 100\n");
  d.put(nov1, traffic("5", "store+device", R"(from: "2026-11-01")", "uv: 9", "", "pc"));
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .grain = "day"}), "* * 2026-11-01 uv 100\n");
  d.put(nov1 + 1, R"(store: "s" key: "4" traffic_report { withdrawn {} })");
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .grain = "day"}), "* * 2026-11-01 uv 95\n");
}

TEST(Traffic, OfTwoStoresIsNotAdded) {
  Drive d = drive();
  open_store(d);
  open_store(d, "t");
  d.put(nov1, traffic("1", "store", R"(from: "2026-11-01")", "uv: 60 pv: 70"));
  d.put(
      nov1,
      R"(store: "t" key: "1" traffic_report { cell { cut { dimensions: "store" grain: "day" } period { from: "2026-11-01" } uv: 5 pv: 7 } })");
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv"}, .grain = "day"}), "* * 2026-11-01 pv 77\n");
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .grain = "day", .by = "store"}), "s * 2026-11-01 uv 60\nt * 2026-11-01 uv 5\n");
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .stores = {"t"}, .grain = "day"}), "* * 2026-11-01 uv 5\n");
}

TEST(Traffic, HasHoursOfItsOwn) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, traffic("1", "store", R"(from: "2026-11-01" hour: 9)", "uv: 6 pv: 7"));
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv"}, .grain = "hour"}), "* * 2026-11-01T09 pv 7\n* * 2026-11-01T09 uv 6\n");
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv"}, .grain = "day"}), "");
}

// 100, 130 (30 sold at 10), unknown, 150 (20 sold since the last known), 40 (began anew), 45 (5 sold, no price).
TEST(Snapshots, SellWhatACounterGrew) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, snapshot("cream", "2026-11-01", "sold_count: 100 price_micros: 9000000"));
  d.put(nov1, snapshot("cream", "2026-11-06", "sold_count: 45"));
  d.put(nov1, snapshot("cream", "2026-11-05", "sold_count: 40 price_micros: 9000000"));
  d.put(nov1, snapshot("cream", "2026-11-02", "sold_count: 130 price_micros: 10000000"));
  d.put(nov1, snapshot("cream", "2026-11-04", "sold_count: 150 price_micros: 8000000"));
  d.put(nov1, snapshot("cream", "2026-11-03", "price_micros: 10000000"));
  EXPECT_EQ(ask(d, {.metrics = {"snapshot_units", "snapshot_amount", "snapshot_resets"}, .grain = "day"}),
            "* * 2026-11-02 snapshot_amount 300000000 CNY\n* * 2026-11-02 snapshot_resets 0\n* * 2026-11-02 snapshot_units 30\n"
            "* * 2026-11-04 snapshot_amount 160000000 CNY\n* * 2026-11-04 snapshot_resets 0\n* * 2026-11-04 snapshot_units 20\n"
            "* * 2026-11-05 snapshot_resets 1\n"
            "* * 2026-11-06 snapshot_resets 0\n* * 2026-11-06 snapshot_units 5\n");
  EXPECT_EQ(ask(d, {.metrics = {"units", "paid_amount", "orders"}, .by = "sku"}),
            "* cream 2026-11-01 paid_amount 460000000 CNY estimated\n* cream 2026-11-01 units 55 estimated\n");
  // Said again and newer, a day's counter takes the old one's place; withdrawn, it is unknown.
  d.put(nov1 + 1, snapshot("cream", "2026-11-02", "sold_count: 110 price_micros: 10000000"));
  EXPECT_EQ(ask(d, {.metrics = {"snapshot_units"}}), "* * 2026-11-01 snapshot_units 55\n");
  EXPECT_EQ(ask(d, {.metrics = {"snapshot_units"}, .to = "2026-11-02"}), "* * 2026-11-01 snapshot_units 10\n");
  d.put(nov1 + 2, R"(store: "s" key: "cream@2026-11-02" product_report { withdrawn {} })");
  EXPECT_EQ(ask(d, {.metrics = {"snapshot_units"}, .grain = "day"}),
            "* * 2026-11-04 snapshot_units 50\n* * 2026-11-06 snapshot_units 5\n");
}

// Two sources speak of one item and day: the newer one counts.
TEST(Snapshots, TakeTheNewestWordOfADay) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, snapshot("cream", "2026-11-01", "sold_count: 100"));
  d.put(nov1, snapshot("cream", "2026-11-02", "sold_count: 130"));
  d.put(
      nov1 + 1,
      R"(store: "s" key: "other" product_report { cell { cut { dimensions: "item" grain: "snapshot" } period { from: "2026-11-02" }
                      product: "cream" sold_count: 117 } })");
  EXPECT_EQ(ask(d, {.metrics = {"snapshot_units"}}), "* * 2026-11-01 snapshot_units 17\n");
}

TEST(Snapshots, GiveWayToOrders) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, snapshot("cream", "2026-11-01", "sold_count: 100"));
  d.put(nov1, snapshot("cream", "2026-11-02", "sold_count: 130"));
  EXPECT_EQ(ask(d, {.metrics = {"units"}}), "* * 2026-11-01 units 30 estimated\n");
  d.put(nov1, paid("a", nov1, 7, "mug", 2, 10));
  EXPECT_EQ(ask(d, {.metrics = {"units", "snapshot_units"}}), "* * 2026-11-01 snapshot_units 30\n* * 2026-11-01 units 2\n");
}

TEST(Products, AnswerTheirOwnVisitors) {
  Drive d = drive();
  open_store(d);
  d.put(
      nov1,
      R"(store: "s" key: "p" product_report { cell { cut { dimensions: "store+product" grain: "day" } period { from: "2026-11-01" }
                  product: "mug" uv: 40 pv: 50 cart_users: 4 } })");
  EXPECT_EQ(ask(d, {.metrics = {"uv", "pv", "cart_rate"}, .grain = "day", .by = "sku"}),
            "* mug 2026-11-01 cart_rate 4/40\n* mug 2026-11-01 pv 50\n* mug 2026-11-01 uv 40\n");
  EXPECT_EQ(ask(d, {.metrics = {"uv"}, .grain = "day"}), "");
}

}  // namespace
}  // namespace xundian::metrics::tests
