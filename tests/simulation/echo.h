// A service of the test alone: it says something of some orders, something else in each build of it, and one fact kills it.
#pragma once

#include "common/service.h"

namespace xundian::simulation {

inline constexpr std::string_view poison_key = "poison";
struct Poisoned {};  // Thrown where a process would end.

// Its builds agree in when they speak, and in nothing that they say.
ServiceDefinition echo_definition(uint64_t build);

}  // namespace xundian::simulation
