// Streams of one journal beside each other: who is up to date waits for nobody's past, and each gets all that is its own, once.
#include <gtest/gtest.h>

#include <future>

#include "common/clock.h"
#include "common/journal_memory.h"
#include "services/gateway/journal_tail.h"
#include "tests/gateway/fixture.h"
#include "tests/support/temp_folder.h"

namespace xundian::gateway {
namespace {

// Reads one commit at a time, and says from where before it does.
class StepReader final : public JournalReader {
 public:
  StepReader(std::unique_ptr<JournalReader> journal, std::function<void(Position)> on_read)
      : journal_(std::move(journal)), on_read_(std::move(on_read)) {}

  Result<Position> read(Position from, size_t, const std::function<bool(const CommitView&)>& visit) override {
    on_read_(from);
    return journal_->read(from, 1, visit);
  }
  Result<Range> range() override { return journal_->range(); }

 private:
  std::unique_ptr<JournalReader> journal_;
  std::function<void(Position)> on_read_;
};

class Tail : public testing::Test {
 protected:
  void SetUp() override {
    const auto home = Home::make(folder_.path(), {});
    ASSERT_TRUE(home.has_value()) << home.error().message;
    home_ = *home;
    auto writer = open_memory_writer(disk_, {1});  // Each commit is a volume: it can be trimmed.
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    writer_ = std::move(*writer);
    heads_.assign(home_.settings().partitions, 0);
  }

  // A commit of alerts, numbered from 1 over all commits.
  void append(uint32_t count) {
    std::vector<facts::v1::Fact> facts;
    while (facts.size() < count) facts.push_back(alert_fact("a", "mall", ++last_, facts::v1::SEVERITY_HIGH));
    append_to(*writer_, heads_, facts);
  }
  JournalTail::Opener step_by_step(std::function<void(Position)> on_read = [](Position) {}) {
    return [this, on_read = std::move(on_read)](uint32_t) -> Result<std::unique_ptr<JournalReader>> {
      return std::make_unique<StepReader>(TRY(open_memory_reader(disk_)), on_read);
    };
  }
  // Heads before which there are so many alerts.
  Heads behind(Offset count) const {
    Heads heads(heads_.size(), 0);
    heads[partition_of(group_hash("default/default"), static_cast<uint32_t>(heads.size()))] = count;
    return heads;
  }
  // The number of the next alert; 0: none came.
  static uint32_t next_of(TailStream& stream) {
    const auto item = stream.pop(10'000);
    return item ? item->fact.alert_state().terms().change() : 0;
  }

  const std::set<Kind> alerts_ = {facts::v1::Fact::kAlertState};
  TempFolder folder_;
  Home home_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<JournalWriter> writer_;
  Heads heads_;
  uint32_t last_ = 0;
};

TEST_F(Tail, WhoIsUpToDateDoesNotWaitForWhoWalksThroughThePast) {
  for (int commit = 0; commit < 40; ++commit) append(1);
  std::promise<void> walks, is_appended, is_heard;
  const std::shared_future<void> appended = is_appended.get_future().share(), heard = is_heard.get_future().share();
  JournalTail tail(home_, step_by_step([&](Position from) {
                     if (from == 3) {
                       walks.set_value();
                       appended.wait();
                     }
                     if (from == 20) heard.wait();  // No further, until the other has heard what is new.
                   }));
  const auto live = tail.open(alerts_, TailStream::Start::heads, heads_);
  const auto past = tail.open(alerts_, TailStream::Start::beginning);
  walks.get_future().wait();
  append(1);
  const uint64_t ticket = live->ask_end();
  is_appended.set_value();
  EXPECT_EQ(next_of(*live), 41u);
  // It is at the end for itself, too, wherever the other is.
  for (const Millis until = steady_ms() + 10'000; !live->has_reached(ticket) && steady_ms() < until;) live->pop(5);
  EXPECT_TRUE(live->has_reached(ticket));
  is_heard.set_value();
  for (uint32_t number = 1; number <= 41; ++number) EXPECT_EQ(next_of(*past), number);
  EXPECT_FALSE(live->pop(0).has_value());
}

// Some are full again and again, each at another place; two stand at the same.
TEST_F(Tail, StreamsThatStandApartMissNothingAndGetNothingTwice) {
  for (int commit = 0; commit < 30; ++commit) append(100);
  JournalTail tail(home_, step_by_step());
  std::vector<std::shared_ptr<TailStream>> streams;
  std::vector<uint32_t> got;
  for (const uint32_t from : {0u, 0u, 50u, 100u, 1'199u, 1'200u, 2'990u, 3'000u}) {
    streams.push_back(tail.open(alerts_, TailStream::Start::heads, behind(from)));
    got.push_back(from);
  }
  append(100);
  for (bool more = true; more;) {
    more = false;
    for (size_t index = 0; index < streams.size(); ++index) {
      for (size_t count = 0; count < 40 * (index + 1) && got[index] < last_; ++count)
        ASSERT_EQ(next_of(*streams[index]), ++got[index]) << index;
      more = more || got[index] < last_;
    }
  }
  for (const auto& stream : streams) {
    EXPECT_FALSE(stream->pop(0).has_value());
    EXPECT_EQ(stream->heads(), heads_);
  }
}

TEST_F(Tail, WhoAsksForWhatWasTrimmedAwayIsToldAndHoldsUpNobody) {
  for (int commit = 0; commit < 3; ++commit) append(1);
  ASSERT_TRUE(writer_->trim(2).has_value());
  JournalTail tail(home_, step_by_step());
  const auto live = tail.open(alerts_, TailStream::Start::heads, heads_);
  const auto gone = tail.open(alerts_, TailStream::Start::heads, behind(1));
  EXPECT_FALSE(gone->pop(10'000).has_value());
  ASSERT_TRUE(gone->error().has_value());
  EXPECT_EQ(gone->error()->code, Code::out_of_range) << gone->error()->message;
  append(1);
  EXPECT_EQ(next_of(*live), 4u);
}

}  // namespace
}  // namespace xundian::gateway
