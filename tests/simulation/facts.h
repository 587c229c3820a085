// Random facts for simulations: a few stores, orders, stock, chats and ads, each stated several times.
#pragma once

#include <random>
#include <vector>

#include "common/fact_view.h"

namespace xundian::simulation {

inline constexpr int64_t micros_of_unit = 1'000'000;
using Dice = std::mt19937_64;
inline uint64_t roll(Dice& dice, uint64_t sides) { return dice() % sides; }
inline bool happens(Dice& dice, unsigned permille) { return permille > 0 && roll(dice, 1'000) < permille; }

// Where the notices of a scope go.
std::string receiver_url(std::string_view scope);
// The subscriber that gets every notice of a scope.
v1::Fact make_subscriber(std::string_view scope, const std::string& secret_file, Millis now);
// Facts of one group of stores in the order of their times, from `start_ms` on; thresholds change among them.
std::vector<v1::Fact> make_facts(Dice& dice, size_t count, Millis start_ms);

}  // namespace xundian::simulation
