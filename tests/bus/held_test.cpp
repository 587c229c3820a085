// A group that the journal cannot call safe yet: nobody hears of it, nothing is taken behind it, and it is there once.
#include "tests/bus/harness.h"

namespace xundian::bus {
namespace {

class Held : public HarnessTest {
 protected:
  void refuse_appends(int count) {
    for (int index = 0; index < count; ++index) harness_.disk().fail_append(DiskFault::not_yet, static_cast<uint64_t>(index));
  }
};

TEST_F(Held, NobodyHearsOfItBeforeItIsSafe) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("a", welcome, alice, 1, {.facts = 3, .first_number = 7});
  refuse_appends(2);
  harness_.forget();
  for (int attempt = 0; attempt < 2; ++attempt) {
    commit();
    EXPECT_TRUE(harness_.bus().holds());
    EXPECT_TRUE(harness_.heard().empty());
    EXPECT_EQ(harness_.bus().next_position(), 1u);
  }
  commit();
  EXPECT_FALSE(harness_.bus().holds());
  const auto acks = harness_.acks();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].last_sequence(), 1u);
  EXPECT_EQ(harness_.bells().size(), 1u);
  ASSERT_EQ(harness_.records().size(), 1u);
  EXPECT_EQ(harness_.records()[0].numbers, (std::vector<uint64_t>{7, 8, 9}));
}

TEST_F(Held, ABusThatStartsWaitsForItsFirstRecord) {
  int waits = 0;
  harness_.stop();
  harness_.options().wait = [&] { return ++waits < 5; };
  refuse_appends(3);
  EXPECT_TRUE(harness_.try_start()) << harness_.problem();
  EXPECT_EQ(waits, 3);
  harness_.stop();
  refuse_appends(9);
  EXPECT_FALSE(harness_.try_start());  // It does not wait for ever.
  EXPECT_EQ(waits, 5);
}

TEST_F(Held, NewPutsAreRefusedWithTheReasonAndATime) {
  const auto welcome = harness_.hello("a", {alice, bob});
  harness_.put("a", welcome, alice, 1);
  refuse_appends(1);
  commit();
  harness_.put("a", welcome, alice, 2);
  harness_.put("a", welcome, bob, 1);
  const auto nacks = harness_.nacks();
  ASSERT_EQ(nacks.size(), 2u);
  for (const auto& nack : nacks) {
    EXPECT_EQ(nack.refusal(), wire::v1::REFUSAL_BUSY);
    EXPECT_GT(nack.retry_after_ms(), 0u);
    EXPECT_NE(nack.text().find("to be asked again"), std::string::npos) << nack.text();
  }
  commit();
  harness_.put("a", welcome, alice, 2);
  harness_.put("a", welcome, bob, 1);
  EXPECT_TRUE(harness_.nacks().empty());
  commit();
  EXPECT_EQ(harness_.records().size(), 3u);
}

// Its producer gave up waiting and says Hello: the group is still under way and must not be taken a second time.
TEST_F(Held, AProducerThatComesBackMeanwhileDoesNotDoubleIt) {
  const auto first = harness_.hello("a", {alice});
  harness_.put("a", first, alice, 1);
  refuse_appends(1);
  commit();
  const auto second = harness_.hello("b", {alice});
  EXPECT_EQ(second.last_sequences(0), 0u);  // It is not known to be safe.
  harness_.put("b", second, alice, 1);
  EXPECT_EQ(harness_.nacks().size(), 1u);
  harness_.forget();
  commit();
  ASSERT_EQ(harness_.heard().size(), 2u);
  EXPECT_EQ(harness_.heard()[0].to, "b");
  EXPECT_EQ(harness_.acks().size(), 1u);
  harness_.put("b", second, alice, 1);
  harness_.put("b", second, alice, 2);
  EXPECT_TRUE(harness_.nacks().empty());
  commit();
  EXPECT_EQ(harness_.records().size(), 2u);
}

// The same of a fold, whose sequences have holes.
TEST_F(Held, AFoldGoesOnBehindIt) {
  const auto first = harness_.hello("a", {alice});
  harness_.put("a", first, alice, 5, {.flags = fold_answer});
  refuse_appends(1);
  commit();
  const auto second = harness_.hello("b", {alice});
  harness_.put("b", second, alice, 5, {.flags = fold_answer});
  commit();
  harness_.forget();
  harness_.put("b", second, alice, 9, {.flags = fold_answer});
  EXPECT_TRUE(harness_.heard().empty());
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
  EXPECT_EQ(harness_.records().size(), 2u);
}

TEST_F(Held, TroubleThatIsKnownBeforehandRefusesToo) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.bus().set_trouble("appendfsync is everysec");
  harness_.put("a", welcome, alice, 1);
  const auto nacks = harness_.nacks();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_NE(nacks[0].text().find("everysec"), std::string::npos);
  harness_.bus().set_trouble("");
  harness_.put("a", welcome, alice, 1);
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
}

}  // namespace
}  // namespace xundian::bus
