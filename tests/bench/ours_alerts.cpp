// From a stock level below its reorder point to the subscriber's receiver, on quiet services: three group commits and an HTTP
// request.
#include <fcntl.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "common/clock.h"
#include "tests/bench/house.h"
#include "tests/bench/receiver.h"

namespace xundian::bench {

namespace {

constexpr size_t samples_of_second = 10, samples_min = 10, samples_max = 200;
constexpr int64_t level_above = 12, level_below = 9, reorder_point = 10;

std::string sku_of(size_t sample) { return fmt::format("A{:03}", sample); }

v1::Fact stock_fact(size_t sample, int64_t units, Millis now) {
  v1::Fact fact;
  fact.set_store(store_id(0));
  fact.set_key(sku_of(sample) + "@");
  fact.set_as_of_ms(now);
  fact.set_source("bench");
  v1::StockCount& count = *fact.mutable_stock_level()->mutable_count();
  count.set_sku(sku_of(sample));
  count.set_available_units(units);
  count.set_counted_ms(now);
  return fact;
}

// A subscriber with a secret of its own.
Result<v1::Fact> subscriber_fact(const std::string& folder, const std::string& url, Millis now) {
  const std::string path = folder + "/secret", text = "whsec_eHVuZGlhbiBiZW5jaCBzZWNyZXQgb2YgMzIgYnl0ZXM=";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool written = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) close(file);
  if (!written) return fail(Code::internal, "the secret cannot be written");
  v1::Fact fact;
  fact.set_key("bench");
  fact.set_as_of_ms(now);
  fact.set_source("bench");
  v1::SubscriberTerms& terms = *fact.mutable_subscriber_state()->mutable_terms();
  terms.set_channel("webhook");
  terms.set_url(url);
  terms.set_secret_file(path);
  terms.set_allow_private_targets(true);
  return fact;
}

}  // namespace

Result<void> measure_alerts(House& house, const Plan& plan, Totals& said, Figures& figures) {
  Receiver receiver("entity");
  const size_t samples = std::clamp(static_cast<size_t>(plan.secs * samples_of_second), samples_min, samples_max);
  const Millis now = wall_ms();
  std::vector<v1::Fact> setup = {TRY(subscriber_fact(house.folder(), receiver.url(), now))};
  for (size_t sample = 0; sample < samples; ++sample) {
    v1::Fact& fact = setup.emplace_back(stock_fact(sample, level_above, now));
    v1::StockPolicy& policy = *fact.mutable_stock_level()->mutable_policy();
    policy.set_sku(sku_of(sample));
    policy.set_reorder_point_units(reorder_point);
  }
  TRY_VOID(house.put(setup));
  TRY_VOID(house.wait_quiet());
  if (receiver.count() > 0) return fail(Code::internal, "{} alerts came before anything was wrong", receiver.count());
  TimedProducer link(house.home(), "bench.alerts");
  TRY_VOID(link.connect());
  std::vector<double> put_us, accepted_us;
  std::mt19937 dice(1);
  for (size_t sample = 0; sample < samples; ++sample) {
    // Samples come at no fixed distance, so that they fall into every phase of what works by turns.
    std::this_thread::sleep_for(std::chrono::microseconds(15'000 + dice() % 20'000));
    BatchBuilder builder;
    TRY_VOID(builder.add(stock_fact(sample, level_below, wall_ms())));
    const int64_t put = now_ns();
    link.send(builder.finish(scope, house.home().settings().partitions, {}));
    TRY_VOID(link.drain());
    const double accepted = link.ack_us().back();
    const double came = static_cast<double>(TRY(receiver.wait_for(sku_of(sample))) - put) / 1000;
    put_us.push_back(came);
    accepted_us.push_back(came - accepted);
  }
  said.stock_units += static_cast<int64_t>(samples) * level_below;
  figures.add("alert_p50_us", quantile(put_us, 0.5));
  figures.add("alert_p99_us", quantile(put_us, 0.99));
  figures.add("alert_after_ack_p50_us", quantile(accepted_us, 0.5));
  figures.add("alert_after_ack_p99_us", quantile(accepted_us, 0.99));
  return {};
}

}  // namespace xundian::bench
