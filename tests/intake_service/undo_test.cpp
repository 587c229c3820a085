// An undo brings back what stood before an import, and an import after it takes effect again.
#include "services/intake/undo.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/intake_service/world.h"

namespace xundian::intake {
namespace {

std::vector<v1::Fact> import_a() {
  v1::Fact one = order_fact("1", 1'000, "paid");
  add_line(one, "a", 1);
  v1::Fact two = order_fact("2", 1'000, "paid");
  return {store_fact("shop"), one, two};
}

// Newer versions of the same keys, a line and an aspect that were not there, and a new key.
std::vector<v1::Fact> import_b() {
  v1::Fact one = order_fact("1", 2'000, "closed");
  add_line(one, "a", 5);
  add_line(one, "b", 7);
  one.mutable_order_state()->mutable_shipped()->set_shipped_ms(1'900);
  return {one, order_fact("3", 2'000, "paid")};
}

TEST(Undo, BringsBackWhatStoodBefore) {
  World world;
  world.import(import_a(), 1);
  const Merged a = world.merged();
  world.import(import_b(), 2);
  const Merged both = world.merged();
  ASSERT_NE(a, both);
  const auto undone = world.undo(2);
  EXPECT_EQ(undone.error(), "");
  EXPECT_EQ(undone.withdrawn(), 1u);
  EXPECT_EQ(undone.restored(), 1u);
  EXPECT_EQ(world.merged(), a);
  EXPECT_TRUE(world.fold().imports().at(2).undone());
  // The same file again takes effect again, under the same counts.
  const auto again = world.import(import_b(), 3);
  EXPECT_EQ(again.total().new_facts(), 1u);
  EXPECT_EQ(again.total().updated(), 1u);
  EXPECT_EQ(world.merged(), both);
  EXPECT_EQ(world.import(import_b(), 4).total().unchanged(), 2u);
}

TEST(Undo, OfTheFirstImportLeavesNothing) {
  World world;
  world.import(import_a(), 1);
  EXPECT_EQ(world.undo(1).withdrawn(), 3u);
  EXPECT_TRUE(world.merged().empty());
  EXPECT_TRUE(world.fold().stores().all().empty());
  EXPECT_EQ(world.import(import_a(), 2).total().new_facts(), 3u);
  EXPECT_EQ(world.fold().stores().all().size(), 1u);
  // And so on: a store is taken back as often as it is made.
  EXPECT_EQ(world.undo(2).withdrawn(), 3u);
  EXPECT_TRUE(world.merged().empty());
  EXPECT_TRUE(world.fold().stores().all().empty());
}

TEST(Undo, CanBeDoneOnce) {
  World world;
  world.import(import_a(), 1);
  EXPECT_EQ(world.undo(1).error(), "");
  EXPECT_EQ(world.undo(1).error(), "import 1 was undone already");
  EXPECT_EQ(world.undo(77).error_code(), static_cast<uint32_t>(Code::not_found));
}

TEST(Undo, OfWhatIsOverruledChangesNothing) {
  World world;
  world.import(import_a(), 1);
  world.import({order_fact("1", 2'000, "shipped")}, 2);
  world.import({order_fact("1", 3'000, "closed")}, 3);
  const Merged all = world.merged();
  EXPECT_EQ(world.undo(2).restored(), 0u);
  EXPECT_EQ(world.merged(), all);
  // What the third overruled was undone, so the first stands again.
  world.undo(3);
  EXPECT_EQ(world.merged().at("shop/200/1/3"), order_fact("1", 0, "paid").order_state().status().SerializeAsString());
}

TEST(Undo, OfWhatAnUndoRestoredLeavesNothing) {
  World world;
  world.import(import_a(), 1);
  world.import(import_b(), 2);
  world.undo(2);
  world.undo(1);
  EXPECT_TRUE(world.merged().empty());
}

TEST(Undo, OlderAndCorrectedFilesAreToldApart) {
  World world;
  world.import({order_fact("1", 1'000, "paid")}, 1);
  world.import({order_fact("1", 3'000, "wrong")}, 2);
  world.undo(2);
  EXPECT_EQ(world.import({order_fact("1", 900, "unpaid")}, 3).total().unchanged(), 1u);
  EXPECT_EQ(world.import({order_fact("1", 2'000, "shipped")}, 4).total().updated(), 1u);
  EXPECT_EQ(world.merged().begin()->second, order_fact("1", 0, "shipped").order_state().status().SerializeAsString());
  EXPECT_EQ(world.import({order_fact("1", 2'500, "received")}, 5).total().updated(), 1u);
  EXPECT_EQ(world.import({order_fact("1", 2'200, "late")}, 6).total().unchanged(), 1u);
  EXPECT_EQ(world.merged().begin()->second, order_fact("1", 0, "received").order_state().status().SerializeAsString());
  world.undo(5);
  EXPECT_EQ(world.merged().begin()->second, order_fact("1", 0, "shipped").order_state().status().SerializeAsString());
}

TEST(Undo, SaysWhenNoRevisionIsLeft) {
  World world;
  uint64_t id = 1;
  std::string error;
  int rounds = 0;
  for (; rounds < 20 && error.empty(); ++rounds) {
    error = world.import({order_fact("1", 1'000, "paid")}, id).error();
    if (error.empty()) error = world.undo(id).error();
    id += 1;
  }
  EXPECT_EQ(rounds, 9);  // Revisions 0, 2, … 14 are said, 1, 3, … 15 undo them.
  EXPECT_NE(error.find("1 of store shop was undone and imported again too often"), std::string::npos) << error;
  EXPECT_TRUE(world.merged().empty());
}

TEST(Undo, AStoreStaysAsLongAsOthersSpeakOfIt) {
  World world;
  world.import({store_fact("shop"), order_fact("1", 1'000, "paid")}, 1);
  world.import({store_fact("shop"), order_fact("2", 1'000, "paid")}, 2);
  world.undo(1);
  ASSERT_EQ(world.fold().stores().all().size(), 1u);
  EXPECT_EQ(world.fold().stores().all().front()->currency_code, "CNY");
  world.undo(2);
  EXPECT_TRUE(world.fold().stores().all().empty());
  EXPECT_TRUE(world.merged().empty());
}

TEST(Undo, WhatAWebhookSaidStays) {
  World world;
  world.import({order_fact("1", 1'000, "paid")}, 1);
  v1::Fact shipped = order_fact("1", 1'500, "");
  shipped.mutable_order_state()->mutable_shipped()->set_shipped_ms(1'400);
  world.say(shipped);
  EXPECT_EQ(world.undo(1).error(), "");
  const Merged merged = world.merged();
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged.begin()->first, "shop/200/1/4");
}

TEST(Undo, OfAWithdrawalBringsTheThingBack) {
  World world;
  world.import(import_a(), 1);
  const Merged a = world.merged();
  v1::Fact gone = order_fact("1", 2'000, "");
  gone.mutable_order_state()->mutable_withdrawn()->set_reason("deleted");
  world.import({gone}, 2);
  ASSERT_LT(world.merged().size(), a.size());
  EXPECT_EQ(world.undo(2).error(), "");
  EXPECT_EQ(world.merged(), a);
}

TEST(Undo, UnderTheFactsClockHappensInTheFactsTime) {
  World world(Clock::facts);
  world.import(import_a(), 1);
  world.import(import_b(), 2);
  world.undo(2);
  for (const v1::Fact& fact : world.facts()) EXPECT_LE(fact.occurred_ms(), 2'000) << fact.ShortDebugString();
}

// Random imports; the last is undone; what is then imported takes effect as if the undone one had never been.
class RandomImports {
 public:
  explicit RandomImports(unsigned seed) : random_(seed) {}
  std::vector<v1::Fact> next(bool ends) {
    std::vector<v1::Fact> facts;
    for (int count = 1 + below(6); count > 0; --count) {
      v1::Fact fact = order_fact(std::to_string(below(3)), 1'000 + below(6), "");
      v1::OrderState& state = *fact.mutable_order_state();
      if (ends && below(10) == 0) {  // The end of a thing is said by itself.
        state.mutable_withdrawn()->set_reason(fmt::format("w{}", serial_++));
        fact.set_source_rank(1);
        facts.push_back(fact);
        continue;
      }
      if (below(2) == 0) state.mutable_status()->set_status(fmt::format("s{}", serial_++));
      if (below(3) == 0) state.mutable_paid()->set_paid_ms(1 + serial_++);
      if (below(3) == 0) add_line(fact, fmt::format("l{}", below(2)), 1 + serial_++);
      if (state.ByteSizeLong() > 0) facts.push_back(fact);
    }
    return facts;
  }

 private:
  int below(uint32_t bound) { return static_cast<int>(random_() % bound); }
  std::mt19937 random_;
  int serial_ = 1;
};

TEST(Undo, IsAsIfTheImportHadNeverBeen) {
  for (unsigned seed = 1; seed <= 120; ++seed) {
    RandomImports imports(seed);
    World undone, never;
    uint64_t id = 1;
    for (int round = 0; round < 3; ++round) {
      // An end that is said after an undo, as of a time between parts that the undo holds down, has no rank between theirs.
      const auto stays = imports.next(round == 0), goes = imports.next(true);
      ASSERT_EQ(undone.import(stays, id++).error(), "") << "seed " << seed;
      ASSERT_EQ(never.import(stays, id++).error(), "");
      ASSERT_EQ(undone.merged(), never.merged()) << "before the undo, seed " << seed << " round " << round;
      ASSERT_EQ(undone.import(goes, id).error(), "");
      ASSERT_EQ(undone.undo(id++).error(), "");
      ASSERT_EQ(undone.merged(), never.merged()) << "after the undo, seed " << seed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace xundian::intake
