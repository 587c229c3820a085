// A home in one thread: what comes from outside, step by step, and every service that reads it and answers.
#pragma once

#include "tests/convergence/log.h"

namespace xundian::convergence {

// What comes next from outside. Before time comes, or somebody handles an alert, every service has said what it has to say, as
// an import waits before it states its Tick.
struct Step {
  std::vector<std::string> batches;
  bool settled_before = false;
};
std::vector<Step> steps_of(std::vector<v1::Fact> facts, const std::vector<v1::Fact>& handling, Dice& dice);

// What a service knew in the end, by scope.
using States = std::map<std::string, std::map<std::string, std::string>>;
struct Lived {
  Log log;
  States states;
  size_t crashes = 0;
};
// Lives through the steps. With `crashes`, services fall behind, lose what they had not yet put, and start again from a snapshot
// or from the beginning.
Lived live(const std::vector<Step>& steps, bool crashes, Dice& dice);

}  // namespace xundian::convergence
