// What is known is a function of the set of facts: not of their order, their number, the batches they came in, the restarts
// between them, or how many instances took them.
#include <gtest/gtest.h>

#include "tests/convergence/properties.h"

namespace xundian::convergence {
namespace {

const std::vector<std::string> groups = {"north", "south", "west"};

void append_in_commits(Log& log, std::vector<std::string> batches, size_t batches_a_commit_max, Dice& dice) {
  while (!batches.empty()) {
    const auto count = static_cast<std::ptrdiff_t>(std::min<size_t>(batches.size(), 1 + dice() % batches_a_commit_max));
    log.append({std::make_move_iterator(batches.begin()), std::make_move_iterator(batches.begin() + count)});
    batches.erase(batches.begin(), batches.begin() + count);
  }
}

// The same moment for all, so that answers that depend on the time agree.
void append_end(Log& log, Dice& dice) {
  std::vector<v1::Fact> ticks;
  for (const std::string& group : groups) ticks.push_back(make_tick(group, last_ms));
  log.append(batches_of(ticks, 1, dice));
}

// Shuffled, a part of it stated again, in batches and commits of any size.
Log mix(std::vector<v1::Fact> facts, Clock clock, Dice& dice) {
  for (size_t left = facts.size() / 3; left > 0; --left) facts.push_back(facts[dice() % facts.size()]);
  std::shuffle(facts.begin(), facts.end(), dice);
  Log log(clock);
  append_in_commits(log, batches_of(facts, 1 + dice() % 9, dice), 1 + dice() % 4, dice);
  append_end(log, dice);
  return log;
}

void check_order_of_arrival(const std::string& name) {
  const ServiceDefinition& definition = service(name);
  const std::vector<v1::Fact> facts = some_facts(2, definition);
  Dice dice(any_number());
  log_facts(facts);
  Log straight;
  append_in_commits(straight, batches_of(facts, 1, dice), 1, dice);
  append_end(straight, dice);
  Worker worker(definition, straight);
  worker.read_all();
  const std::string fingerprint = worker.fingerprint().hex(), answers = worker.answers();

  const Log mixed = mix(facts, Clock::facts, dice);
  Worker before(definition, mixed);
  before.read(dice() % (mixed.end() + 1));
  Worker after(definition, mixed, before.save(), before.position());
  after.read_all();
  RC_ASSERT(after.fingerprint().hex() == fingerprint);
  RC_LOG() << difference(after.answers(), answers);
  RC_ASSERT(after.answers() == answers);

  // Under the other clock, by two instances.
  const Log timed = mix(facts, Clock::wall, dice);
  Fingerprint sum;
  for (const auto& served : {std::vector<Partition>{0, 2}, std::vector<Partition>{1, 3}}) {
    Worker instance(definition, timed, served);
    instance.read_all();
    sum.add(instance.fingerprint());
  }
  RC_ASSERT(sum.hex() == fingerprint);
}

RC_GTEST_PROP(OrderOfArrival, ChangesNothingInMetrics, ()) { check_order_of_arrival("metrics"); }
RC_GTEST_PROP(OrderOfArrival, ChangesNothingInCampaigns, ()) { check_order_of_arrival("campaigns"); }
RC_GTEST_PROP(OrderOfArrival, ChangesNothingInInventory, ()) { check_order_of_arrival("inventory"); }
RC_GTEST_PROP(OrderOfArrival, ChangesNothingInSupport, ()) { check_order_of_arrival("support"); }
RC_GTEST_PROP(OrderOfArrival, ChangesNothingInIntake, ()) { check_order_of_arrival("intake"); }

// All that was said is taken back: what is left is what the withdrawals alone would leave, which is nothing.
void check_withdrawal(const std::string& name) {
  std::vector<v1::Fact> facts = some_facts(2, service(name));
  Dice dice(any_number());
  log_facts(facts);
  std::vector<v1::Fact> ends;
  std::erase_if(facts, [&](v1::Fact fact) {
    if (fact.has_store_state() || fact.has_rule_set()) return true;
    if (withdraw(fact, last_ms)) ends.push_back(fact);
    return false;
  });
  Log all, none;
  append_in_commits(all, batches_of(facts, 5, dice), 1, dice);
  for (Log* log : {&all, &none}) {
    append_in_commits(*log, batches_of(ends, 5, dice), 1, dice);
    append_end(*log, dice);
  }
  Worker worker(service(name), all), fresh(service(name), none);
  worker.read_all();
  fresh.read_all();
  RC_LOG() << difference(worker.answers(), fresh.answers());
  RC_ASSERT(worker.fingerprint().hex() == fresh.fingerprint().hex());
  RC_ASSERT(worker.answers() == fresh.answers());
}

RC_GTEST_PROP(Withdrawal, LeavesNothingInMetrics, ()) { check_withdrawal("metrics"); }
RC_GTEST_PROP(Withdrawal, LeavesNothingInCampaigns, ()) { check_withdrawal("campaigns"); }
RC_GTEST_PROP(Withdrawal, LeavesNothingInInventory, ()) { check_withdrawal("inventory"); }
RC_GTEST_PROP(Withdrawal, LeavesNothingInSupport, ()) { check_withdrawal("support"); }

}  // namespace
}  // namespace xundian::convergence
