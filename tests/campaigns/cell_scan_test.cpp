#include "services/campaigns/cell_scan.h"

#include <gtest/gtest.h>

#include "services/campaigns/report_table.h"
#include "tests/unit/random_message.h"

namespace xundian::campaigns {
namespace {

std::string frame_of(const v1::AdReport& report) {
  v1::Fact fact;
  fact.set_key("cell");
  *fact.mutable_ad_report() = report;
  std::string frame;
  EXPECT_TRUE(append_frame(frame, fact).has_value());
  return frame;
}

v1::AdCell random_cell(Random& random) {
  v1::AdCell cell;
  fill(cell, random);
  return cell;
}

v1::AdReport report_of(const v1::AdCell& cell) {
  v1::AdReport report;
  *report.mutable_cell() = cell;
  return report;
}

// A cell that takes another's figures is that other, whatever they hold; where it would not be, the table says so.
TEST(CellScan, GivesTheFiguresThatTheParserGives) {
  Random random(1);
  ReportTable table;
  int grown = 0;
  for (int step = 0; step < 5'000; ++step) {
    v1::AdCell held = random_cell(random), said = random_cell(random);
    if (step % 2 == 0) {  // Of the same texts.
      v1::AdCell texts = held;
      for (auto clear : {&v1::AdCell::clear_impressions, &v1::AdCell::clear_clicks, &v1::AdCell::clear_cost_micros,
                         &v1::AdCell::clear_attributed_orders, &v1::AdCell::clear_attributed_amount_micros})
        (texts.*clear)();
      for (auto clear : {&v1::AdCell::clear_channel, &v1::AdCell::clear_campaign, &v1::AdCell::clear_item,
                         &v1::AdCell::clear_currency_code, &v1::AdCell::clear_cut, &v1::AdCell::clear_period})
        (said.*clear)();
      said.MergeFrom(texts);
    }
    const std::string frame = frame_of(report_of(said));
    CellScan scan;
    ASSERT_TRUE(scan.scan(FactView(frame, 0, 0)));
    Report report;
    table.take(report, held);
    ASSERT_EQ(table.cell(report).SerializeAsString(), held.SerializeAsString());
    if (!table.differs_in_figures_alone(report, scan)) {
      ASSERT_NE(step % 2, 0) << held.DebugString() << said.DebugString();
      continue;
    }
    ReportTable::take_figures(report, scan);
    ASSERT_EQ(table.cell(report).SerializeAsString(), said.SerializeAsString());
    ++grown;
  }
  EXPECT_GE(grown, 2'500);
}

// Each part of a cell by itself makes it another.
TEST(CellScan, TellsCellsApartByEachText) {
  v1::AdCell cell;
  cell.mutable_cut()->set_dimensions("campaign");
  cell.mutable_cut()->set_grain("day");
  cell.mutable_cut()->set_attribution_days(15);
  cell.mutable_period()->set_from("2026-11-11");
  cell.mutable_period()->set_to("2026-11-12");
  cell.mutable_period()->set_hour(0);
  cell.set_channel("zhitongche");
  cell.set_campaign("c1");
  cell.set_item("i1");
  cell.set_currency_code("CNY");
  ReportTable table;
  Report report;
  table.take(report, cell);
  const auto is_told = [&](auto&& change) {
    v1::AdCell other = cell;
    change(other);
    CellScan scan;
    const std::string frame = frame_of(report_of(other));
    EXPECT_TRUE(scan.scan(FactView(frame, 0, 0)));
    return !table.differs_in_figures_alone(report, scan);
  };
  EXPECT_FALSE(is_told([](v1::AdCell& other) { other.set_clicks(7); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_cut()->set_dimensions("item"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_cut()->set_grain("hour"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_cut()->set_attribution_days(1); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_period()->set_from("2026-11-10"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_period()->clear_to(); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_period()->clear_hour(); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.mutable_period()->set_hour(1); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.set_channel("jingzhuntong"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.set_campaign("c2"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.set_item("i2"); }));
  EXPECT_TRUE(is_told([](v1::AdCell& other) { other.clear_currency_code(); }));
}

// What the fields do not hold is left to the parser: a field that is not known, a withdrawal, broken bytes, a part that is
// there and empty.
TEST(CellScan, LeavesTheRestToTheParser) {
  v1::AdCell cell;
  cell.set_channel("zhitongche");
  cell.mutable_period()->set_from("2026-11-11");
  cell.set_clicks(3);
  std::string frame = frame_of(report_of(cell));
  CellScan scan;
  ASSERT_TRUE(scan.scan(FactView(frame, 0, 0)));
  ReportTable table;
  Report report;
  table.take(report, cell);
  EXPECT_TRUE(table.differs_in_figures_alone(report, scan));

  v1::AdCell with_cut = cell, with_unknown = cell;
  with_cut.mutable_cut();
  table.take(report, with_cut);
  EXPECT_FALSE(table.differs_in_figures_alone(report, scan));
  with_unknown.GetReflection()->MutableUnknownFields(with_unknown.mutable_period())->AddVarint(99, 1);
  v1::AdReport withdrawn = report_of(cell);
  withdrawn.mutable_withdrawn();
  for (const v1::AdReport& more : {report_of(with_unknown), withdrawn})
    EXPECT_FALSE(scan.scan(FactView(frame_of(more), 0, 0))) << more.DebugString();
  frame.back() = static_cast<char>(0xff);  // The clicks go on beyond the end.
  EXPECT_FALSE(scan.scan(FactView(frame, 0, 0)));
}

}  // namespace
}  // namespace xundian::campaigns
