// From a stock level below its reorder point to the subscriber's receiver: three group commits and an HTTP request. On quiet
// services, and beside facts at half the rate that they take.
#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/bench/alert_samples.h"
#include "tests/bench/paced.h"

namespace xundian::bench {

namespace {

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

Result<void> measure_alerts(House& house, const Plan& plan, std::array<size_t, producers>& next, Totals& said, Figures& figures) {
  Receiver receiver("entity");
  const size_t samples = alert_samples(plan);
  const Millis now = wall_ms();
  std::vector<v1::Fact> setup = {TRY(subscriber_fact(house.folder(), receiver.url(), now))};
  for (size_t sample = 0; sample < 2 * samples; ++sample) setup.push_back(sample_setup(sample, now));
  TRY_VOID(house.put(setup));
  TRY_VOID(house.wait_quiet());
  if (receiver.count() > 0) return fail(Code::internal, "{} alerts came before anything was wrong", receiver.count());
  TimedProducer link(house.home(), "bench.alerts");
  TRY_VOID(link.connect());
  const auto put = [&](const v1::Fact& fact) -> Result<double> {
    BatchBuilder builder;
    TRY_VOID(builder.add(fact));
    link.send(builder.finish(scope, house.home().settings().partitions, {}));
    TRY_VOID(link.drain());
    return link.ack_us().back();
  };
  const AlertTimes idle = TRY(time_alerts(0, samples, put, receiver));
  PacedLoad load(house, plan.workload->feeds[1], next[1], figures.of("facts_per_s") / 2);
  const auto busy = time_alerts(samples, samples, put, receiver);
  next[1] += TRY(load.stop());
  if (!busy) return tl::unexpected(busy.error());
  said.stock_units += static_cast<int64_t>(2 * samples) * sample_level_below;
  figures.add("alert_p50_us", quantile(idle.put_us, 0.5));
  figures.add("alert_p99_us", quantile(idle.put_us, 0.99));
  figures.add("alert_after_ack_p50_us", quantile(idle.accepted_us, 0.5));
  figures.add("alert_after_ack_p99_us", quantile(idle.accepted_us, 0.99));
  figures.add("alert_busy_p50_us", quantile(busy->put_us, 0.5));
  figures.add("alert_busy_p99_us", quantile(busy->put_us, 0.99));
  figures.add("alert_busy_beside_facts_per_s", load.facts_per_s());
  return {};
}

}  // namespace xundian::bench
