#include "tests/bench/alert_samples.h"

#include <random>
#include <thread>

#include "common/clock.h"
#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr size_t samples_of_second = 10, samples_min = 10, samples_max = 200;

}  // namespace

size_t alert_samples(const Plan& plan) {
  return std::clamp(static_cast<size_t>(plan.secs * samples_of_second), samples_min, samples_max);
}

std::string sample_sku(size_t sample) { return fmt::format("A{:03}", sample); }

v1::Fact sample_fact(size_t sample, int64_t units, Millis now) {
  v1::Fact fact;
  fact.set_store(store_id(0));
  fact.set_key(sample_sku(sample) + "@");
  fact.set_as_of_ms(now);
  fact.set_source("bench");
  v1::StockCount& count = *fact.mutable_stock_level()->mutable_count();
  count.set_sku(sample_sku(sample));
  count.set_available_units(units);
  count.set_counted_ms(now);
  return fact;
}

v1::Fact sample_setup(size_t sample, Millis now) {
  v1::Fact fact = sample_fact(sample, sample_level_above, now);
  v1::StockPolicy& policy = *fact.mutable_stock_level()->mutable_policy();
  policy.set_sku(sample_sku(sample));
  policy.set_reorder_point_units(sample_reorder_point);
  return fact;
}

Result<AlertTimes> time_alerts(size_t first, size_t count, const std::function<Result<double>(const v1::Fact& fact)>& put,
                               Receiver& receiver) {
  AlertTimes times;
  std::mt19937 dice(1);
  for (size_t sample = first; sample < first + count; ++sample) {
    std::this_thread::sleep_for(std::chrono::microseconds(15'000 + dice() % 20'000));
    const v1::Fact fact = sample_fact(sample, sample_level_below, wall_ms());
    const int64_t began = now_ns();
    const double accepted_us = TRY(put(fact));
    const double came_us = static_cast<double>(TRY(receiver.wait_for(sample_sku(sample))) - began) / 1000;
    times.put_us.push_back(came_us);
    times.accepted_us.push_back(came_us - accepted_us);
  }
  return times;
}

}  // namespace xundian::bench
