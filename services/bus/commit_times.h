// How long the last 1,000 commits took. Many ask; their percentiles are found anew about once a second.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/version.h"

namespace xundian::bus {

class CommitTimes {
 public:
  struct Percentiles {
    uint64_t p50_us = 0, p99_us = 0;
  };

  void add(int64_t took_us) {
    if (us_.size() < kept) us_.push_back(0);
    us_[count_++ % kept] = static_cast<uint32_t>(std::clamp<int64_t>(took_us, 0, UINT32_MAX));
  }

  // Those of a moment ago until a second is over, or as many commits came as there were: the first are few. `now_ms` never steps
  // back.
  Percentiles percentiles(Millis now_ms) {
    if (count_ == seen_ || (now_ms - found_at_ < find_again_ms && count_ < 2 * seen_)) return found_;
    std::vector<uint32_t> us = us_;
    const auto place = [&us](size_t percent) {
      return us.begin() + static_cast<std::ptrdiff_t>((us.size() - 1) * percent / 100);
    };
    const auto p50 = place(50), p99 = place(99);
    std::nth_element(us.begin(), p50, us.end());
    found_.p50_us = *p50;
    std::nth_element(p50, p99, us.end());  // All below it lie before; the others change places.
    found_.p99_us = *p99;
    found_at_ = now_ms;
    seen_ = count_;
    return found_;
  }

 private:
  static constexpr size_t kept = 1'000;
  static constexpr Millis find_again_ms = 1'000;

  std::vector<uint32_t> us_;  // In a ring.
  size_t count_ = 0;          // Of all commits so far.
  size_t seen_ = 0;           // As many there were when `found_` was found.
  Millis found_at_ = 0;
  Percentiles found_;
};

}  // namespace xundian::bus
