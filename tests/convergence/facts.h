// Facts about a world so small that they contradict each other often: of few stores and few keys, at few times.
#pragma once

#include <vector>

#include "common/fact_view.h"
#include "common/time.h"

namespace xundian::convergence {

inline constexpr Millis first_ms = 1'790'000'000'000;  // 2026-09-21.
inline constexpr Millis last_ms = first_ms + 30 * day_ms;

// The fact of a seed: of any kind that comes from outside, partial, withdrawn or restated; `group` names one of a few.
v1::Fact make_fact(uint64_t seed);
// The same, of one of these kinds.
v1::Fact make_fact(uint64_t seed, const std::vector<Kind>& kinds);
// A Tick for a group.
inline v1::Fact make_tick(const std::string& group, Millis time_ms) {
  v1::Fact fact;
  fact.set_group(group);
  fact.set_as_of_ms(time_ms);
  fact.set_occurred_ms(time_ms);
  fact.mutable_tick()->set_time_ms(time_ms);
  return fact;
}
// What people and the delivery shell say of alerts, from a seed: silences, acknowledgements, subscribers, attempts.
v1::Fact make_handling(uint64_t seed);
// The same thing, withdrawn at `as_of_ms`; false for a kind that is never withdrawn.
bool withdraw(v1::Fact& fact, Millis as_of_ms);

// One line for a counterexample.
inline std::string show(const v1::Fact& fact) { return fact.ShortDebugString(); }

}  // namespace xundian::convergence
