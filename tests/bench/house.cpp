#include "tests/bench/house.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "common/clock.h"
#include "common/time.h"
#include "common/wire.h"
#include "tests/bench/machine.h"

namespace xundian::bench {

namespace {

constexpr Millis query_ms = 120'000, quiet_ms = 150;

bool keeps_orders(std::string_view service) {
  return service == "intake" || service == "inventory" || service == "metrics" || service == "support";
}

}  // namespace

Result<std::unique_ptr<House>> House::start() {
  std::unique_ptr<House> house(new House());
  TRY_VOID(house->launch());
  return house;
}

Result<void> House::launch() {
  const std::string home = folder() + "/home", programs = program_folder();
  for (std::string name : {"bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake"}) {
    const std::string program = programs + "/xundian-" + name;
    if (!std::filesystem::exists(program)) return fail(Code::not_found, "{} is not there; deploy/up builds it", program);
    std::vector<std::string> command = {program, "--home", home};
    if (keeps_orders(name))
      command.insert(command.begin(), {"/usr/bin/env", fmt::format("XUNDIAN_MEMORY_AHEAD_MB={}", memory_ahead_mb())});
    processes_.emplace_back(name, TRY(Process::start(std::move(command), folder() + "/" + name + ".log")));
  }
  auto opened = Home::open(home, start_ms);
  if (!opened) return tl::unexpected(why_unavailable(opened.error()));
  home_ = std::move(*opened);
  TRY_VOID(of_each([this](const char* service) { return wait_bound(service); }));
  return wait_folded(0);
}

Result<void> House::stop() {
  for (; !processes_.empty(); processes_.pop_back()) TRY_VOID(processes_.back().second.stop(folded_ms));
  return {};
}

Error House::why_unavailable(Error error) const {
  for (const auto& [name, process] : processes_)
    if (!process.lives()) error.message += fmt::format("\nxundian-{} ended: {}", name, process.said());
  return error;
}

Partition House::partition() const { return partition_of(group_hash(scope), home_->settings().partitions); }

Result<void> House::put(std::span<const v1::Fact> facts) {
  Publisher publisher(*home_, "bench.setup");
  for (const v1::Fact& fact : facts) TRY_VOID(publisher.put(scope, fact));
  const auto heads = TRY(publisher.flush());
  return wait_folded(heads.empty() ? 0 : heads.begin()->second);
}

// ZeroMQ tries ever more seldom to reach a socket that is not there yet; a plain connection sees the moment.
Result<void> House::wait_bound(const std::string& service) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = home_->path("run/" + service + ".0.query");
  CHECK(path.size() < sizeof address.sun_path, "the home's sockets have short paths");
  path.copy(address.sun_path, path.size());
  for (const Millis until = steady_ms() + start_ms;; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    if (bound) return {};
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until)
      return tl::unexpected(why_unavailable(Error{Code::unavailable, fmt::format("{} did not open its socket", service)}));
  }
}

// Each question takes a processor from the folds that are waited for, so it is asked again after a hundredth of the time waited.
Result<void> House::fold_until(const std::string& service, Offset head) const {
  QueryClient client(home_->endpoint(service + ".0.query"));
  for (const Millis began = steady_ms();;) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() - began >= folded_ms)
      return fail(Code::deadline_exceeded, "{} had not folded {} facts in {} ms", service, head, folded_ms);
    const auto status = client.ask_as<query::v1::GetStatusResponse>("GetStatus", query::v1::GetStatusRequest(), 1'000);
    if (!status) {
      for (const auto& [name, process] : processes_)
        if (!process.lives()) return fail(Code::unavailable, "xundian-{} ended: {}", name, process.said());
      continue;
    }
    if (status->skipped() > 0) return fail(Code::data_loss, "{} skipped {} facts", service, status->skipped());
    for (const auto& partition : status->partitions())
      if (status->healthy() && partition.partition() == this->partition() && partition.offset() >= head) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(std::max<Millis>((steady_ms() - began) / 100, 1)));
  }
}

// A thread for each, so that none waits for another's answer.
Result<void> House::of_each(const std::function<Result<void>(const char* service)>& wait) const {
  std::array<Result<void>, folds.size()> outcomes;
  {
    std::vector<std::jthread> askers;
    for (size_t index = 0; index < folds.size(); ++index)
      askers.emplace_back([&, index] { outcomes[index] = wait(folds[index]); });
  }
  for (const auto& outcome : outcomes) TRY_VOID(outcome);
  return {};
}

Result<void> House::wait_folded(Offset head) const {
  return of_each([&](const char* service) { return fold_until(service, head); });
}

Result<void> House::wait_memory() const {
  const auto wanted = static_cast<double>(memory_ahead_mb() << 20);
  const auto has = [&](const auto& process) { return !keeps_orders(process.first) || process.second.memory_bytes() >= wanted; };
  for (const Millis until = steady_ms() + start_ms; !std::ranges::all_of(processes_, has) && steady_ms() < until;) {
    if (interrupted()) return interrupted_error();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

Result<Offset> House::head() const {
  QueryClient client(home_->endpoint("bus.0.query"));
  const auto status =
      TRY(client.ask_as<query::v1::GetBusStatusResponse>("GetBusStatus", query::v1::GetBusStatusRequest(), 10'000));
  return static_cast<Offset>(status.heads(partition()));
}

Result<void> House::wait_quiet() const {
  Offset before = TRY(head());
  TRY_VOID(wait_folded(before));
  for (Millis since = steady_ms(); steady_ms() - since < quiet_ms;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const Offset now = TRY(head());
    if (now != before) since = steady_ms();
    before = now;
    TRY_VOID(wait_folded(now));
  }
  return {};
}

Result<query::v1::QueryMetricsResponse> House::query(const std::string& service, const std::string& metric, Millis now) const {
  QueryClient client(home_->endpoint(service + ".0.query"));
  query::v1::QueryMetricsRequest request;
  request.add_metrics(metric);
  request.set_from(format_day(static_cast<Day>(now / day_ms) - 1));
  request.set_to(format_day(static_cast<Day>(now / day_ms) + 1));
  request.set_grain("total");
  return client.ask_as<query::v1::QueryMetricsResponse>("QueryMetrics", request, query_ms);
}

Result<void> House::check(const Totals& said, Millis now) const {
  const auto total = [&](const std::string& service, const std::string& metric) -> Result<int64_t> {
    int64_t sum = 0;
    const query::v1::QueryMetricsResponse response = TRY(query(service, metric, now));
    for (const auto& row : response.rows()) sum += row.numerator();
    return sum;
  };
  Totals counted;
  counted.facts = said.facts;  // What is durable is known by offsets; the services count things.
  counted.orders = static_cast<uint64_t>(TRY(total("metrics", "orders")));
  counted.units = static_cast<uint64_t>(TRY(total("metrics", "units")));
  counted.amount_micros = TRY(total("metrics", "paid_amount"));
  counted.stock_units = TRY(total("inventory", "stock_available"));
  counted.conversations = static_cast<uint64_t>(TRY(total("support", "conversations")));
  counted.replies = static_cast<uint64_t>(TRY(total("support", "replies")));
  counted.impressions = TRY(total("campaigns", "impressions"));
  return check_totals("the set of services", counted, said);
}

std::vector<std::pair<std::string, double>> House::cpu_seconds() const {
  std::vector<std::pair<std::string, double>> seconds;
  for (const auto& [name, process] : processes_) seconds.emplace_back(name, process.cpu_seconds());
  return seconds;
}

std::vector<std::pair<std::string, double>> House::memory_bytes() const {
  std::vector<std::pair<std::string, double>> bytes;
  for (const auto& [name, process] : processes_) bytes.emplace_back(name, process.memory_bytes());
  return bytes;
}

TimedProducer::TimedProducer(const Home& home, const std::string& name)
    : link_(home.endpoint("bus.0.put"), BusLink::Options{name, {producer_id(name)}, false}) {}

Result<void> connect_link(BusLink& link) {
  for (const Millis until = steady_ms() + start_ms; !link.welcomed();) {
    if (steady_ms() >= until) return fail(Code::unavailable, "the bus did not welcome a producer in {} ms", start_ms);
    TRY_VOID(link.turn(steady_ms()));
    poll_socket(link.socket(), 20);
  }
  return {};
}

Result<void> TimedProducer::connect() {
  TRY_VOID(connect_link(link_));
  acknowledged_ = link_.acknowledged(0);
  return {};
}

void TimedProducer::send(std::string batch) {
  sent_ns_.push_back(now_ns());
  link_.send(0, std::move(batch));
}

Result<void> TimedProducer::turn(Millis wait_ms) {
  TRY_VOID(link_.turn(steady_ms()));  // What was just queued goes out before we wait.
  if (wait_ms > 0 && poll_socket(link_.socket(), wait_ms)) TRY_VOID(link_.turn(steady_ms()));
  const uint64_t acknowledged = link_.acknowledged(0);
  const int64_t now = now_ns();
  for (; acknowledged_ < acknowledged; ++acknowledged_) {
    ack_us_.push_back(static_cast<float>(now - sent_ns_.front()) / 1000.0f);
    sent_ns_.pop_front();
  }
  return {};
}

Result<void> TimedProducer::put(const Feed& feed, size_t& next, size_t end, uint32_t partitions, int64_t until_ns) {
  constexpr size_t window_batches = 64;  // More in flight only wait longer.
  BatchBuilder builder;
  while (next < end && now_ns() < until_ns) {
    if (interrupted()) return interrupted_error();
    while (next < end && may_send(window_batches)) {
      add_frames(builder, feed.frames(next++));
      send(builder.finish(scope, partitions, {}));
      TRY_VOID(turn(0));
    }
    TRY_VOID(turn(50));
  }
  return drain();
}

Result<void> TimedProducer::drain() {
  for (const Millis until = steady_ms() + folded_ms; link_.unacknowledged() > 0;) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "the bus did not acknowledge everything in {} ms", folded_ms);
    TRY_VOID(turn(50));
  }
  return {};
}

Offset TimedProducer::head(Partition partition) const {
  const auto found = link_.acknowledged_heads().find(partition);
  return found == link_.acknowledged_heads().end() ? 0 : found->second;
}

}  // namespace xundian::bench
