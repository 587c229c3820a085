#include "tests/simulation/world.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <stdexcept>

#include "common/time.h"
#include "services/alerts/state.h"
#include "services/campaigns/state.h"
#include "services/intake/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"
#include "tests/simulation/echo.h"

namespace xundian::simulation {

namespace {

constexpr size_t facts_of_a_group = 36;
constexpr size_t storm_turns = 1'500;  // Then the weather clears, so that what waits for an hour comes to it.
constexpr size_t turns_max = 15'000;
constexpr Millis wall_pace = 200;  // Under the wall clock so many milliseconds pass in one of the simulation's.

v1::Fact poison(Millis now) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(std::string(poison_key));
  fact.set_as_of_ms(now);
  fact.set_occurred_ms(now);
  fact.mutable_order_state()->mutable_status()->set_status("paid");
  return fact;
}

// Facts as batches of changing size.
std::vector<std::string> batches_of(const std::vector<v1::Fact>& facts, const std::string& scope, Dice& dice) {
  std::vector<std::string> batches;
  BatchBuilder builder;
  for (const v1::Fact& fact : facts) {
    if (const auto added = builder.add(fact); !added) throw std::runtime_error(added.error().message);
    if (roll(dice, 6) == 0 || &fact == &facts.back()) batches.push_back(builder.finish(scope, partitions, {}));
  }
  return batches;
}

}  // namespace

std::vector<ServiceDefinition> services(uint64_t build) {
  return {metrics::definition(), campaigns::definition(), inventory::definition(), support::definition(),
          alerts::definition(),  intake::definition(),    echo_definition(build)};
}

World::World(uint64_t seed, const Weather& weather, const Place& place)
    : weather_(weather),
      place_(place),
      dice_(seed * 7 + 1),
      network_(dice_, weather_),
      bus_(dice_, weather_, network_, place.wall_clock ? Clock::wall : Clock::facts),
      receiver_(dice_, weather_, now_) {
  make_producers(seed);
  make_nodes();
  notifier_ = std::make_unique<Notifier>(receiver_, dice_, weather_, network_, place_.wall_clock ? Clock::wall : Clock::facts,
                                         now_, wall_);
}

void World::make_producers(uint64_t seed) {
  Dice dice(seed);  // The facts are the same in every weather.
  for (int group = 0; group < (place_.shared_group ? 1 : 2); ++group) {
    const std::string scope = fmt::format("tenant/group{}", group);
    std::vector<v1::Fact> facts = {make_subscriber(scope, secret_file(), start_of_facts)};
    for (v1::Fact& fact : make_facts(dice, facts_of_a_group * (place_.shared_group ? 2 : 1), start_of_facts))
      facts.push_back(std::move(fact));
    const bool poisoned = roll(dice, 3) == 0;
    if (poisoned)
      facts.insert(facts.begin() + 1 + static_cast<std::ptrdiff_t>(roll(dice, facts.size() - 1)), poison(start_of_facts));
    std::vector<std::vector<v1::Fact>> shares(place_.shared_group ? 2 : 1);
    for (v1::Fact& fact : facts) shares[fact.has_subscriber_state() ? 0 : roll(dice, shares.size())].push_back(std::move(fact));
    for (const auto& share : shares)
      producers_.push_back(std::make_unique<ProducerNode>(fmt::format("producer{}", producers_.size()),
                                                          batches_of(share, scope, dice), dice_, weather_, network_, now_));
  }
}

void World::make_nodes() {
  for (const ServiceDefinition& definition : services(0))
    nodes_.push_back(std::make_unique<FoldNode>(definition, 0, 1, dice_, weather_, network_, bus_,
                                                place_.wall_clock ? Clock::wall : Clock::facts, now_));
  for (const auto& node : nodes_) listeners_.push_back(node->name());
}

void World::run() {
  run_until_it_rests();
  if (!place_.wall_clock) return;
  // Nobody says anything more, and the bus is started again: it has forgotten who waits for a time, which must come all the same.
  weather_ = calm;
  Millis first = never;
  for (const auto& node : nodes_) first = std::min(first, node->next_wake());
  if (first == never) return;
  bus_.crash();
  now_ += std::max<Millis>(first - wall_, 0) / wall_pace + 1;
  wall_ = start_of_facts + skew_ + now_ * wall_pace;
  run_until_it_rests();
}

void World::run_until_it_rests() {
  for (size_t turns = 0; !rests(); ++turns) {
    if (turns == turns_max) throw std::runtime_error("the world does not come to rest: " + describe());
    if (turns == storm_turns) weather_ = calm;
    storm();
    bus_.start();
    for (const auto& producer : producers_) producer->turn();
    for (const auto& node : nodes_) node->turn();
    notifier_->turn(nodes_);
    deliver();
    bus_.turn(now_, wall_, listeners_);
    pass_time();
  }
}

void World::storm() {
  bus_.suffer(now_);
  for (const auto& producer : producers_) producer->suffer();
  for (size_t node = 0; node < nodes_.size(); ++node) {
    nodes_[node]->suffer();
    if (happens(dice_, weather_.fold_crash)) crash(node);
  }
  notifier_->suffer();
  if (happens(dice_, weather_.notifier_crash)) notifier_->restart();
  if (happens(dice_, weather_.clock_step)) skew_ += static_cast<Millis>(roll(dice_, 20 * minute_ms)) - 10 * minute_ms;
}

// A process ends and is started again: as it was, as another build, or as one of two that share its work, or one again.
void World::crash(size_t index) {
  FoldNode& node = *nodes_[index];
  const std::string service = node.definition().name;
  if (service == "echo") return node.restart(echo_definition(roll(dice_, 100)));
  if (happens(dice_, 200)) return split(service);
  node.restart(node.definition());
  if (node.name() == "alerts.0") notifier_->restart();  // It lives in that process.
}

void World::split(const std::string& service) {
  std::vector<std::unique_ptr<FoldNode>> kept, ended;
  for (auto& node : nodes_) (node->definition().name == service ? ended : kept).push_back(std::move(node));
  nodes_ = std::move(kept);
  const uint32_t instances = ended.size() == 1 ? 2 : 1;
  for (const auto& node : ended) {
    crashes_before_ += 1 + node->crashes();
    seen_before_.push_back(node->seen());
  }
  for (uint32_t instance = 0; instance < instances; ++instance)
    nodes_.push_back(std::make_unique<FoldNode>(ended[0]->definition(), instance, instances, dice_, weather_, network_, bus_,
                                                place_.wall_clock ? Clock::wall : Clock::facts, now_));
  listeners_.clear();
  for (const auto& node : nodes_) listeners_.push_back(node->name());
  if (service == "alerts") notifier_->restart();
}

void World::deliver() {
  while (const auto mail = network_.take(now_)) {
    if (mail->to == "bus") {
      bus_.deliver(*mail);
      continue;
    }
    bool taken = notifier_->deliver(*mail);
    for (const auto& producer : producers_) taken = taken || producer->deliver(*mail);
    for (const auto& node : nodes_) taken = taken || node->deliver(*mail);
  }
}

// Where all but a notice rests, that has to wait for its next attempt, the world skips the time between.
void World::pass_time() {
  const Millis pace = place_.wall_clock ? wall_pace : 1;
  now_ += 1 + static_cast<Millis>(roll(dice_, 10));
  if (network_.empty() && notifier_->rests() && bus_.sequencer() != nullptr && facts_rest()) {
    const Millis due = next_due();
    if (due != never && due > wall_) now_ += std::min<Millis>(due - wall_, hour_ms) / pace;
  }
  wall_ = start_of_facts + skew_ + now_ * pace;
}

bool World::facts_rest() const {
  const bus::Sequencer* sequencer = bus_.sequencer();
  if (sequencer == nullptr || sequencer->waits()) return false;
  for (const auto& producer : producers_)
    if (!producer->rests()) return false;
  for (const auto& node : nodes_)
    if (!node->rests(sequencer->ledger().heads, wall_)) return false;
  return true;
}

// When a notice is due next; 0 = one is; never = none waits.
Millis World::next_due() const {
  Millis first = never;
  for (const auto& node : nodes_) {
    if (node->definition().name != "alerts") continue;
    for (const Fold* fold : node->replica().folds("")) {
      const alerts::Notices& notices = static_cast<const alerts::State*>(fold)->notices();
      if (!notices.due(wall_, 1).empty()) return 0;
      if (notices.count() > 0) first = std::min(first, notices.next_due(wall_));
    }
  }
  return first;
}

bool World::rests() const { return facts_rest() && notifier_->rests() && next_due() == never; }

size_t World::crashes() const {
  size_t crashes = bus_.crashes() + notifier_->crashes() + crashes_before_;
  for (const auto& producer : producers_) crashes += producer->crashes();
  for (const auto& node : nodes_) crashes += node->crashes();
  return crashes;
}

std::string World::describe() const {
  const bus::Sequencer* sequencer = bus_.sequencer();
  std::string text = sequencer ? fmt::format("heads {}", fmt::join(sequencer->ledger().heads, " ")) : "no bus";
  for (const auto& producer : producers_) text += "; " + producer->describe();
  for (const auto& node : nodes_) text += "; " + node->describe();
  return text + fmt::format("; {}; notices due {} at {}", notifier_->describe(), next_due(), wall_);
}

Outcome run(uint64_t seed, const Weather& weather, const Place& place) {
  spdlog::set_level(spdlog::level::off);  // Thousands of worlds have too much to say.
  World world(seed, weather, place);
  world.run();
  return audit(world);
}

}  // namespace xundian::simulation
