// From a stock level below its reorder point to the subscriber's receiver, on quiet services: three group commits and an HTTP
// request.
#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "common/clock.h"
#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

constexpr size_t samples_of_second = 10, samples_min = 10, samples_max = 200;
constexpr int64_t level_above = 12, level_below = 9, reorder_point = 10;
constexpr Millis alert_wait_ms = 20'000;

// A subscriber: keeps for each entity when its first notice had come in whole.
class Receiver {
 public:
  Receiver() {
    server_.set_tcp_nodelay(true);
    server_.set_keep_alive_max_count(1'000'000);
    server_.Post("/hook", [this](const httplib::Request& request, httplib::Response&) {
      const int64_t now = now_ns();
      const std::string_view body = request.body;
      constexpr std::string_view name = "\"entity\":\"";
      const size_t begin = body.find(name);
      if (begin == std::string_view::npos) return;
      const size_t end = body.find('"', begin + name.size());
      const std::lock_guard lock(mutex_);
      came_.emplace(body.substr(begin + name.size(), end - begin - name.size()), now);
      changed_.notify_all();
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Receiver() {
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/hook", port_); }
  Result<int64_t> wait_for(const std::string& entity) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::milliseconds(alert_wait_ms), [&] { return came_.contains(entity); });
    if (!came) return fail(Code::deadline_exceeded, "no alert of {} came in {} ms", entity, alert_wait_ms);
    return came_.at(entity);
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return came_.size();
  }

 private:
  httplib::Server server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int64_t, std::less<>> came_;
  int port_ = 0;
  std::thread thread_;
};

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
  Receiver receiver;
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
