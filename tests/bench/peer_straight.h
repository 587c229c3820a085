// The straight design, as its parts know each other: producers → ZeroMQ → a gate → a Redis stream → a consumer group for each
// fold.
#pragma once

#include <array>
#include <string_view>

#include "tests/bench/workload.h"

namespace xundian::bench::straight {

// What each of its folds folds: the same kinds as the service of ours that it stands for.
struct Part {
  const char* name;
  bool orders, stock, chats, ads, versions;
};
inline constexpr std::array<Part, 6> parts = {{{"metrics", true, false, false, false, false},
                                               {"campaigns", false, false, false, true, false},
                                               {"inventory", true, true, false, false, false},
                                               {"support", true, false, true, false, false},
                                               {"alerts", false, false, false, false, false},
                                               {"intake", false, false, false, false, true}}};

inline constexpr const char* stream = "facts";
inline constexpr const char* facts_field = "f";
inline constexpr const char* end_field = "e";  // The last entry has it; a fold that meets it has met all.
inline constexpr std::string_view end_message = "end";

// What a fold of `part` must have counted.
Totals share_of(const Totals& all, const Part& part);

int run_gate(const std::string& redis, const std::string& endpoint);
// `receiver` is the origin of who hears of stock that runs low ("http://127.0.0.1:80"); empty = nobody.
int run_fold(const std::string& redis, const std::string& part, const std::string& receiver);

}  // namespace xundian::bench::straight
