// A hash for tables keyed by numbers that are not mixed: counters, packed ids.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xundian {

struct MixHash {
  size_t operator()(uint64_t number) const {
    number ^= number >> 32;
    number *= 0x9e3779b97f4a7c15;
    return number ^ number >> 29;
  }
};

}  // namespace xundian
