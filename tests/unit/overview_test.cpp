// A department's part of an overview is what protobuf would write of the same rows.
#include "common/overview.h"

#include <gtest/gtest.h>

#include <random>

#include "common/money.h"

namespace xundian {
namespace {

// The rows as messages: what `add` must give the same bytes as.
std::string written_by_protobuf(const std::vector<MetricRowView>& figures) {
  google::protobuf::RepeatedPtrField<query::v1::MetricRow> rows;
  gateway::v1::GetOverviewResponse shown;
  for (const MetricRowView& figure : figures) {
    add_row(figure, rows);
    show(rows.Get(rows.size() - 1), *shown.add_rows());
  }
  return shown.SerializeAsString();
}

query::v1::GetOverviewResponse part_of(const std::vector<MetricRowView>& figures) {
  OverviewPart part;
  for (const MetricRowView& figure : figures) part.add(figure);
  part.end_store("mall", 7);
  return part.finish();
}

void expect_same(const std::vector<MetricRowView>& figures) {
  const query::v1::GetOverviewResponse part = part_of(figures);
  ASSERT_EQ(part.stores_size(), 1);
  EXPECT_EQ(part.stores(0).rows(), written_by_protobuf(figures)) << figures.front().metric;
}

TEST(OverviewPart, WritesRowsAsProtobufDoes) {
  expect_same({{}});
  expect_same({{"mall", {}, "2026-11-11", "orders", 0, {}, "count", {}, "final"}});
  expect_same({{"mall", "红", "2026-11-11T07", "conversion", 1, 3, "ratio", {}, "provisional"}});
  expect_same({{"mall", {}, "2026-11-11", "roas", 5, 0, "ratio", "CNY", "final"}});  // Of nothing: unknown.
  expect_same({{"mall", {}, "2026-11-11", "stock_available", {}, 3, "units", {}, "final"}});
  expect_same({{"mall", {}, "2026-11-11", "paid_amount", INT64_MIN, {}, "money", "CNY", "final"}});
  expect_same({{"mall", {}, "2026-11-11", "order_value", INT64_MAX, 7, "money", "CNY", "estimated"}});
  const std::string longer(200, 'x'), longest(70'000, 'y');
  expect_same({{longer, longest, {}, longer, -1, {}, "count", {}, {}}, {"short", {}, {}, "orders", 1, {}, {}, {}, {}}});
}

TEST(OverviewPart, WritesAnyNumbersAsProtobufDoes) {
  std::mt19937_64 dice(1);
  const auto number = [&]() -> std::optional<int64_t> {
    if (dice() % 5 == 0) return std::nullopt;
    return static_cast<int64_t>(dice()) >> dice() % 64;
  };
  for (int round = 0; round < 2'000; ++round) {
    std::vector<MetricRowView> figures;
    for (uint64_t left = 1 + dice() % 4; left > 0; --left)
      figures.push_back({"mall", {}, "2026-11-11", "m", number(), number(), dice() % 2 == 0 ? "money" : "ratio", {}, "final"});
    expect_same(figures);
  }
}

TEST(OverviewPart, HasStoresWithFiguresAlone) {
  OverviewPart part;
  part.end_store("empty", 9);
  part.add({"b", {}, {}, "orders", 1, {}, {}, {}, {}});
  part.end_store("b", 5);
  part.end_store("c", 6);
  const query::v1::GetOverviewResponse told = part.finish();
  ASSERT_EQ(told.stores_size(), 1);
  EXPECT_EQ(told.stores(0).store(), "b");
  EXPECT_EQ(told.as_of_ms(), 9);
}

TEST(Money, IsWrittenWithTheDigitsThatCount) {
  EXPECT_EQ(format_micros(0, 2), "0.00");
  EXPECT_EQ(format_micros(0, 0), "0");
  EXPECT_EQ(format_micros(5'000'000, 0), "5");
  EXPECT_EQ(format_micros(1'234'567'500'000, 2), "1234567.50");
  EXPECT_EQ(format_micros(-50'000, 2), "-0.05");
  EXPECT_EQ(format_micros(1, 2), "0.000001");
  EXPECT_EQ(format_micros(-10, 0), "-0.00001");
  EXPECT_EQ(format_micros(INT64_MAX, 2), "9223372036854.775807");
  EXPECT_EQ(format_micros(INT64_MIN, 2), "-9223372036854.775808");
}

}  // namespace
}  // namespace xundian
