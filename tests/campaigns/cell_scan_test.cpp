#include "services/campaigns/cell_scan.h"

#include <gtest/gtest.h>

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

// A cell that takes another's figures is that other, whatever they hold; where it would not be, the scan says so.
TEST(CellScan, GivesTheFiguresThatTheParserGives) {
  Random random(1);
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
    if (!scan.differs_in_figures_alone(held)) {
      ASSERT_NE(step % 2, 0) << held.DebugString() << said.DebugString();
      continue;
    }
    scan.give_figures(held);
    ASSERT_EQ(held.SerializeAsString(), said.SerializeAsString());
    ++grown;
  }
  EXPECT_GE(grown, 2'500);
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
  EXPECT_TRUE(scan.differs_in_figures_alone(cell));

  v1::AdCell with_cut = cell, with_unknown = cell;
  with_cut.mutable_cut();
  EXPECT_FALSE(scan.differs_in_figures_alone(with_cut));
  with_unknown.GetReflection()->MutableUnknownFields(with_unknown.mutable_period())->AddVarint(99, 1);
  EXPECT_FALSE(scan.differs_in_figures_alone(with_unknown));

  v1::AdReport withdrawn = report_of(cell);
  withdrawn.mutable_withdrawn();
  for (const v1::AdReport& more : {report_of(with_unknown), withdrawn})
    EXPECT_FALSE(scan.scan(FactView(frame_of(more), 0, 0))) << more.DebugString();
  frame.back() = static_cast<char>(0xff);  // The clicks go on beyond the end.
  EXPECT_FALSE(scan.scan(FactView(frame, 0, 0)));
}

}  // namespace
}  // namespace xundian::campaigns
