// What the properties share: how facts are drawn, and how a difference is shown.
#pragma once

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/convergence/facts.h"
#include "tests/convergence/log.h"

namespace xundian::convergence {

inline uint64_t any_number() { return *rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>())); }

inline std::vector<uint64_t> some_seeds(double scale) {
  const auto seed = rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>()));
  return *rc::gen::scale(scale, rc::gen::container<std::vector<uint64_t>>(seed));
}

// Up to a hundred facts, times `scale`; a counterexample comes with as few of them as still show it.
inline std::vector<v1::Fact> some_facts(double scale) {
  std::vector<v1::Fact> facts;
  for (const uint64_t seed : some_seeds(scale)) facts.push_back(make_fact(seed));
  return facts;
}
// Of those that the service folds.
inline std::vector<v1::Fact> some_facts(double scale, const ServiceDefinition& definition) {
  std::vector<v1::Fact> facts;
  for (const uint64_t seed : some_seeds(scale)) {
    facts.push_back(make_fact(seed, definition.kinds));
    if (facts.back().revision() == 0) continue;  // An undo, or what followed one: the same may be said at several ranks.
    facts.push_back(facts.back());
    facts.back().set_content_rank(1 + seed % 5);
  }
  return facts;
}

inline void log_facts(const std::vector<v1::Fact>& facts) {
  for (const v1::Fact& fact : facts) RC_LOG() << show(fact) << "\n";
}

// Where two texts part, line by line.
inline std::string difference(std::string_view one, std::string_view other) {
  const auto [at, other_at] = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
  const auto around = [](std::string_view text, auto where) {
    const auto offset = static_cast<size_t>(where - text.begin());
    return std::string(text.substr(offset < 200 ? 0 : offset - 200, 400));
  };
  return at == one.end() && other_at == other.end() ? "" : around(one, at) + "\n -- and not --\n" + around(other, other_at);
}

}  // namespace xundian::convergence
