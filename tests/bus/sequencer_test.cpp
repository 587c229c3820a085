// What the sequencer takes, refuses and says, rule by rule.
#include <algorithm>
#include <limits>

#include "tests/bus/harness.h"

namespace xundian::bus {
namespace {

class SequencerTest : public HarnessTest {
 protected:
  wire::v1::Refusal refusal() {
    const auto nacks = harness_.nacks();
    return nacks.size() == 1 ? nacks[0].refusal() : wire::v1::REFUSAL_UNSPECIFIED;
  }
};

TEST_F(SequencerTest, WelcomesWithWhereTheJournalStands) {
  const auto welcome = harness_.hello("a", {alice, bob});
  EXPECT_EQ(welcome.home(), "home");
  EXPECT_EQ(welcome.epoch(), 1u);
  EXPECT_GT(welcome.session(), 0u);
  ASSERT_EQ(welcome.last_sequences_size(), 2);
  EXPECT_EQ(welcome.last_sequences(0), 0u);
  EXPECT_EQ(welcome.heads_size(), 16);
  EXPECT_EQ(welcome.next_position(), 1u);  // The record of the epoch is the first.
  EXPECT_EQ(harness_.hello("b", {}).session(), 0u);
}

TEST_F(SequencerTest, AcknowledgesOnlyWhatIsAppended) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("a", welcome, alice, 1, {.facts = 3, .first_number = 7});
  EXPECT_TRUE(harness_.heard().empty());
  EXPECT_TRUE(harness_.records().empty());
  commit();
  const auto acks = harness_.acks();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].producer(), alice);
  EXPECT_EQ(acks[0].last_sequence(), 1u);
  EXPECT_EQ(acks[0].next_offset(), 3u);
  const auto records = harness_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].numbers, (std::vector<uint64_t>{7, 8, 9}));
  EXPECT_EQ(records[0].header.base, 0u);
  EXPECT_EQ(records[0].header.epoch, 1u);
  EXPECT_EQ(records[0].header.time_ms, noon);
}

TEST_F(SequencerTest, Row02_AcknowledgesADuplicateAgainAndAppendsItOnce) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("a", welcome, alice, 1);
  harness_.put("a", welcome, alice, 1);  // While the first waits.
  EXPECT_TRUE(harness_.heard().empty());
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
  harness_.put("a", welcome, alice, 1);
  const auto acks = harness_.acks();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].last_sequence(), 1u);
  EXPECT_EQ(acks[0].next_offset(), 1u);
  for (int time = 0; time < 2; ++time) harness_.put("a", welcome, alice, 2);
  EXPECT_TRUE(harness_.acks().empty());
  commit();
  EXPECT_EQ(harness_.records().size(), 2u);
}

TEST_F(SequencerTest, OneAcknowledgementAProducerAndPartition) {
  const auto welcome = harness_.hello("a", {alice});
  for (uint64_t sequence = 1; sequence <= 4; ++sequence)
    harness_.put("a", welcome, alice, sequence, {.partition = static_cast<Partition>(sequence % 2 == 0 ? 5 : 3)});
  commit();
  const auto acks = harness_.acks();
  ASSERT_EQ(acks.size(), 2u);
  EXPECT_EQ(acks[0].last_sequence(), 3u);
  EXPECT_EQ(acks[0].next_offset(), 2u);
  EXPECT_EQ(acks[1].last_sequence(), 4u);
  EXPECT_EQ(acks[1].next_offset(), 2u);
}

TEST_F(SequencerTest, TellsOfAGapOnceAndTakesWhatClosesIt) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("a", welcome, alice, 1);
  for (uint64_t sequence = 3; sequence <= 5; ++sequence) harness_.put("a", welcome, alice, sequence);
  const auto nacks = harness_.nacks();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_GAP);
  EXPECT_EQ(nacks[0].sequence(), 3u);
  for (uint64_t sequence = 2; sequence <= 3; ++sequence) harness_.put("a", welcome, alice, sequence);
  commit();
  EXPECT_EQ(harness_.records().size(), 3u);
  harness_.put("a", welcome, alice, 5);  // A gap of its own.
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_GAP);
}

TEST_F(SequencerTest, FencesTheOlderOfTwoSessions) {
  const auto older = harness_.hello("a", {alice});
  harness_.put("a", older, alice, 1);
  const auto newer = harness_.hello("b", {alice});
  EXPECT_GT(newer.session(), older.session());
  EXPECT_EQ(newer.last_sequences(0), 0u);  // What waited was not acknowledged, and is no longer waited for.
  harness_.put("a", older, alice, 1, {.first_number = 1});
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_FENCED);
  harness_.put("b", newer, alice, 1, {.first_number = 2});
  commit();
  const auto records = harness_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].numbers, std::vector<uint64_t>{2});
  ASSERT_EQ(harness_.heard().size(), 2u);
  EXPECT_EQ(harness_.heard()[0].to, "b");
}

TEST_F(SequencerTest, OfTwoHellosOfOneInstanceTheLaterSaidCounts) {
  const auto second = harness_.hello("b", {alice}, 99, 2);
  const auto first = harness_.hello("a", {alice}, 99, 1);  // Came over a slower connection.
  EXPECT_EQ(first.session(), 0u);
  harness_.put("b", second, alice, 1);
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
  EXPECT_GT(harness_.hello("c", {alice}, 98, 1).session(), second.session());  // Another instance is another matter.
}

TEST_F(SequencerTest, ASessionHoldsOnItsConnectionInItsEpoch) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("b", welcome, alice, 1);
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_HELLO);
  harness_.put("a", welcome, bob, 1);
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_HELLO);
  auto elsewhere = welcome;
  elsewhere.set_session(welcome.session() + 1);
  harness_.put("a", elsewhere, alice, 1);
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_HELLO);
  harness_.restart();
  harness_.put("a", welcome, alice, 1);
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_HELLO);
  EXPECT_TRUE(harness_.records().empty());
}

TEST_F(SequencerTest, RefusesWhatDoesNotHoldTogether) {
  const auto welcome = harness_.hello("a", {alice});
  const std::string whole = harness_.batch(welcome, alice, 1);
  const auto expect_invalid = [&](std::string batch, const char* what) {
    harness_.put("a", std::move(batch));
    EXPECT_EQ(refusal(), wire::v1::REFUSAL_INVALID) << what;
  };
  for (size_t byte = 80; byte < whole.size(); byte += 7) {
    std::string flipped = whole;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 4);
    expect_invalid(flipped, "a flipped bit");
  }
  expect_invalid(whole.substr(0, 40), "too short for a header");
  expect_invalid(whole.substr(0, whole.size() - 1), "cut off");
  expect_invalid(whole + "x", "something behind it");
  BatchHeader header;
  header.epoch = welcome.epoch();
  header.session = welcome.session();
  header.producer = alice;
  header.sequence = 1;
  expect_invalid(make_control_batch("of our own", header), "a control batch");
  expect_invalid(harness_.batch(welcome, alice, 0), "sequence 0");
  std::string elsewhere = whole;
  header = load<BatchHeader>(elsewhere.data());
  header.partition = 4;
  write_header(elsewhere, header);
  expect_invalid(elsewhere, "a group of another partition");
  harness_.put("a", whole);  // As it was, it is taken.
  commit();
  EXPECT_EQ(harness_.records().size(), 1u);
}

TEST_F(SequencerTest, SendsAPartitionOfAnotherBusAway) {
  Harness harness({.home = "home", .partitions = 16, .bus = 1, .buses = 2});
  const auto welcome = harness.hello("a", {alice});
  harness.put("a", welcome, alice, 1, {.partition = 4});
  const auto nacks = harness.nacks();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_MOVED);
  harness.put("a", welcome, alice, 1, {.partition = 5});
  ASSERT_TRUE(harness.bus().commit(noon).has_value());
  EXPECT_EQ(harness.acks().size(), 1u);
}

TEST_F(SequencerTest, AFoldsSequencesLeaveOutNumbersAndDoNotFallBack) {
  const auto welcome = harness_.hello("a", {alice});
  for (const uint64_t sequence : {5u, 9u, 7u})
    harness_.put("a", welcome, alice, sequence, {.flags = fold_answer, .first_number = sequence});
  EXPECT_TRUE(harness_.heard().empty());
  commit();
  const auto records = harness_.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].numbers, std::vector<uint64_t>{9});
  harness_.put("a", welcome, alice, 9, {.flags = fold_answer});
  const auto acks = harness_.acks();
  ASSERT_EQ(acks.size(), 2u);  // Of the commit, and again.
  EXPECT_EQ(acks[1].last_sequence(), 9u);
}

TEST_F(SequencerTest, RefusesWhenTheQueueIsFullAndLeavesNoHole) {
  Harness harness({.home = "home", .queue_bytes_max = 4096, .group_bytes = 1024});
  const auto welcome = harness.hello("a", {alice});
  uint64_t sequence = 0;
  std::vector<wire::v1::Nack> nacks;
  while (nacks.empty() && sequence < 100) {
    ++sequence;
    harness.put("a", welcome, alice, sequence, {.flags = fold_answer, .first_number = sequence});
    nacks = harness.nacks();
  }
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_BUSY);
  EXPECT_EQ(nacks[0].sequence(), sequence);
  EXPECT_GT(nacks[0].retry_after_ms(), 0u);
  EXPECT_LE(harness.bus().queue_bytes(), 4096u);
  while (harness.bus().waits()) ASSERT_TRUE(harness.bus().commit(noon).has_value());
  // There is room again, but what follows the refused one must not overtake it.
  harness.put("a", welcome, alice, sequence + 1, {.flags = fold_answer, .first_number = sequence + 1});
  EXPECT_FALSE(harness.bus().waits());
  harness.put("a", welcome, alice, sequence, {.flags = fold_answer, .first_number = sequence});
  harness.put("a", welcome, alice, sequence + 1, {.flags = fold_answer, .first_number = sequence + 1});
  ASSERT_TRUE(harness.bus().commit(noon).has_value());
  uint64_t expected = 0;
  for (const auto& record : harness.records()) EXPECT_EQ(record.numbers, std::vector<uint64_t>{++expected});
  EXPECT_EQ(expected, sequence + 1);
}

TEST_F(SequencerTest, Row21_ProducersTakeTurns) {
  Harness harness({.home = "home", .queue_bytes_max = 8192, .group_bytes = 1000});
  const auto hot = harness.hello("a", {alice}), calm = harness.hello("b", {bob});
  std::vector<wire::v1::Nack> nacks;
  uint64_t sequence = 0;
  for (; nacks.empty() && sequence < 100; nacks = harness.nacks()) harness.put("a", hot, alice, ++sequence);
  ASSERT_EQ(nacks.size(), 1u) << "it may fill the queue";
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_BUSY);
  harness.put("b", calm, bob, 1);
  EXPECT_TRUE(harness.nacks().empty()) << "the other has room";
  ASSERT_TRUE(harness.bus().commit(noon).has_value());
  const auto acks = harness.acks();
  EXPECT_TRUE(std::ranges::any_of(acks, [](const auto& ack) { return ack.producer() == bob; })) << "in the first group";
  while (harness.bus().waits()) ASSERT_TRUE(harness.bus().commit(noon).has_value());
  EXPECT_EQ(harness.bus().ledger().producers.at(alice).last_sequence, sequence - 1);
}

TEST_F(SequencerTest, AnInvalidBatchOfAFoldStopsWhatFollows) {
  const auto welcome = harness_.hello("a", {alice});
  std::string broken = harness_.batch(welcome, alice, 3, {.flags = fold_answer});
  broken.back() = static_cast<char>(broken.back() ^ 1);
  harness_.put("a", broken);
  EXPECT_EQ(refusal(), wire::v1::REFUSAL_INVALID);
  harness_.put("a", welcome, alice, 4, {.flags = fold_answer});
  EXPECT_FALSE(harness_.bus().waits());
  const auto again = harness_.hello("a", {alice});
  harness_.put("a", again, alice, 3, {.flags = fold_answer});
  EXPECT_TRUE(harness_.bus().waits());
}

TEST_F(SequencerTest, GroupsUpToAMegabyte) {
  Harness harness({.home = "home", .group_bytes = 1000});
  const auto welcome = harness.hello("a", {alice});
  for (uint64_t sequence = 1; sequence <= 6; ++sequence) harness.put("a", welcome, alice, sequence);
  std::vector<size_t> groups;
  while (harness.bus().waits()) {
    const auto committed = harness.bus().commit(noon);
    ASSERT_TRUE(committed.has_value());
    EXPECT_LE(committed->bytes, 1000u);
    groups.push_back(committed->batches);
  }
  EXPECT_GT(groups.size(), 1u);
  EXPECT_GT(groups.front(), 1u);
  EXPECT_EQ(harness.records().size(), 6u);
  EXPECT_EQ(harness.acks().size(), groups.size());
}

TEST_F(SequencerTest, AFullDiskRefusesAllButAnswers) {
  const auto welcome = harness_.hello("a", {alice, bob});
  harness_.bus().set_disk({.free_bytes = 10, .total_bytes = 100});
  harness_.put("a", welcome, alice, 1);
  const auto nacks = harness_.nacks();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].refusal(), wire::v1::REFUSAL_DISK);
  EXPECT_GT(nacks[0].retry_after_ms(), 0u);
  harness_.put("a", welcome, bob, 1, {.flags = fold_answer});
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
  harness_.bus().set_disk({.free_bytes = 11, .total_bytes = 100});
  harness_.put("a", welcome, alice, 1);
  commit();
  EXPECT_EQ(harness_.acks().size(), 1u);
}

TEST_F(SequencerTest, AnErrorOfTheDiskAcknowledgesNothing) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.put("a", welcome, alice, 1);
  harness_.disk().fail_append(DiskFault::error_before);
  EXPECT_FALSE(harness_.bus().commit(noon).has_value());
  EXPECT_TRUE(harness_.heard().empty());
}

TEST_F(SequencerTest, TimeInAPartitionNeverStepsBack) {
  const auto welcome = harness_.hello("a", {alice});
  const Millis clock[] = {noon, noon + 50, noon - 3'600'000, noon + 20, noon + 60};
  for (uint64_t sequence = 1; const Millis now : clock) {
    harness_.put("a", welcome, alice, sequence++);
    commit(now);
  }
  std::vector<Millis> times;
  for (const auto& record : harness_.records()) times.push_back(record.header.time_ms - noon);
  EXPECT_EQ(times, (std::vector<Millis>{0, 50, 50, 50, 60}));
  harness_.restart();
  const auto again = harness_.hello("a", {alice});
  harness_.put("a", again, alice, 6);
  commit(noon);
  EXPECT_EQ(harness_.records().back().header.time_ms, noon + 60);
}

TEST_F(SequencerTest, UnderTheFactsClockTimeIsTheProducers) {
  Harness harness({.home = "home", .clock = Clock::facts});
  const auto welcome = harness.hello("a", {alice});
  harness.put("a", welcome, alice, 1, {.time_ms = 42});
  harness.wake("a", alice, 3, 10);
  EXPECT_EQ(harness.bus().next_tick(), std::numeric_limits<Millis>::max());
  ASSERT_TRUE(harness.bus().commit(noon).has_value());
  ASSERT_EQ(harness.records().size(), 1u);
  EXPECT_EQ(harness.records()[0].header.time_ms, 42);
}

TEST_F(SequencerTest, TicksOnceWhenATimeHasCome) {
  harness_.hello("a", {alice});
  harness_.hello("b", {bob});
  harness_.wake("a", alice, 3, noon + 100);
  harness_.wake("b", bob, 3, noon + 150);
  EXPECT_EQ(harness_.bus().next_tick(), noon + 100);
  commit(noon + 99);
  EXPECT_TRUE(harness_.records().empty());
  commit(noon + 5000);  // After an outage: one Tick, not one for each.
  const auto records = harness_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].kinds, std::vector<Kind>{v1::Fact::kTick});
  EXPECT_EQ(records[0].header.partition, 3);
  EXPECT_EQ(records[0].header.time_ms, noon + 5000);
  EXPECT_EQ(harness_.bells().size(), 1u);
  EXPECT_EQ(harness_.bus().next_tick(), std::numeric_limits<Millis>::max());
  commit(noon + 6000);
  EXPECT_EQ(harness_.records().size(), 1u);
}

// Whose time has come, only the fold knows: a record of another group does not bring it.
TEST_F(SequencerTest, ARecordDoesNotSpareTheTick) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.wake("a", alice, 3, noon + 100);
  harness_.put("a", welcome, alice, 1);
  commit(noon + 100);
  auto records = harness_.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].kinds, std::vector<Kind>{v1::Fact::kTick});
  EXPECT_EQ(records[1].header.partition, 3);
  EXPECT_EQ(harness_.bus().next_tick(), std::numeric_limits<Millis>::max());
  harness_.wake("a", alice, 3, noon + 100);  // The Tick woke one group; another has waited as long.
  commit(noon + 101);
  records = harness_.records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[2].kinds, std::vector<Kind>{v1::Fact::kTick});
}

TEST_F(SequencerTest, AWakeIsReplacedAndTakenBack) {
  harness_.hello("a", {alice});
  harness_.wake("a", alice, 3, noon + 100);
  harness_.wake("a", alice, 3, noon + 300);
  EXPECT_EQ(harness_.bus().next_tick(), noon + 300);
  harness_.wake("x", alice, 3, noon + 50);  // From a connection that was given up.
  EXPECT_EQ(harness_.bus().next_tick(), noon + 300);
  harness_.wake("a", alice, 3, std::numeric_limits<Millis>::max());
  EXPECT_EQ(harness_.bus().next_tick(), std::numeric_limits<Millis>::max());
}

TEST_F(SequencerTest, SurvivesWhateverIsSaidToIt) {
  for (int type = 0; type < 12; ++type)
    for (const std::string_view text : {"", "x", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"})
      harness_.bus().take("z", static_cast<wire::v1::MessageType>(type), Message::of(std::string(text)));
  harness_.bus().take("z", wire::v1::MESSAGE_TYPE_PUT, Message::of(std::string(200, '\0')));
  commit();
  EXPECT_TRUE(harness_.records().empty());
  EXPECT_EQ(harness_.hello("z", {0}).session(), 0u);
}

}  // namespace
}  // namespace xundian::bus
