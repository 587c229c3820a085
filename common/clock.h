// What time it is; for shells only. A fold knows the record's time and no other.
#pragma once

#include <chrono>

#include "common/version.h"

namespace xundian {

inline Millis wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// For time-outs: never steps.
inline Millis steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace xundian
