// A home with the bus and every service that folds, as deploy/up starts them; and one producer of ours, as the bench drives it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>

#include "common/home.h"
#include "common/producer.h"
#include "common/query.h"
#include "tests/bench/leg.h"
#include "tests/bench/process.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::bench {

// Those that fold what outside producers say, in the order in which they are shown.
inline constexpr std::array<const char*, 6> folds = {"metrics", "campaigns", "inventory", "support", "alerts", "intake"};

class House {
 public:
  // Returns when every service answers.
  static Result<std::unique_ptr<House>> start();
  // Ends the services, which keep their states as snapshots, and then the bus.
  Result<void> stop();
  // Starts what was stopped, and waits until every service answers, however far it has folded.
  Result<void> launch();
  const Home& home() const { return *home_; }
  const std::string& folder() const { return folder_.path(); }

  // Puts facts and waits until they are durable and folded.
  Result<void> put(std::span<const v1::Fact> facts);
  // Returns when every service has folded all facts before `head`; each is asked by a thread of its own, so that none waits for
  // another's answer.
  Result<void> wait_folded(Offset head) const;
  // How far the journal has come, in the bench's partition; what services said included.
  Result<Offset> head() const;
  // Waits until nothing has been said for a while and all is folded.
  Result<void> wait_quiet() const;
  // Until those that keep orders have taken memory ahead of need; a system that gives none is not waited for for ever.
  Result<void> wait_memory() const;
  Result<query::v1::QueryMetricsResponse> query(const std::string& service, const std::string& metric, Millis now) const;
  // Fails if a service counted anything but `said`.
  Result<void> check(const Totals& said, Millis now) const;

  // By process, the bus first.
  std::vector<std::pair<std::string, double>> cpu_seconds() const;
  std::vector<std::pair<std::string, double>> memory_bytes() const;
  Partition partition() const;

 private:
  House() = default;
  Result<void> wait_bound(const std::string& service) const;
  Result<void> fold_until(const std::string& service, Offset head) const;
  Result<void> of_each(const std::function<Result<void>(const char* service)>& wait) const;
  Error why_unavailable(Error error) const;

  TempFolder folder_;
  std::optional<Home> home_;
  std::vector<std::pair<std::string, Process>> processes_;
};

// Until the bus has welcomed it.
Result<void> connect_link(BusLink& link);

// One of our producers: a BusLink that knows how long each batch took to be acknowledged.
class TimedProducer {
 public:
  TimedProducer(const Home& home, const std::string& name);
  Result<void> connect();
  BusLink& link() { return link_; }
  bool may_send(size_t window) const { return link_.may_send() && link_.unacknowledged() < window; }
  void send(std::string batch);
  // Hears the bus, waiting up to `wait_ms` for it, and takes down what it acknowledged.
  Result<void> turn(Millis wait_ms);
  // Puts a feed's batches from `next` on as fast as they are taken, until `end` or the time is over, and waits for the last ack.
  Result<void> put(const Feed& feed, size_t& next, size_t end, uint32_t partitions, int64_t until_ns = INT64_MAX);
  // Until all is acknowledged.
  Result<void> drain();
  // Takes the sender's and receiver's time of what was acknowledged.
  const std::vector<float>& ack_us() const { return ack_us_; }
  Offset head(Partition partition) const;

 private:
  BusLink link_;
  std::deque<int64_t> sent_ns_;  // Of what is not yet acknowledged.
  std::vector<float> ack_us_;
  uint64_t acknowledged_ = 0;
};

// Parts of our leg that come after the load, each with its own figures; they take their batches from `next` on and move it.
Result<void> measure_idle_acks(House& house, const Workload& workload, std::array<size_t, producers>& next, Figures& figures);
Result<void> measure_single_facts(House& house, const Plan& plan, std::array<size_t, producers>& next, Figures& figures);
// The stock that it leaves behind is added to `said`. How fast facts go must be known.
Result<void> measure_alerts(House& house, const Plan& plan, std::array<size_t, producers>& next, Totals& said, Figures& figures);
// Needs no house.
Result<void> measure_rules(const Plan& plan, Figures& figures);
Result<void> measure_queries(House& house, const Plan& plan, std::array<size_t, producers>& next, Figures& figures);

// In houses of its own: empty ones, and one that holds as many facts whatever the load was.
Result<void> measure_start(const Workload& workload, Figures& figures);

// How much of a feed is kept for those parts.
size_t batches_kept(const Plan& plan);
size_t paced_batches_kept(const Plan& plan);

}  // namespace xundian::bench
