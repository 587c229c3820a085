// What the journal in Redis keeps beside what every engine keeps. What a row of the failure table is about begins with its
// number.
#include <signal.h>

#include <thread>

#include "common/clock.h"
#include "common/lmdb_volume.h"
#include "tests/conformance/redis_engine.h"

namespace xundian {
namespace {

RedisReply say(RedisLink& link, const RedisWords& words) {
  if (!link.connected()) {
    EXPECT_TRUE(link.connect());
  }
  auto reply = link.ask(words);
  EXPECT_TRUE(reply) << reply.error().message;
  return reply ? std::move(*reply) : nullptr;
}

// The same stream, but volumes and a lock of its own: what a second machine has.
RedisOptions elsewhere(const RedisEngine& engine, const TempFolder& folder) {
  RedisOptions options = engine.options;
  options.folder = folder / "journal";
  return options;
}

TEST(JournalRedis, AnIdIsTakenOnce) {
  RedisAloneEngine engine;
  RedisLink link(engine.options.address);
  ASSERT_TRUE(link.connect());
  const auto add = [&](const StreamId& id) {
    const auto added = link.ask({"XADD", engine.options.key, id.text(), "c", "x"});
    return added ? Code{} : added.error().code;
  };
  EXPECT_EQ(add({3, 0, true}), Code{});
  EXPECT_EQ(add({3, 7, false}), Code{});
  EXPECT_EQ(add({3, 7, false}), Code::already_exists);  // Sent again.
  EXPECT_EQ(add({3, 6, false}), Code::already_exists);
  EXPECT_EQ(add({4, 0, true}), Code{});
  EXPECT_EQ(add({3, 8, false}), Code::already_exists);  // Of an epoch that ended.
  EXPECT_EQ(add({4, 8, false}), Code{});
  EXPECT_EQ(StreamId::parse(StreamId{4, 8, false}.text()), (StreamId{4, 8, false}));
  EXPECT_EQ(StreamId::parse("12-2"), std::nullopt);
}

TEST(JournalRedis, Row15_TheAppendOfAZombieIsRejected) {
  RedisAloneEngine engine;
  auto old = engine.writer();
  ASSERT_TRUE(old);
  Appender appender(**old, 2);
  for (int index = 0; index < 3; ++index) ASSERT_TRUE(appender.append({1, 2}));
  const TempFolder folder;
  const auto index = std::make_shared<StreamIndex>();
  auto young = open_redis_writer(elsewhere(engine, folder), index);
  ASSERT_TRUE(young) << young.error().message;
  const auto zombie = appender.append({1, 1});
  ASSERT_FALSE(zombie);
  EXPECT_EQ(zombie.error().code, Code::failed_precondition);
  EXPECT_NE(zombie.error().message.find("another bus has taken over"), std::string::npos) << zombie.error().message;
  Appender next(**young, 2);
  next.heads = {3, 6};
  EXPECT_EQ(next.append({1, 1}), Position{3});
  EXPECT_FALSE(appender.append({1, 1}));  // Nor later.
  auto reader = open_redis_reader(elsewhere(engine, folder), index);
  ASSERT_TRUE(reader);
  EXPECT_EQ(read_all(**reader).size(), 4u);
  EXPECT_TRUE(verify(**reader)->bad.empty());
}

// Red if a time-out is taken for a failure, or what is left of the old connection may still land.
TEST(JournalRedis, AnAppendWhoseOutcomeIsUnknownIsThereOnce) {
  RedisPair servers = RedisPair::make(0);
  RedisAloneEngine engine;
  RedisOptions options = engine.options;
  options.address = servers.primary->address();
  options.timeout_ms = 100;
  const auto index = std::make_shared<StreamIndex>(1000);
  auto writer = open_redis_writer(options, index);
  ASSERT_TRUE(writer) << writer.error().message;
  std::vector<std::string> commits;
  const auto append = [&](Offset base) {
    const std::string batch = make_batch(0, base, 1, base + 1);
    const std::string_view batches[] = {batch};
    if (commits.size() == base) commits.push_back(make_commit({base}, batches));
    return (*writer)->append({base}, batches);
  };
  for (Offset base = 0; base < 20; ++base) {
    if (base % 2 == 1) servers.primary->send(SIGSTOP);
    auto position = append(base);
    if (base % 2 == 1) {
      ASSERT_FALSE(position);
      EXPECT_EQ(position.error().code, Code::unavailable);
      EXPECT_EQ(index->committed(), base);
      servers.primary->send(SIGCONT);
    }
    for (const Millis until = steady_ms() + 10'000; !position && steady_ms() < until;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      position = append(base);
    }
    ASSERT_TRUE(position) << position.error().message;
    EXPECT_EQ(*position, base);
  }
  auto reader = open_redis_reader(options, index);
  ASSERT_TRUE(reader);
  EXPECT_EQ(read_all(**reader), commits);
  const auto alone = open_redis_reader(options);
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_EQ(read_all(**alone), commits);
}

TEST(JournalRedis, WhatIsNotOnTheReplicaIsNotShown) {
  RedisPair servers = RedisPair::make(1);
  RedisReplicaEngine engine;
  RedisOptions options = engine.options;
  options.address = servers.primary->address();
  const auto index = std::make_shared<StreamIndex>();
  auto writer = open_redis_writer(options, index);
  ASSERT_TRUE(writer) << writer.error().message;
  auto reader = open_redis_reader(options, index);
  ASSERT_TRUE(reader);
  PersistentWriter persistent(std::move(*writer));
  Appender appender(persistent, 1);
  ASSERT_TRUE(appender.append({1}));
  servers.replica->send(SIGSTOP);
  std::thread appending([&] { EXPECT_EQ(appender.append({1}), Position{1}); });
  RedisLink link(options.address);
  for (const Millis until = steady_ms() + 10'000; say(link, {"XLEN", options.key})->integer < 3 && steady_ms() < until;)
    std::this_thread::yield();
  EXPECT_GE(say(link, {"XLEN", options.key})->integer, 3);  // A mark and two commits: the primary has it.
  EXPECT_EQ((*reader)->range()->next, 1u);
  EXPECT_EQ(read_all(**reader).size(), 1u);
  servers.replica->send(SIGCONT);
  appending.join();
  EXPECT_EQ((*reader)->range()->next, 2u);
}

TEST(JournalRedis, TheStreamKeepsItsWindowAndTheVolumesTheRest) {
  RedisReplicaEngine engine;
  auto writer = engine.writer(200'000);
  ASSERT_TRUE(writer);
  Appender appender(**writer, 2);
  for (int index = 0; index < 400; ++index) ASSERT_TRUE(appender.append({1, 1}, 1000));
  RedisLink link(engine.options.address);
  const auto length = say(link, {"XLEN", engine.options.key})->integer;
  EXPECT_GT(length, 1);
  EXPECT_LT(length, 40);  // Of 2 KB each; the window is 16 KB.
  auto reader = engine.reader();
  ASSERT_TRUE(reader);
  EXPECT_EQ(read_all(**reader), appender.commits);
  EXPECT_EQ(read_all(**engine.reader(), 0, 3000), appender.commits);
  EXPECT_GT(list_volumes(engine.options.folder)->size(), 3u);
}

// What Redis lost it must not go on without: neither all of it, nor the end, nor the middle.
TEST(JournalRedis, AStreamThatLostSomethingIsRefused) {
  RedisReplicaEngine engine;
  {
    auto writer = engine.writer();
    ASSERT_TRUE(writer);
    Appender appender(**writer, 2);
    for (int index = 0; index < 100; ++index) ASSERT_TRUE(appender.append({1, 1}, 1000));
  }
  RedisLink link(engine.options.address);
  const RedisReply kept = say(link, {"XRANGE", engine.options.key, "-", "+"});
  const auto entries = parse_entries(*kept);
  ASSERT_TRUE(entries);
  ASSERT_GT(entries->size(), 3u);
  EXPECT_TRUE(engine.writer()) << "as it is, it is good";
  say(link, {"XDEL", engine.options.key, (*entries)[entries->size() / 2].id.text()});
  EXPECT_EQ(engine.writer().error().code, Code::data_loss);
  for (const StreamEntry& entry : *entries) say(link, {"XDEL", engine.options.key, entry.id.text()});
  EXPECT_EQ(engine.writer().error().code, Code::data_loss);
  say(link, {"DEL", engine.options.key});
  const auto gone = engine.writer();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::data_loss);
  EXPECT_NE(gone.error().message.find("gone"), std::string::npos) << gone.error().message;
}

// Redis keeps no checksums: what was not synced when the power went comes back in part. It was never acknowledged.
TEST(JournalRedis, Row04_ATornEndIsCutOff) {
  RedisAloneEngine engine;
  std::vector<std::string> commits;
  Heads heads(2, 0);
  RedisLink link(engine.options.address);
  const auto tear = [&](const std::string& bytes, const std::string& unit) {
    const RedisReply kept = say(link, {"XREVRANGE", engine.options.key, "+", "-", "COUNT", "1"});
    const auto last = parse_entries(*kept);
    ASSERT_TRUE(last && last->size() == 1);
    const StreamId id{last->front().id.epoch, commits.size(), false};
    say(link, {"XADD", engine.options.key, id.text(), "c", bytes, "u", unit});
  };
  for (int way = 0; way < 4; ++way) {
    {
      auto writer = engine.writer();
      ASSERT_TRUE(writer) << "way " << way << ": " << writer.error().message;
      Appender appender(**writer, 2);
      appender.heads = heads;
      ASSERT_TRUE(appender.append({1, 1}, 1000));
      heads = appender.heads;
      commits.push_back(appender.commits.back());
    }
    std::string bytes = commits.back();
    if (way == 0) bytes.replace(bytes.size() - 512, 512, 512, '\0');
    if (way == 1) bytes.clear();
    if (way < 2) tear(bytes, "0 5000");
    if (way == 2) tear(bytes, std::string(6, '\0'));
    if (way == 3) say(link, {"XADD", engine.options.key, StreamId{1000, 0, true}.text(), "e", std::string(mark_chars, '\0')});
    const auto writer = engine.writer();
    ASSERT_TRUE(writer) << "way " << way << ": " << writer.error().message;
    EXPECT_EQ(read_all(**engine.reader()), commits) << "way " << way;
  }
}

// What this life of the bus acknowledged was whole once: a Redis that has it in part is not the one to go on with, nor to mend.
TEST(JournalRedis, Row04_WhatItAcknowledgedItselfIsNeverCutOff) {
  RedisAloneEngine engine;
  const auto writer = engine.writer();
  ASSERT_TRUE(writer);
  Appender appender(**writer, 2);
  for (int index = 0; index < 3; ++index) ASSERT_TRUE(appender.append({1, 1}, 1000));
  RedisLink link(engine.options.address);
  const std::string& key = engine.options.key;
  const RedisReply kept = say(link, {"XRANGE", key, "-", "+"});
  const auto entries = parse_entries(*kept);
  ASSERT_TRUE(entries && entries->size() == 4);  // A mark and three commits.
  say(link, {"XDEL", key, entries->back().id.text()});
  say(link, {"XSETID", key, (*entries)[2].id.text(), "ENTRIESADDED", "4", "MAXDELETEDID", "0-0"});
  const std::string_view whole = entries->back().bytes;
  say(link, {"XADD", key, entries->back().id.text(), "c", whole.substr(0, whole.size() - 100), "u", "0 5000"});
  say(link, {"CLIENT", "KILL", "SKIPME", "yes"});
  std::optional<Error> why;
  for (const Millis until = steady_ms() + 10'000; (!why || why->code == Code::unavailable) && steady_ms() < until;)
    if (const auto position = appender.append({1, 1}, 1000); !position) why = position.error();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, Code::data_loss) << why->message;
  EXPECT_NE(why->message.find("position 2 in part"), std::string::npos) << why->message;
  const auto end = read_last(link, key);
  ASSERT_TRUE(end && end->commit);
  EXPECT_EQ(end->commit->position, 2u);
}

TEST(JournalRedis, ABackupBeginsANewStream) {
  RedisReplicaEngine engine;
  std::vector<std::string> commits;
  const TempFolder folder;
  {
    auto writer = engine.writer(30'000);
    ASSERT_TRUE(writer);
    Appender appender(**writer, 2);
    for (int index = 0; index < 60; ++index) ASSERT_TRUE(appender.append({1, 1}, 500));
    commits = appender.commits;
    const auto copied = backup_through(**engine.reader(), folder / "copy");
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(*copied, 60u);
    EXPECT_EQ(backup_through(**engine.reader(), folder / "copy").error().code, Code::already_exists);
  }
  RedisOptions options = engine.options;
  options.key += ".restored";
  options.folder = folder / "copy";
  const auto index = std::make_shared<StreamIndex>();
  auto writer = open_redis_writer(options, index);
  ASSERT_TRUE(writer) << writer.error().message;
  auto reader = open_redis_reader(options, index);
  ASSERT_TRUE(reader);
  EXPECT_EQ(read_all(**reader), commits);
  Appender appender(**writer, 2);
  appender.heads = *read_heads(**reader, 2);
  EXPECT_EQ(appender.append({1, 1}), Position{60});
  EXPECT_TRUE(verify(**reader)->bad.empty());
}

TEST(RedisErrors, AreClassedAsTabled) {
  for (const char* text : {"LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script",
                           "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN The cluster is down", "TRYAGAIN Multiple keys"})
    EXPECT_EQ(redis_error_code(text), Code::unavailable) << text;
  for (const char* text : {"READONLY You can't write against a read only replica.", "MOVED 3821 127.0.0.1:7401", "ASK 3821 h:1"})
    EXPECT_EQ(redis_error_code(text), Code::aborted) << text;
  for (const char* text :
       {"OOM command not allowed", "MISCONF Redis is configured to save", "NOREPLICAS Not enough good replicas"})
    EXPECT_EQ(redis_error_code(text), Code::resource_exhausted) << text;
  for (const char* text : {"NOAUTH Authentication required.", "WRONGPASS invalid", "NOPERM this user", "WRONGTYPE Operation",
                           "ERR unknown command `XADD`"})
    EXPECT_EQ(redis_error_code(text), Code::invalid_argument) << text;
  EXPECT_EQ(redis_error_code("ERR The ID specified in XADD is equal or smaller than the target stream top item"),
            Code::already_exists);
}

// What a real server says, not what we think that it says.
TEST(RedisErrors, ARealServerSaysThem) {
  RedisServer server(-1, {"--requirepass", "secret"});
  RedisLink link(server.address());
  ASSERT_TRUE(link.connect());
  EXPECT_EQ(link.ask({"PING"}).error().code, Code::invalid_argument);  // NOAUTH
  const TempFolder folder;
  RedisAddress address = server.address();
  address.password_file = folder / "password";
  std::ofstream(address.password_file) << "wrong\n";
  EXPECT_EQ(RedisLink(address).connect().error().code, Code::invalid_argument);  // Others may read it.
  std::filesystem::permissions(address.password_file, std::filesystem::perms::owner_read);
  EXPECT_EQ(RedisLink(address).connect().error().code, Code::invalid_argument);  // WRONGPASS
  std::filesystem::permissions(address.password_file, std::filesystem::perms::owner_all);
  std::ofstream(address.password_file) << "secret\n";
  std::filesystem::permissions(address.password_file, std::filesystem::perms::owner_read);
  RedisLink good(address);
  ASSERT_TRUE(good.connect());
  EXPECT_EQ(good.ask({"FROBNICATE"}).error().code, Code::invalid_argument);
  say(good, {"SET", "text", "x"});
  EXPECT_EQ(good.ask({"XADD", "text", "1-1", "c", "x"}).error().code, Code::invalid_argument);  // WRONGTYPE
  say(good, {"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_EQ(good.ask({"XADD", "log", "1-1", "c", "x"}).error().code, Code::aborted);  // READONLY
}

}  // namespace
}  // namespace xundian
