// What alerts are timed by, ours and the straight design's: stock levels of SKUs of their own that fall below a stated reorder
// point, one after the other.
#pragma once

#include <functional>

#include "tests/bench/leg.h"
#include "tests/bench/receiver.h"

namespace xundian::bench {

inline constexpr int64_t sample_level_above = 12, sample_level_below = 9, sample_reorder_point = 10;

size_t alert_samples(const Plan& plan);
std::string sample_sku(size_t sample);
v1::Fact sample_fact(size_t sample, int64_t units, Millis now);
// Of the same key: enough of it, and the reorder point.
v1::Fact sample_setup(size_t sample, Millis now);

struct AlertTimes {
  std::vector<double> put_us, accepted_us;  // From the put, from its ack, to the receiver.
};
// Lets one SKU after the other fall, from sample `first` on, at no fixed distance, so that they fall into every phase of what
// works by turns. `put(fact)` gives how long the ack took, in microseconds.
Result<AlertTimes> time_alerts(size_t first, size_t count, const std::function<Result<double>(const v1::Fact& fact)>& put,
                               Receiver& receiver);

}  // namespace xundian::bench
