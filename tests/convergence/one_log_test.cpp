// One log, one story: whoever reads it, from wherever, whenever, knows and has said the same.
#include <gtest/gtest.h>

#include "common/patience.h"
#include "tests/convergence/home.h"
#include "tests/convergence/properties.h"

namespace xundian::convergence {
namespace {

std::vector<Step> some_steps(double scale, Dice& dice) {
  const std::vector<v1::Fact> facts = some_facts(scale);
  std::vector<v1::Fact> handling;
  for (const uint64_t seed : some_seeds(scale / 5)) handling.push_back(make_handling(seed));
  log_facts(facts);
  log_facts(handling);
  return steps_of(facts, handling, dice);
}

void expect_same(const std::map<std::string, std::string>& one, const std::map<std::string, std::string>& other) {
  RC_ASSERT(one.size() == other.size());
  for (const auto& [scope, state] : one) {
    const bool same = other.contains(scope) && other.at(scope) == state;
    RC_LOG() << scope << "\n";
    RC_ASSERT(same);
  }
}

// A service that starts anew knows what the one knew that lived through it, and says nothing again.
RC_GTEST_PROP(OneLog, ReplayedIsAsLived, ()) {
  Dice dice(any_number());
  const Lived lived = live(some_steps(3, dice), true, dice);
  for (const ServiceDefinition& definition : services()) {
    RC_LOG() << definition.name << "\n";
    Worker worker(definition, lived.log);
    worker.read_all();
    RC_ASSERT(worker.take_answers().empty());
    expect_same(worker.states(), lived.states.at(definition.name));
  }
}

// Crashes, lags and lost words change nothing of what is said, nor its order.
RC_GTEST_PROP(OneLog, RestartsSayTheSame, ()) {
  Dice dice(any_number());
  const std::vector<Step> steps = some_steps(3, dice);
  const auto calm = live(steps, false, dice).log.said(), restless = live(steps, true, dice).log.said();
  for (const auto& [who, said] : calm) {
    const auto found = restless.find(who);
    RC_LOG() << who << (found == restless.end() ? " says nothing" : "") << "\n";
    RC_ASSERT(found != restless.end());
    for (size_t index = 0; index < std::max(said.size(), found->second.size()); ++index) {
      const std::string one = index < said.size() ? said[index] : "nothing";
      const std::string other = index < found->second.size() ? found->second[index] : "nothing";
      RC_ASSERT(one == other);
    }
  }
  RC_ASSERT(calm.size() == restless.size());
}

// A snapshot at any place, and what comes after it, is as good as all from the beginning.
RC_GTEST_PROP(OneLog, SnapshotAndTailAreTheWhole, ()) {
  Dice dice(any_number());
  const Lived lived = live(some_steps(1, dice), false, dice);
  for (const ServiceDefinition& definition : services()) {
    Worker steady(definition, lived.log);
    for (Position position = 0; position < lived.log.end(); ++position) {
      steady.read(position);
      Worker worker(definition, lived.log, steady.save(), position);
      RC_LOG() << definition.name << " at " << position << " of " << lived.log.end() << "\n";
      expect_same(worker.states(), steady.states());
      worker.read_all();
      RC_ASSERT(worker.take_answers().empty());
      expect_same(worker.states(), lived.states.at(definition.name));
    }
  }
}

// Two instances that share the partitions know together what one knows.
RC_GTEST_PROP(OneLog, TwoInstancesAreOne, ()) {
  Dice dice(any_number());
  const Lived lived = live(some_steps(3, dice), false, dice);
  for (const ServiceDefinition& definition : services()) {
    RC_LOG() << definition.name << "\n";
    Fingerprint sum;
    std::map<std::string, std::string> states;
    for (const Partition first : {Partition{0}, Partition{1}}) {
      Worker worker(definition, lived.log, {first, static_cast<Partition>(first + 2)});
      worker.read_all();
      RC_ASSERT(worker.take_answers().empty());
      sum.add(worker.fingerprint());
      states.merge(worker.states());
    }
    expect_same(states, lived.states.at(definition.name));
    Worker whole(definition, lived.log);
    whole.read_all();
    RC_ASSERT(sum.hex() == whole.fingerprint().hex());
  }
}

// Worlds in which nothing is said, nothing crashes or everything lies in one partition prove little.
TEST(OneLog, SaysAndCrashesEnough) {
  Dice dice(1);
  std::vector<v1::Fact> facts, handling;
  for (uint64_t seed = 0; seed < 400; ++seed) facts.push_back(make_fact(seed));
  for (uint64_t seed = 0; seed < 40; ++seed) handling.push_back(make_handling(seed));
  const Lived lived = live(steps_of(facts, handling, dice), true, dice);
  EXPECT_GT(lived.crashes, 20u);
  std::map<std::string, size_t> said;
  for (const auto& [who, words] : lived.log.said()) said[who.substr(0, who.find(' '))] += words.size();
  for (const char* service : {"campaigns", "inventory", "support", "alerts"}) EXPECT_GT(said[service], 5u) << service;
  for (const auto& [service, states] : lived.states) EXPECT_EQ(states.size(), 3u) << service;
}

// Whoever adds figures up ends once he is told that it takes too long, and says nothing of what he did not come to.
TEST(OneLog, AnswersEndOnceTheirPatienceIsOver) {
  Dice dice(1);
  std::vector<v1::Fact> facts;
  for (uint64_t seed = 0; seed < 400; ++seed) facts.push_back(make_fact(seed));
  const Lived lived = live(steps_of(facts, {}, dice), false, dice);
  for (const char* name : {"metrics", "campaigns", "inventory", "support"}) {
    Worker worker(service(name), lived.log);
    worker.read_all();
    const std::string whole = worker.answers();
    std::string cut;
    {
      const Patience none(std::chrono::milliseconds(0));
      cut = worker.answers();
      EXPECT_TRUE(none.was_over()) << name;
    }
    EXPECT_LT(cut.size(), whole.size() / 2) << name;
    EXPECT_EQ(worker.answers(), whole) << name;
  }
}

}  // namespace
}  // namespace xundian::convergence
