// What a fact is to those that know what was said before.
#include "services/intake/weigh.h"

#include <gtest/gtest.h>

#include "tests/intake_service/world.h"

namespace xundian::intake {
namespace {

using query::v1::VERDICT_NEW;
using query::v1::VERDICT_UNCHANGED;
using query::v1::VERDICT_UPDATED;

class WeighTest : public testing::Test {
 protected:
  query::v1::WeighedFact weigh(const v1::Fact& fact, uint64_t import_id = 1, bool lift = false) {
    std::string frame;
    EXPECT_TRUE(append_frame(frame, fact));
    return weigher.weigh(&fold, "default/default", FactView(frame, 0, 0), import_id, lift);
  }
  void journal(const v1::Fact& fact) {
    std::string frame;
    Outbox outbox;
    EXPECT_TRUE(append_frame(frame, fact));
    fold.fold(FactView(frame, 0, 0), outbox);
    weigher.settle(&fold, "default/default");
  }
  IntakeFold fold;
  Weigher weigher;
};

TEST_F(WeighTest, ANewKeyIsNewANewerAspectUpdatesTheSameIsUnchanged) {
  journal(order_fact("1", 1'000, "paid"));
  EXPECT_EQ(weigh(order_fact("2", 1'000, "paid")).verdict(), VERDICT_NEW);
  EXPECT_EQ(weigh(order_fact("1", 1'000, "paid")).verdict(), VERDICT_UNCHANGED);
  EXPECT_EQ(weigh(order_fact("1", 999, "closed")).verdict(), VERDICT_UNCHANGED);
  EXPECT_EQ(weigh(order_fact("1", 1'001, "shipped")).verdict(), VERDICT_UPDATED);
}

TEST_F(WeighTest, AnOlderFactIsSaidForTheAspectThatNobodyStated) {
  journal(order_fact("1", 1'000, "paid"));
  v1::Fact older = order_fact("1", 500, "unpaid");
  EXPECT_FALSE(weigh(older).say());
  older.mutable_order_state()->mutable_shipped()->set_shipped_ms(400);
  const auto weighed = weigh(older);
  EXPECT_EQ(weighed.verdict(), VERDICT_UPDATED);
  EXPECT_TRUE(weighed.say());
}

TEST_F(WeighTest, EachLineHasAVersionOfItsOwn) {
  v1::Fact order = order_fact("1", 1'000, "");
  add_line(order, "a", 1);
  journal(order);
  EXPECT_EQ(weigh(order).verdict(), VERDICT_UNCHANGED);
  v1::Fact other = order_fact("1", 900, "");
  add_line(other, "b", 1);
  EXPECT_EQ(weigh(other).verdict(), VERDICT_UPDATED);
}

TEST_F(WeighTest, WhatIsOnItsWayCountsAsSaid) {
  EXPECT_EQ(weigh(order_fact("1", 1'000, "paid")).verdict(), VERDICT_NEW);
  EXPECT_EQ(weigh(order_fact("1", 1'000, "paid")).verdict(), VERDICT_UNCHANGED);
  EXPECT_EQ(weigh(order_fact("1", 2'000, "paid")).verdict(), VERDICT_UPDATED);
  EXPECT_EQ(weigher.pending(), 1u);
  journal(order_fact("1", 1'000, "paid"));
  EXPECT_EQ(weigher.pending(), 1u);  // The newer one is still on its way.
  journal(order_fact("1", 2'000, "paid"));
  EXPECT_EQ(weigher.pending(), 0u);
}

TEST_F(WeighTest, WhatAnotherImportHasOnItsWayIsUnchangedAndSaidAllTheSame) {
  EXPECT_TRUE(weigh(order_fact("1", 1'000, "paid"), 1).say());
  const auto second = weigh(order_fact("1", 1'000, "paid"), 2);
  EXPECT_EQ(second.verdict(), VERDICT_UNCHANGED);
  EXPECT_TRUE(second.say());
  EXPECT_FALSE(weigh(order_fact("1", 1'000, "paid"), 1).say());
}

TEST_F(WeighTest, WhatAFailedImportWeighedIsForgotten) {
  weigh(order_fact("1", 1'000, "paid"), 1);
  weigh(order_fact("2", 1'000, "paid"), 2);
  weigher.forget(1);
  EXPECT_EQ(weigher.pending(), 1u);
  EXPECT_EQ(weigh(order_fact("1", 1'000, "paid"), 3).verdict(), VERDICT_NEW);
  EXPECT_EQ(weigh(order_fact("2", 1'000, "paid"), 2).verdict(), VERDICT_UNCHANGED);
}

TEST_F(WeighTest, ScopesKnowNothingOfEachOther) {
  std::string frame;
  ASSERT_TRUE(append_frame(frame, order_fact("1", 1'000, "paid")));
  EXPECT_EQ(weigher.weigh(nullptr, "a/x", FactView(frame, 0, 0), 1, false).verdict(), VERDICT_NEW);
  EXPECT_EQ(weigher.weigh(nullptr, "a/y", FactView(frame, 0, 0), 1, false).verdict(), VERDICT_NEW);
}

TEST_F(WeighTest, AFormatsDefaultsYieldToAllThatIsKnownOfAStore) {
  EXPECT_EQ(weigh(store_fact("shop")).verdict(), VERDICT_NEW);
  journal(store_fact("shop"));
  for (const char* currency : {"USD", "EUR", "GBP", "JPY"}) {
    v1::Fact other = store_fact("shop");
    other.mutable_store_state()->mutable_settings()->set_currency_code(currency);
    EXPECT_EQ(weigh(other).verdict(), VERDICT_UNCHANGED) << currency;
    other.set_as_of_ms(2);
    EXPECT_EQ(weigh(other, 5).verdict(), VERDICT_UPDATED) << currency;
    weigher.forget(5);
  }
}

// An undo of (1000, revision 0) that restored what was said at 500.
v1::Fact undone(const std::string& key, uint32_t revision) {
  v1::Fact fact = order_fact(key, 1'000, "paid");
  fact.set_revision(revision);
  fact.set_content_rank(make_rank({500, 0, 0, 0}));
  return fact;
}

TEST_F(WeighTest, WhatAnUndoHoldsDownIsLiftedIfItIsNewerThanWhatWasRestored) {
  journal(undone("1", 1));
  EXPECT_EQ(weigh(order_fact("1", 499, "older")).verdict(), VERDICT_UNCHANGED);
  EXPECT_EQ(weigh(order_fact("1", 500, "paid")).verdict(), VERDICT_UNCHANGED);
  for (const Millis as_of : {501, 1'000}) {
    const auto weighed = weigh(order_fact("1", as_of, "again"));
    EXPECT_EQ(weighed.verdict(), VERDICT_UPDATED) << as_of;
    EXPECT_FALSE(weighed.say());
    ASSERT_EQ(weighed.lifts_size(), 1);
    EXPECT_EQ(weighed.lifts(0).rank(), make_rank({1'000, 0, 0, 2}));
  }
  EXPECT_EQ(weigher.pending(), 0u);  // It was not asked to lift.
  EXPECT_EQ(weigh(order_fact("1", 1'001, "newer")).lifts_size(), 0);
}

TEST_F(WeighTest, OfTwoThatAreLiftedTheNewerStays) {
  journal(undone("1", 1));
  EXPECT_EQ(weigh(order_fact("1", 800, "a"), 1, true).lifts(0).rank(), make_rank({1'000, 0, 0, 2}));
  EXPECT_EQ(weigh(order_fact("1", 700, "b"), 1, true).verdict(), VERDICT_UNCHANGED);
  EXPECT_EQ(weigh(order_fact("1", 900, "c"), 1, true).lifts(0).rank(), make_rank({1'000, 0, 0, 4}));
}

TEST_F(WeighTest, WhenNoRevisionIsLeftItSaysSo) {
  journal(undone("1", 13));
  EXPECT_FALSE(weigh(order_fact("1", 1'000, "again")).exhausted());
  journal(undone("1", 15));
  EXPECT_TRUE(weigh(order_fact("1", 1'000, "again")).exhausted());
  EXPECT_FALSE(weigh(order_fact("1", 1'001, "newer")).exhausted());
}

TEST(WeighQuery, RefusesWhatIsNoFact) {
  World world;
  query::v1::WeighRequest request;
  request.add_frames("short");
  EXPECT_FALSE(world.weigh(request));
}

}  // namespace
}  // namespace xundian::intake
