// How long it takes until the set of services is there: in an empty home, by folding its whole journal again, from its snapshots.
#include <filesystem>

#include "common/clock.h"
#include "tests/bench/house.h"
#include "tests/bench/machine.h"

namespace xundian::bench {

namespace {

constexpr int empty_starts = 5, replays = 3, kept_starts = 3;
constexpr double settle_secs =
    3;  // Before each start: what the life before it gave back would be cold by then, or not, by chance.
constexpr size_t kept_facts = 3'000'000;  // Enough to name nearly all SKUs.

double ms_since(int64_t began_ns) { return static_cast<double>(now_ns() - began_ns) / 1e6; }

Result<void> measure_empty(Figures& figures) {
  std::vector<double> took_ms;
  for (int count = 0; count < empty_starts; ++count) {
    const int64_t began = now_ns();
    const auto house = TRY(House::start());
    took_ms.push_back(ms_since(began));
  }
  figures.add("start_empty_ms", quantile(took_ms, 0.5));
  return {};
}

// Until all has been folded that was folded before.
Result<double> start_again_ms(House& house, Offset head) {
  settle(settle_secs);
  const int64_t began = now_ns();
  TRY_VOID(house.launch());
  TRY_VOID(house.wait_folded(head));
  return ms_since(began);
}

Result<void> check_snapshots(const House& house) {
  for (const char* service : folds) {
    std::error_code error;
    const std::filesystem::directory_iterator files(house.home().path(fmt::format("snapshots/{}.0", service)), error);
    if (error || files == std::filesystem::directory_iterator())
      return fail(Code::internal, "{} ended without a snapshot", service);
  }
  return {};
}

}  // namespace

Result<void> measure_start(const Workload& workload, Figures& figures) {
  TRY_VOID(measure_empty(figures));
  const auto house = TRY(House::start());
  const Millis now = wall_ms();
  TRY_VOID(house->put(store_facts(now, workload.shape.stores)));
  std::array<size_t, producers> next{};
  Offset head = 0;
  for (size_t producer = 0; producer < producers; ++producer) {
    const Feed& feed = workload.feeds[producer];
    TimedProducer link(house->home(), fmt::format("bench.{}", producer));
    TRY_VOID(link.connect());
    TRY_VOID(link.put(feed, next[producer], std::min(feed.batches(), kept_facts / facts_of_batch / producers),
                      house->home().settings().partitions));
    head = link.head(house->partition());
  }
  TRY_VOID(house->wait_folded(head));
  std::vector<double> replayed_ms, took_ms;
  for (int count = 0; count < replays; ++count) {
    TRY_VOID(house->stop());
    std::filesystem::remove_all(house->home().path("snapshots"));
    replayed_ms.push_back(TRY(start_again_ms(*house, head)));
  }
  figures.add("replay_facts_per_s", static_cast<double>(head) / quantile(replayed_ms, 0.5) * 1000);
  for (int count = 0; count < kept_starts; ++count) {
    TRY_VOID(house->stop());
    TRY_VOID(check_snapshots(*house));
    took_ms.push_back(TRY(start_again_ms(*house, head)));
  }
  figures.add("start_snapshot_ms", quantile(took_ms, 0.5));
  figures.add("snapshot_facts", static_cast<double>(head));
  figures.add("snapshot_skus", static_cast<double>(workload.skus(next)));
  TRY_VOID(house->wait_quiet());
  return house->check(workload.totals(next), now);
}

}  // namespace xundian::bench
