// Mutants: faults put into the code on purpose, one at a time, to show that the tests find each (tests/mutants). Every normal
// build has none of them; a build for that purpose takes the name of one from the environment. For source files only, never
// headers.
#pragma once

#ifdef XUNDIAN_MUTANTS
#include <cstdlib>
#include <string_view>
#endif

namespace xundian {

#ifdef XUNDIAN_MUTANTS
inline bool mutant(std::string_view name) {
  static const char* const chosen = std::getenv("XUNDIAN_MUTANT");
  return chosen != nullptr && name == chosen;
}
#else
constexpr bool mutant(const char* /*name*/) { return false; }
#endif

}  // namespace xundian
