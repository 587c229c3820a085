// Calls one after the other, and how long each took.
#pragma once

#include "tests/bench/leg.h"
#include "tests/bench/process.h"

namespace xundian::bench {

inline constexpr Millis query_wait_ms = 120'000;

// How long a leg asks one and the same thing.
inline double asking_secs(const Plan& plan) { return std::clamp(plan.secs / 4, 0.3, 3.0); }

struct Timed {
  std::vector<float> us;
  double secs = 0;
  double per_s() const { return secs > 0 ? static_cast<double>(us.size()) / secs : 0; }
  double p50_us() const { return quantile(us, 0.5); }
  double p99_us() const { return quantile(us, 0.99); }
};

// Calls until the time is over or it was enough, but at least once.
template <typename Call>
Result<Timed> time_calls(double secs, size_t calls_max, Call&& call) {
  Timed timed;
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(secs * 1e9);
  int64_t last = began;
  do {
    if (interrupted()) return interrupted_error();
    TRY_VOID(call());
    const int64_t now = now_ns();
    timed.us.push_back(static_cast<float>(now - last) / 1000.0f);
    last = now;
  } while (last < until && timed.us.size() < calls_max);
  timed.secs = static_cast<double>(last - began) / 1e9;
  return timed;
}

}  // namespace xundian::bench
