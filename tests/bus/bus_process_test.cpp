// The bus as its users meet it: a home, producers, readers in place and by pull, the bell, a second bus.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "common/bell.h"
#include "common/clock.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "common/query.h"
#include "common/wire.h"
#include "tests/bus/process.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {
namespace {

class Bus : public testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(On, Bus, testing::Values(Where::lmdb, Where::redis, Where::redis_with_replica), name_of_place);

std::vector<uint64_t> up_to(uint64_t count) {
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), uint64_t{0});
  return numbers;
}

// Hears until the bell says what is waited for.
template <typename Enough>
std::optional<wire::v1::Bell> hear(BellListener& listener, Enough&& enough) {
  for (const Millis until = steady_ms() + 10'000; steady_ms() < until;) {
    poll_socket(listener.socket(), 1000);
    if (const auto bell = listener.newest(); bell && enough(*bell)) return bell;
  }
  return {};
}

TEST_P(Bus, KeepsWhatIsPutForReadersInPlaceAndByPull) {
  BusProcess bus(GetParam());
  bus.start();
  const Home home = bus.home();
  Publisher publisher(home, "test/1");
  for (uint64_t number = 0; number < 10'000; ++number) ASSERT_TRUE(publisher.put("t/g", numbered_fact(number)).has_value());
  const auto heads = publisher.flush();
  ASSERT_TRUE(heads.has_value()) << heads.error().message;
  const Partition partition = partition_of(group_hash("t/g"), home.settings().partitions);
  EXPECT_EQ(*heads, (std::map<Partition, Offset>{{partition, 10'000}}));
  {
    auto in_place = open_home_reader(home, 0);
    ASSERT_TRUE(in_place.has_value()) << in_place.error().message;
    auto pull = open_pull_reader(home.endpoint("bus.0.fetch"));
    ASSERT_TRUE(pull.has_value());
    std::string bytes[2];
    for (int reader = 0; reader < 2; ++reader) {
      auto& journal = reader == 0 ? **in_place : **pull;
      EXPECT_EQ(read_numbers(journal)[partition], up_to(10'000));
      const auto read = journal.read(0, SIZE_MAX, [&](const CommitView& commit) {
        bytes[reader].append(commit.bytes());
        return true;
      });
      ASSERT_TRUE(read.has_value());
      const auto range = journal.range();
      ASSERT_TRUE(range.has_value());
      EXPECT_EQ(range->next, *read);
    }
    EXPECT_EQ(bytes[0], bytes[1]);
  }
  EXPECT_EQ(bus.end(SIGTERM), 0);
}

TEST_P(Bus, RingsForWhoComesAndForWhatIsAppended) {
  BusProcess bus(GetParam());
  bus.start();
  const Home home = bus.home();
  BellListener listener(home.endpoint("bus.0.bell"));
  const auto first = hear(listener, [](const auto&) { return true; });
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->home(), home.settings().id);
  EXPECT_EQ(first->heads_size(), 16);
  Publisher publisher(home, "test/1");
  ASSERT_TRUE(publisher.put("t/g", numbered_fact(1)).has_value());
  ASSERT_TRUE(publisher.flush().has_value());
  const auto rung = hear(listener, [&](const auto& bell) { return bell.next_position() > first->next_position(); });
  ASSERT_TRUE(rung.has_value());
  EXPECT_EQ(rung->heads(partition_of(group_hash("t/g"), 16)), 1u);
}

// Whoever missed the last bell hears the next, though nothing happens (row 10).
TEST_P(Bus, Row10_BeatsInSilence) {
  BusProcess bus(GetParam());
  bus.start();
  BellListener listener(bus.home().endpoint("bus.0.bell"));
  for (int beat = 0; beat < 3; ++beat) ASSERT_TRUE(hear(listener, [](const auto&) { return true; }).has_value()) << beat;
}

TEST_P(Bus, TellsHowItStands) {
  BusProcess bus(GetParam());
  bus.start({"--clock", "facts"});
  const Home home = bus.home();
  Publisher publisher(home, "test/1");
  for (uint64_t number = 0; number < 10; ++number) ASSERT_TRUE(publisher.put("t/g", numbered_fact(number)).has_value());
  ASSERT_TRUE(publisher.flush().has_value());
  QueryClient client(home.endpoint("bus.0.query"));
  const auto status = client.ask_as<query::v1::GetBusStatusResponse>("GetBusStatus", query::v1::GetBusStatusRequest(), 10'000);
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(status->engine(), GetParam() == Where::lmdb ? "lmdb" : "redis");
  EXPECT_EQ(status->home(), home.settings().id);
  EXPECT_EQ(status->facts(), 10u);
  EXPECT_EQ(status->clock(), "facts");
  EXPECT_GT(status->bytes(), 0u);
  EXPECT_GT(status->sync_p99_us(), 0u);
  EXPECT_GE(status->sync_p99_us(), status->sync_p50_us());
  const auto unknown = client.ask("GetWeather", "", 10'000);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::unimplemented);
}

TEST_P(Bus, ASecondOneIsRefusedByNameOfTheFirst) {
  BusProcess bus(GetParam());
  bus.start();
  const pid_t first = bus.pid();
  bus.launch();
  EXPECT_EQ(bus.wait(), 1);
  EXPECT_NE(bus.said().find(std::to_string(first)), std::string::npos) << bus.said();
  Publisher publisher(bus.home(), "test/1");  // The first was not disturbed.
  ASSERT_TRUE(publisher.put("t/g", numbered_fact(1)).has_value());
  EXPECT_TRUE(publisher.flush().has_value());
  kill(first, SIGKILL);
}

TEST_P(Bus, AHomeStaysWhatItWasMadeAs) {
  BusProcess bus(GetParam());
  bus.start();
  EXPECT_EQ(bus.end(SIGTERM), 0);
  bus.launch({"--clock", "facts"});
  EXPECT_EQ(bus.wait(), 1);
  EXPECT_NE(bus.said().find("cannot be changed"), std::string::npos) << bus.said();
  EXPECT_EQ(std::filesystem::status(bus.folder() + "/home").permissions(), std::filesystem::perms::owner_all);
}

TEST_P(Bus, WakesWhoAsksEvenAfterItWasKilled) {
  BusProcess bus(GetParam());
  bus.start();
  const Home home = bus.home();
  auto link = std::make_unique<BusLink>(home.endpoint("bus.0.put"), BusLink::Options{"fold", {producer_id("fold/3")}, true});
  BellListener listener(home.endpoint("bus.0.bell"));
  const auto head_of = [](const wire::v1::Bell& bell) { return bell.heads(3); };
  const auto turn_until = [&](auto&& enough) {
    for (const Millis until = steady_ms() + 20'000; steady_ms() < until;) {
      EXPECT_TRUE(link->turn(steady_ms()).has_value());
      if (enough()) return true;
      poll_socket(link->socket(), 20);
    }
    return false;
  };
  link->wake_at(0, 3, wall_ms() + 50);
  EXPECT_TRUE(turn_until([&] {
    const auto bell = listener.newest();
    return bell && head_of(*bell) == 1;
  }));
  link->wake_at(0, 3, wall_ms() + 1000);
  ASSERT_TRUE(turn_until([&] { return link->welcomed(); }));
  bus.end(SIGKILL);
  bus.start();
  EXPECT_TRUE(turn_until([&] {
    const auto bell = listener.newest();
    return bell && head_of(*bell) == 2;
  }));
}

// Two under one name: the one that came first is told, and does not fight.
TEST_P(Bus, TwoUnderOneName) {
  BusProcess bus(GetParam());
  bus.start();
  const Home home = bus.home();
  Publisher first(home, "test/1");
  ASSERT_TRUE(first.put("t/g", numbered_fact(0)).has_value());
  ASSERT_TRUE(first.flush().has_value());
  Publisher second(home, "test/1");
  ASSERT_TRUE(second.put("t/g", numbered_fact(1)).has_value());
  ASSERT_TRUE(second.flush().has_value());
  ASSERT_TRUE(first.put("t/g", numbered_fact(2)).has_value());
  const auto fenced = first.flush();
  ASSERT_FALSE(fenced.has_value());
  EXPECT_EQ(fenced.error().code, Code::aborted) << fenced.error().message;
  auto reader = open_home_reader(home, 0);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(read_numbers(**reader)[partition_of(group_hash("t/g"), 16)], up_to(2));
}

TEST_P(Bus, TwoShareAHome) {
  BusProcess first(GetParam());
  first.configure("buses = 2\n");
  first.start();
  BusProcess second(first, 1);
  second.start();
  const Home home = first.home();
  Publisher publisher(home, "test/1");
  std::map<Partition, std::vector<uint64_t>> expected;
  for (uint64_t number = 0; number < 1000; ++number) {
    const std::string scope = fmt::format("t/{}", number % 20);
    expected[partition_of(group_hash(scope), 16)].push_back(number);
    ASSERT_TRUE(publisher.put(scope, numbered_fact(number)).has_value());
  }
  const auto heads = publisher.flush();
  ASSERT_TRUE(heads.has_value()) << heads.error().message;
  for (const auto& [partition, numbers] : expected) EXPECT_EQ(heads->at(partition), numbers.size());
  std::map<Partition, std::vector<uint64_t>> found;
  for (uint32_t bus = 0; bus < 2; ++bus) {
    auto reader = open_home_reader(home, bus);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    for (auto& [partition, numbers] : read_numbers(**reader)) {
      EXPECT_EQ(partition % 2, bus);
      std::sort(numbers.begin(), numbers.end());  // Scopes that share a partition have batches of their own.
      found[partition] = std::move(numbers);
    }
  }
  EXPECT_EQ(found, expected);
}

// More than the queue holds comes at once: some is refused, waits, and comes again.
TEST_P(Bus, AFullQueueRefusesAndLosesNothing) {
  BusProcess bus(GetParam());
  bus.configure("credit_bytes = 1_048_576\n");
  bus.start();
  const Home home = bus.home();
  std::vector<std::unique_ptr<BusLink>> links;
  for (int index = 0; index < 6; ++index)
    links.push_back(std::make_unique<BusLink>(
        home.endpoint("bus.0.put"), BusLink::Options{"test", {producer_id(fmt::format("test/{}", index))}, index % 2 == 0}));
  const auto turn_until = [&](auto&& enough) {
    for (const Millis until = steady_ms() + 30'000; steady_ms() < until;) {
      for (const auto& link : links) EXPECT_TRUE(link->turn(steady_ms()).has_value());
      if (std::ranges::all_of(links, enough)) return true;
      std::this_thread::yield();
    }
    return false;
  };
  ASSERT_TRUE(turn_until([](const auto& link) { return link->welcomed(); }));
  bus.send(SIGSTOP);
  uint64_t number = 0;
  for (const auto& link : links) {
    for (uint64_t sequence = 1; sequence <= 12; ++sequence) {
      BatchBuilder builder;
      while (builder.bytes() < 80'000) ASSERT_TRUE(builder.add(numbered_fact(number++)).has_value());
      BatchHeader header;
      header.sequence = 5 * sequence;
      link->send(0, builder.finish("t/g", 16, header));
    }
    ASSERT_TRUE(link->turn(steady_ms()).has_value());
  }
  bus.send(SIGCONT);
  ASSERT_TRUE(turn_until([](const auto& link) { return link->unacknowledged() == 0; }));
  QueryClient client(home.endpoint("bus.0.query"));
  const auto status = client.ask_as<query::v1::GetBusStatusResponse>("GetBusStatus", query::v1::GetBusStatusRequest(), 10'000);
  ASSERT_TRUE(status.has_value());
  EXPECT_GT(status->refused(), 0u);
  auto reader = open_home_reader(home, 0);
  ASSERT_TRUE(reader.has_value());
  auto numbers = read_numbers(**reader)[partition_of(group_hash("t/g"), 16)];
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, up_to(number));
}

TEST_P(Bus, RefusesAConfigurationByFileAndLine) {
  BusProcess bus(GetParam());
  const std::string path = bus.folder() + "/xundian.toml";
  std::ofstream(path) << "[metrics]\nanything = 1\n[bus]\npartitions = 16\nvolum_bytes = 1\n";
  bus.launch({"--config", path, "--check"});
  EXPECT_EQ(bus.wait(), 2);
  EXPECT_NE(bus.said().find(path + ":5: bus.volum_bytes is not known; did you mean \"volume_bytes\"?"), std::string::npos)
      << bus.said();
  std::ofstream(path) << "[bus]\npartitions = 16\n";
  bus.launch({"--config", path, "--check"});
  EXPECT_EQ(bus.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(bus.folder() + "/home"));
}

TEST(Home, SaysWhatIsWrong) {
  const auto absent = Home::open("/tmp/xd.none", 0);
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, Code::not_found);
  const auto deep = Home::open("/tmp/" + std::string(100, 'd'), 0);
  ASSERT_FALSE(deep.has_value());
  EXPECT_NE(deep.error().message.find("too long"), std::string::npos) << deep.error().message;
}

}  // namespace
}  // namespace xundian
