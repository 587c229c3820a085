// Whatever crashes, is lost, repeated or reordered: the same facts are counted once, the same things are said once, and every
// notice arrives. SEED=n replays one seed alone, SEEDS=a..b a range.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>

#include "tests/simulation/facts.h"
#include "tests/simulation/weather.h"

namespace xundian::simulation {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t seeds = 120;
#else
constexpr uint64_t seeds = 2'000;
#endif
constexpr uint64_t shard_seeds = 100;

// Every seed has a weather of its own: of each evil a little, a lot, or nothing.
Weather weather_of(uint64_t seed) {
  Dice dice(seed * 31 + 5);
  const auto some = [&](unsigned much) { return static_cast<unsigned>(roll(dice, 3) * much / 2); };
  return {.drop = some(150),
          .repeat = some(80),
          .reorder = some(100),
          .cut = some(4),
          .delay_ms = 1 + static_cast<Millis>(some(100)),
          .bus_crash = 1 + some(6),
          .fold_crash = 1 + some(4),
          .producer_crash = some(6),
          .notifier_crash = some(6),
          .disk_fault = some(6),
          .disk_full = some(3),
          .pause = some(2),
          .clock_step = some(10),
          .snapshot_loss = some(600),
          .receiver_fault = some(400)};
}

Place place_of(uint64_t seed) { return {.wall_clock = seed % 4 == 3, .shared_group = seed % 4 == 0}; }

void expect_same(const Outcome& quiet, const Outcome& stormy, const Place& place) {
  EXPECT_EQ(quiet.outside_facts, stormy.outside_facts);
  EXPECT_EQ(quiet.fingerprints, stormy.fingerprints);
  if (place.wall_clock || place.shared_group) return;  // The logs differ: in their times, or in their order.
  for (const auto& [service, said] : quiet.findings) {
    const auto found = stormy.findings.find(service);
    ASSERT_TRUE(found != stormy.findings.end()) << service << " says nothing";
    const auto [calm_at, storm_at] = std::mismatch(said.begin(), said.end(), found->second.begin(), found->second.end());
    EXPECT_EQ(calm_at == said.end() ? "nothing" : *calm_at, storm_at == found->second.end() ? "nothing" : *storm_at)
        << service << ", its finding " << calm_at - said.begin() << " of " << said.size() << ", in the storm of "
        << found->second.size();
  }
  EXPECT_EQ(quiet.findings.size(), stormy.findings.size());
  EXPECT_EQ(quiet.alerts, stormy.alerts);
}

void expect_same(uint64_t seed) {
  const Place place = place_of(seed);
  try {
    const Outcome quiet = run(seed, calm, place);
    expect_same(quiet, run(seed, weather_of(seed), place), place);
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  EXPECT_FALSE(::testing::Test::HasFailure()) << "replay it alone with SEED=" << seed;
}

struct Shard {
  uint64_t first = 1, last = seeds;
};

// "7" or "1..200"; all seeds if it is neither.
Shard asked_for() {
  const char* asked = std::getenv("SEED") != nullptr ? std::getenv("SEED") : std::getenv("SEEDS");
  const std::string_view text = asked != nullptr ? asked : "";
  Shard shard;
  const auto first = std::from_chars(text.data(), text.data() + text.size(), shard.first);
  if (first.ec != std::errc()) return {};
  shard.last = shard.first;
  if (text.substr(static_cast<size_t>(first.ptr - text.data())).starts_with(".."))
    std::from_chars(first.ptr + 2, text.data() + text.size(), shard.last);
  return shard;
}

std::vector<Shard> shards() {
  const Shard all = asked_for();
  std::vector<Shard> shards;
  for (uint64_t first = all.first; first <= all.last; first += shard_seeds)
    shards.push_back({first, std::min(first + shard_seeds - 1, all.last)});
  return shards;
}

class Seeds : public ::testing::TestWithParam<Shard> {};

TEST_P(Seeds, StormsChangeNothing) {
  for (uint64_t seed = GetParam().first; seed <= GetParam().last && !HasFailure(); ++seed) expect_same(seed);
}

INSTANTIATE_TEST_SUITE_P(Simulation, Seeds, ::testing::ValuesIn(shards()), [](const auto& shard) {
  return "From" + std::to_string(shard.param.first) + "To" + std::to_string(shard.param.last);
});

// A simulation in which nothing is found, delivered or repeated proves little.
TEST(Simulation, MuchHappensInIt) {
  size_t findings = 0, deliveries = 0, repeats = 0, crashes = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Outcome outcome = run(seed, weather_of(seed), place_of(seed));
    for (const auto& [service, said] : outcome.findings) findings += said.size();
    deliveries += outcome.deliveries;
    repeats += outcome.repeats;
    crashes += outcome.crashes;
  }
  EXPECT_GT(findings, 200u);
  EXPECT_GT(deliveries, 100u);
  EXPECT_GT(repeats, 0u);
  EXPECT_GT(crashes, 200u);
}

TEST(Simulation, TheSameSeedIsTheSameWorld) {
  for (uint64_t seed = 4; seed < 8; ++seed) {
    const Outcome once = run(seed, weather_of(seed), place_of(seed)), again = run(seed, weather_of(seed), place_of(seed));
    EXPECT_EQ(once.crashes, again.crashes);
    EXPECT_EQ(once.deliveries, again.deliveries);
    EXPECT_EQ(once.findings, again.findings);
    EXPECT_EQ(once.fingerprints, again.fingerprints);
  }
}

}  // namespace
}  // namespace xundian::simulation
