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

// Days that are long over are packed. An export that says the same once more leaves them so.
TEST(Orders, SaidOnceMoreLeaveTheirDayPacked) {
  Drive d = drive();
  d.put(nov1, R"(store: "s" key: "s" as_of_ms: 1 store_state { settings { time_zone: "Asia/Shanghai" } })");
  for (int day = 0; day < 60; ++day)
    d.put(nov1 + day * day_ms, paid(fmt::format("o{}", day), nov1 + day * day_ms, 7, "mug", 1, 10));
  const auto packed_to = [&] { return static_cast<const MetricsFold&>(d.fold()).find_book("s")->packed_to; };
  const std::string before = ask(d, {.metrics = {"paid_amount", "buyers"}, .grain = "day"});
  const Day packed = packed_to();
  EXPECT_GT(packed, static_cast<Day>(nov1 / day_ms) + 10);
  const auto again = [&](int64_t yuan) {
    std::string said = paid("o3", nov1 + 3 * day_ms, 7, "mug", 1, yuan);
    return said.replace(said.find("as_of_ms: 1000"), 14, fmt::format("as_of_ms: {}", 2'000 + yuan));
  };
  d.put(nov1 + 60 * day_ms, again(10));
  EXPECT_EQ(packed_to(), packed);
  EXPECT_EQ(ask(d, {.metrics = {"paid_amount", "buyers"}, .grain = "day"}), before);
  d.put(nov1 + 60 * day_ms, again(11));
  EXPECT_EQ(packed_to(), static_cast<Day>(nov1 / day_ms) + 3);
  d.put(nov1 + 60 * day_ms, paid("o3", nov1 + 3 * day_ms, 7, "mug", 1, 99));  // What was said first is older than that.
  EXPECT_NE(ask(d, {.metrics = {"paid_amount"}, .grain = "day"}).find("2026-11-04 paid_amount 11000000"), std::string::npos);
}

// Whatever is said otherwise of an order counts, each part of it by itself.
TEST(Orders, SaidOtherwiseCountAsIfSaidSoAtFirst) {
  const std::vector<std::string> said = {"placed { created_ms: 1793491200000 buyer: 7 currency_code: 'CNY' channel: 'app' }",
                                         "paid { paid_ms: 1793491200000 amount_micros: 32000000 }",
                                         "lines { line_id: '1' sku: 'mug' quantity: 2 amount_micros: 20000000 }",
                                         "lines { line_id: '2' sku: 'cup' quantity: 1 amount_micros: 10000000 }",
                                         "closed { closed_ms: 1793494800000 }",
                                         "refunded { amount_micros: 5000000 }"};
  // A part, and what is said in its place.
  const std::vector<std::pair<size_t, std::string>> others = {
      {0, "placed { created_ms: 1793487600000 buyer: 7 currency_code: 'CNY' channel: 'app' }"},
      {0, "placed { created_ms: 1793491200000 buyer: 8 currency_code: 'CNY' channel: 'app' }"},
      {0, "placed { created_ms: 1793491200000 buyer: 7 currency_code: 'USD' channel: 'app' }"},
      {0, "placed { created_ms: 1793491200000 buyer: 7 currency_code: 'CNY' channel: 'web' }"},
      {1, "paid { paid_ms: 1793577600000 amount_micros: 32000000 }"},
      {1, "paid { paid_ms: 1793491200000 amount_micros: 31000000 }"},
      {1, "paid { paid_ms: 1793491200000 }"},
      {1, "paid { amount_micros: 32000000 }"},
      {2, "lines { line_id: '1' sku: 'jar' quantity: 2 amount_micros: 20000000 }"},
      {2, "lines { line_id: '1' sku: 'mug' quantity: 3 amount_micros: 20000000 }"},
      {2, "lines { line_id: '1' sku: 'mug' quantity: 2 amount_micros: 21000000 }"},
      {3, "lines { line_id: '2' withdrawn: true }"},
      {4, "closed { closed_ms: 1793584800000 }"},
      {5, "refunded { amount_micros: 6000000 }"},
      {5, "withdrawn {}"}};
  const auto order = [](Millis as_of, const std::string& parts) {
    return fmt::format("store: 's' key: 'o' as_of_ms: {} occurred_ms: {} order_state {{ {} }}", as_of, nov1, parts);
  };
  const auto figures = [](Drive& d) {
    std::string text;
    for (const char* by : {"", "sku", "channel"})
      for (const char* grain : {"day", "hour"})
        text += ask(
            d, {.metrics = {"buyers", "net_sales", "orders", "paid_amount", "refund_amount", "units"}, .grain = grain, .by = by});
    return text;
  };
  std::string all;
  for (const std::string& part : said) all += part + " ";
  for (const auto& [place, other] : others) {
    Drive corrected = drive(), at_first = drive();
    for (Drive* d : {&corrected, &at_first}) {
      open_store(*d);
      d->put(nov1, paid("of the same buyer", nov1, 7, "mug", 1, 10));
    }
    corrected.put(nov1, order(1'000, all));
    const std::string before = figures(corrected);
    corrected.put(nov1, order(2'000, other));
    std::string parts;
    for (size_t index = 0; index < said.size(); ++index)
      parts += (index == place && other != "withdrawn {}" ? other : said[index]) + " ";
    at_first.put(nov1, order(1'000, parts));
    if (other == "withdrawn {}") at_first.put(nov1, order(2'000, other));
    EXPECT_EQ(figures(corrected), figures(at_first)) << other;
    // When it was created would tell when it was refunded, if nothing else did.
    const bool counts = other.find("created_ms: 1793487600000") == std::string::npos;
    EXPECT_EQ(figures(corrected) != before, counts) << other;
  }
}

TEST(Orders, LinesSaidAgainAfterAWithdrawalCountAgain) {
  Drive d = drive();
  open_store(d);
  const auto order = [&](Millis as_of, const std::string& parts) {
    d.put(nov1, fmt::format("store: 's' key: 'o' as_of_ms: {} occurred_ms: {} order_state {{ {} }}", as_of, nov1, parts));
  };
  const std::string pay = fmt::format("paid {{ paid_ms: {} amount_micros: 9000000 }}", nov1),
                    line = "lines { line_id: '1' sku: 'mug' quantity: 2 amount_micros: 9000000 }";
  order(1'000, pay + line);
  order(1'500, "withdrawn {}");
  order(1'600, pay);
  EXPECT_EQ(ask(d, {.metrics = {"units"}}), "* * 2026-11-01 units 0\n");
  order(2'000, line);
  EXPECT_EQ(ask(d, {.metrics = {"units"}}), "* * 2026-11-01 units 2\n");
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
