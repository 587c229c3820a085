// A bus that starts knows from the journal alone what it knew before.
#include "tests/bus/harness.h"

namespace xundian::bus {
namespace {

void commit(Harness& harness) {
  const auto committed = harness.bus().commit(noon);
  ASSERT_TRUE(committed.has_value()) << committed.error().message;
}

TEST(Recovery, ANewEpochKnowsTheLastSequences) {
  Harness harness;
  const auto welcome = harness.hello("a", {alice, bob});
  harness.put("a", welcome, alice, 1, {.facts = 4});
  harness.put("a", welcome, alice, 2);
  harness.put("a", welcome, bob, 17, {.partition = 5, .flags = fold_answer});
  commit(harness);
  harness.put("a", welcome, alice, 3);  // Never committed.
  harness.restart();
  const auto again = harness.hello("a", {alice, bob, 33});
  EXPECT_EQ(again.epoch(), 2u);
  EXPECT_GT(again.session(), welcome.session());
  EXPECT_EQ(again.last_sequences(0), 2u);
  EXPECT_EQ(again.last_sequences(1), 17u);
  EXPECT_EQ(again.last_sequences(2), 0u);
  EXPECT_EQ(again.heads(3), 5u);
  EXPECT_EQ(again.heads(5), 1u);
  harness.put("a", again, alice, 2);
  const auto acks = harness.acks();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].next_offset(), 5u);
}

TEST(Recovery, ASessionThatWasFencedStaysFenced) {
  Harness harness;
  const auto older = harness.hello("a", {alice});
  const auto newer = harness.hello("b", {alice});
  harness.put("b", newer, alice, 1);
  commit(harness);
  harness.restart();
  harness.put("a", older, alice, 2);
  harness.put("b", newer, alice, 2);
  const auto nacks = harness.nacks();
  ASSERT_EQ(nacks.size(), 2u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_FENCED);
  EXPECT_EQ(nacks[1].refusal(), wire::v1::REFUSAL_HELLO);
}

// A session that nobody put under leaves no trace; its number may be given again, in another epoch.
TEST(Recovery, ASessionIsOfItsEpoch) {
  Harness harness;
  const auto older = harness.hello("a", {alice});
  harness.restart();
  const auto newer = harness.hello("a", {alice});
  ASSERT_EQ(newer.session(), older.session());
  harness.put("a", older, alice, 1);
  const auto nacks = harness.nacks();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_FENCED);
}

// Small volumes; a producer that spoke only in the first is remembered in the last.
TEST(Recovery, ReachesOverVolumes) {
  Harness harness({}, 4096);
  auto welcome = harness.hello("a", {alice, bob});
  harness.put("a", welcome, bob, 1, {.partition = 9, .facts = 2});
  commit(harness);
  uint64_t sequence = 0;
  for (int life = 0; life < 5; ++life) {
    for (int count = 0; count < 40; ++count) {
      ++sequence;
      harness.put("a", welcome, alice, sequence, {.facts = 2, .first_number = sequence});
      commit(harness);
    }
    harness.restart();
    welcome = harness.hello("a", {alice, bob});
    ASSERT_EQ(welcome.last_sequences(0), sequence);
    ASSERT_EQ(welcome.last_sequences(1), 1u);
    ASSERT_EQ(welcome.heads(3), 2 * sequence);
    ASSERT_EQ(welcome.heads(9), 2u);
  }
  const auto records = harness.records();
  ASSERT_EQ(records.size(), 201u);
  for (size_t index = 1; index < records.size(); ++index) {
    EXPECT_EQ(records[index].header.base, 2 * (index - 1));
    EXPECT_EQ(records[index].numbers.front(), index);
  }
}

// What lies before the last volume may be gone, and what it said of producers is known all the same.
TEST(Recovery, NeedsTheLastVolumeAlone) {
  Harness harness({}, 4096);
  const auto welcome = harness.hello("a", {alice, bob});
  harness.put("a", welcome, bob, 1, {.partition = 9, .facts = 2});
  for (uint64_t sequence = 1; harness.writer().volume_start() == 0; ++sequence) {
    ASSERT_LT(sequence, 100u);
    harness.put("a", welcome, alice, sequence);
    commit(harness);
  }
  ASSERT_TRUE(harness.writer().trim(harness.writer().volume_start()).has_value());
  const auto before = harness.bus().ledger().producers;
  harness.restart();
  const auto again = harness.hello("a", {alice, bob});
  EXPECT_EQ(again.last_sequences(0), before.at(alice).last_sequence);
  EXPECT_EQ(again.last_sequences(1), 1u);
  EXPECT_EQ(again.heads(9), 2u);
}

// What became of an append that failed is known only to the journal; whatever it was, the producer sends again and it counts
// once.
TEST(Recovery, AfterEachFaultOfTheDiskEverythingAcknowledgedIsThereOnce) {
  for (const DiskFault fault : {DiskFault::error_before, DiskFault::error_after, DiskFault::error_torn, DiskFault::power_cut}) {
    for (const size_t kept : {size_t{0}, size_t{100}, size_t{1} << 20}) {
      Harness harness({}, 2000);
      uint64_t acknowledged = 0;
      for (int life = 0; life < 6; ++life) {
        const auto welcome = harness.hello("a", {alice});
        ASSERT_GE(welcome.last_sequences(0), acknowledged);
        uint64_t sequence = welcome.last_sequences(0);
        harness.disk().fail_append(fault, 3, kept);
        for (bool works = true; works;) {
          ++sequence;
          harness.put("a", welcome, alice, sequence, {.first_number = sequence});
          works = harness.bus().commit(noon).has_value();
          for (const auto& ack : harness.acks()) acknowledged = ack.last_sequence();
          ASSERT_LT(sequence, 100u);
        }
        harness.restart();
      }
      const auto records = harness.records();
      ASSERT_GE(records.size(), acknowledged);
      for (size_t index = 0; index < records.size(); ++index) EXPECT_EQ(records[index].numbers, std::vector<uint64_t>{index + 1});
    }
  }
}

TEST(Recovery, RefusesAJournalOfOtherPartitions) {
  Harness harness;
  harness.stop();
  harness.options().partitions = 8;
  EXPECT_FALSE(harness.try_start());
  EXPECT_NE(harness.problem().find("16 partitions"), std::string::npos) << harness.problem();
}

TEST(Recovery, NamesThePositionOfAFlippedBit) {
  Harness harness;
  const auto welcome = harness.hello("a", {alice});
  harness.put("a", welcome, alice, 1);
  commit(harness);
  harness.stop();
  ASSERT_TRUE(harness.disk().flip_bit(1, 16 + 16 * 8 + 100, 2));  // Behind the heads, in the batch.
  EXPECT_FALSE(harness.try_start());
  EXPECT_NE(harness.problem().find("position 1"), std::string::npos) << harness.problem();
}

}  // namespace
}  // namespace xundian::bus
