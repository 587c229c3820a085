// A packed table gives what the open one gave; packed days answer, are corrected and come back from bytes as open ones are.
#include "services/metrics/packed_table.h"

#include <map>
#include <random>

#include "tests/metrics/ask.h"

namespace xundian::metrics::tests {
namespace {

Rows random_rows(std::mt19937_64& random, size_t count, size_t columns) {
  // Numbers of every length and of both signs, the extremes among them.
  const auto number = [&] { return static_cast<int64_t>(random()) >> random() % 64; };
  std::set<uint64_t> keys;
  while (keys.size() < count) keys.insert(random() >> random() % 64);
  Rows rows{{keys.begin(), keys.end()}, {}};
  const int64_t divisor = number();
  for (size_t index = 0; index < count * columns; ++index)
    rows.numbers.push_back(index % columns == 0 ? (number() >> 32) * (divisor >> 32) : number());
  return rows;
}

TEST(PackedRows, ComeBackAsTheyWere) {
  std::mt19937_64 random(1);
  for (size_t step = 0; step < 300; ++step) {
    const size_t columns = 1 + step % 8;
    Rows rows = random_rows(random, step, columns);
    if (step % 3 == 1) rows.keys.back() = UINT64_MAX;
    if (step % 5 == 1) rows.numbers.back() = std::numeric_limits<int64_t>::min();
    const auto back = unpack_rows(pack_rows(rows, columns), columns);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->keys, rows.keys);
    EXPECT_EQ(back->numbers, rows.numbers);
  }
}

TEST(PackedRows, RefuseBrokenBytes) {
  std::mt19937_64 random(2);
  const std::string packed = pack_rows(random_rows(random, 50, 3), 3);
  for (size_t size = 0; size < packed.size(); ++size) EXPECT_FALSE(unpack_rows(std::string_view(packed).substr(0, size), 3));
  EXPECT_FALSE(unpack_rows(packed, 4)) << "a column is missing";
  EXPECT_FALSE(unpack_rows(packed, 2)) << "a column is too many";
  EXPECT_FALSE(unpack_rows(pack_rows({{5, 5}, {1, 2}}, 1), 1)) << "a key twice";
  EXPECT_FALSE(unpack_rows(pack_rows({{5, 4}, {1, 2}}, 1), 1)) << "out of order";
  for (int step = 0; step < 2'000; ++step) {
    std::string bent = packed;
    bent[random() % bent.size()] ^= static_cast<char>(1 << random() % 8);
    if (const auto rows = unpack_rows(bent, 3)) {
      EXPECT_EQ(rows->numbers.size(), 3 * rows->keys.size());
    }
  }
}

TEST(PackedTable, HoldsWhatAMapHolds) {
  std::mt19937_64 random(3);
  PackedTable<BuyerSet> table;
  std::map<uint64_t, uint32_t> expected;
  for (int step = 0; step < 3'000; ++step) {
    const uint64_t buyer = random() % 200;
    const bool more = random() % 2 == 0;
    table.open().change(buyer, [&](OrderCount& held) { held.orders = more ? held.orders + 1 : 0; });
    if (more)
      ++expected[buyer];
    else
      expected.erase(buyer);
    if (step % 7 == 0) {
      EXPECT_EQ(table.pack(), !expected.empty());
    }
    EXPECT_EQ(table.is_packed(), step % 7 == 0 && !expected.empty());
    std::map<uint64_t, uint32_t> held;
    table.for_each([&](uint64_t key, const OrderCount& count) { held[key] = count.orders; });
    ASSERT_EQ(held, expected);
    ASSERT_EQ(table.size(), expected.size());
  }
}

constexpr int days = 80, days_of_part = 20, skus = 60;

void say_day(Drive& d, int day) {
  for (int sku = 0; sku < skus; ++sku) {
    const Millis at = nov1 + (day - 60) * day_ms + sku * minute_ms;
    d.put(at,
          paid(fmt::format("o{}-{}", day, sku), at, 1 + (day * 7 + sku) % 90, fmt::format("sku{}", sku), 1 + sku % 3, 10 + sku));
  }
}

std::string ask_all(Drive& d, int part) {
  Ask asked{.metrics = {"paid_amount", "units", "orders", "buyers"}};
  const auto day_text = [](int day) { return format_day(static_cast<Day>(nov1 / day_ms) + day - 60); };
  asked.from = day_text(part * days_of_part);
  asked.to = day_text((part + 1) * days_of_part - 1);
  std::string text;
  for (const char* by : {"", "sku", "channel"})
    for (const char* grain : {"total", "day"}) {
      asked.by = by;
      asked.grain = grain;
      text += ask(d, asked);
    }
  return text;
}

Held cells_of(Drive& d) {
  for (const Held& held : d.fold().held())
    if (held.name == "cells of a day") return held;
  return {};
}

// What is told of twenty days alone is never packed; told of eighty, the first of them are, whatever their order.
TEST(PastDays, AnswerAsThoseThatAreOpen) {
  std::vector<Drive> parts;
  Held open_cells;
  for (int part = 0; part < days / days_of_part; ++part) {
    open_store(parts.emplace_back(drive()));
    for (int day = 0; day < days_of_part; ++day) say_day(parts.back(), part * days_of_part + day);
    open_cells.bytes += cells_of(parts.back()).bytes;
    open_cells.count += cells_of(parts.back()).count;
  }
  std::vector<int> order(days);
  for (int day = 0; day < days; ++day) order[day] = day;
  std::mt19937 random(4);
  for (int round = 0; round < 3; ++round) {
    Drive d = drive();
    open_store(d);
    for (const int day : order) say_day(d, day);
    for (size_t part = 0; part < parts.size(); ++part)
      EXPECT_EQ(ask_all(d, static_cast<int>(part)), ask_all(parts[part], static_cast<int>(part)));
    if (round == 0) {
      EXPECT_EQ(cells_of(d).count, open_cells.count);
      EXPECT_LT(cells_of(d).bytes, open_cells.bytes * 65 / 100) << "44 of 80 days are packed";
    }
    // An order of the first day turns out to have been paid on the second, and another never was.
    const std::string corrected = R"(store: "s" key: "o0-1" as_of_ms: 2000 order_state { paid { paid_ms: )" +
                                  std::to_string(nov1 - 59 * day_ms) + " } }",
                      gone = R"(store: "s" key: "o0-2" as_of_ms: 2000 order_state { withdrawn {} })";
    for (Drive* one : {&d, &parts[0]}) {
      one->put(nov1, corrected);
      one->put(nov1, gone);
    }
    EXPECT_EQ(ask_all(d, 0), ask_all(parts[0], 0));
    const std::string fingerprint = d.fingerprint();
    d.restart(std::make_unique<MetricsFold>());
    EXPECT_EQ(d.fingerprint(), fingerprint);
    EXPECT_EQ(ask_all(d, 0), ask_all(parts[0], 0));
    if (round == 0)
      std::reverse(order.begin(), order.end());
    else
      std::shuffle(order.begin(), order.end(), random);
    parts[0] = drive();
    open_store(parts[0]);
    for (int day = 0; day < days_of_part; ++day) say_day(parts[0], day);
  }
}

}  // namespace
}  // namespace xundian::metrics::tests
