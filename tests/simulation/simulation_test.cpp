// Whatever crashes, is lost, repeated or reordered: the same facts are counted once and the same things are said once.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/simulation/world.h"

namespace xundian::simulation {
namespace {

constexpr Weather calm{};
constexpr Weather storm{.drop = 100, .repeat = 50, .cut = 2, .delay_ms = 60, .bus_crash = 3, .fold_crash = 3, .producer_crash = 3, .disk_fault = 2};

void expect_same(uint64_t seed) {
  const Outcome quiet = run(seed, calm);
  const Outcome stormy = run(seed, storm);
  EXPECT_GT(stormy.crashes, 0u);
  EXPECT_EQ(quiet.outside_facts, stormy.outside_facts);
  EXPECT_EQ(quiet.fingerprints, stormy.fingerprints);
  for (const auto& [service, said] : quiet.findings) {
    const auto found = stormy.findings.find(service);
    ASSERT_TRUE(found != stormy.findings.end()) << service << " says nothing";
    const auto [calm_at, storm_at] = std::mismatch(said.begin(), said.end(), found->second.begin(), found->second.end());
    EXPECT_EQ(calm_at == said.end() ? "nothing" : *calm_at, storm_at == found->second.end() ? "nothing" : *storm_at)
        << service << ", its finding " << calm_at - said.begin() << " of " << said.size() << ", in the storm of " << found->second.size();
  }
  EXPECT_EQ(quiet.findings.size(), stormy.findings.size());
  EXPECT_EQ(quiet.alerts, stormy.alerts);
}

TEST(Simulation, StormsChangeNothing) {
  if (const char* seed = std::getenv("SEED")) return expect_same(std::strtoull(seed, nullptr, 10));
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    expect_same(seed);
    ASSERT_FALSE(HasFailure()) << "replay it alone with SEED=" << seed;
  }
}

TEST(Simulation, SaysSomething) {
  size_t findings = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed)
    for (const auto& [service, said] : run(seed, calm).findings) findings += said.size();
  EXPECT_GT(findings, 20u) << "a simulation in which nothing is found proves little";
}

TEST(Simulation, TheSameSeedIsTheSameWorld) { EXPECT_EQ(run(7, storm).crashes, run(7, storm).crashes); }

}  // namespace
}  // namespace xundian::simulation
