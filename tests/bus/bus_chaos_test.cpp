// The bus is killed and stopped while it works; nothing acknowledged is lost, nothing is there twice, every order is kept.
#include <signal.h>

#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "common/clock.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "tests/bus/process.h"

namespace xundian {
namespace {

constexpr uint64_t facts_each = 10'000;

// Puts its numbers, small batches at a time, waiting for the acknowledgement now and then.
void publish(const Home& home, const std::string& name, const std::string& scope, std::atomic<uint64_t>& acknowledged) {
  Publisher publisher(home, name);
  for (uint64_t number = 0; number < facts_each; ++number) {
    const auto put = publisher.put(scope, numbered_fact(number));
    ASSERT_TRUE(put.has_value()) << put.error().message;
    if (number % 97 != 96 && number + 1 != facts_each) continue;
    const auto flushed = publisher.flush(60'000);
    ASSERT_TRUE(flushed.has_value()) << flushed.error().message;
    acknowledged = number + 1;
  }
}

// A fold's way of putting: many under way, sequences with holes.
void answer(const Home& home, const std::string& scope, std::atomic<uint64_t>& acknowledged) {
  BusLink link(home.endpoint("bus.0.put"), {"fold", {producer_id("fold/1")}, true});
  const Millis until = steady_ms() + 90'000;
  uint64_t said = 0;
  while (link.acknowledged(0) < 3 * facts_each) {
    ASSERT_LT(steady_ms(), until);
    while (said < facts_each && link.may_send() && link.unacknowledged() < 50) {
      BatchBuilder builder;
      ASSERT_TRUE(builder.add(numbered_fact(said++)).has_value());
      BatchHeader header;
      header.sequence = 3 * said;
      header.flags = fold_answer;
      link.send(0, builder.finish(scope, home.settings().partitions, header));
    }
    const auto turned = link.turn(steady_ms());
    ASSERT_TRUE(turned.has_value()) << turned.error().message;
    acknowledged = link.acknowledged(0) / 3;
    zmq::pollitem_t item{link.socket().handle(), 0, ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, 20);
  }
}

std::string scope_in(Partition partition) {
  for (int number = 0;; ++number)
    if (const std::string scope = fmt::format("t/{}", number); partition_of(group_hash(scope), 16) == partition) return scope;
}

void expect_all_once_in_order(JournalReader& reader) {
  const auto numbers = read_numbers(reader);
  ASSERT_EQ(numbers.size(), 3u);
  std::vector<uint64_t> expected(facts_each);
  std::iota(expected.begin(), expected.end(), uint64_t{0});
  for (const auto& [partition, found] : numbers) EXPECT_EQ(found, expected) << "partition " << partition;
}

class BusChaos : public testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(On, BusChaos, testing::Values(Where::lmdb, Where::redis, Where::redis_with_replica), name_of_place);

TEST_P(BusChaos, KillsAndStopsLoseAndRepeatNothing) {
  BusProcess bus(GetParam());
  if (GetParam() == Where::redis_with_replica) bus.configure("redis_window_bytes = 65_536\n");  // Most is archived meanwhile.
  bus.start({"--clock", "wall"});
  const Home home = bus.home();
  std::atomic<uint64_t> acknowledged[3] = {};
  std::thread producers[] = {std::thread([&] { publish(home, "test/1", scope_in(1), acknowledged[0]); }),
                             std::thread([&] { publish(home, "test/2", scope_in(2), acknowledged[1]); }),
                             std::thread([&] { answer(home, scope_in(3), acknowledged[2]); })};
  const auto sum = [&] { return acknowledged[0] + acknowledged[1] + acknowledged[2]; };
  std::mt19937 random(20'251'111);
  int kills = 0;
  // Each blow falls when some more was acknowledged, so it falls into the work however fast the machine is.
  for (uint64_t next = 1500; next < 3 * facts_each - 1500; next += 1000 + random() % 2000) {
    for (const Millis until = steady_ms() + 30'000; sum() < next && steady_ms() < until;) std::this_thread::yield();
    const uint64_t before = sum();
    if (random() % 4 == 0) {
      bus.send(SIGSTOP);
      std::this_thread::sleep_for(std::chrono::milliseconds(700));  // Longer than a producer's patience.
      bus.send(SIGCONT);
      continue;
    }
    ASSERT_EQ(bus.end(SIGKILL), -SIGKILL);
    ++kills;
    bus.start();
    auto reader = open_home_reader(home, 0);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    const auto heads = read_heads(**reader, 16);
    ASSERT_TRUE(heads.has_value());
    EXPECT_GE(std::accumulate(heads->begin(), heads->end(), uint64_t{0}), before);
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_GE(kills, 4);
  auto in_place = open_home_reader(home, 0);
  ASSERT_TRUE(in_place.has_value());
  expect_all_once_in_order(**in_place);
  auto pull = open_pull_reader(home.endpoint("bus.0.fetch"));
  ASSERT_TRUE(pull.has_value());
  expect_all_once_in_order(**pull);
  const auto verified = verify(**in_place);
  ASSERT_TRUE(verified.has_value());
  EXPECT_TRUE(verified->bad.empty());
  EXPECT_EQ(bus.end(SIGTERM), 0);
}

}  // namespace
}  // namespace xundian
