// How long it takes until the set of services is there: in an empty home, by folding its whole journal again, from its snapshots.
#include <filesystem>

#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

constexpr int empty_starts = 5;

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

Result<void> measure_start(House& house, const Workload& workload, const std::array<size_t, producers>& next, Figures& figures) {
  const Offset head = TRY(house.head());
  TRY_VOID(house.stop());
  TRY_VOID(measure_empty(figures));
  std::filesystem::remove_all(house.home().path("snapshots"));
  figures.add("replay_facts_per_s", static_cast<double>(head) / TRY(start_again_ms(house, head)) * 1000);
  TRY_VOID(house.stop());
  TRY_VOID(check_snapshots(house));
  figures.add("start_snapshot_ms", TRY(start_again_ms(house, head)));
  figures.add("snapshot_skus", static_cast<double>(workload.skus(next)));
  return {};
}

}  // namespace xundian::bench
