// What the journal on disk does between processes, and how it is copied.
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <random>
#include <thread>

#include "common/lmdb_volume.h"
#include "tests/conformance/engine.h"

namespace xundian {
namespace {

// A child process that runs `body` and ends with its answer; killed and reaped at the end of the scope.
class Child {
 public:
  template <typename Body>
  explicit Child(Body&& body) : id_(fork()) {
    CHECK(id_ >= 0, "no child process");
    if (id_ == 0) _exit(body());
  }
  ~Child() {
    if (id_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t id() const { return id_; }
  void kill() {
    ::kill(id_, SIGKILL);
    wait();
  }
  // Its exit status; -1 if it was killed.
  int wait() {
    int status = 0;
    waitpid(id_, &status, 0);
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t id_;
};

// Words of 8 bytes from one process to another.
class Pipe {
 public:
  Pipe() { CHECK(pipe(ends_) == 0, "no pipe"); }
  ~Pipe() {
    close_reading();
    close_writing();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void put(uint64_t word) { CHECK(write(ends_[1], &word, sizeof word) == sizeof word, "the pipe is closed"); }
  // False when all who might write have gone.
  bool take(uint64_t& word) { return ::read(ends_[0], &word, sizeof word) == sizeof word; }
  void close_reading() { close_end(0); }
  void close_writing() { close_end(1); }

 private:
  void close_end(int end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }
  int ends_[2];
};

TEST(JournalLmdb, NobodyButAWriterMakesTheFolder) {
  LmdbEngine engine;
  const auto reader = engine.reader();
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::not_found);
  EXPECT_NE(reader.error().message.find(engine.folder), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(engine.folder));
}

TEST(JournalLmdb, ASecondProcessIsRefusedAndToldWhoWrites) {
  LmdbEngine engine;
  Pipe ready, done;
  Child holder([&] {
    done.close_writing();
    const auto writer = engine.writer();
    ready.put(writer.has_value());
    uint64_t word = 0;
    done.take(word);
    return 0;
  });
  uint64_t opened = 0;
  ASSERT_TRUE(ready.take(opened));
  ASSERT_TRUE(opened);
  const auto refused = engine.writer();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_NE(refused.error().message.find(fmt::format("process {};", holder.id())), std::string::npos) << refused.error().message;
  holder.kill();
  EXPECT_TRUE(engine.writer());  // A dead holder holds nothing.
}

TEST(JournalLmdb, AChildMayNotUseWhatItsParentOpened) {
  LmdbEngine engine;
  const auto writer = engine.writer();
  ASSERT_TRUE(writer);
  Appender appender(**writer);
  ASSERT_TRUE(appender.append({1}));
  const auto reader = engine.reader();
  ASSERT_TRUE((*reader)->range());
  Child child([&] {
    if (appender.append({1}).has_value() || (*reader)->range().has_value()) return 1;
    if ((*reader)->read(0, 1, [](const CommitView&) { return true; }).has_value()) return 2;
    const auto own = engine.reader();  // Its own is its own.
    return own && (*own)->range()->next == 1 ? 0 : 3;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE((*reader)->range());
}

TEST(JournalLmdb, AnotherProcessFollowsAcrossVolumes) {
  LmdbEngine engine;
  constexpr Position all = 300;
  Pipe go;
  Child reader_process([&] {
    go.close_writing();
    uint64_t position = 0;
    if (!go.take(position)) return 1;
    const auto reader = engine.reader();
    if (!reader) return 2;
    Position at = 0;
    Heads heads(2, 0);
    bool is_whole = true;
    while (at < all) {
      const auto next = (*reader)->read(at, 10'000, [&](const CommitView& commit) {
        is_whole = is_whole && commit.heads_before() == heads;
        const auto walked = commit.for_each_batch(
            false, [&](const BatchView& batch) { heads[batch.header().partition] += batch.header().count; });
        return is_whole = is_whole && walked.has_value();
      });
      if (!next || !is_whole) return 3;
      // Nothing new: waits for the next ring of the bell.
      if (*next == at && !go.take(position)) return 4;
      at = *next;
    }
    return verify(**reader)->bad.empty() ? 0 : 5;
  });
  const auto writer = engine.writer(30'000);
  ASSERT_TRUE(writer);
  Appender appender(**writer, 2);
  for (Position position = 0; position < all; ++position) {
    ASSERT_EQ(appender.append({1, 1}, 300), position);
    go.put(position);
  }
  EXPECT_GT((*writer)->volume_start(), 0u);
  EXPECT_EQ(reader_process.wait(), 0);
}

// What was reported as durable is there, whole and in order, whenever the writer is killed.
TEST(JournalLmdb, KillsLoseNothingThatWasAcknowledged) {
  LmdbEngine engine;
  std::mt19937_64 random(7);
  Position acknowledged = 0;
  for (int life = 0; life < 12; ++life) {
    Pipe acks;
    Child child([&] {
      acks.close_reading();
      const auto writer = engine.writer(200'000);
      if (!writer) return 1;
      const auto reader = engine.reader();
      Appender appender(**writer, 2);
      appender.heads = read_heads(**reader, 2).value_or(Heads{});
      for (;;) {
        const auto position = appender.append({1, 2}, 50 + appender.seed * 37 % 4000);
        if (!position) return 2;
        acks.put(*position);
      }
    });
    acks.close_writing();
    // Killed after so many acks, wherever it is by then.
    uint64_t word = 0;
    for (uint64_t left = 1 + random() % 60; left > 0 && acks.take(word); --left) acknowledged = word;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 900));
    child.kill();
    while (acks.take(word)) acknowledged = word;
    const auto reader = engine.reader();
    ASSERT_TRUE(reader);
    const auto range = (*reader)->range();
    ASSERT_TRUE(range);
    ASSERT_GT(range->next, acknowledged);
    ASSERT_LE(range->next, acknowledged + 2);  // At most the one in flight.
    const auto report = verify(**reader);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->bad.empty());
    EXPECT_EQ(report->facts, 3 * range->next);
  }
}

TEST(JournalLmdb, AReaderThatWasKilledHoldsNothingBack) {
  LmdbEngine engine;
  const auto writer = engine.writer();
  ASSERT_TRUE(writer);
  Appender appender(**writer, 1);
  ASSERT_TRUE(appender.append({1}));
  Pipe inside;
  {
    Child reader_process([&] {
      const auto reader = engine.reader();
      (void)(*reader)->read(0, 1, [&](const CommitView&) {
        inside.put(1);
        pause();  // Killed in the middle of a read transaction.
        return true;
      });
      return 0;
    });
    uint64_t word = 0;
    ASSERT_TRUE(inside.take(word));
    reader_process.kill();
  }
  ASSERT_TRUE(appender.append({1}));  // The first append to a volume that is there looks for the dead.
  const std::string data = engine.folder + "/0000000000000000/data.mdb";
  const auto before = std::filesystem::file_size(data);
  constexpr size_t appends = 400, page_bytes = 4096;
  for (size_t index = 0; index < appends; ++index) ASSERT_TRUE(appender.append({1}, 8));
  // Pages that are free are used again: the file grows by what was appended. With pages held back it grows by several a commit.
  EXPECT_LT(std::filesystem::file_size(data) - before, appends * page_bytes);
}

TEST(JournalLmdb, WhatIsReportedIsSynced) {
  LmdbEngine engine;
  const auto writer = engine.writer();
  Appender appender(**writer, 1);
  ASSERT_TRUE(appender.append({1}));
  const auto volume = Volume::open(engine.folder, 0);
  ASSERT_TRUE(volume);
  unsigned flags = 0;
  ASSERT_EQ(mdb_env_get_flags((*volume)->env(), &flags), 0);
  EXPECT_EQ(flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_MAPASYNC | MDB_WRITEMAP | MDB_NOLOCK | MDB_RDONLY), 0u);
  EXPECT_NE(flags & MDB_NOTLS, 0u);
  MDB_envinfo info{};
  ASSERT_EQ(mdb_env_info((*volume)->env(), &info), 0);
  EXPECT_EQ(info.me_maxreaders, 1022u);
  EXPECT_GE(info.me_mapsize, large_volume + large_volume / 4);
  // The writer and all who read share one environment.
  EXPECT_EQ((*volume)->env(), (*Volume::open(engine.folder + "/../journal", 0))->env());
}

// A disk that takes no more: the append says so, the writer is done for, and all that it had acknowledged is there.
TEST(JournalLmdb, AWriteThatFailsEndsTheWriter) {
  LmdbEngine engine;
  Pipe acks;
  Child child([&] {
    const auto writer = engine.writer();
    if (!writer) return 1;
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{600'000, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    Appender appender(**writer, 1);
    for (;;) {
      const auto position = appender.append({1}, 20'000);
      if (position) {
        acks.put(*position);
        continue;
      }
      const auto again = appender.append({1}, 10);
      return !again && again.error().code == Code::failed_precondition ? 0 : 3;
    }
  });
  acks.close_writing();
  uint64_t word = 0, acknowledged = 0;
  while (acks.take(word)) acknowledged = word + 1;
  EXPECT_EQ(child.wait(), 0);
  EXPECT_GT(acknowledged, 5u);
  const auto writer = engine.writer();  // Recovery is opening it again.
  ASSERT_TRUE(writer) << writer.error().message;
  const auto reader = engine.reader();
  EXPECT_EQ((*reader)->range()->next, acknowledged);
  const auto report = verify(**reader);
  EXPECT_TRUE(report->bad.empty());
  EXPECT_EQ(report->facts, acknowledged);
  Appender appender(**writer, 1);
  appender.heads = *read_heads(**reader, 1);
  EXPECT_EQ(appender.append({1}, 20'000), acknowledged);
}

// Commits of a volume that is gone are missed, not skipped.
TEST(JournalLmdb, AMissingVolumeIsNoticed) {
  LmdbEngine engine;
  {
    const auto writer = engine.writer(1);
    Appender appender(**writer, 1);
    for (int index = 0; index < 5; ++index) ASSERT_TRUE(appender.append({1}));
  }
  std::filesystem::remove_all(engine.folder + "/0000000000000002");
  const auto reader = engine.reader();
  EXPECT_EQ((*reader)->read(0, 1u << 20, [](const CommitView&) { return true; }), Position{2});
  EXPECT_EQ((*reader)->read(2, 1u << 20, [](const CommitView&) { return true; }).error().code, Code::data_loss);
  const auto report = verify(**reader);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bad.size(), 1u);
  EXPECT_EQ(report->facts, 4u);
}

TEST(JournalLmdb, TakesUpAfterACrashInTheMiddleOfAVolumesBirth) {
  LmdbEngine engine;
  Heads heads;
  {
    const auto writer = engine.writer(1);
    Appender appender(**writer, 2);
    for (int index = 0; index < 3; ++index) ASSERT_TRUE(appender.append({1, 1}));
    heads = appender.heads;
  }
  // What a crash leaves behind: half a volume, a volume half deleted, and one made and not used.
  const auto copy = std::filesystem::copy_options::recursive;
  std::filesystem::create_directories(engine.folder + "/.new-0000000000000003");
  std::filesystem::copy(engine.folder + "/0000000000000000", engine.folder + "/.old-0000000000000000", copy);
  ASSERT_TRUE(make_volume(engine.folder, 3, 100'000));
  const auto writer = engine.writer(1);
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_FALSE(std::filesystem::exists(engine.folder + "/.new-0000000000000003"));
  EXPECT_FALSE(std::filesystem::exists(engine.folder + "/.old-0000000000000000"));
  Appender appender(**writer, 2);
  appender.heads = heads;
  EXPECT_EQ(appender.append({1, 0}), Position{3});
  EXPECT_EQ(read_all(**engine.reader()).size(), 4u);
}

TEST(JournalLmdb, ABackupOfARunningJournalIsAJournal) {
  LmdbEngine engine;
  const std::string copy = engine.temp / "copy";
  const auto writer = engine.writer(300'000);
  ASSERT_TRUE(writer);
  Appender appender(**writer, 2);
  for (int index = 0; index < 200; ++index) ASSERT_TRUE(appender.append({2, 1}, 500));
  ASSERT_GT((*writer)->volume_start(), 0u);
  Result<Position> copied = fail(Code::unknown, "not yet");
  std::atomic<bool> is_done = false;
  std::thread copying([&] {
    copied = backup_lmdb(engine.folder, copy);
    is_done = true;
  });
  Position during = 200;
  while (!is_done) {
    ASSERT_TRUE(appender.append({1, 1}, 500));
    ++during;
  }
  copying.join();
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_GE(*copied, 200u);
  EXPECT_LE(*copied, during);
  EXPECT_FALSE(std::filesystem::exists(copy + ".partial"));
  const auto reader = open_lmdb_reader(copy);
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->range()->next, *copied);
  const std::vector<std::string> expected(appender.commits.begin(), appender.commits.begin() + static_cast<ptrdiff_t>(*copied));
  EXPECT_EQ(read_all(**reader), expected);
  EXPECT_TRUE(verify(**reader)->bad.empty());
  // It can be written on, and the first one is none the worse.
  const auto second = open_lmdb_writer(copy, {300'000});
  ASSERT_TRUE(second) << second.error().message;
  Appender onward(**second, 2);
  onward.heads = *read_heads(**reader, 2);
  EXPECT_EQ(onward.append({1, 1}), *copied);
  EXPECT_EQ(read_all(**engine.reader()), appender.commits);
  EXPECT_EQ(backup_lmdb(engine.folder, copy).error().code, Code::already_exists);
}

}  // namespace
}  // namespace xundian
