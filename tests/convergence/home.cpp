#include "tests/convergence/home.h"

#include <algorithm>

#include "tests/convergence/facts.h"

namespace xundian::convergence {

namespace {

class Home {
 public:
  Home(bool crashes, Dice& dice) : crashes_(crashes), dice_(dice) {
    for (const ServiceDefinition& definition : services())
      nodes_.push_back({&definition, std::make_unique<Worker>(definition, lived_.log), {}, {}, 0});
  }

  Lived run(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      if (step.settled_before) settle();
      lived_.log.append(step.batches);
      for (Node& node : nodes_)
        if (!crashes_ || chance(60)) turn(node, crashes_);
    }
    settle();
    for (Node& node : nodes_) lived_.states[node.definition->name] = node.worker->states();
    nodes_.clear();  // They refer to the log, which moves on.
    return std::move(lived_);
  }

 private:
  struct Node {
    const ServiceDefinition* definition;
    std::unique_ptr<Worker> worker;
    std::vector<std::string> waiting;  // Said, and not yet in the log.
    std::string snapshot;
    Position snapshot_position;
  };

  bool chance(unsigned percent) { return dice_() % 100 < percent; }

  void crash(Node& node) {
    ++lived_.crashes;
    node.waiting.clear();
    if (chance(30)) node.snapshot.clear(), node.snapshot_position = 0;
    node.worker = std::make_unique<Worker>(*node.definition, lived_.log, node.snapshot, node.snapshot_position);
  }

  void turn(Node& node, bool troubled) {
    if (troubled && chance(8)) crash(node);
    const Position end = lived_.log.end();
    node.worker->read(troubled && chance(50) ? std::min(end, node.worker->position() + 1) : end);
    for (std::string& batch : node.worker->take_answers()) node.waiting.push_back(std::move(batch));
    if (troubled && chance(8)) crash(node);
    if (troubled && chance(30)) return;  // The bus is busy.
    for (std::string& batch : std::exchange(node.waiting, {})) lived_.log.append({std::move(batch)});
    if (!chance(20) || !node.worker->caught_up()) return;
    node.snapshot = node.worker->save();
    node.snapshot_position = node.worker->position();
  }

  void settle() {
    const auto unsettled = [&](const Node& node) { return node.worker->position() < lived_.log.end() || !node.waiting.empty(); };
    while (std::any_of(nodes_.begin(), nodes_.end(), unsettled))
      for (Node& node : nodes_) turn(node, crashes_ && chance(50));
  }

  bool crashes_;
  Dice& dice_;
  Lived lived_;
  std::vector<Node> nodes_;
};

}  // namespace

std::vector<Step> steps_of(std::vector<v1::Fact> facts, const std::vector<v1::Fact>& handling, Dice& dice) {
  std::stable_sort(facts.begin(), facts.end(),
                   [](const v1::Fact& a, const v1::Fact& b) { return a.occurred_ms() < b.occurred_ms(); });
  std::vector<Step> steps;
  Millis now = first_ms;
  const auto tick = [&](Millis time) {
    std::vector<v1::Fact> ticks;
    for (const char* group : {"north", "south", "west"}) ticks.push_back(make_tick(group, time));
    steps.push_back({batches_of(ticks, 1, dice), true});
  };
  size_t handled = 0;
  for (size_t index = 0; index < facts.size();) {
    const size_t end = std::min(facts.size(), index + 1 + dice() % 6);
    const std::vector<v1::Fact> some(facts.begin() + static_cast<std::ptrdiff_t>(index),
                                     facts.begin() + static_cast<std::ptrdiff_t>(end));
    for (const v1::Fact& fact : some) now = std::max(now, fact.occurred_ms());
    steps.push_back({batches_of(some, 4, dice), false});
    index = end;
    if (dice() % 4 == 0) tick(now);
    if (dice() % 3 == 0 && handled < handling.size()) {
      steps.push_back({batches_of({handling[handled++]}, 1, dice), true});
    }
  }
  tick(last_ms);
  return steps;
}

Lived live(const std::vector<Step>& steps, bool crashes, Dice& dice) { return Home(crashes, dice).run(steps); }

}  // namespace xundian::convergence
