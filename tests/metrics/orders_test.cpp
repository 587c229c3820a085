#include "tests/metrics/ask.h"

namespace xundian::metrics::tests {
namespace {

const std::vector<std::string> sales = {
    "paid_amount", "orders", "units", "buyers", "spend_per_buyer", "order_value", "average_unit_price", "units_per_order"};

// Two orders of one buyer and one of another, 10 + 30 + 20 yuan, 1 + 3 + 2 pieces.
void three_orders(Drive& d) {
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, paid("b", nov1 + hour_ms, 7, "cup", 3, 30));
  d.put(nov1, paid("c", nov1 + day_ms, 8, "mug", 2, 20));
}

TEST(Orders, AddUpByDefinition) {
  Drive d = drive();
  three_orders(d);
  EXPECT_EQ(ask(d, {.metrics = sales}),
            "* * 2026-11-01 average_unit_price 60000000/6 CNY\n"
            "* * 2026-11-01 buyers 2\n"
            "* * 2026-11-01 order_value 60000000/3 CNY\n"
            "* * 2026-11-01 orders 3\n"
            "* * 2026-11-01 paid_amount 60000000 CNY\n"
            "* * 2026-11-01 spend_per_buyer 60000000/2 CNY\n"
            "* * 2026-11-01 units 6\n"
            "* * 2026-11-01 units_per_order 6/3\n");
  EXPECT_EQ(ask(d, {.metrics = {"orders", "paid_amount", "buyers"}, .grain = "day", .by = "store"}),
            "s * 2026-11-01 buyers 1\ns * 2026-11-01 orders 2\ns * 2026-11-01 paid_amount 40000000 CNY\n"
            "s * 2026-11-02 buyers 1\ns * 2026-11-02 orders 1\ns * 2026-11-02 paid_amount 20000000 CNY\n");
  EXPECT_EQ(ask(d, {.metrics = {"units", "paid_amount", "orders", "buyers"}, .by = "sku"}),
            "* cup 2026-11-01 orders 1\n* cup 2026-11-01 paid_amount 30000000 CNY\n* cup 2026-11-01 units 3\n"
            "* mug 2026-11-01 orders 2\n* mug 2026-11-01 paid_amount 30000000 CNY\n* mug 2026-11-01 units 3\n");
}

// 16:00 UTC is midnight in Shanghai.
TEST(Orders, CountOnTheStoresOwnDayAndHour) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1 + 16 * hour_ms - 1, 7, "mug", 1, 10));
  d.put(nov1, paid("b", nov1 + 16 * hour_ms, 7, "mug", 1, 20));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .grain = "hour"}),
            "* * 2026-11-01T23 paid_amount 10000000 CNY\n* * 2026-11-02T00 paid_amount 20000000 CNY\n");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .to = "2026-11-01"}), "* * 2026-11-01 paid_amount 10000000 CNY\n");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .from = "2026-10-01", .to = "2026-11-02", .grain = "month"}),
            "* * 2026-11-01 orders 2\n");
}

// What was known of a zone and a currency changes: everything is counted anew.
TEST(Orders, AreCountedAnewWhenTheStoreReckonsOtherwise) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1 + 16 * hour_ms, 7, "mug", 1, 10));
  d.put(nov1, R"(store: "s" key: "s" as_of_ms: 2 store_state { settings { currency_code: "GBP" time_zone: "Europe/London" } })");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .grain = "hour"}), "* * 2026-11-01T16 paid_amount 10000000 GBP\n");
  d.put(
      nov1,
      R"(store: "s" key: "s" as_of_ms: 3 store_state { settings { currency_code: "GBP" time_zone: "Europe/London" day_cut_minutes: 1020 } })");
  EXPECT_EQ(ask(d, {.metrics = {"orders"}, .from = "2026-10-01", .grain = "day"}), "* * 2026-10-31 orders 1\n");
}

TEST(Orders, NeedAPayTimeAndAPositiveAmount) {
  Drive d = drive();
  open_store(d);
  d.put(
      nov1,
      R"(store: "s" key: "unpaid" order_state { placed { created_ms: 5 buyer: 1 } lines { line_id: "1" sku: "mug" quantity: 1 amount_micros: 5 } })");
  EXPECT_EQ(ask(d, {.metrics = sales}), "");
  d.put(nov1, fmt::format(R"(store: "s" key: "gift" order_state {{ placed {{ buyer: 1 }} paid {{ paid_ms: {} amount_micros: 0 }}
                          lines {{ line_id: "1" sku: "mug" quantity: 4 amount_micros: 0 }} }})",
                          nov1));
  EXPECT_EQ(
      ask(d, {.metrics = {"paid_amount", "orders", "units", "buyers", "order_value"}}),
      "* * 2026-11-01 buyers 0\n* * 2026-11-01 order_value 0/0 CNY\n* * 2026-11-01 orders 0\n* * 2026-11-01 paid_amount 0 CNY\n"
      "* * 2026-11-01 units 0\n");
  // A present but empty aspect takes the payment back.
  d.put(nov1 + 1, R"(store: "s" key: "gift" order_state { paid {} })");
  EXPECT_EQ(ask(d, {.metrics = sales}), "");
}

TEST(Orders, CountTheStatedAmountBeforeTheLines) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1 + 1, fmt::format(R"(store: "s" key: "a" order_state {{ paid {{ paid_ms: {} amount_micros: 9500000 }} }})", nov1));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "units"}}), "* * 2026-11-01 paid_amount 9500000 CNY\n* * 2026-11-01 units 1\n");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .by = "sku"}), "* mug 2026-11-01 paid_amount 10000000 CNY\n");
  // What was stated earlier and heard later does not count.
  d.put(
      nov1 + 2,
      fmt::format(R"(store: "s" key: "a" as_of_ms: 2000 order_state {{ paid {{ paid_ms: {} amount_micros: 1000000 }} }})", nov1));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}}), "* * 2026-11-01 paid_amount 9500000 CNY\n");
}

TEST(Orders, TakeOldWordsOutAndNewOnesIn) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));  // Twice.
  d.put(nov1 + 5, R"(store: "s" key: "a" order_state { lines { line_id: "1" sku: "cup" quantity: 2 amount_micros: 8000000 }
                      lines { line_id: "2" sku: "cup" quantity: 1 amount_micros: 4000000 } })");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "orders", "units"}, .by = "sku"}),
            "* cup 2026-11-01 orders 1\n* cup 2026-11-01 paid_amount 12000000 CNY\n* cup 2026-11-01 units 3\n");
  // Older news changes nothing; a line that no longer belongs to the order leaves.
  d.put(nov1 + 6,
        R"(store: "s" key: "a" as_of_ms: 2000 order_state { lines { line_id: "2" sku: "cup" quantity: 9 amount_micros: 9 } })");
  d.put(nov1 + 7, R"(store: "s" key: "a" order_state { lines { line_id: "2" withdrawn: true } })");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "units"}}), "* * 2026-11-01 paid_amount 8000000 CNY\n* * 2026-11-01 units 2\n");
  d.put(nov1 + 8, R"(store: "s" key: "a" order_state { withdrawn {} })");
  EXPECT_EQ(ask(d, {.metrics = sales}), "");
  // What is said after the withdrawal counts, what was said before does not come back.
  d.put(nov1 + 9, fmt::format(R"(store: "s" key: "a" order_state {{ paid {{ paid_ms: {} amount_micros: 3000000 }} }})", nov1));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "units"}}), "* * 2026-11-01 paid_amount 3000000 CNY\n* * 2026-11-01 units 0\n");
}

TEST(Orders, NameBuyersOnceHoweverManyDaysAndStores) {
  Drive d = drive();
  open_store(d);
  open_store(d, "t");
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, paid("b", nov1 + day_ms, 7, "mug", 1, 10));
  d.put(nov1, paid("c", nov1, 7, "mug", 1, 10, "t"));
  d.put(nov1, paid("d", nov1, 9, "mug", 1, 10, "t"));
  d.put(nov1, paid("e", nov1, 0, "mug", 1, 10, "t"));  // Nobody knows who.
  EXPECT_EQ(ask(d, {.metrics = {"buyers"}}), "* * 2026-11-01 buyers 2\n");
  EXPECT_EQ(ask(d, {.metrics = {"buyers"}, .by = "store"}), "s * 2026-11-01 buyers 1\nt * 2026-11-01 buyers 2\n");
  EXPECT_EQ(ask(d, {.metrics = {"buyers"}, .grain = "day"}), "* * 2026-11-01 buyers 2\n* * 2026-11-02 buyers 1\n");
  // A buyer leaves with the last order that names it.
  d.put(nov1 + 5, R"(store: "t" key: "c" order_state { withdrawn {} })");
  EXPECT_EQ(ask(d, {.metrics = {"buyers"}, .by = "store"}), "s * 2026-11-01 buyers 1\nt * 2026-11-01 buyers 1\n");
}

TEST(Orders, KeepCurrenciesAndChannelsApart) {
  Drive d = drive();
  open_store(d);
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10, "s", "live"));
  d.put(nov1, paid("b", nov1, 7, "mug", 1, 20, "s", "app"));
  d.put(nov1 + 1,
        fmt::format(
            R"(store: "s" key: "b" order_state {{ placed {{ created_ms: {} buyer: 7 currency_code: "USD" channel: "app" }} }})",
            nov1));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "buyers", "orders", "spend_per_buyer"}}),
            "* * 2026-11-01 buyers 1\n* * 2026-11-01 orders 2\n* * 2026-11-01 paid_amount 10000000 CNY\n* * 2026-11-01 "
            "paid_amount 20000000 USD\n"
            "* * 2026-11-01 spend_per_buyer 10000000/1 CNY\n* * 2026-11-01 spend_per_buyer 20000000/1 USD\n");
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .by = "channel"}),
            "* app 2026-11-01 paid_amount 20000000 USD\n* live 2026-11-01 paid_amount 10000000 CNY\n");
}

TEST(Orders, OfTheNewestDayAreProvisional) {
  Drive d = drive();
  d.put(nov1, paid("a", nov1, 7, "mug", 1, 10));
  d.put(nov1, paid("b", nov1 + day_ms, 7, "mug", 1, 20));
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount"}, .grain = "day"}),
            "* * 2026-11-01 paid_amount 10000000\n* * 2026-11-02 paid_amount 20000000 provisional\n");
}

// An order of which nothing could be read is known by its key alone, also after a restart; what is said of it later counts.
TEST(Orders, OneThatCouldNotBeReadIsKeptAsNothing) {
  Drive d = drive();
  open_store(d);
  v1::Fact fact;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(paid("a", nov1, 7, "mug", 1, 10), &fact));
  fact.set_as_of_ms(nov1);
  fact.set_occurred_ms(nov1);
  std::string frame;
  ASSERT_TRUE(append_frame(frame, fact));
  const std::string_view payload = FactView(frame, 0, nov1).payload();
  std::fill_n(frame.begin() + (payload.data() - frame.data()), payload.size(), '\xff');
  Outbox outbox;
  d.fold().fold(FactView(frame, 0, nov1), outbox);
  EXPECT_FALSE(outbox.rejected().empty());
  d.restart(definition().make_fold());
  EXPECT_EQ(ask(d, {.metrics = {"orders"}}), "");
  d.put(nov1 + 1, paid("a", nov1, 7, "mug", 1, 10));
  d.restart(definition().make_fold());
  EXPECT_EQ(ask(d, {.metrics = {"orders"}}), "* * 2026-11-01 orders 1\n");
}

}  // namespace
}  // namespace xundian::metrics::tests
