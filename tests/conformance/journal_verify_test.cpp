// What verify finds; the same bodies on each engine.
#include <random>

#include "tests/conformance/redis_engine.h"

namespace xundian {
namespace {

template <typename EngineType>
class JournalVerify : public testing::Test {
 protected:
  // Appends commits that were made beforehand.
  void append(const std::vector<std::pair<Heads, std::vector<std::string>>>& commits) {
    const auto writer = engine.writer();
    ASSERT_TRUE(writer) << writer.error().message;
    for (const auto& [heads, batches] : commits) {
      const std::vector<std::string_view> views(batches.begin(), batches.end());
      ASSERT_TRUE((*writer)->append(heads, views));
    }
  }
  VerifyReport check() {
    const auto reader = engine.reader();
    EXPECT_TRUE(reader);
    auto report = verify(**reader);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : VerifyReport{};
  }

  EngineType engine;
};

using Engines = testing::Types<MemoryEngine, LmdbEngine, RedisAloneEngine, RedisReplicaEngine>;
TYPED_TEST_SUITE(JournalVerify, Engines, EngineNames);

TYPED_TEST(JournalVerify, CountsWhatIsGoodAndReportsProgress) {
  this->append({{{0, 0}, {make_batch(0, 0, 3, 1), make_batch(1, 0, 2, 2)}},
                {{3, 2}, {make_batch(1, 2, 4, 3), make_batch(1, 6, 1, 4), make_control_batch("a word", {})}}});
  const auto reader = this->engine.reader();
  ASSERT_TRUE(reader);
  std::vector<std::pair<Position, Position>> progress;
  const auto report = verify(**reader, [&](Position done, Position all) { progress.emplace_back(done, all); });
  ASSERT_TRUE(report);
  EXPECT_EQ(report->records, 5u);
  EXPECT_EQ(report->facts, 10u);
  EXPECT_TRUE(report->bad.empty());
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.back(), (std::pair<Position, Position>{2, 2}));
}

TYPED_TEST(JournalVerify, FindsAGapBetweenBatches) {
  this->append({{{0, 0}, {make_batch(0, 0, 3, 1), make_batch(0, 4, 2, 2)}}, {{6, 0}, {make_batch(0, 6, 1, 3)}}});
  const VerifyReport report = this->check();
  ASSERT_EQ(report.bad.size(), 1u);
  EXPECT_EQ(report.bad[0].partition, 0);
  EXPECT_EQ(report.bad[0].offset, 3u);
  EXPECT_EQ(report.facts, 6u);
}

TYPED_TEST(JournalVerify, FindsHeadsThatDisagree) {
  this->append({{{0, 0}, {make_batch(0, 0, 3, 1)}}, {{3, 5}, {make_batch(1, 5, 1, 2)}}, {{3, 6}, {make_batch(0, 3, 1, 3)}}});
  const VerifyReport report = this->check();
  ASSERT_EQ(report.bad.size(), 1u);
  EXPECT_EQ(report.bad[0].partition, 1);
  EXPECT_EQ(report.bad[0].offset, 0u);
}

TYPED_TEST(JournalVerify, FindsAPartitionThatThereIsNot) {
  this->append({{{0, 0}, {make_batch(2, 0, 3, 1)}}, {{0, 0}, {make_batch(1, 0, 3, 1)}}});
  const VerifyReport report = this->check();
  ASSERT_EQ(report.bad.size(), 1u);
  EXPECT_EQ(report.bad[0].partition, 2);
}

// One bit, anywhere in any commit: found each time, and all that is whole is still counted.
TYPED_TEST(JournalVerify, FindsEveryFlippedBit) {
  std::vector<std::string> commits;
  uint64_t records = 0;
  {
    const auto writer = this->engine.writer();
    ASSERT_TRUE(writer);
    Appender appender(**writer, 3);
    ASSERT_TRUE(appender.append({2, 0, 3}));
    ASSERT_TRUE(appender.append({1, 1, 1}));
    ASSERT_TRUE(appender.append({0, 20, 0}, 400));  // Longer than a page.
    ASSERT_TRUE(appender.append({1, 0, 0}));
    commits = appender.commits;
    records = 2 + 3 + 1 + 1;
  }
  const VerifyReport whole = this->check();
  ASSERT_TRUE(whole.bad.empty());
  ASSERT_EQ(whole.records, records);
  std::mt19937_64 random(20'240'601);
  for (Position position = 0; position < commits.size(); ++position) {
    const std::string& commit = commits[position];
    for (size_t byte = 0; byte<commit.size(); byte += commit.size()> 1500 ? 1 + random() % 300 : 1 + random() % 6) {
      const auto bit = static_cast<unsigned>(random() % 8);
      this->engine.flip(position, commit, byte, bit);
      const VerifyReport report = this->check();
      ASSERT_FALSE(report.bad.empty()) << "position " << position << " byte " << byte << " bit " << bit;
      ASSERT_GE(report.facts + 20, whole.facts);  // The largest commit lost at most.
      std::string changed = commit;
      changed[byte] = static_cast<char>(changed[byte] ^ 1 << bit);
      this->engine.flip(position, changed, byte, bit);
    }
  }
  EXPECT_TRUE(this->check().bad.empty());
}

// A damaged batch in the middle is named, and its neighbours are read.
TYPED_TEST(JournalVerify, GoesOnBehindABadRecord) {
  const std::vector<std::string> batches{make_batch(0, 0, 3, 1), make_batch(1, 0, 2, 2), make_batch(0, 3, 4, 3)};
  this->append({{{0, 0}, batches}, {{7, 2}, {make_batch(0, 7, 1, 4)}}});
  const std::vector<std::string_view> views(batches.begin(), batches.end());
  const std::string commit = make_commit({0, 0}, views);
  const size_t second = commit.size() - batches[2].size() - batches[1].size();
  for (const size_t byte : {second, second + 4, second + 8, second + 9, second + 16, second + 24, second + 32, second + 100}) {
    this->engine.flip(0, commit, byte, 3);
    const VerifyReport report = this->check();
    EXPECT_EQ(report.bad.size(), 1u) << byte - second;
    EXPECT_EQ(report.records, 4u);
    EXPECT_EQ(report.facts, 8u);
    std::string changed = commit;
    changed[byte] = static_cast<char>(changed[byte] ^ 1 << 3);
    this->engine.flip(0, changed, byte, 3);
  }
  this->engine.flip(0, commit, second + 100, 0);
  const VerifyReport report = this->check();
  ASSERT_EQ(report.bad.size(), 1u);
  EXPECT_EQ(report.bad[0].partition, 1);
  EXPECT_EQ(report.bad[0].offset, 0u);
}

}  // namespace
}  // namespace xundian
