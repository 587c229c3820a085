// How the journal in memory fails, and what is left of it then.
#include "tests/conformance/engine.h"

namespace xundian {
namespace {

class JournalMemory : public testing::Test {
 protected:
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();

  std::unique_ptr<JournalWriter> open_writer() {
    auto writer = open_memory_writer(disk);
    EXPECT_TRUE(writer) << writer.error().message;
    return writer ? std::move(*writer) : nullptr;
  }
  std::vector<std::string> what_is_there() { return read_all(**open_memory_reader(disk)); }
};

TEST_F(JournalMemory, AnErrorBeforeTheWriteLeavesNothing) {
  auto writer = open_writer();
  Appender appender(*writer);
  disk->fail_append(DiskFault::error_before, 1);
  ASSERT_TRUE(appender.append({1}));
  EXPECT_EQ(appender.append({1}).error().code, Code::data_loss);
  EXPECT_EQ(what_is_there().size(), 1u);
  EXPECT_EQ(appender.append({1}).error().code, Code::failed_precondition);  // Never again with this writer.
  EXPECT_EQ(disk->appends(), 2u);
  writer.reset();
  EXPECT_EQ(open_writer()->append({1, 0, 0, 0}, {}), Position{1});
}

TEST_F(JournalMemory, AnErrorAfterTheWriteLeavesAllOfIt) {
  auto writer = open_writer();
  Appender appender(*writer);
  disk->fail_append(DiskFault::error_after);
  EXPECT_FALSE(appender.append({1}));
  EXPECT_FALSE(appender.append({1}));
  writer.reset();
  EXPECT_EQ(what_is_there(), std::vector<std::string>{appender.commits[0]});
  EXPECT_EQ(open_writer()->append({1, 0, 0, 0}, {}), Position{1});
}

TEST_F(JournalMemory, ATornCommitIsCutOffWhereverItWasTorn) {
  size_t bytes = 1;
  for (size_t kept = 0; kept <= bytes; kept += 1 + kept / 7) {
    disk = std::make_shared<MemoryDisk>();
    auto writer = open_writer();
    Appender appender(*writer);
    ASSERT_TRUE(appender.append({2, 1}));
    disk->fail_append(kept % 2 == 0 ? DiskFault::error_torn : DiskFault::power_cut, 0, kept);
    EXPECT_FALSE(appender.append({1, 3}));
    bytes = appender.commits[1].size();
    EXPECT_EQ(what_is_there().size(), 1u);  // What was not synced is not read.
    writer.reset();
    EXPECT_NE(open_writer(), nullptr);
    EXPECT_EQ(what_is_there(), std::vector<std::string>{appender.commits[0]}) << kept;
  }
}

TEST_F(JournalMemory, AWholeCommitThatWasNotAcknowledgedMaySurvive) {
  auto writer = open_writer();
  Appender appender(*writer);
  ASSERT_TRUE(appender.append({2, 1}));
  disk->fail_append(DiskFault::power_cut, 0, SIZE_MAX);
  EXPECT_EQ(appender.append({1, 3}).error().code, Code::aborted);
  writer = open_writer();
  EXPECT_EQ(what_is_there(), appender.commits);
}

TEST_F(JournalMemory, APowerCutEndsAllAndLosesNothingDurable) {
  const auto writer = open_writer();
  const auto reader = open_memory_reader(disk);
  Appender appender(*writer);
  for (int index = 0; index < 20; ++index) ASSERT_TRUE(appender.append({1, 2, 3, 4}));
  const std::vector<std::string> durable = appender.commits;
  disk->cut_power();
  EXPECT_EQ(appender.append({1}).error().code, Code::aborted);
  EXPECT_EQ((*reader)->range().error().code, Code::aborted);
  EXPECT_EQ((*reader)->read(0, 1, [](const CommitView&) { return true; }).error().code, Code::aborted);
  const auto next = open_writer();  // Though the dead one still exists.
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(what_is_there(), durable);
}

TEST_F(JournalMemory, AFullDiskRefusesAtTheByte) {
  auto writer = open_writer();
  Appender appender(*writer);
  ASSERT_TRUE(appender.append({1}));
  const size_t one = disk->bytes();
  disk->set_capacity(2 * one);
  ASSERT_TRUE(appender.append({1}));  // Fills it to the last byte.
  disk->set_capacity(3 * one - 1);
  EXPECT_EQ(appender.append({1}).error().code, Code::resource_exhausted);
  disk->set_capacity(SIZE_MAX);
  EXPECT_EQ(appender.append({1}).error().code, Code::failed_precondition);
  EXPECT_EQ(what_is_there().size(), 2u);
  writer = nullptr;
  writer = open_writer();
  Appender again(*writer);
  again.heads = {2, 0, 0, 0};
  EXPECT_EQ(again.append({1}), Position{2});
}

// A volume that was begun when the append failed is begun again, with its control batch.
TEST_F(JournalMemory, AFailedFirstCommitLeavesTheVolumeToTheNext) {
  auto writer = open_memory_writer(disk, {100});
  ASSERT_TRUE(writer);
  Appender appender(**writer);
  ASSERT_TRUE(appender.append({5}));
  disk->fail_append(DiskFault::error_before);
  EXPECT_FALSE(appender.append({1}));
  ASSERT_TRUE((*writer)->volume_start() == 1);
  writer->reset();
  writer = open_memory_writer(disk, {100});
  ASSERT_TRUE(writer);
  (*writer)->on_new_volume([] { return make_control_batch("here", {}); });
  EXPECT_TRUE((*writer)->trim(1));  // The empty volume does not tell the heads.
  EXPECT_EQ((*open_memory_reader(disk))->range()->low, 0u);
  Appender again(**writer);
  again.heads = {5, 0, 0, 0};
  ASSERT_EQ(again.append({1}), Position{1});
  bool has_control = false;
  ASSERT_TRUE((*open_memory_reader(disk))->read(1, 1, [&](const CommitView& commit) {
    EXPECT_TRUE(commit.for_each_batch(false, [&](const BatchView& batch) { has_control |= batch.is_control(); }));
    return true;
  }));
  EXPECT_TRUE(has_control);
}

}  // namespace
}  // namespace xundian
