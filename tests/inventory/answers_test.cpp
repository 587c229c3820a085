// What inventory answers and says, from facts as sources state them.
#include <array>
#include <random>

#include "services/inventory/state.h"
#include "tests/support/drive.h"
#include "tests/support/overview.h"

namespace xundian::inventory {
namespace {

constexpr Millis noon = Millis{20'000} * day_ms + 12 * hour_ms;  // 2024-10-04T12:00Z

struct Warehouse : testing::Test {
  tests::Drive drive{definition().make_fold()};

  std::vector<v1::Fact> level(Millis time, const std::string& key, const std::string& count, const std::string& store = "s1") {
    return drive.put(
        time, fmt::format("store: '{}' key: '{}' stock_level {{ count {{ {} counted_ms: {} }} }}", store, key, count, time));
  }
  std::vector<v1::Fact> order(Millis time, const std::string& id, Millis paid, const std::string& sku, int64_t units,
                              const std::string& more = "status { status: 'paid' } shipped {}", const std::string& store = "s1") {
    return drive.put(
        time,
        fmt::format("store: '{}' key: '{}' order_state {{ paid {{ paid_ms: {} }} {} lines {{ line_id: '1' sku: '{}' quantity: {} "
                    "amount_micros: 1000000 }} }}",
                    store, id, paid, more, sku, units));
  }
  std::map<std::string, query::v1::MetricRow> ask(const std::vector<std::string>& metrics, const std::string& by, Day from,
                                                  Day to, const std::string& grain = "total",
                                                  const std::vector<std::string>& stores = {}) {
    query::v1::QueryMetricsRequest request;
    for (const auto& metric : metrics) request.add_metrics(metric);
    for (const auto& store : stores) request.add_stores(store);
    request.set_from(format_day(from));
    request.set_to(format_day(to));
    request.set_grain(grain);
    request.set_by(by);
    const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
    EXPECT_TRUE(bytes.has_value());
    query::v1::QueryMetricsResponse response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    std::map<std::string, query::v1::MetricRow> rows;
    for (const auto& row : response.rows())
      rows[fmt::format("{}|{}|{}|{}", row.store(), row.key(), row.from(), row.metric())] = row;
    return rows;
  }
  int64_t figure(const std::string& metric, const std::string& by = "", const std::vector<std::string>& stores = {}) {
    const auto rows = ask({metric}, by, 19'000, 21'000, "total", stores);
    return rows.size() == 1 ? rows.begin()->second.numerator() : -999;
  }
};

bool says(const std::vector<v1::Fact>& said, const std::string& rule, const std::string& entity, bool holds) {
  return std::any_of(said.begin(), said.end(), [&](const v1::Fact& fact) {
    const v1::FindingTerms& terms = fact.finding().terms();
    return terms.rule() == rule && terms.entity() == entity && terms.holds() == holds;
  });
}

// After an outage thousands of orders are late at once; what one record says must fit into a batch, and all is said in the end.
TEST_F(Warehouse, ThousandsThatAreDueAtOnceAreSaidInTurns) {
  constexpr int orders = 3'500;
  for (int number = 0; number < orders; ++number) order(noon, fmt::format("o{}", number), noon + number, "mug", 1);
  std::set<std::string> late;
  size_t turns = 0;
  for (bool more = true; more; ++turns) {
    size_t said_now = 0;
    for (const v1::Fact& fact : drive.tick(noon + 30 * day_ms)) {
      ++said_now;
      if (fact.finding().terms().rule() != "unshipped_overdue") continue;
      EXPECT_TRUE(late.insert(fact.finding().terms().entity()).second);
    }
    EXPECT_LE(said_now, 2'100u);  // Two rules speak of an order.
    more = said_now > 0;
  }
  EXPECT_EQ(late.size(), size_t{orders});
  EXPECT_GE(turns, 4u);
}

// A changed rule may concern every SKU and every purchase order; a restart in the middle forgets none of them.
TEST_F(Warehouse, ARuleThatConcernsThousandsIsAppliedInTurns) {
  constexpr int skus = 2'500, purchases = 1'500;
  const auto put_sku = [&](Millis time, const std::string& sku) {
    return drive.put(
        time, fmt::format("store: 's1' key: '{0}@' stock_level {{ count {{ sku: '{0}' available_units: 12 counted_ms: {1} }} "
                          "policy {{ sku: '{0}' reorder_point_units: 10 }} }}",
                          sku, time));
  };
  for (int number = 0; number < skus; ++number) EXPECT_EQ(put_sku(noon, fmt::format("k{}", number)).size(), 0u);
  for (int number = 0; number < purchases; ++number)
    drive.put(noon, fmt::format(
                        "store: 's1' key: 'p{}' purchase_order {{ terms {{ due_ms: {} lines {{ sku: 'other' quantity: 1 }} }} }}",
                        number, noon + hour_ms));
  std::map<std::string, int> said;
  const auto note = [&](const std::vector<v1::Fact>& facts) {
    for (const v1::Fact& fact : facts) ++said[fact.finding().terms().rule() + " " + fact.finding().terms().entity()];
    EXPECT_LE(facts.size(), 1'100u);
    return !facts.empty();
  };
  EXPECT_TRUE(note(drive.put(noon + 2 * hour_ms,
                             "key: 'set' rule_set { list { rules { id: 'below_reorder_point' "
                             "fire_at_micros: 2000000 clear_at_micros: 2000000 } } }")));
  EXPECT_LT(said.size(), size_t{skus});
  drive.restart(definition().make_fold());
  EXPECT_TRUE(note(put_sku(noon + 2 * hour_ms, "zz"))) << "one that comes meanwhile is judged with its own fact";
  for (int turn = 0; drive.fold().next_wake() <= drive.time(); ++turn) {
    ASSERT_LT(turn, 20);
    note(drive.tick(noon + 2 * hour_ms));
    if (turn % 2 == 1) drive.restart(definition().make_fold());
  }
  EXPECT_EQ(said.size(), size_t{skus} + 1 + purchases);
  EXPECT_TRUE(std::ranges::all_of(said, [](const auto& entry) { return entry.second == 1; }));
}

// Buyers of a flash sale pay in the same millisecond.
TEST_F(Warehouse, ThousandsThatAreDueAtOneMomentAreSaidInTurns) {
  constexpr int orders = 2'500;
  for (int number = 0; number < orders; ++number) order(noon, fmt::format("o{}", number), noon, "mug", 1);
  std::set<std::string> late;
  for (int turn = 0; late.size() < orders; ++turn) {
    ASSERT_LT(turn, 10);
    const auto said = drive.tick(noon + 30 * day_ms);
    EXPECT_LE(said.size(), 1'100u);
    for (const v1::Fact& fact : said) {
      if (fact.finding().terms().rule() != "unshipped_overdue") continue;
      EXPECT_TRUE(late.insert(fact.finding().terms().entity()).second);
    }
    drive.restart(definition().make_fold());
  }
}

TEST_F(Warehouse, FallingToTheStatedReorderPointIsSaidAtOnce) {
  drive.put(noon, "store: 's1' key: 'mug@' stock_level { policy { sku: 'mug' reorder_point_units: 10 } }");
  EXPECT_TRUE(level(noon, "mug@", "sku: 'mug' available_units: 12").empty());
  const auto said = level(noon + 1, "mug@", "sku: 'mug' available_units: 9");
  ASSERT_TRUE(says(said, "below_reorder_point", "mug", true));
  EXPECT_EQ(said[0].store(), "s1");
  EXPECT_NE(said[0].finding().terms().text_en().find("9 available"), std::string::npos) << said[0].finding().terms().text_en();
  EXPECT_EQ(figure("below_reorder_skus"), 1);
  // Older news changes nothing, the same said again neither.
  EXPECT_TRUE(level(noon, "mug@", "sku: 'mug' available_units: 12").empty());
  EXPECT_TRUE(says(level(noon + 2, "mug@", "sku: 'mug' available_units: 11"), "below_reorder_point", "mug", false));
}

TEST_F(Warehouse, AvailableIsAddedOverWarehousesAndReckonedWhereNotStated) {
  level(noon, "mug@north", "sku: 'mug' warehouse: 'north' on_hand_units: 10 reserved_units: 4");
  level(noon, "mug@south", "sku: 'mug' warehouse: 'south' on_hand_units: 99 available_units: 3 inbound_units: 5");
  EXPECT_EQ(figure("stock_available"), 9);
  EXPECT_EQ(figure("stock_position"), 14);
  drive.put(noon + 1, "store: 's1' key: 'mug@south' stock_level { withdrawn {} }");
  EXPECT_EQ(figure("stock_available"), 6);
}

TEST_F(Warehouse, OpenPurchaseOrdersAreOnTheirWayOnce) {
  level(noon, "mug@", "sku: 'mug' available_units: 3");
  drive.put(noon, "store: 's1' key: 'po1' purchase_order { terms { lines { sku: 'mug' quantity: 20 } } }");
  EXPECT_EQ(figure("stock_position"), 23);
  drive.put(noon + 1, "store: 's1' key: 'po1' purchase_order { receipt { lines { sku: 'mug' quantity: 15 } } }");
  EXPECT_EQ(figure("stock_position"), 8);
  level(noon + 2, "mug@", "sku: 'mug' available_units: 3 inbound_units: 30");
  EXPECT_EQ(figure("stock_position"), 33);
  drive.put(noon + 3, "store: 's1' key: 'po1' purchase_order { receipt { complete: true } }");
  level(noon + 3, "mug@", "sku: 'mug' available_units: 3");
  EXPECT_EQ(figure("stock_position"), 3);
}

TEST_F(Warehouse, StoresOfAPoolShareTheirStock) {
  for (const char* store : {"s1", "s2"})
    drive.put(noon, fmt::format("store: '{}' key: '{}' store_state {{ settings {{ stock_pool: 'p' }} }}", store, store));
  level(noon, "mug@", "sku: 'mug' available_units: 7", "s1");
  level(noon + 1, "mug@", "sku: 'mug' available_units: 5", "s2");
  EXPECT_EQ(figure("stock_available"), 5);
  EXPECT_EQ(figure("stock_available", "store", {"s1"}), 5);
  EXPECT_EQ(figure("stock_available", "store", {"s2"}), 5);
  // It is judged once, at the store that comes first.
  order(noon + 2, "o1", noon, "mug", 1, "status { status: 'paid' } shipped {}", "s2");
  const auto said = level(noon + 3, "mug@", "sku: 'mug' available_units: 0", "s2");
  EXPECT_TRUE(says(said, "out_of_stock", "mug", true));
  EXPECT_EQ(std::count_if(said.begin(), said.end(),
                          [](const v1::Fact& fact) { return fact.finding().terms().rule() == "out_of_stock"; }),
            1);
  EXPECT_EQ(said[0].store(), "s1");
  // One that comes before speaks of it from now on, and what held at the other holds no longer.
  drive.put(noon + 4, "store: 's0' key: 's0' store_state { settings { stock_pool: 'p' } }");
  std::vector<std::string> turns;
  for (const v1::Fact& fact : level(noon + 5, "mug@", "sku: 'mug' available_units: 0", "s0"))
    if (fact.finding().terms().rule() == "out_of_stock")
      turns.push_back(fact.store() + (fact.finding().terms().holds() ? " holds" : " clears"));
  EXPECT_EQ(turns, (std::vector<std::string>{"s1 clears", "s0 holds"}));
}

TEST_F(Warehouse, OverviewsEachStoreAsOfItsDay) {
  for (const char* store : {"s1", "s2"})
    drive.put(noon, fmt::format("store: '{}' key: '{}' store_state {{ settings {{ stock_pool: 'p' }} }}", store, store));
  drive.put(noon, "store: 's3' key: 's3' store_state { settings { time_zone: 'Pacific/Kiritimati' } }");  // 14 hours ahead.
  level(noon, "mug@", "sku: 'mug' available_units: 7", "s2");
  level(noon, "cup@", "sku: 'cup' available_units: 0", "s3");
  level(noon, "jug@", "sku: 'jug' available_units: 3", "gone");
  order(noon, "o1", noon - 3 * day_ms, "mug", 1, "status { status: 'paid' } shipped {}", "s1");
  drive.put(noon + 1, "store: 'gone' key: 'gone' store_state { withdrawn {} }");
  drive.tick(noon + 2);
  const auto service = definition();
  const std::span<Fold* const> folds{drive.folds(), 1};
  const std::string s1 =
      "s1 2024-10-04 available_skus 1 count  provisional\ns1 2024-10-04 below_reorder_skus 0 count  provisional\n"
      "s1 2024-10-04 overdue 1 count  provisional\ns1 2024-10-04 stock_available 7 units  provisional\n"
      "s1 2024-10-04 stock_out_skus 0 count  provisional\ns1 2024-10-04 unshipped 1 count  provisional\n";
  const std::string s2 =
      "s2 2024-10-04 available_skus 1 count  provisional\ns2 2024-10-04 below_reorder_skus 0 count  provisional\n"
      "s2 2024-10-04 stock_available 7 units  provisional\ns2 2024-10-04 stock_out_skus 0 count  provisional\n";
  const std::string s3 =
      "s3 2024-10-05 available_skus 0 count  provisional\ns3 2024-10-05 below_reorder_skus 0 count  provisional\n"
      "s3 2024-10-05 stock_available 0 units  provisional\ns3 2024-10-05 stock_out_skus 0 count  provisional\n";
  EXPECT_EQ(tests::overview(service, folds), s1 + s2 + s3);
  query::v1::GetOverviewRequest request;
  for (const char* store : {"s3", "nowhere", "gone", "s1", "s3"}) request.add_stores(store);
  EXPECT_EQ(tests::overview(service, folds, request), s1 + s3);
  // Of a day that is over the stores are asked together, and say what each says alone.
  request.set_day("2024-10-03");
  std::string one_by_one;
  for (const char* store : {"s1", "s3"}) {
    query::v1::GetOverviewRequest alone;
    alone.add_stores(store);
    alone.set_day("2024-10-03");
    one_by_one += tests::overview(service, folds, alone);
  }
  EXPECT_EQ(tests::overview(service, folds, request), one_by_one);
  EXPECT_NE(one_by_one.find("s1 2024-10-03 unshipped 1 count  provisional\n"), std::string::npos) << one_by_one;
  // Asked together a pool counts once.
  EXPECT_EQ(figure("stock_available", "", {"s1", "s2", "s3"}), 7);
  EXPECT_EQ(figure("available_skus"), 1);
}

// What a state says of its SKUs' demand, by their names.
std::map<std::string, std::string> demands(const State& state) {
  std::map<std::string, std::string> told;
  state.skus().for_each([&](const Key&, const Sku& sku) {
    const auto demand = state.plan(sku, state.last_whole_day(sku)).demand.value_or(Demand{-1, 0, 0});
    told[state.pool(sku.pool).name + " " + state.name(sku.name)] =
        fmt::format("{} {:.6f} {}", demand.daily_micros, demand.sigma, demand.days_known);
  });
  return told;
}

// Overviews are kept ready; asked by days, the same figures are reckoned from all SKUs. They are never apart. Nor is what is kept
// of a SKU's demand from what a service reckons that was just started.
TEST_F(Warehouse, WhatIsKeptReadyEqualsWhatIsReckoned) {
  std::mt19937 dice(20261122);
  const auto any = [&](auto... values) {
    const std::array all{std::string(values)...};
    return all[dice() % all.size()];
  };
  for (const char* store : {"s1", "s2"})
    drive.put(noon, fmt::format("store: '{}' key: '{}' store_state {{ settings {{ stock_pool: 'p' }} }}", store, store));
  size_t rows = 0, out = 0;
  Millis now = noon;
  for (int step = 0; step < 600; ++step) {
    now += dice() % 4 == 0 ? static_cast<Millis>(dice() % (12 * hour_ms)) : 1;
    const std::string store = any("s1", "s2", "s3"), sku = any("mug", "cup", "jar"), place = any("", "north");
    const std::string thing = fmt::format("store: '{}' key: '{}@{}' stock_level", store, sku, place);
    switch (dice() % 9) {
      case 0:
        // One that is new, or one of before, of which something else is said.
        order(now, fmt::format("o{}", dice() % 2 == 0 ? step : static_cast<int>(dice() % 40)),
              now - static_cast<Millis>(dice() % 5) * day_ms, sku, 1 + dice() % 9,
              any("status { status: 'paid' } shipped {}", "shipped { shipped_ms: -1 }", "closed { closed_ms: -1 }"), store);
        break;
      case 1:
        drive.put(now, fmt::format("{} {{ policy {{ sku: '{}' warehouse: '{}' reorder_point_units: {} }} }}", thing, sku, place,
                                   dice() % 20));
        break;
      case 2:
        drive.put(now, thing + " { withdrawn {} }");
        break;
      case 3:
        drive.put(now,
                  fmt::format("store: '{}' key: '{}' listing {{ shelf {{ on_shelf: {} }} }}", store, sku, any("true", "false")));
        break;
      case 4:
        drive.tick(now);
        break;
      case 5:
        if (dice() % 8 == 0)
          drive.put(now, fmt::format("store: '{}' key: '{}' store_state {{ settings {{ stock_pool: '{}' time_zone: '{}' }} }}",
                                     store, store, any("", "p"), any("", "Asia/Shanghai")));
        else if (dice() % 8 == 0)
          drive.put(now, fmt::format("store: '{}' key: '{}' store_state {{ identity {{ platform: '{}' }} }}", store, store,
                                     any("jd", "tmall")));
        break;
      case 6:  // Counted long ago.
        drive.put(now, fmt::format("{} {{ count {{ sku: '{}' warehouse: '{}' available_units: {} counted_ms: {} }} }}", thing,
                                   sku, place, dice() % 3, now - static_cast<Millis>(dice() % 50) * day_ms));
        break;
      default:
        level(now, sku + "@" + place,
              fmt::format("sku: '{}' warehouse: '{}' available_units: {}", sku, place, static_cast<int>(dice() % 15) - 2), store);
    }
    drive.tick(now);
    std::string saved;
    drive.fold().save(saved);
    State started;
    ASSERT_TRUE(started.load(ByteReader(saved)));
    ASSERT_EQ(demands(static_cast<const State&>(drive.fold())), demands(started)) << "step " << step;
    for (const State* state : {&static_cast<const State&>(drive.fold()), &std::as_const(started)})
      state->skus().for_each([&](const Key&, const Sku& held) {
        ASSERT_EQ(state->stock(held).available.value_or(1) <= 0, held.is_out == 1) << "step " << step;
        out += held.is_out;
      });
    const Day today = static_cast<Day>(now / day_ms);
    for (const char* by : {"", "store"}) {
      std::map<std::string, std::pair<int64_t, int64_t>> both;
      const std::vector<std::string> metrics = {"available_skus", "below_reorder_skus", "stock_available", "stock_out_skus"};
      for (const auto& [cell, row] : ask(metrics, by, today - 1, today + 2))
        both[row.store() + " " + row.metric()].first += row.numerator();
      for (const auto& [cell, row] : ask(metrics, by, today - 1, today + 2, "day"))
        both[row.store() + " " + row.metric()].second += row.numerator();
      for (const auto& [cell, values] : both) ASSERT_EQ(values.first, values.second) << "step " << step << ": " << cell;
      rows += both.size();
    }
  }
  EXPECT_GT(rows, 1'000u);
  EXPECT_GT(out, 100u);
}

TEST_F(Warehouse, DemandIsOfWholeDaysAndCoverFollows) {
  for (int day = 1; day <= 10; ++day)
    order(noon - day * day_ms, fmt::format("o{}", day), noon - day * day_ms, "mug", 4, "shipped { shipped_ms: -1 }");
  order(noon, "today", noon, "mug", 100, "shipped { shipped_ms: -1 }");
  order(noon, "closed", noon - day_ms, "mug", 100, "closed { closed_ms: -1 }");
  level(noon, "mug@", "sku: 'mug' available_units: 30");
  EXPECT_EQ(figure("demand_per_day"), 4 * micros);
  const auto cover = ask({"cover_days"}, "sku", 19'000, 21'000).begin()->second;
  EXPECT_EQ(cover.numerator(), 30 * micros);
  EXPECT_EQ(cover.denominator(), 4 * micros);
  // Ten days are few: three days of demand are the safety stock. 4 x 7 + 12.
  EXPECT_EQ(figure("reorder_point_units"), 40);
  EXPECT_EQ(figure("suggested_order_units"), 4 * 30 + 12 - 30);
  // Asked for an earlier day, demand is that of the days before it and of that day.
  EXPECT_EQ(ask({"demand_per_day"}, "sku", 20'000 - 5, 20'000 - 5).begin()->second.numerator(), 4 * micros);
}

TEST_F(Warehouse, DaysWithoutStockAreNoDaysOfNoDemand) {
  for (int day = 6; day <= 10; ++day)
    order(noon - day * day_ms, fmt::format("o{}", day), noon - day * day_ms, "mug", 4, "shipped { shipped_ms: -1 }");
  level(noon - 6 * day_ms, "mug@", "sku: 'mug' available_units: 0");
  level(noon, "mug@", "sku: 'mug' available_units: 50");
  EXPECT_EQ(figure("demand_per_day"), 4 * micros);
}

TEST_F(Warehouse, CoverIsUnknownWhereNothingSellsAndZeroWhereNothingIsLeft) {
  level(noon - 2 * day_ms, "mug@", "sku: 'mug' available_units: 5");
  level(noon, "mug@", "sku: 'mug' available_units: 5");
  EXPECT_EQ(ask({"cover_days"}, "sku", 19'000, 21'000).begin()->second.denominator(), 0);
  level(noon + 1, "mug@", "sku: 'mug' available_units: 0");
  const auto cover = ask({"cover_days"}, "sku", 19'000, 21'000).begin()->second;
  EXPECT_EQ(cover.numerator(), 0);
  EXPECT_GT(cover.denominator(), 0);
}

TEST_F(Warehouse, RefundsHoldOrdersBackWhicheverIsSaidFirst) {
  drive.put(noon, "store: 's1' key: 'r1' refund_state { opened { order: 'o1' } status { status: 'open' } }");
  order(noon, "o1", noon, "mug", 1);
  order(noon, "o2", noon, "mug", 1);
  EXPECT_EQ(figure("unshipped"), 1);
  drive.put(noon + 1, "store: 's1' key: 'r1' refund_state { status { status: 'closed' } }");
  EXPECT_EQ(figure("unshipped"), 2);
  drive.put(noon + 2, "store: 's1' key: 'r1' refund_state { status { status: 'settled' } }");
  EXPECT_EQ(figure("unshipped"), 1);
  drive.put(noon + 3, "store: 's1' key: 'r1' refund_state { withdrawn {} }");
  EXPECT_EQ(figure("unshipped"), 2);
}

TEST_F(Warehouse, OnlyWhatIsSaidToBeUnshippedWaits) {
  order(noon, "silent", noon, "mug", 1, "");
  order(noon, "empty", noon, "mug", 1, "shipped {}");
  order(noon, "paid", noon, "mug", 1, "status { status: 'paid' }");
  order(noon, "received", noon, "mug", 1, "status { status: 'paid' } received { received_ms: 5 }");
  order(noon, "refunded", noon, "mug", 1, "shipped {} refunded { amount_micros: 1000000 }");
  order(noon, "partly", noon, "mug", 1, "shipped {} refunded { amount_micros: 999999 }");
  order(noon, "gone", noon, "mug", 1, "shipped {} ");
  drive.put(noon + 1, "store: 's1' key: 'gone' order_state { withdrawn {} }");
  EXPECT_EQ(figure("unshipped"), 3);
}

TEST_F(Warehouse, DeadlinesAreSaidWhenTheyComeWithoutAnyFact) {
  order(noon, "o1", noon, "mug", 1);
  const Millis deadline = noon + 48 * hour_ms;
  EXPECT_EQ(drive.fold().next_wake(), deadline - 6 * hour_ms);
  EXPECT_TRUE(drive.tick(deadline - 6 * hour_ms - 1).empty());
  EXPECT_TRUE(says(drive.tick(deadline - 6 * hour_ms), "shipping_deadline_near", "o1", true));
  const auto said = drive.tick(deadline);
  EXPECT_TRUE(says(said, "shipping_deadline_near", "o1", false));
  EXPECT_TRUE(says(said, "unshipped_overdue", "o1", true));
  EXPECT_EQ(figure("overdue"), 1);
  EXPECT_TRUE(says(order(deadline + 1, "o1", noon, "mug", 1, "shipped { shipped_ms: -1 }"), "unshipped_overdue", "o1", false));
  EXPECT_EQ(figure("unshipped"), -999);
}

TEST_F(Warehouse, ARuleThatMovesItsThresholdMovesItsTimer) {
  drive.put(noon, "key: 'set' rule_set { list { rules { id: 'shipping_deadline_near' fire_at_micros: 12000000 } } }");
  order(noon, "o1", noon, "mug", 1);
  EXPECT_EQ(drive.fold().next_wake(), noon + 36 * hour_ms);
  drive.put(noon + 1, "key: 'set' rule_set { list { rules { id: 'shipping_deadline_near' fire_at_micros: 3000000 } } }");
  EXPECT_EQ(drive.fold().next_wake(), noon + 45 * hour_ms);
}

TEST_F(Warehouse, WhatIsOlderThanTheStoreIsNoNews) {
  drive.put(noon, fmt::format("store: 's1' key: 's1' store_state {{ settings {{ live_from_ms: {} }} }}", noon));
  drive.put(noon - 2, "store: 's1' key: 'mug@' stock_level { policy { sku: 'mug' reorder_point_units: 10 } }");
  EXPECT_TRUE(level(noon - 1, "mug@", "sku: 'mug' available_units: 9").empty());
  EXPECT_TRUE(order(noon, "old", noon - 49 * hour_ms, "mug", 1).empty());
  EXPECT_TRUE(says(level(noon, "mug@", "sku: 'mug' available_units: 9"), "below_reorder_point", "mug", true));
}

TEST_F(Warehouse, AStoresDayMovesWhatIsCountedByIt) {
  order(noon, "o1", Millis{20'000} * day_ms + 1, "mug", 1);
  EXPECT_EQ(ask({"unshipped"}, "store", 19'999, 20'001, "day").begin()->second.from(), format_day(20'000));
  drive.put(noon, "store: 's1' key: 's1' store_state { settings { time_zone: 'America/New_York' } }");
  EXPECT_EQ(ask({"unshipped"}, "store", 19'999, 20'001, "day").begin()->second.from(), format_day(19'999));
}

// Each store's day ends by its own clock, whichever else's ended before.
TEST_F(Warehouse, EveryStoresMidnightIsAwaited) {
  drive.put(noon, "store: 's1' key: 's1' store_state { settings { time_zone: 'Asia/Shanghai' } }");
  drive.put(noon, "store: 's2' key: 's2' store_state { settings { time_zone: 'America/New_York' } }");
  level(noon, "mug@", "sku: 'mug' available_units: 5");
  level(noon, "mug@", "sku: 'mug' available_units: 5", "s2");
  for (const Millis hours : {4, 16, 28, 40, 52}) {
    EXPECT_EQ(drive.fold().next_wake(), noon + hours * hour_ms);
    drive.tick(noon + hours * hour_ms);
  }
}

TEST_F(Warehouse, SkusOffTheShelfAreNotMissed) {
  drive.put(noon, "store: 's1' key: 'mug' listing { shelf { on_shelf: false } }");
  drive.put(noon, "store: 's1' key: 'mug@' stock_level { policy { sku: 'mug' reorder_point_units: 10 } }");
  EXPECT_TRUE(level(noon, "mug@", "sku: 'mug' available_units: 0").empty());
  EXPECT_TRUE(
      says(drive.put(noon + 1, "store: 's1' key: 'mug' listing { shelf { on_shelf: true } }"), "out_of_stock", "mug", true));
}

TEST_F(Warehouse, UnreadableFactsAreRejectedAndChangeNothing) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key("mug@");
  fact.set_as_of_ms(noon);
  fact.mutable_stock_level()->mutable_count()->set_sku("mug");
  std::string frame;
  ASSERT_TRUE(append_frame(frame, fact).has_value());
  frame[frame.size() - 4] = '\x7f';  // The text's length now reaches beyond the message.
  Outbox outbox;
  const std::string before = drive.fingerprint();
  drive.fold().fold(FactView(frame, 0, noon), outbox);
  EXPECT_NE(outbox.rejected(), "");
  EXPECT_EQ(drive.fingerprint(), before);
}

TEST_F(Warehouse, MethodsOfOthersAreNotAnswered) {
  const auto answered = definition().answer({drive.folds(), 1}, "ListAlerts", "");
  ASSERT_FALSE(answered.has_value());
  EXPECT_EQ(answered.error().code, Code::unimplemented);
}

}  // namespace
}  // namespace xundian::inventory
