// Batches: what is put in comes out, and nothing else is let in.
#include "common/batch.h"

#include <gtest/gtest.h>

#include "tests/unit/exactly.h"
#include "tests/unit/random_message.h"

namespace xundian {
namespace {

constexpr uint32_t partitions = 16;

std::vector<v1::Fact> random_facts(Random& random, size_t count) {
  std::vector<v1::Fact> facts;
  while (facts.size() < count) facts.push_back(random_fact(random));
  return facts;
}

std::string make_batch(const std::vector<v1::Fact>& facts, BatchHeader header = {}) {
  BatchBuilder builder;
  for (const v1::Fact& fact : facts) EXPECT_TRUE(builder.add(fact));
  EXPECT_EQ(builder.count(), facts.size());
  std::string batch = builder.finish("acme/north", partitions, header);
  EXPECT_TRUE(builder.empty());
  return batch;
}

v1::Fact without_scope(v1::Fact fact) {
  fact.clear_tenant();
  fact.clear_group();
  return fact;
}

// Looks at everything that a fold may look at; returns how many facts could be walked over.
size_t look_at(const BatchView& batch) {
  size_t facts = 0;
  uint64_t sum = batch.scope().size() + batch.payload().size() + batch.runs().size();
  const auto walked = batch.for_each([](Kind) { return true; },
                                     [&](std::string_view frame, Offset offset) {
                                       const FactView fact(frame, offset, batch.header().time_ms);
                                       for (uint32_t aspect = 0; aspect < 32; ++aspect)
                                         if (aspect != lines_aspect && fact.states(aspect)) sum += fact.version(aspect).digest;
                                       for (uint32_t line = 0; line < fact.line_count(); ++line)
                                         sum += fact.line_id(line) + fact.line_version(line).digest;
                                       sum += fact.payload().size() + fact.store_id().size() + fact.key_text().size() +
                                              fact.source().size() + fact.import_id();
                                       for (FieldScan scan(fact.payload()); scan.next();)
                                         sum += scan.number() + scan.bytes().size();
                                       facts += 1;
                                     });
  volatile uint64_t used = sum;
  (void)used;
  (void)walked;
  return facts;
}

TEST(Batch, GivesBackTheFactsInOrder) {
  Random random(1);
  for (int round = 0; round < 30; ++round) {
    const auto facts = random_facts(random, 1 + random() % 40);
    BatchHeader given;
    given.producer = 11;
    given.sequence = 12;
    given.session = 13;
    given.time_ms = 14;
    given.base = 1000;
    given.flags = fold_answer;
    const std::string bytes = make_batch(facts, given);
    const auto batch = BatchView::open(bytes);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->scope(), "acme/north");
    EXPECT_EQ(batch->header().partition, group_hash("acme/north") % partitions);
    EXPECT_EQ(batch->header().count, facts.size());
    EXPECT_EQ(batch->header().producer, 11u);
    EXPECT_EQ(batch->header().sequence, 12u);
    EXPECT_EQ(batch->header().session, 13u);
    EXPECT_EQ(batch->header().time_ms, 14);
    EXPECT_TRUE(batch->is_answer());
    EXPECT_FALSE(batch->is_control());
    size_t index = 0;
    ASSERT_TRUE(batch->for_each([](Kind) { return true; },
                                [&](std::string_view frame, Offset offset) {
                                  EXPECT_EQ(offset, 1000 + index);
                                  v1::Fact fact;
                                  EXPECT_TRUE(FactView(frame, offset, 14).parse_fact(fact));
                                  const v1::Fact expected = without_scope(facts[index++]);
                                  EXPECT_EQ(fact.SerializeAsString(), expected.SerializeAsString());
                                }));
    EXPECT_EQ(index, facts.size());
  }
}

TEST(Batch, AKindIsReadWithoutTheOthers) {
  Random random(2);
  const auto facts = random_facts(random, 200);
  const std::string bytes = make_batch(facts);
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch);
  for (const Kind wanted : {v1::Fact::kOrderState, v1::Fact::kTick, v1::Fact::kFinding}) {
    std::vector<Offset> expected, seen;
    for (size_t index = 0; index < facts.size(); ++index)
      if (facts[index].fact_case() == wanted) expected.push_back(index);
    ASSERT_FALSE(expected.empty());
    ASSERT_TRUE(batch->for_each([&](Kind kind) { return kind == wanted; },
                                [&](std::string_view, Offset offset) { seen.push_back(offset); }));
    EXPECT_EQ(seen, expected);
  }
}

TEST(Batch, FramesAreMovedFromBatchToBatch) {
  Random random(3);
  const auto facts = random_facts(random, 20);
  const std::string bytes = make_batch(facts);
  BatchBuilder builder;
  ASSERT_TRUE(BatchView::open(bytes)->for_each([](Kind) { return true; },
                                               [&](std::string_view frame, Offset) { builder.add_frame(frame); }));
  EXPECT_EQ(builder.finish("acme/north", partitions, {}), bytes);
}

TEST(Batch, EveryTruncationIsRefused) {
  Random random(4);
  const std::string bytes = make_batch(random_facts(random, 5));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto copy = exactly(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(BatchView::open({copy.get(), length})) << length;
  }
  EXPECT_TRUE(BatchView::open(bytes + "what follows is not its own"));
}

TEST(Batch, EveryChangedBitIsRefused) {
  Random random(5);
  const std::string bytes = make_batch(random_facts(random, 4));
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto copy = exactly(bytes);
    copy[bit / 8] = static_cast<char>(copy[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(BatchView::open({copy.get(), bytes.size()})) << bit;
    ASSERT_FALSE(BatchView::reopen({copy.get(), bytes.size()})) << bit;
  }
}

TEST(Batch, NoiseIsRefused) {
  Random random(6);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 300, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    if (noise.size() > 4 && random() % 2 == 0) store(noise.data(), batch_magic);
    const auto copy = exactly(noise);
    ASSERT_FALSE(BatchView::open({copy.get(), noise.size()}));
  }
}

// A liar who knows how to make a crc: what opens is walked over without harm, to its last fact. A fold cannot get past one that
// it cannot walk over.
TEST(Batch, GarbageUnderAGoodCrcDoesNoHarm) {
  Random random(7);
  size_t opened = 0, refused = 0, walked = 0, stopped = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = round % 100 == 0 || round < 2 ? make_batch(random_facts(random, 3)) : std::string();
    static std::string good;
    if (!bytes.empty()) good = bytes;
    std::string bad = good;
    for (uint64_t left = 1 + random() % 4; left > 0; --left) {
      const size_t at = random() % 3 == 0 ? 8 + random() % 140 : random() % bad.size();
      if (at < bad.size()) bad[at] = static_cast<char>(random() % 2 == 0 ? random() : bad[at] ^ 1 << random() % 8);
    }
    if (random() % 8 == 0) bad.resize(sizeof(BatchHeader) + random() % (bad.size() - sizeof(BatchHeader)));
    auto header = load<BatchHeader>(bad.data());
    if (random() % 2 == 0) header.bytes = static_cast<uint32_t>(bad.size());
    header.payload_crc = crc32c(std::string_view(bad).substr(sizeof header));
    write_header(bad, header);
    const auto copy = exactly(bad);
    const auto batch = BatchView::open({copy.get(), bad.size()});
    // From a journal it may come with frames that do not hold together; who walks over them is told, and not led astray.
    const auto kept = BatchView::reopen({copy.get(), bad.size()});
    ASSERT_GE(kept.has_value(), batch.has_value());
    if (kept && !batch && !kept->for_each([](Kind) { return true; }, [](std::string_view frame, Offset) { crc32c(frame); }))
      stopped += 1;
    (batch ? opened : refused) += 1;
    if (!batch) continue;
    const size_t facts = look_at(*batch);
    ASSERT_EQ(facts, batch->is_control() ? 0 : batch->header().count);
    walked += facts;
  }
  EXPECT_GT(opened, 1000u);
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(walked, 1000u);
  EXPECT_GT(stopped, 100u);
}

TEST(Batch, TheBusWritesTheHeaderAlone) {
  Random random(8);
  const std::string before = make_batch(random_facts(random, 6));
  std::string after = before;
  auto header = load<BatchHeader>(after.data());
  header.base = 77;
  header.epoch = 5;
  header.time_ms = 99;
  write_header(after, header);
  const auto batch = BatchView::open(after);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->header().base, 77u);
  EXPECT_EQ(batch->header().epoch, 5u);
  EXPECT_EQ(batch->header().time_ms, 99);
  EXPECT_EQ(after.substr(sizeof(BatchHeader)), before.substr(sizeof(BatchHeader)));
  std::string without_crc = before;
  store(without_crc.data(), header);  // The old crc with the new header.
  EXPECT_FALSE(BatchView::open(without_crc));
}

TEST(Batch, AControlBatchHasNoFacts) {
  BatchHeader header;
  header.epoch = 3;
  const std::string bytes = make_control_batch("what the bus remembers", header);
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_TRUE(batch->is_control());
  EXPECT_EQ(batch->payload(), "what the bus remembers");
  EXPECT_EQ(batch->header().epoch, 3u);
  EXPECT_TRUE(batch->runs().empty());
  EXPECT_EQ(look_at(*batch), 0u);
}

TEST(Batch, ScopeAndGroupMustAgree) {
  std::string bytes = make_batch([] {
    Random random(9);
    return random_facts(random, 2);
  }());
  bytes[sizeof(BatchHeader)] = 'A';  // "Acme/north"
  auto header = load<BatchHeader>(bytes.data());
  header.payload_crc = crc32c(std::string_view(bytes).substr(sizeof header));
  write_header(bytes, header);
  const auto batch = BatchView::open(bytes);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, Code::invalid_argument);
}

// As many runs as there may be facts: none is lost count of.
TEST(Batch, EveryFactMayBeARunOfItsOwn) {
  std::string frames[2];
  v1::Fact fact;
  fact.mutable_tick()->set_time_ms(5);
  ASSERT_TRUE(append_frame(frames[0], fact));
  fact.mutable_horizon()->set_day("d");
  ASSERT_TRUE(append_frame(frames[1], fact));
  BatchBuilder builder;
  for (size_t index = 0; index < batch_facts_max; ++index) builder.add_frame(frames[index % 2]);
  const std::string bytes = builder.finish("a/b", partitions, {});
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(look_at(*batch), batch_facts_max);
}

}  // namespace
}  // namespace xundian
