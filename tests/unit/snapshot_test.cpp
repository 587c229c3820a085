// A snapshot is there whole or not at all, and never at the cost of the one before it.
#include "common/snapshot.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/clock.h"

namespace xundian {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~SnapshotTest() override { fs::remove_all(folder_); }

  static Snapshot snapshot(char state, size_t bytes = 100'000) {
    const auto text = std::make_shared<const std::string>(bytes, state);
    return {"home", 7, {1, 2}, *text, text};
  }
  Result<void> write(char state, size_t bytes = 100'000) { return write_snapshot(folder_, snapshot(state, bytes)); }
  // The state of the newest that can be read, by its first letter; '-' = none.
  char read() {
    char first = '-';
    const auto load = [&](const std::vector<Position>&, ByteReader state) {
      const std::string_view bytes = state.take_bytes(state.left());
      if (!bytes.empty()) first = bytes[0];
      return state.ok();
    };
    EXPECT_TRUE(load_snapshot(folder_, "home", 7, load).has_value());
    return first;
  }
  // The positions of one of this home and this shape that is read whole.
  std::vector<Position> positions(const std::string& home = "home", uint64_t shape = 7) {
    const auto load = [](const std::vector<Position>&, ByteReader state) { return !state.take_bytes(state.left()).empty(); };
    const auto loaded = load_snapshot(folder_, home, shape, load);
    return loaded && *loaded ? **loaded : std::vector<Position>();
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

// Holds a child up until it is opened.
class Gate {
 public:
  Gate() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Gate() { ::close(ends_[0]), ::close(ends_[1]); }
  void wait() const {
    char byte = 0;
    if (::read(ends_[0], &byte, 1) != 1) ::_exit(4);
  }
  void open() const { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }

 private:
  int ends_[2] = {};
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
  EXPECT_EQ(positions(), (std::vector<Position>{1, 2}));
}

TEST_F(SnapshotTest, ThoseOfOneHomeTakeTurns) {
  Gate gate;
  SnapshotWriter first(folder_), second(folder_), elsewhere(folder_ + "/elsewhere");
  ASSERT_TRUE(first.start([&] { return gate.wait(), snapshot('a'); }, folder_, true));
  EXPECT_FALSE(first.start([&] { return snapshot('b'); }, "/tmp", true)) << "it has one in hand";
  EXPECT_FALSE(second.start([&] { return snapshot('b'); }, folder_, true)) << "the first has the turn";
  EXPECT_FALSE(first.ended().has_value());
  EXPECT_FALSE(second.ended().has_value());
  EXPECT_TRUE(elsewhere.start([&] { return snapshot('c'); }, "/tmp", true)) << "another home's turn is another";
  EXPECT_EQ(elsewhere.ended(true), true);
  gate.open();
  EXPECT_EQ(first.ended(true), true);
  EXPECT_FALSE(first.ended(true).has_value()) << "it was told already";
  EXPECT_TRUE(second.start([&] { return snapshot('b', 9'500'000); }, folder_, true));
  EXPECT_EQ(second.ended(true), true);
  EXPECT_EQ(read(), 'b');
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(SnapshotTest, ItIsOfTheMomentAtWhichItWasStarted) {
  std::string state(100'000, 'a');
  SnapshotWriter writer(folder_);
  Gate gate;
  ASSERT_TRUE(writer.start([&] { return gate.wait(), Snapshot{"home", 7, {1, 2}, state, {}}; }, {}, true));
  state.assign(state.size(), 'b');
  gate.open();
  EXPECT_EQ(writer.ended(true), true);
  EXPECT_EQ(read(), 'a');
}

TEST_F(SnapshotTest, InACalmItGivesWayToWhoFolds) {
  for (const bool in_calm : {true, false}) {
    SnapshotWriter writer(folder_);
    ASSERT_TRUE(writer.start([&] { return snapshot(::sched_getscheduler(0) == SCHED_IDLE ? 'i' : 'o'); }, {}, in_calm));
    EXPECT_EQ(writer.ended(true), true);
    EXPECT_EQ(read(), in_calm ? 'i' : 'o') << "under a load it must end";
  }
}

// Which share of the file's pages lies in memory.
double share_in_memory(const fs::path& path) {
  const size_t size = fs::file_size(path), page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  std::vector<unsigned char> pages((size + page - 1) / page);
  EXPECT_EQ(::mincore(mapped, size, pages.data()), 0);
  ::munmap(mapped, size);
  const auto there = std::count_if(pages.begin(), pages.end(), [](unsigned char state) { return (state & 1) != 0; });
  return static_cast<double>(there) / static_cast<double>(pages.size());
}

// It would lie there three times over, of each service, and take what the journal is read from.
TEST_F(SnapshotTest, WhatIsWrittenBesideTheFoldsStaysInNoMemory) {
  struct statfs about {};
  ASSERT_EQ(::statfs(folder_.c_str(), &about), 0);
  if (about.f_type == TMPFS_MAGIC) GTEST_SKIP() << "the temporary folder is memory itself";
  SnapshotWriter writer(folder_);
  ASSERT_TRUE(writer.start([&] { return snapshot('a', 9'500'000); }, {}, true));
  EXPECT_EQ(writer.ended(true), true);
  ASSERT_EQ(files().size(), 1u);
  EXPECT_LT(share_in_memory(files().front()), 0.1);
  EXPECT_EQ(read(), 'a');
}

// Of what this process has.
size_t bytes_in_large_pages() {
  std::ifstream about("/proc/self/smaps_rollup");
  for (std::string word; about >> word;)
    if (size_t kb = 0; word == "AnonHugePages:" && about >> kb) return kb << 10;
  return 0;
}

TEST_F(SnapshotTest, LargePagesThatItsChildBreaksUpBecomeWholeAgain) {
  constexpr size_t page = 2u << 20, all = 16 * page;
  void* const room = ::mmap(nullptr, all + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(room, MAP_FAILED);
  const auto unmap = [](char* from) { ::munmap(from, all + page); };
  const std::unique_ptr<char, decltype(unmap)> held(static_cast<char*>(room), unmap);
  char* const memory = held.get() + (page - reinterpret_cast<uintptr_t>(room) % page) % page;
  ::madvise(memory, all, MADV_HUGEPAGE);
  std::memset(memory, 'a', all);
  const size_t before = bytes_in_large_pages();
  if (before < all || ::madvise(memory, page, MADV_COLLAPSE) != 0)
    GTEST_SKIP() << "this system gives no large pages, or makes none on demand";
  SnapshotWriter writer(folder_);
  Gate gate;
  ASSERT_TRUE(writer.start([&] { return gate.wait(), snapshot('a'); }, {}, false));
  for (size_t at = 0; at < all; at += page) memory[at] = 'b';
  EXPECT_LE(bytes_in_large_pages(), before - all) << "it shows nothing if they stay whole";
  gate.open();
  EXPECT_EQ(writer.ended(true), true);
  // The system itself would come by within ten seconds or so.
  for (const Millis until = steady_ms() + 5'000; bytes_in_large_pages() < before;) {
    ASSERT_LT(steady_ms(), until) << "they stay in pieces";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::string_view bytes(memory, all);
  EXPECT_EQ(std::ranges::count(bytes, 'b'), all / page);
  EXPECT_EQ(std::ranges::count(bytes, 'a'), all - all / page);
}

TEST_F(SnapshotTest, OneThatFailsIsToldOfAndGivesTheTurnBack) {
  ASSERT_TRUE(write('a').has_value());
  SnapshotWriter first(folder_), second(folder_);
  ASSERT_TRUE(first.start([]() -> Snapshot { ::_exit(3); }, folder_, true));
  EXPECT_EQ(first.ended(true), false);
  {
    const WriteLimit limit(50'000);
    ASSERT_TRUE(second.start([&] { return snapshot('b'); }, folder_, true));
    EXPECT_EQ(second.ended(true), false) << "a full disk";
  }
  SnapshotWriter nowhere(files().front());
  ASSERT_TRUE(nowhere.start([&] { return snapshot('b'); }, folder_, true));
  EXPECT_EQ(nowhere.ended(true), false) << "a file is no folder";
  ASSERT_TRUE(first.start([&] { return snapshot('c'); }, folder_, true));
  EXPECT_EQ(first.ended(true), true);
  EXPECT_EQ(read(), 'c');
}

TEST_F(SnapshotTest, OneThatIsGivenUpLeavesTheOneBefore) {
  ASSERT_TRUE(write('a').has_value());
  Gate gate;
  {
    SnapshotWriter writer(folder_);
    ASSERT_TRUE(writer.start([&] { return gate.wait(), snapshot('b'); }, folder_, true));
  }
  SnapshotWriter next(folder_);
  EXPECT_TRUE(next.start([&] { return snapshot('c'); }, folder_, true)) << "the turn was given back";
  EXPECT_EQ(next.ended(true), true);
  EXPECT_EQ(read(), 'c');
}

// A load has come, and the child would hold it up for as long as it lives.
TEST_F(SnapshotTest, AChildThatIsToldToEndDoes) {
  ASSERT_TRUE(write('a').has_value());
  SnapshotWriter writer(folder_), next(folder_);
  EXPECT_FALSE(writer.give_up()) << "there is none";
  const Gate gate;
  ASSERT_TRUE(writer.start([&] { return gate.wait(), snapshot('b'); }, folder_, true));
  EXPECT_TRUE(writer.give_up());
  EXPECT_FALSE(writer.give_up()) << "it was told already";
  EXPECT_EQ(writer.ended(true), false);
  EXPECT_EQ(read(), 'a');
  ASSERT_TRUE(next.start([&] { return snapshot('c'); }, folder_, true)) << "the turn was given back";
  EXPECT_EQ(next.ended(true), true);
  ASSERT_TRUE(writer.start([&] { return gate.wait(), snapshot('d'); }, folder_, true));
  EXPECT_TRUE(writer.give_up()) << "the next can be told, too";
  EXPECT_EQ(writer.ended(true), false);
  EXPECT_EQ(read(), 'c');
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
  ASSERT_TRUE(write('b', 700'000).has_value());
  const fs::path newest = files().back();
  const auto flip = [&](uintmax_t at) {
    std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 0x10));
  };
  const uintmax_t size = fs::file_size(newest);
  // Its header, each piece of its state, their hashes, the hash of those.
  for (const uintmax_t at :
       {uintmax_t{0}, uintmax_t{30}, uintmax_t{60'000}, uintmax_t{300'000}, uintmax_t{699'999}, size - 20, size - 1}) {
    flip(at);
    EXPECT_EQ(read(), 'a') << "a bit of byte " << at;
    flip(at);
    EXPECT_EQ(read(), 'b');
  }
  for (const uintmax_t left : {size - 1, uintmax_t{600'000}, uintmax_t{60'000}, uintmax_t{20}, uintmax_t{0}}) {
    fs::resize_file(newest, left);
    EXPECT_EQ(read(), 'a') << left << " bytes are left";
  }
}

// A state is read while it is checked, so a service meets the right part of a wrong one; and nothing else of it.
TEST_F(SnapshotTest, NoByteThatIsWrongIsRead) {
  ASSERT_TRUE(write('a').has_value());
  ASSERT_TRUE(write('b', 700'000).has_value());
  {
    std::fstream file(files().back(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(600'000);
    file.put('x');
  }
  std::vector<std::string> met;
  const auto load = [&](const std::vector<Position>&, ByteReader state) {
    std::string& text = met.emplace_back();
    while (!state.empty()) text += state.take_bytes(std::min<size_t>(state.left(), 1'000));
    return state.ok();
  };
  EXPECT_TRUE(load_snapshot(folder_, "home", 7, load).has_value());
  ASSERT_EQ(met.size(), 2u);
  EXPECT_GE(met[0].size(), 500'000u);
  EXPECT_EQ(met[0], std::string(met[0].size(), 'b'));
  EXPECT_EQ(met[1], std::string(100'000, 'a'));
}

TEST_F(SnapshotTest, OneThatIsWholeButDoesNotLoadIsAnErrorOfTheProgram) {
  ASSERT_TRUE(write('a').has_value());
  ASSERT_TRUE(write('b').has_value());
  const auto loaded = load_snapshot(folder_, "home", 7, [](const std::vector<Position>&, ByteReader) { return false; });
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, Code::data_loss);
  EXPECT_NE(loaded.error().message.find("is whole but cannot be loaded"), std::string::npos) << loaded.error().message;
}

TEST_F(SnapshotTest, OfAnotherHomeOrShapeIsPassedOver) {
  ASSERT_TRUE(write('a').has_value());
  EXPECT_FALSE(positions().empty());
  EXPECT_TRUE(positions("elsewhere").empty());
  EXPECT_TRUE(positions("home", 8).empty());
}

}  // namespace
}  // namespace xundian
