// What every journal engine keeps; the same bodies on each.
#include <atomic>
#include <thread>

#include "tests/conformance/redis_engine.h"

namespace xundian {
namespace {

template <typename EngineType>
class Journal : public testing::Test {
 protected:
  std::unique_ptr<JournalWriter> open_writer(size_t volume_bytes = large_volume) {
    auto writer = engine.writer(volume_bytes);
    EXPECT_TRUE(writer) << writer.error().message;
    return writer ? std::move(*writer) : nullptr;
  }
  std::unique_ptr<JournalReader> open_reader() {
    auto reader = engine.reader();
    EXPECT_TRUE(reader) << reader.error().message;
    return reader ? std::move(*reader) : nullptr;
  }

  EngineType engine;
};

using Engines = testing::Types<MemoryEngine, LmdbEngine, RedisAloneEngine, RedisReplicaEngine>;
TYPED_TEST_SUITE(Journal, Engines, EngineNames);

TYPED_TEST(Journal, AnEmptyJournalHasNothing) {
  const auto writer = this->open_writer();
  const auto reader = this->open_reader();
  const auto range = reader->range();
  ASSERT_TRUE(range);
  EXPECT_EQ(range->low, 0u);
  EXPECT_EQ(range->next, 0u);
  EXPECT_EQ(writer->volume_start(), 0u);
  EXPECT_TRUE(read_all(*reader).empty());
  EXPECT_EQ(seek(*reader, {5, 5}), Position{0});
  EXPECT_EQ(read_heads(*reader, 3), (Heads{0, 0, 0}));
  EXPECT_EQ(verify(*reader)->records, 0u);
}

TYPED_TEST(Journal, ReadsBackWhatWasAppendedInOrder) {
  const auto writer = this->open_writer();
  const auto reader = this->open_reader();
  Appender appender(*writer);
  for (uint32_t index = 0; index < 50; ++index) {
    const auto position = appender.append({index % 3, 1, 0, index % 7});
    ASSERT_TRUE(position) << position.error().message;
    EXPECT_EQ(*position, index);
    EXPECT_EQ(reader->range()->next, index + 1);
  }
  EXPECT_EQ(read_all(*reader), appender.commits);
  EXPECT_EQ(read_all(*reader, 0, 1), appender.commits);  // One commit a call.
  EXPECT_EQ(read_all(*reader, 49), std::vector<std::string>{appender.commits[49]});
  EXPECT_EQ(read_heads(*reader, 4), appender.heads);
  EXPECT_EQ(read_heads(*reader, 5).error().code, Code::failed_precondition);
  EXPECT_EQ(reader->read(50, 1, [](const CommitView&) { return true; }), Position{50});
  EXPECT_EQ(reader->read(51, 1, [](const CommitView&) { return true; }).error().code, Code::failed_precondition);
}

TYPED_TEST(Journal, AReadEndsWhereTheVisitorOrTheBytesSay) {
  const auto writer = this->open_writer();
  const auto reader = this->open_reader();
  Appender appender(*writer);
  for (int index = 0; index < 10; ++index) ASSERT_TRUE(appender.append({1, 1}));
  size_t visited = 0;
  EXPECT_EQ(reader->read(2, 1u << 20, [&](const CommitView&) { return ++visited < 3; }), Position{5});
  EXPECT_EQ(visited, 3u);
  const size_t two_commits = appender.commits[0].size() + appender.commits[1].size();
  EXPECT_EQ(reader->read(0, two_commits, [](const CommitView&) { return true; }), Position{2});
  EXPECT_EQ(reader->read(0, two_commits + 1, [](const CommitView&) { return true; }), Position{3});
}

TYPED_TEST(Journal, ACommitTellsItsHeadsAndBatches) {
  const auto writer = this->open_writer();
  const auto reader = this->open_reader();
  Appender appender(*writer, 3);
  ASSERT_TRUE(appender.append({4, 0, 2}));
  ASSERT_TRUE(appender.append({1, 3, 0}));
  const auto read = reader->read(1, 1, [&](const CommitView& commit) {
    EXPECT_EQ(commit.position(), 1u);
    EXPECT_EQ(commit.partitions(), 3u);
    EXPECT_EQ(commit.heads_before(), (Heads{4, 0, 2}));
    EXPECT_EQ(commit.head_before(2), 2u);
    std::vector<std::pair<Partition, Offset>> seen;
    for (const bool trusted : {true, false}) {
      const auto walked = commit.for_each_batch(
          trusted, [&](const BatchView& batch) { seen.emplace_back(batch.header().partition, batch.header().base); });
      EXPECT_TRUE(walked);
    }
    EXPECT_EQ(seen, (std::vector<std::pair<Partition, Offset>>{{0, 4}, {1, 0}, {0, 4}, {1, 0}}));
    return true;
  });
  EXPECT_TRUE(read);
}

TYPED_TEST(Journal, SeekFindsEveryOffset) {
  const auto writer = this->open_writer(16u << 10);
  const auto reader = this->open_reader();
  Appender appender(*writer, 3);
  std::vector<Heads> before;
  for (uint32_t index = 0; index < 40; ++index) {
    before.push_back(appender.heads);
    ASSERT_TRUE(appender.append({index % 4, (index * 7) % 3, index % 5 == 0 ? 1u : 0u}));
  }
  before.push_back(appender.heads);
  const auto expected = [&](const Heads& offsets) {
    Position latest = 0;
    for (Position position = 0; position < before.size(); ++position) {
      bool covered = true;
      for (size_t partition = 0; partition < 3; ++partition)
        covered = covered && before[position][partition] <= offsets[partition];
      if (covered) latest = position;
    }
    return latest;
  };
  for (Offset one = 0; one <= appender.heads[0] + 1; ++one)
    for (Offset two = one % 4; two <= appender.heads[1] + 1; two += 4)
      for (Offset three = two % 3; three <= appender.heads[2]; three += 3)
        ASSERT_EQ(seek(*reader, {one, two, three}), expected({one, two, three})) << one << ' ' << two << ' ' << three;
  EXPECT_EQ(seek(*reader, appender.heads), Position{40});
  EXPECT_EQ(seek(*reader, {}), expected({0, 0, 0}));  // An offset that is not given is 0.
}

TYPED_TEST(Journal, KeepsManyPartitions) {
  const auto writer = this->open_writer();
  Appender appender(*writer, 64);
  for (uint32_t index = 0; index < 64; ++index) {
    std::vector<uint32_t> counts(64, 0);
    for (uint32_t partition = index; partition < 64; ++partition) counts[partition] = 1 + partition % 3;
    ASSERT_TRUE(appender.append(counts));
  }
  const auto reader = this->open_reader();
  EXPECT_EQ(read_all(*reader), appender.commits);
  EXPECT_EQ(read_heads(*reader, 64), appender.heads);
  const auto report = verify(*reader);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->bad.empty());
  EXPECT_EQ(report->records, 64u * 65 / 2);
}

TYPED_TEST(Journal, KeepsCommitsOfEverySize) {
  const auto writer = this->open_writer();
  const auto reader = this->open_reader();
  Appender appender(*writer, 2);
  for (const size_t bytes : {1u, 900u, 1'700u, 1'900u, 2'100u, 3'900u, 4'100u, 60'000u, 1'000'000u, 3'900'000u})
    ASSERT_TRUE(appender.append({1, 1}, bytes)) << bytes;
  EXPECT_EQ(read_all(*reader), appender.commits);
  EXPECT_TRUE(verify(*reader)->bad.empty());
}

TYPED_TEST(Journal, ACommitLargerThanAVolumeHasOneOfItsOwn) {
  const auto writer = this->open_writer(8u << 10);
  const auto reader = this->open_reader();
  Appender appender(*writer, 2);
  for (const size_t bytes : {10u, 3'000'000u, 10u, 2'000'000u, 3'500'000u, 10u, 10u}) {
    const auto position = appender.append({1, 1}, bytes);
    ASSERT_TRUE(position) << position.error().message;
  }
  EXPECT_EQ(read_all(*reader), appender.commits);
}

TYPED_TEST(Journal, VolumesBeginWithTheControlBatch) {
  const std::string control = make_control_batch("who wrote what", {});
  const auto writer = this->open_writer(20'000);
  int asked = 0;
  writer->on_new_volume([&] { return ++asked, control; });
  const auto reader = this->open_reader();
  Appender appender(*writer, 2);
  Position start = 0;
  std::vector<Position> starts;
  for (Position position = 0; position < 60; ++position) {
    ASSERT_TRUE(appender.append({3, 2}, 200));
    if (position == 0 || writer->volume_start() != start) starts.push_back(position);
    start = writer->volume_start();
    EXPECT_EQ(start, starts.back());
  }
  EXPECT_GT(starts.size(), 3u);
  EXPECT_EQ(asked, static_cast<int>(starts.size()));
  const std::vector<std::string> commits = read_all(*reader);
  ASSERT_EQ(commits.size(), 60u);
  for (Position position = 0; position < 60; ++position) {
    std::string expected = appender.commits[position];
    if (std::find(starts.begin(), starts.end(), position) != starts.end()) {
      const CommitView plain = *CommitView::open(position, expected);
      const std::string_view parts[] = {control, plain.batches()};
      expected = make_commit(plain.heads_before(), parts);
    }
    EXPECT_EQ(commits[position], expected) << position;
  }
  EXPECT_TRUE(verify(*reader)->bad.empty());
}

TYPED_TEST(Journal, GoesOnWhereItEnded) {
  std::vector<std::string> commits;
  Heads heads(2, 0);
  for (int life = 0; life < 5; ++life) {
    const auto writer = this->open_writer(20'000);
    ASSERT_NE(writer, nullptr);
    Appender appender(*writer, 2);
    appender.heads = heads;
    appender.seed = static_cast<uint64_t>(life) * 1000 + 1;
    for (int index = 0; index < 17; ++index) ASSERT_EQ(appender.append({1, 2}, 300), Position{commits.size() + index});
    commits.insert(commits.end(), appender.commits.begin(), appender.commits.end());
    heads = appender.heads;
  }
  const auto reader = this->open_reader();
  EXPECT_EQ(read_all(*reader), commits);
  EXPECT_EQ(read_heads(*reader, 2), heads);
  const Position start = this->open_writer()->volume_start();
  EXPECT_GT(start, 0u);
  EXPECT_LT(start, commits.size());
}

TYPED_TEST(Journal, AReaderFollowsAWriter) {
  const auto writer = this->open_writer(100'000);
  Appender appender(*writer, 2);
  constexpr Position all = 600;
  std::atomic<Position> appended = 0;
  std::vector<std::string> seen;
  std::thread following([&] {
    const auto reader = this->open_reader();
    for (Position position = 0; position < all;) {
      const Position durable = appended;
      const auto next = reader->read(position, 50'000, [&](const CommitView& commit) {
        EXPECT_TRUE(commit.for_each_batch(false, [](const BatchView&) {}));
        seen.emplace_back(commit.bytes());
        return true;
      });
      ASSERT_TRUE(next) << next.error().message;
      // Whatever was acknowledged before the call is found by it, unless it stopped for the bytes.
      ASSERT_TRUE(*next >= durable || *next > position);
      position = *next;
      std::this_thread::yield();
    }
  });
  for (Position position = 0; position < all; ++position) {
    const auto at = appender.append({1, 1}, 100 + position % 900);
    EXPECT_EQ(at, position);
    appended = position + 1;
  }
  following.join();
  EXPECT_EQ(seen, appender.commits);
}

TYPED_TEST(Journal, TrimTakesWholeVolumes) {
  const auto writer = this->open_writer(20'000);
  const auto reader = this->open_reader();
  const auto late = this->open_reader();
  Appender appender(*writer, 2);
  std::vector<Position> starts;
  std::vector<Heads> heads;
  for (Position position = 0; position < 80; ++position) {
    heads.push_back(appender.heads);
    ASSERT_TRUE(appender.append({1, 1}, 400));
    if (starts.empty() || starts.back() != writer->volume_start()) starts.push_back(writer->volume_start());
  }
  ASSERT_GT(starts.size(), 4u);
  EXPECT_EQ(read_all(*reader).size(), 80u);
  EXPECT_EQ(late->read(0, 1, [](const CommitView&) { return true; }), Position{1});
  ASSERT_TRUE(writer->trim(starts[2] - 1));  // One short of the third volume: the second one stays.
  EXPECT_EQ(reader->range()->low, starts[1]);
  ASSERT_TRUE(writer->trim(starts[2]));
  EXPECT_EQ(reader->range()->low, starts[2]);
  EXPECT_EQ(reader->range()->next, 80u);
  const auto refused = late->read(1, 1, [](const CommitView&) { return true; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::out_of_range);
  EXPECT_NE(refused.error().message.find(std::to_string(starts[2])), std::string::npos) << refused.error().message;
  const std::vector<std::string> rest(appender.commits.begin() + static_cast<ptrdiff_t>(starts[2]), appender.commits.end());
  EXPECT_EQ(read_all(*reader, starts[2]), rest);
  EXPECT_EQ(seek(*reader, heads[starts[2] + 3]), starts[2] + 3);
  EXPECT_EQ(seek(*reader, heads[starts[2] - 1]).error().code, Code::out_of_range);
  EXPECT_TRUE(verify(*reader)->bad.empty());
  ASSERT_TRUE(writer->trim(1'000'000));  // The one being written stays.
  EXPECT_EQ(reader->range()->low, starts.back());
  EXPECT_EQ(read_heads(*reader, 2), appender.heads);
  EXPECT_EQ(appender.append({1, 0}), Position{80});
}

TYPED_TEST(Journal, OneWritesAtATime) {
  auto writer = this->open_writer();
  const auto second = this->engine.writer();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::failed_precondition);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos) << second.error().message;
  Appender appender(*writer);
  EXPECT_TRUE(appender.append({1}));  // The refusal did the first no harm.
  writer.reset();
  EXPECT_TRUE(this->engine.writer());
}

}  // namespace
}  // namespace xundian
