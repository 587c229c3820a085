// The usual way to an alert: gauges, Prometheus that scrapes them and evaluates rules every second, Alertmanager that groups
// nothing and waits for nothing, a webhook. And what it costs Prometheus to evaluate rules, by its own account of it.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "common/clock.h"
#include "tests/bench/leg.h"
#include "tests/bench/prometheus.h"
#include "tests/bench/receiver.h"

namespace xundian::bench {

namespace {

constexpr size_t alerts_of_second = 5, alerts_min = 10, alerts_max = 100;
constexpr double alerts_share = 0.4, checks_share = 0.3;  // Of the leg's seconds.
constexpr size_t series_of_store = 100, series_stores = 20, series = series_of_store * series_stores;
constexpr size_t evaluations_min = 3;
// Prometheus looks for targets and for its Alertmanager every five seconds.
constexpr Millis scraped_ms = 60'000, evaluated_ms = 120'000;
constexpr int units_enough = 12, units_low = 9, one_low_of = 100;
constexpr const char* every_second = "1s";

std::string watched(size_t sample) { return fmt::format("A{:03}", sample); }
std::string series_labels(size_t index) {
  return fmt::format("store=\"s{:02}\",sku=\"K{:02}\"", index / series_of_store, index % series_of_store);
}

// The shop's gauges. Each watched one is a target of its own; all others are one target's.
class Exporter {
 public:
  explicit Exporter(size_t samples) : units_(samples) {
    for (auto& units : units_) units = units_enough;
    server_.set_tcp_nodelay(true);
    // A connection for each scrape: one that is kept open would hold a thread, and others would have to wait for it.
    server_.set_keep_alive_max_count(1);
    server_.Get(R"(/watched/(\d+))", [this](const httplib::Request& request, httplib::Response& response) {
      const size_t sample = std::stoul(request.matches[1]);
      if (sample >= units_.size()) return void(response.status = 404);
      response.set_content(fmt::format("watched_stock{{sku=\"{}\"}} {}\n", watched(sample), units_[sample].load()), "text/plain");
    });
    std::string all;
    for (size_t index = 0; index < series; ++index)
      all += fmt::format("stock{{{}}} {}\n", series_labels(index), index % one_low_of == 0 ? units_low : units_enough);
    server_.Get("/all", [all](const httplib::Request&, httplib::Response& response) { response.set_content(all, "text/plain"); });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Exporter() {
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }
  int port() const { return port_; }
  void drop(size_t sample) { units_[sample] = units_low; }

 private:
  httplib::Server server_;
  std::vector<std::atomic<int>> units_;
  int port_ = 0;
  std::thread thread_;
};

std::string alertmanager_config(const std::string& webhook) {
  return fmt::format(
      "route: {{receiver: bench, group_by: [sku], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n"
      "receivers:\n"
      "  - name: bench\n"
      "    webhook_configs: [{{url: \"{}\", send_resolved: false}}]\n",
      webhook);
}

// Prometheus spreads targets and rule groups over its interval. With a target for each sample they fall into every phase of it.
std::string prometheus_config(size_t samples, int exporter_port, int alertmanager_port) {
  std::string text = fmt::format(
      "global: {{scrape_interval: {0}, scrape_timeout: {0}, evaluation_interval: {0}}}\n"
      "alerting: {{alertmanagers: [{{static_configs: [{{targets: [\"127.0.0.1:{1}\"]}}]}}]}}\n"
      "rule_files: [rules.yml]\n"
      "scrape_configs:\n"
      "  - job_name: shop\n"
      "    static_configs:\n"
      "      - {{targets: [\"127.0.0.1:{2}\"], labels: {{__metrics_path__: /all, target: all}}}}\n",
      every_second, alertmanager_port, exporter_port);
  for (size_t sample = 0; sample < samples; ++sample)
    text += fmt::format("      - {{targets: [\"127.0.0.1:{0}\"], labels: {{__metrics_path__: /watched/{1}, target: \"{1}\"}}}}\n",
                        exporter_port, sample);
  return text;
}

std::string rule_text(const std::string& name, const std::string& selector) {
  return fmt::format("      - {{alert: {}, expr: '{} < 10'}}\n", name, selector);
}

// Each in a group of its own, for the same reason.
std::string alert_rules(size_t samples) {
  std::string text = "groups:\n";
  for (size_t sample = 0; sample < samples; ++sample)
    text += fmt::format("  - name: watched_{}\n    rules:\n", sample) +
            rule_text("watched_low", fmt::format("watched_stock{{sku=\"{}\"}}", watched(sample)));
  return text;
}

// A rule for each series, and, in the other group, one for all of them.
std::string check_rules() {
  std::string text = "groups:\n  - name: each\n    rules:\n";
  for (size_t index = 0; index < series; ++index) text += rule_text("each_low", fmt::format("stock{{{}}}", series_labels(index)));
  return text + "  - name: one\n    rules:\n" + rule_text("one_low", "stock");
}

template <typename Ask>
Result<void> wait_until(std::string_view what, Millis limit_ms, Ask&& ask) {
  for (const Millis until = steady_ms() + limit_ms; !TRY(ask());) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "{} did not happen in {} ms", what, limit_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

// Until it has seen every gauge, knows its Alertmanager, and has evaluated all rules once.
Result<void> wait_scraped(const PrometheusProgram& prometheus, size_t samples) {
  return wait_until("a scrape of everything", scraped_ms, [&]() -> Result<bool> {
    const std::string page = TRY(prometheus.metrics());
    return metric_of(page, "prometheus_notifications_alertmanagers_discovered").value_or(0) == 1 &&
           TRY(prometheus.query("count(stock)")) == static_cast<double>(series) &&
           TRY(prometheus.query("count(watched_stock)")) == static_cast<double>(samples) &&
           metric_of(page, "prometheus_rule_group_duration_seconds_count").value_or(0) >= static_cast<double>(samples);
  });
}

// Gauges fall one after the other, in no order and at no fixed distance; what they wait for overlaps.
Result<void> measure_alert_times(const Plan& plan, Exporter& exporter, Receiver& receiver, size_t samples, Figures& figures) {
  if (receiver.count() > 0) return fail(Code::internal, "{} alerts came before anything was wrong", receiver.count());
  std::mt19937 dice(1);
  std::vector<size_t> order(samples);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), dice);
  const auto slot_ns = static_cast<uint64_t>(plan.secs * alerts_share * 1e9 / static_cast<double>(samples));
  std::vector<int64_t> dropped_ns(samples);
  const int64_t began = now_ns();
  for (size_t index = 0; index < samples; ++index) {
    if (interrupted()) return interrupted_error();
    const auto at = began + static_cast<int64_t>(index * slot_ns + dice() % slot_ns);
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<int64_t>(at - now_ns(), 0)));
    dropped_ns[order[index]] = now_ns();
    exporter.drop(order[index]);
  }
  std::vector<double> alert_us;
  for (size_t sample = 0; sample < samples; ++sample)
    alert_us.push_back(static_cast<double>(TRY(receiver.wait_for(watched(sample))) - dropped_ns[sample]) / 1000);
  figures.add("alert_p50_us", quantile(alert_us, 0.5));
  figures.add("alert_p99_us", quantile(alert_us, 0.99));
  figures.add("alerts", static_cast<double>(samples));
  return {};
}

// How long the evaluations of a rule group took, each noted once.
struct Evaluations {
  std::string group;
  std::vector<double> secs;
  double newest = 0;
  void look(std::string_view page) {
    const auto at = metric_of(page, "prometheus_rule_group_last_evaluation_timestamp_seconds", group);
    const auto took = metric_of(page, "prometheus_rule_group_last_duration_seconds", group);
    if (!at || !took || *at <= 0 || *at == newest) return;
    // The first one finds nothing in memory that the others find.
    if (std::exchange(newest, *at) > 0) secs.push_back(*took);
  }
};

// Prometheus evaluates a group's rules one after the other, on one core, and says how long that took: a check is a rule held
// against its series, and no time of it is for scraping. With one rule for all series, each of them counts as a check. One in
// a hundred series is low and its alert is found, by which we see that they are evaluated.
Result<void> measure_rule_checks(const Plan& plan, const PrometheusProgram& prometheus, Figures& figures) {
  Evaluations each{"each", {}}, one{"one", {}};
  const Millis enough = steady_ms() + static_cast<Millis>(plan.secs * checks_share * 1000);
  std::string page;
  TRY_VOID(wait_until("the evaluation of all rules", evaluated_ms, [&]() -> Result<bool> {
    page = TRY(prometheus.metrics());
    each.look(page);
    one.look(page);
    return steady_ms() >= enough && std::min(each.secs.size(), one.secs.size()) >= evaluations_min;
  }));
  if (metric_of(page, "prometheus_rule_group_rules", "each").value_or(0) != static_cast<double>(series))
    return fail(Code::internal, "Prometheus does not have {} rules", series);
  for (const char* name : {"each", "one"}) {
    if (metric_of(page, "prometheus_rule_evaluation_failures_total", name).value_or(1) > 0)
      return fail(Code::internal, "evaluations of the group {} failed", name);
    const double found = TRY(prometheus.query(fmt::format("count(ALERTS{{alertname=\"{}_low\"}})", name)));
    if (found != static_cast<double>(series / one_low_of))
      return fail(Code::data_loss, "the group {} found {} of {} low levels", name, found, series / one_low_of);
  }
  figures.add("rule_checks_per_s", static_cast<double>(series) / quantile(each.secs, 0.5));
  figures.add("one_rule_checks_per_s", static_cast<double>(series) / quantile(one.secs, 0.5));
  figures.add("rules", static_cast<double>(series));
  return {};
}

}  // namespace

Result<Figures> run_prometheus(const Plan& plan) {
  const int64_t began = now_ns();
  const size_t samples = std::clamp(static_cast<size_t>(plan.secs * alerts_of_second), alerts_min, alerts_max);
  TempFolder folder;
  Receiver receiver("sku");
  Exporter exporter(samples);
  const std::string rules = folder.path() + "/rules.yml";
  TRY_VOID(write_text(rules, alert_rules(samples)));
  const PrometheusProgram alertmanager =
      TRY(PrometheusProgram::start_alertmanager(folder.path(), alertmanager_config(receiver.url())));
  const PrometheusProgram prometheus =
      TRY(PrometheusProgram::start_prometheus(folder.path(), prometheus_config(samples, exporter.port(), alertmanager.port())));
  TRY_VOID(wait_scraped(prometheus, samples));
  Figures figures;
  TRY_VOID(measure_alert_times(plan, exporter, receiver, samples, figures));
  TRY_VOID(write_text(rules, check_rules()));
  TRY_VOID(prometheus.reload());
  TRY_VOID(measure_rule_checks(plan, prometheus, figures));
  figures.add("memory_mb.prometheus", prometheus.process().memory_bytes() / 1e6);
  figures.add("memory_mb.alertmanager", alertmanager.process().memory_bytes() / 1e6);
  figures.add("secs", static_cast<double>(now_ns() - began) / 1e9);
  return figures;
}

}  // namespace xundian::bench
