// The fold keeps the newest version of every part, whatever the order of arrival.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/intake_service/world.h"

namespace xundian::intake {
namespace {

std::vector<std::string> random_frames(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&random](uint32_t bound) { return static_cast<int>(random() % bound); };
  std::vector<std::string> frames;
  for (int index = 0; index < 60; ++index) {
    v1::Fact fact = order_fact(std::to_string(below(5)), 1'000 + below(4), fmt::format("s{}", below(3)));
    if (below(2) == 0) add_line(fact, fmt::format("l{}", below(3)), 1 + below(3));
    if (below(6) == 0) fact.mutable_order_state()->mutable_withdrawn();
    if (below(4) == 0) {
      fact.set_revision(static_cast<uint32_t>(below(4)));
      if (below(2) == 0) fact.set_content_rank(static_cast<uint64_t>(below(9)));
    }
    if (below(8) == 0) fact = store_fact("shop");
    EXPECT_TRUE(append_frame(frames.emplace_back(), fact));
  }
  return frames;
}

std::string state_after(const std::vector<std::string>& frames) {
  IntakeFold fold;
  Outbox outbox;
  for (const std::string& frame : frames) fold.fold(FactView(frame, 0, 0), outbox);
  Fingerprint sum;
  fold.fingerprint(sum);
  return sum.hex();
}

TEST(IntakeFold, AnyOrderGivesOneState) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::vector<std::string> frames = random_frames(seed);
    const std::string calm = state_after(frames);
    std::mt19937 random(seed);
    for (int round = 0; round < 5; ++round) {
      std::shuffle(frames.begin(), frames.end(), random);
      frames.push_back(frames[random() % frames.size()]);  // Said twice.
      ASSERT_EQ(state_after(frames), calm) << "seed " << seed;
    }
  }
}

TEST(IntakeFold, IsLoadedAsItWasSaved) {
  IntakeFold fold, loaded;
  Outbox outbox;
  for (const std::string& frame : random_frames(7)) fold.fold(FactView(frame, 0, 0), outbox);
  std::string done;
  v1::Fact import;
  import.set_key("42");
  import.set_as_of_ms(5);
  import.mutable_import_state()->mutable_done()->set_file("orders.csv");
  ASSERT_TRUE(append_frame(done, import));
  fold.fold(FactView(done, 0, 0), outbox);

  std::string bytes;
  fold.save(bytes);
  ASSERT_TRUE(loaded.load(ByteReader(bytes)));
  Fingerprint one, other;
  fold.fingerprint(one);
  loaded.fingerprint(other);
  EXPECT_EQ(one.hex(), other.hex());
  EXPECT_EQ(loaded.imports().at(42).done.file(), "orders.csv");
  ASSERT_NE(loaded.stores().find("shop"), nullptr);
  EXPECT_EQ(loaded.stores().find("shop")->currency_code, "CNY");
  EXPECT_FALSE(loaded.load(ByteReader(std::string_view(bytes).substr(0, bytes.size() - 1))));
  EXPECT_FALSE(loaded.load(ByteReader(bytes + "x")));
}

TEST(IntakeFold, ALineNamedTwiceCountsOnceWithItsNewestVersion) {
  v1::Fact fact = order_fact("1", 1'000, "paid");
  add_line(fact, "a", 1);
  add_line(fact, "a", 2);
  std::string frame;
  ASSERT_TRUE(append_frame(frame, fact));
  const FactView view(frame, 0, 0);
  IntakeFold fold;
  Outbox outbox;
  fold.fold(view, outbox);
  EXPECT_EQ(fold.held(view.key(), part_of_line(view.line_id(0))), std::max(view.line_version(0), view.line_version(1)));
}

TEST(IntakeFold, TakesEveryKindButWhatServicesConcludeAndTime) {
  const ServiceDefinition intake = definition();
  EXPECT_FALSE(intake.has_fingerprint);
  const auto takes = [&](Kind kind) { return std::find(intake.kinds.begin(), intake.kinds.end(), kind) != intake.kinds.end(); };
  EXPECT_TRUE(takes(v1::Fact::kOrderState));
  EXPECT_TRUE(takes(v1::Fact::kRuleSet));
  EXPECT_FALSE(takes(v1::Fact::kFinding));
  EXPECT_FALSE(takes(v1::Fact::kTick));
}

}  // namespace
}  // namespace xundian::intake
