// Our own path: two producers, the bus, every service that folds; and in the same home, when the load is over, what is quick
// about it.
#include <latch>
#include <thread>

#include "common/clock.h"
#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

struct Put {
  size_t batches = 0;
  std::vector<float> ack_us;
  Offset head = 0;
  Result<void> outcome;
};

// Puts a feed's batches until the time or the feed is over, and waits for the last ack.
void put_feed(House& house, size_t producer, const Feed& feed, size_t batches_max, double secs, std::latch& ready, Put& put) {
  TimedProducer link(house.home(), fmt::format("bench.{}", producer));
  put.outcome = link.connect();
  ready.arrive_and_wait();
  if (!put.outcome) return;
  const auto until = now_ns() + static_cast<int64_t>(secs * 1e9);
  put.outcome = link.put(feed, put.batches, batches_max, house.home().settings().partitions, until);
  put.ack_us = link.ack_us();
  put.head = link.head(house.partition());
}

void add_process_figures(const House& house, const std::vector<std::pair<std::string, double>>& before, double producer_cpu,
                         double facts, Figures& figures) {
  const auto after = house.cpu_seconds();
  double all = producer_cpu;
  for (size_t index = 0; index < after.size(); ++index) {
    const double used = after[index].second - before[index].second;
    all += used;
    figures.add("cpu_us_per_fact." + after[index].first, used * 1e6 / facts);
  }
  figures.add("cpu_us_per_fact.producers", producer_cpu * 1e6 / facts);
  figures.add("cpu_us_per_fact.all", all * 1e6 / facts);
  for (const auto& [name, bytes] : house.memory_bytes()) figures.add("memory_mb." + name, bytes / 1e6);
}

double own_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The load: from the first put to the moment at which the last service has shown that it folded the last fact.
Result<std::array<size_t, producers>> measure_load(House& house, const Plan& plan, Figures& figures) {
  std::array<Put, producers> puts;
  std::latch ready(producers + 1);
  int64_t began = 0;
  const auto cpu_before = house.cpu_seconds();
  const double own_before = own_cpu_seconds();
  {
    std::vector<std::jthread> threads;
    for (size_t index = 0; index < producers; ++index) {
      const Feed& feed = plan.workload->feeds[index];
      const size_t kept = std::min(batches_kept(plan) + paced_batches_kept(plan), feed.batches() / 2);
      threads.emplace_back([&, index, kept] {
        put_feed(house, index, plan.workload->feeds[index], plan.workload->feeds[index].batches() - kept, plan.secs, ready,
                 puts[index]);
      });
    }
    ready.arrive_and_wait();
    began = now_ns();
  }
  const int64_t acknowledged = now_ns();
  const double own_cpu = own_cpu_seconds() - own_before;
  Offset head = 0;
  std::vector<float> ack_us;
  std::array<size_t, producers> batches{};
  for (size_t index = 0; index < producers; ++index) {
    TRY_VOID(puts[index].outcome);
    head = std::max(head, puts[index].head);
    batches[index] = puts[index].batches;
    ack_us.insert(ack_us.end(), puts[index].ack_us.begin(), puts[index].ack_us.end());
  }
  TRY_VOID(house.wait_folded(head));
  const auto facts = static_cast<double>((batches[0] + batches[1]) * facts_of_batch);
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  figures.add("facts_per_s", facts / secs);
  figures.add("acknowledged_per_s", facts / (static_cast<double>(acknowledged - began) / 1e9));
  figures.add("ack_p50_us", quantile(ack_us, 0.5));
  figures.add("ack_p99_us", quantile(ack_us, 0.99));
  figures.add("facts", facts);
  figures.add("secs", secs);
  add_process_figures(house, cpu_before, own_cpu, facts, figures);
  return batches;
}

}  // namespace

Result<Figures> run_ours(const Plan& plan) {
  Figures figures;
  std::unique_ptr<House> house = TRY(House::start());
  const Millis now = wall_ms();
  TRY_VOID(house->put(store_facts(now, plan.workload->shape.stores)));
  TRY_VOID(house->wait_memory());
  std::array<size_t, producers> next = TRY(measure_load(*house, plan, figures));
  TRY_VOID(house->check(plan.workload->totals(next), now));
  TRY_VOID(house->wait_quiet());
  TRY_VOID(measure_idle_acks(*house, *plan.workload, next, figures));
  TRY_VOID(measure_single_facts(*house, plan, next, figures));
  TRY_VOID(house->wait_quiet());
  Totals said;
  TRY_VOID(measure_alerts(*house, plan, next, said, figures));
  TRY_VOID(house->wait_quiet());
  TRY_VOID(measure_queries(*house, plan, next, figures));
  said += plan.workload->totals(next);
  TRY_VOID(house->check(said, now));
  house.reset();
  TRY_VOID(measure_start(*plan.workload, figures));
  TRY_VOID(measure_rules(plan, figures));
  return figures;
}

}  // namespace xundian::bench
