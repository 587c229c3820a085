// The bus on a Redis that dies, stops, fills up, is set up wrongly or is claimed by two. What a row of the failure table is about
// begins with its number.
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <thread>

#include "common/clock.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "common/wire.h"
#include "tests/bus/process.h"

namespace xundian {
namespace {

// A producer on a thread of its own that puts its numbers one by one, many under way, and keeps the book of what was
// acknowledged.
class Load {
 public:
  Load(const Home& home, uint64_t last, size_t fact_bytes = 10)
      : thread_([this, home, last, fact_bytes] { run(home, last, fact_bytes); }) {}
  ~Load() { end(); }
  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  uint64_t acknowledged() const { return acknowledged_; }
  // Every text by which something was refused so far.
  std::string refusals() const {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }
  void forget_refusals() {
    const std::lock_guard lock(mutex_);
    refusals_.clear();
  }
  bool await(uint64_t count, Millis patience_ms = 60'000) const {
    return until([&] { return acknowledged_ >= count || failed_; }, patience_ms) && acknowledged_ >= count;
  }
  bool await_refusal(const std::string& words, Millis patience_ms = 30'000) const {
    return until([&] { return refusals().find(words) != std::string::npos; }, patience_ms);
  }
  bool failed() const { return failed_; }

  template <typename Condition>
  static bool until(Condition&& condition, Millis patience_ms) {
    for (const Millis end = steady_ms() + patience_ms; steady_ms() < end;
         std::this_thread::sleep_for(std::chrono::milliseconds(2)))
      if (condition()) return true;
    return condition();
  }

 private:
  void run(const Home& home, uint64_t last, size_t fact_bytes) {
    BusLink link(home.endpoint("bus.0.put"), {"load", {producer_id("load/1")}});
    uint64_t said = 0;
    while (!stop_ && acknowledged_ < last) {
      for (; said < last && link.may_send() && link.unacknowledged() < 20; ++said) {
        v1::Fact fact = numbered_fact(said);
        fact.set_source(std::string(fact_bytes, 'x'));
        BatchBuilder builder;
        EXPECT_TRUE(builder.add(fact).has_value());
        link.send(0, builder.finish("t/g", home.settings().partitions, {}));
      }
      if (const auto turned = link.turn(steady_ms()); !turned) {
        failed_ = true;
        return;
      }
      acknowledged_ = link.acknowledged(0);
      if (const std::lock_guard lock(mutex_); !link.refusal().empty() && refusals_.find(link.refusal()) == std::string::npos)
        refusals_ += link.refusal() + "\n";
      poll_socket(link.socket(), 5);
    }
  }

  std::atomic<bool> stop_ = false, failed_ = false;
  std::atomic<uint64_t> acknowledged_ = 0;
  mutable std::mutex mutex_;
  std::string refusals_;
  std::thread thread_;
};

// All that the journal shows, through the bus: must be 0, 1, 2 … in order.
uint64_t count_in_order(const Home& home) {
  auto reader = open_home_reader(home, 0);
  EXPECT_TRUE(reader.has_value());
  const auto numbers = read_numbers(**reader)[partition_of(group_hash("t/g"), 16)];
  std::vector<uint64_t> expected(numbers.size());
  std::iota(expected.begin(), expected.end(), uint64_t{0});
  EXPECT_EQ(numbers, expected);
  return numbers.size();
}

Position next_position(const Home& home) {
  auto reader = open_home_reader(home, 0);
  const auto range = (*reader)->range();
  EXPECT_TRUE(range.has_value());
  return range ? range->next : 0;
}

class BusOnRedis : public testing::TestWithParam<int> {
 protected:
  RedisPair redis = RedisPair::make(static_cast<uint32_t>(GetParam()));
  BusProcess bus{redis};
};
INSTANTIATE_TEST_SUITE_P(Replicas, BusOnRedis, testing::Values(0, 1));

// Red if the bus acknowledges before Redis has answered, or takes a broken connection for a failed append.
TEST_P(BusOnRedis, Row06_KillingRedisLosesNothingAcknowledged) {
  bus.start();
  const Home home = bus.home();
  Load load(home, UINT64_MAX);
  for (int kills = 0; kills < 8; ++kills) {
    ASSERT_TRUE(load.await(load.acknowledged() + 300)) << bus.said();
    redis.primary->end(SIGKILL);
    const uint64_t acknowledged = load.acknowledged();
    redis.primary->start();
    ASSERT_TRUE(load.await(acknowledged + 1)) << bus.said();
    EXPECT_GE(count_in_order(home), acknowledged);
  }
  load.end();
  EXPECT_GE(count_in_order(home), load.acknowledged());
  EXPECT_EQ(bus.end(SIGTERM), 0);
}

// Stopped, it answers later than anyone waits, and then does what it was told before: the take-over must know that from its own.
TEST_P(BusOnRedis, Row06_AStoppedRedisRepeatsNothing) {
  bus.configure("redis_timeout = \"200ms\"\n");
  bus.start();
  const Home home = bus.home();
  Load load(home, UINT64_MAX);
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(load.await(load.acknowledged() + 300)) << bus.said();
    load.forget_refusals();
    redis.primary->send(SIGSTOP);
    ASSERT_TRUE(load.await_refusal("within 200 ms")) << load.refusals();
    redis.primary->send(SIGCONT);
  }
  ASSERT_TRUE(load.await(load.acknowledged() + 300)) << bus.said();
  redis.primary->say({"CLIENT", "PAUSE", "1200", "ALL"});
  ASSERT_TRUE(load.await(load.acknowledged() + 300)) << bus.said();
  load.end();
  EXPECT_EQ(bus.end(SIGTERM), 0);
  bus.start();  // It reads the whole stream, and goes on with none that holds a position twice.
  EXPECT_GE(count_in_order(home), load.acknowledged());
}

TEST_P(BusOnRedis, Row08_WithoutMemoryItRefusesArchivesAndGoesOn) {
  redis.primary->say({"CONFIG", "SET", "maxmemory", "20mb"});
  bus.start();
  const Home home = bus.home();
  constexpr uint64_t all = 1800;
  Load load(home, all, 40'000);  // Half of it is more than the memory; the window alone would allow three times as much.
  ASSERT_TRUE(load.await(all / 2)) << load.refusals() << bus.said();
  EXPECT_NE(bus.said().find("OOM"), std::string::npos) << "the memory was never short";
  redis.primary->say({"CONFIG", "SET", "maxmemory", "1mb"});  // What cannot be helped by archiving is refused, and passes.
  ASSERT_TRUE(load.await_refusal("OOM")) << bus.said();
  EXPECT_LT(load.acknowledged(), all);
  redis.primary->say({"CONFIG", "SET", "maxmemory", "20mb"});
  ASSERT_TRUE(load.await(all)) << load.refusals() << bus.said();
  EXPECT_EQ(count_in_order(home), all);
  EXPECT_TRUE(std::filesystem::exists(home.journal_folder(0) + "/0000000000000000/data.mdb"));
}

TEST_P(BusOnRedis, Row08_ASettingThatTurnsWrongStopsTheAcknowledgements) {
  bus.start();
  const Home home = bus.home();
  Load load(home, UINT64_MAX);
  ASSERT_TRUE(load.await(100));
  redis.primary->say({"CONFIG", "SET", "appendfsync", "everysec"});
  ASSERT_TRUE(load.await_refusal("CONFIG SET appendfsync always", 10'000)) << "10 s later it still acknowledges";
  const uint64_t before = load.acknowledged();
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // A while in which it must do nothing.
  EXPECT_EQ(load.acknowledged(), before);
  redis.primary->say({"CONFIG", "SET", "appendfsync", "always"});
  EXPECT_TRUE(load.await(before + 100)) << bus.said();
}

TEST_P(BusOnRedis, Row08_AWrongSettingIsRefusedAtTheStart) {
  for (const auto& [name, wrong, right] : {std::tuple{"appendfsync", "everysec", "always"},
                                           {"no-appendfsync-on-rewrite", "yes", "no"},
                                           {"maxmemory-policy", "allkeys-lru", "noeviction"},
                                           {"appendonly", "no", "yes"}}) {
    redis.primary->say({"CONFIG", "SET", name, wrong});
    bus.launch();
    EXPECT_EQ(bus.wait(), 2) << name;
    EXPECT_NE(bus.said().find(fmt::format("CONFIG SET {} {}", name, right)), std::string::npos) << bus.said();
    redis.primary->say({"CONFIG", "SET", name, right});
  }
  bus.start();
  EXPECT_EQ(bus.end(SIGTERM), 0);
}

// The stream is emptied under the bus: it stops, and does not begin again as if there had been nothing.
TEST_P(BusOnRedis, AStreamThatIsGoneIsNotBegunAgain) {
  bus.start();
  {
    Load load(bus.home(), 50);
    ASSERT_TRUE(load.await(50));
    redis.primary->say({"FLUSHALL"});
  }
  {
    Load load(bus.home(), 100);
    EXPECT_EQ(bus.wait(), 1);
  }
  bus.launch();
  EXPECT_EQ(bus.wait(), 1);
  EXPECT_NE(bus.said().find("gone"), std::string::npos) << bus.said();
}

// The second has the same stream in another folder, as on another machine. The first does not know, and is stopped by its own
// append.
TEST_P(BusOnRedis, Row15_OfTwoBusesTheOlderStopsItself) {
  bus.start();
  {
    Load load(bus.home(), 500);
    ASSERT_TRUE(load.await(500));
  }
  BusProcess second(redis);
  std::filesystem::create_directories(second.folder() + "/home");
  std::filesystem::copy(bus.folder() + "/home/home.toml", second.folder() + "/home/home.toml");
  bus.send(SIGSTOP);
  second.start();
  EXPECT_EQ(count_in_order(second.home()), 500u);
  const Position position = next_position(second.home());
  bus.send(SIGCONT);
  {
    Publisher publisher(bus.home(), "late/1");
    ASSERT_TRUE(publisher.put("t/g", numbered_fact(7)).has_value());
    EXPECT_FALSE(publisher.flush(1500).has_value());
  }
  EXPECT_EQ(bus.wait(), 1);
  EXPECT_NE(bus.said().find("another bus has taken over"), std::string::npos) << bus.said();
  EXPECT_EQ(next_position(second.home()), position);
  EXPECT_EQ(count_in_order(second.home()), 500u);
}

class BusWithReplica : public BusOnRedis {};
INSTANTIATE_TEST_SUITE_P(Replicas, BusWithReplica, testing::Values(1));

// Red if an acknowledgement, the bell or a reader runs ahead of the replica.
TEST_P(BusWithReplica, WithoutTheReplicaNothingIsAcknowledgedAndNothingIsSeen) {
  bus.start();
  const Home home = bus.home();
  Load load(home, UINT64_MAX);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(load.await(load.acknowledged() + 100));
    load.forget_refusals();
    if (round < 2)
      redis.replica->send(SIGSTOP);
    else
      redis.replica->end(SIGKILL);
    ASSERT_TRUE(load.await_refusal("0 of 1 replicas")) << load.refusals();
    const uint64_t acknowledged = load.acknowledged();
    const Position next = next_position(home);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));  // A while in which it must do nothing.
    EXPECT_EQ(load.acknowledged(), acknowledged);
    EXPECT_EQ(next_position(home), next);
    // The primary alone has more by now: what was on its way.
    EXPECT_EQ(count_in_order(home), acknowledged);
    if (round < 2)
      redis.replica->send(SIGCONT);
    else
      redis.replica->start();
    ASSERT_TRUE(load.await(acknowledged + 100)) << bus.said();
  }
}

// Two replicas where the bus counts on one: the one that is not waited for might be promoted.
TEST_P(BusWithReplica, AReplicaThatNobodyWaitsForIsRefused) {
  RedisServer second(redis.primary->port());
  redis.primary->await_replicas(2);
  bus.launch();
  EXPECT_EQ(bus.wait(), 2);
  EXPECT_NE(bus.said().find("redis_replicas = 2"), std::string::npos) << bus.said();
}

TEST(BusConfig, KnowsWhatBelongsToRedis) {
  BusProcess bus;
  bus.configure("engine = \"redis\"\nredis_sockt = \"x\"\n");
  bus.launch({"--check"});
  EXPECT_EQ(bus.wait(), 2);
  EXPECT_NE(bus.said().find(":3: bus.redis_sockt is not known; did you mean \"redis_socket\"?"), std::string::npos) << bus.said();
  bus.configure("redis_address = \"10.0.0.1:6379\"\n");
  bus.launch({"--check"});
  EXPECT_EQ(bus.wait(), 2);
  bus.configure("engine = \"redi\"\n");
  bus.launch({"--check"});
  EXPECT_EQ(bus.wait(), 2);
  EXPECT_NE(bus.said().find("\"lmdb\" or \"redis\""), std::string::npos) << bus.said();
  EXPECT_NE(bus.said().find("redis_password_file"), std::string::npos) << bus.said();
}

}  // namespace
}  // namespace xundian
