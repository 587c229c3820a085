// A producer of ours that puts a feed at an even pace beside what is measured.
#pragma once

#include <thread>

#include "tests/bench/house.h"

namespace xundian::bench {

inline constexpr double paced_facts_per_s = 50'000;  // Beside overviews.

class PacedLoad {
 public:
  // From batch `first` on, until it is stopped or the feed is over. House and feed must outlive it.
  PacedLoad(House& house, const Feed& feed, size_t first, double facts_per_s);
  // When all that it put is acknowledged; gives the batches.
  Result<size_t> stop();
  // What it came to in fact.
  double facts_per_s() const { return secs_ > 0 ? static_cast<double>(batches_ * facts_of_batch) / secs_ : 0; }

 private:
  Result<void> put(House& house, const Feed& feed, size_t first, double facts_per_s, std::stop_token stop);
  size_t batches_ = 0;
  double secs_ = 0;
  Result<void> outcome_;
  std::jthread thread_;
};

}  // namespace xundian::bench
