// A snapshot is there whole or not at all, and never at the cost of the one before it.
#include "common/snapshot.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xundian {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~SnapshotTest() override { fs::remove_all(folder_); }

  Result<void> write(char state, size_t bytes = 100'000) {
    return write_snapshot(folder_, {"home", 7, {1, 2}, std::string(bytes, state), {}});
  }
  // The state of the newest that can be read, by its first letter; '-' = none.
  char read() {
    const auto snapshot = read_snapshot(folder_, "home", 7);
    return snapshot && !snapshot->state.empty() ? snapshot->state[0] : '-';
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_))
      if (entry.path().extension() == ".snapshot") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }

  std::string folder_ = "/tmp/xundian-snapshot-XXXXXX";
};

// The program may write no file beyond so many bytes, as on a disk that is full.
class WriteLimit {
 public:
  explicit WriteLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~WriteLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SnapshotTest, TheNewestIsReadAndThreeAreKept) {
  EXPECT_EQ(read(), '-');
  ASSERT_TRUE(write('a', 3'500'000).has_value());
  const auto number_of = [](const fs::path& file) {
    struct stat about {};
    return ::stat(file.c_str(), &about) == 0 ? about.st_ino : 0;
  };
  const std::ifstream held(files().front());  // While it is open nothing else gets its number.
  const ino_t first = number_of(files().front());
  for (const char state : {'b', 'c', 'd'}) ASSERT_TRUE(write(state).has_value());
  EXPECT_EQ(read(), 'd');
  ASSERT_EQ(files().size(), 3u);
  for (const fs::path& file : files()) EXPECT_EQ(fs::file_size(file), fs::file_size(files().front()));
  EXPECT_EQ(number_of(files().back()), first) << "its file is written over, none is removed";
  EXPECT_FALSE(fs::exists(folder_ + "/part"));
  EXPECT_EQ(read_snapshot(folder_, "home", 7)->positions, (std::vector<Position>{1, 2}));
}

TEST_F(SnapshotTest, ChildrenOfOneHomeTakeTurns) {
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const auto when_told = [&]() -> Result<void> {
    char byte = 0;
    return ::read(gate[0], &byte, 1) == 1 ? write(byte) : fail(Code::internal, "nobody told it");
  };
  SnapshotChild first, second, elsewhere;
  ASSERT_TRUE(first.start(when_told, folder_, true));
  EXPECT_FALSE(second.start([&] { return write('b'); }, folder_, true)) << "the first has the turn";
  EXPECT_FALSE(second.ended().has_value());
  EXPECT_TRUE(elsewhere.start([] { return Result<void>(); }, "/tmp", true)) << "another home's turn is another";
  EXPECT_EQ(elsewhere.ended(true), true);
  ASSERT_EQ(::write(gate[1], "a", 1), 1);
  EXPECT_EQ(first.ended(true), true);
  EXPECT_TRUE(second.start([&] { return write('b'); }, folder_, true));
  EXPECT_EQ(second.ended(true), true);
  EXPECT_EQ(read(), 'b');
  EXPECT_EQ(files().size(), 2u);
  ::close(gate[0]), ::close(gate[1]);
}

TEST_F(SnapshotTest, WhoWritesOneGivesWayToWhoFolds) {
  const auto runs_as = [](int policy) -> Result<void> {
    if (::sched_getscheduler(0) == policy && ::getpriority(PRIO_PROCESS, 0) == 19) return {};
    return fail(Code::internal, "it runs as others do");
  };
  SnapshotChild child;
  ASSERT_TRUE(child.start([&] { return runs_as(SCHED_IDLE); }, {}, true));
  EXPECT_EQ(child.ended(true), true);
  ASSERT_TRUE(child.start([&] { return runs_as(SCHED_OTHER); }, {}, false)) << "under a load it must end";
  EXPECT_EQ(child.ended(true), true);
}

TEST_F(SnapshotTest, OneThatCannotBeWrittenLeavesTheOneBefore) {
  ASSERT_TRUE(write('a').has_value());
  ASSERT_TRUE(write('b').has_value());
  {
    const WriteLimit limit(50'000);
    EXPECT_FALSE(write('c').has_value());
  }
  EXPECT_EQ(read(), 'b');
  ASSERT_TRUE(write('d', 20'000).has_value()) << "less than what is left of the one that could not be written";
  EXPECT_EQ(read(), 'd');
}

TEST_F(SnapshotTest, OneThatIsCutOffOrFlippedIsPassedOver) {
  ASSERT_TRUE(write('a').has_value());
  ASSERT_TRUE(write('b').has_value());
  const fs::path newest = files().back();
  {
    std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60'000);
    file.put('x');
  }
  EXPECT_EQ(read(), 'a');
  fs::resize_file(newest, 60'000);
  EXPECT_EQ(read(), 'a');
}

TEST_F(SnapshotTest, OfAnotherHomeOrShapeIsPassedOver) {
  ASSERT_TRUE(write('a').has_value());
  EXPECT_FALSE(read_snapshot(folder_, "elsewhere", 7).has_value());
  EXPECT_FALSE(read_snapshot(folder_, "home", 8).has_value());
}

}  // namespace
}  // namespace xundian
