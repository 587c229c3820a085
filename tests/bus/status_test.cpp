// What a bus tells of itself without taking time from commits: how much its journal takes, how long commits take.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "services/bus/commit_times.h"
#include "services/bus/journal_size.h"
#include "tests/support/temp_folder.h"

namespace xundian::bus {
namespace {

class JournalSizeTest : public testing::Test {
 protected:
  TempFolder temp_;  // Before all that lies in it.
  const std::string folder_ = temp_.path();

  JournalSizeTest() { grow("lock"); }

  // Makes a file longer, and sees to it that the disk has it.
  void grow(const std::string& name) const {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const std::string bytes(64u << 10, 'x');
    EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::fsync(fd), 0);
    ::close(fd);
  }
  // All there is, looked at now.
  uint64_t all() const { return JournalSize(folder_).bytes(0); }

  const std::string first_ = "0000000000000000", second_ = "0000000000000a41";
};

TEST_F(JournalSizeTest, FollowsTheLastVolumeEveryTenSeconds) {
  grow(first_ + "/data.mdb");
  JournalSize size(folder_);
  const uint64_t at_first = size.bytes(500);
  EXPECT_GT(at_first, 0u);
  EXPECT_EQ(at_first, all());
  grow(first_ + "/data.mdb");
  EXPECT_GT(all(), at_first);
  EXPECT_EQ(size.bytes(10'499), at_first);
  EXPECT_EQ(size.bytes(10'500), all());
  grow(first_ + "/data.mdb");
  EXPECT_LT(size.bytes(20'499), all());
  EXPECT_EQ(size.bytes(20'500), all());
}

TEST_F(JournalSizeTest, LooksOnceAtAVolumeThatIsComplete) {
  grow(first_ + "/data.mdb");
  JournalSize size(folder_);
  size.bytes(0);
  // It took something more before the next one began.
  grow(first_ + "/data.mdb");
  grow(second_ + "/data.mdb");
  EXPECT_EQ(size.bytes(10'000), all());
  grow(second_ + "/data.mdb");
  EXPECT_EQ(size.bytes(20'000), all());
  const uint64_t before = all();
  grow(first_ + "/data.mdb");  // No writer does that; it shows that nobody looks.
  EXPECT_EQ(size.bytes(30'000), before);
  EXPECT_LT(before, all());
}

TEST_F(JournalSizeTest, ForgetsWhatWasRemovedAndCountsWhatIsOnItsWay) {
  grow(first_ + "/data.mdb");
  grow(second_ + "/data.mdb");
  JournalSize size(folder_);
  const uint64_t both = size.bytes(0);
  // A volume goes by another name until it is deleted.
  std::filesystem::rename(folder_ + "/" + first_, folder_ + "/.old-" + first_);
  EXPECT_EQ(size.bytes(10'000), both);
  std::filesystem::remove_all(folder_ + "/.old-" + first_);
  EXPECT_EQ(size.bytes(20'000), all());
  EXPECT_LT(size.bytes(20'000), both);
}

TEST_F(JournalSizeTest, WhereIsNoFolderNothingIsTaken) { EXPECT_EQ(JournalSize(folder_ + "/none").bytes(0), 0u); }

TEST(CommitTimesTest, TellsOfTheLastThousand) {
  CommitTimes times;
  EXPECT_EQ(times.percentiles(0).p99_us, 0u);
  for (int us = 1; us <= 1'000; ++us) times.add(1'000'000);
  for (int us = 1; us <= 1'000; ++us) times.add(us);
  EXPECT_EQ(times.percentiles(0).p50_us, 500u);
  EXPECT_EQ(times.percentiles(0).p99_us, 990u);
}

TEST(CommitTimesTest, IsNewOnceASecondAndSoonerWhileThereAreFew) {
  CommitTimes times;
  times.add(10);
  EXPECT_EQ(times.percentiles(0).p50_us, 10u);
  times.add(20);
  times.add(30);
  EXPECT_EQ(times.percentiles(1).p50_us, 20u);  // Twice as many as before.
  times.add(40);
  times.add(50);
  EXPECT_EQ(times.percentiles(1'000).p50_us, 20u);
  EXPECT_EQ(times.percentiles(1'001).p50_us, 30u);
  EXPECT_EQ(times.percentiles(9'000).p50_us, 30u);
}

}  // namespace
}  // namespace xundian::bus
