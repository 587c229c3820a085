// The limit: facts that lie in memory are appended to a file and synced by one thread, checked, scanned and folded once by
// another. No transport, no bus, no second fold, no query; nothing that keeps these promises and does more can be faster.
#include <fcntl.h>
#include <absl/container/flat_hash_map.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "common/order_scan.h"
#include "tests/bench/leg.h"
#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr size_t group_bytes = 1u << 20, file_bytes = 256u << 20, groups_ahead = 16;

// What is durable and waits to be folded.
class Queue {
 public:
  void push(std::string group) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return groups_.size() < groups_ahead; });
    groups_.push_back(std::move(group));
    changed_.notify_all();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  // False at the end.
  bool pop(std::string& group) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || !groups_.empty(); });
    if (groups_.empty()) return false;
    group = std::move(groups_.front());
    groups_.pop_front();
    changed_.notify_all();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> groups_;
  bool ended_ = false;
};

struct TakeLow {
  size_t operator()(const Key& key) const { return key.low; }
};

struct Line {
  uint64_t sku = 0;
  int64_t units = 0;
};
struct Thing {
  uint64_t rank = 0;
  int64_t value = 0;
  std::array<Line, 3> lines;
};

// The least that a fold of all kinds can be and still count each thing once, in its newest version.
class LeastFold {
 public:
  void fold(const FactView& fact) {
    totals_.facts += 1;
    Thing& thing = things_[fact.key()];
    const uint64_t before = thing.rank;
    if (fact.rank() <= before) return;
    thing.rank = fact.rank();
    switch (fact.kind()) {
      case v1::Fact::kOrderState:
        return fold_order(fact, thing, before == 0);
      case v1::Fact::kStockLevel:
        return replace(read_number(fact, 5), thing, totals_.stock_units);
      case v1::Fact::kAdReport:
        return replace(read_number(fact, 7), thing, totals_.impressions);
      case v1::Fact::kChatMessage:
        (read_number(fact, 2) == v1::AUTHOR_KIND_CUSTOMER ? totals_.conversations : totals_.replies) += 1;
        return;
      default:
        return;
    }
  }
  Totals totals() const {
    Totals totals = totals_;
    for (const auto& [sku, units] : units_) totals.units += static_cast<uint64_t>(units);
    return totals;
  }

 private:
  void fold_order(const FactView& fact, Thing& thing, bool fresh) {
    totals_.orders += fresh;
    CHECK(scan_.scan(fact) && scan_.lines.size() <= thing.lines.size(), "the workload's orders can be read");
    replace(scan_.paid_amount_micros.value_or(0), thing, totals_.amount_micros);
    for (const Line& line : thing.lines)
      if (line.units != 0) units_[line.sku] -= line.units;
    thing.lines = {};
    for (size_t index = 0; index < scan_.lines.size(); ++index) {
      thing.lines[index] = {hash64(scan_.lines[index].sku) ^ fact.store(), scan_.lines[index].quantity};
      units_[thing.lines[index].sku] += scan_.lines[index].quantity;
    }
  }

  static void replace(int64_t value, Thing& thing, int64_t& total) {
    total += value - thing.value;
    thing.value = value;
  }

  // A number of the state's first aspect.
  static int64_t read_number(const FactView& fact, uint32_t field) {
    FieldScan state(fact.payload());
    if (!state.next()) return 0;
    for (FieldScan scan(state.bytes()); scan.next();)
      if (scan.field() == field) return static_cast<int64_t>(scan.number());
    return 0;
  }

  absl::flat_hash_map<Key, Thing, TakeLow> things_;
  absl::flat_hash_map<uint64_t, int64_t> units_;
  OrderScan scan_;
  Totals totals_;
};

void fold_all(Queue& queue, LeastFold& fold) {
  std::string group;
  while (queue.pop(group)) {
    const uint32_t crc = load<uint32_t>(group.data());
    std::string_view frames = std::string_view(group).substr(sizeof crc);
    CHECK(crc32c(frames) == crc, "a group is as it was written");
    while (!frames.empty()) fold.fold(FactView(*split_frame(frames), 0, 0));
  }
}

// A file of the log, its room taken beforehand.
int open_log(const std::string& folder, size_t number) {
  const int file = open(fmt::format("{}/{}", folder, number).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(file >= 0 && posix_fallocate(file, 0, file_bytes) == 0, "a log file is made");
  return file;
}

}  // namespace

Result<Figures> run_raw_file(const Plan& plan) {
  TempFolder folder;
  Queue queue;
  LeastFold fold;
  std::vector<float> sync_us;
  std::array<size_t, producers> next{};
  size_t file_number = 0, in_file = 0;
  int file = open_log(folder.path(), 0);
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(plan.secs * 1e9);
  {
    std::jthread folder_thread([&] { fold_all(queue, fold); });
    const auto& feeds = plan.workload->feeds;
    while (now_ns() < until && next[1] < feeds[1].batches() && !interrupted()) {
      std::string group(sizeof(uint32_t), '\0');
      group.reserve(group_bytes + (128u << 10));
      while (group.size() < group_bytes && next[1] < feeds[1].batches())
        for (size_t index = 0; index < producers; ++index) group += feeds[index].frames(next[index]++);
      store(group.data(), crc32c(std::string_view(group).substr(sizeof(uint32_t))));
      if (in_file + group.size() > file_bytes) {
        close(file);
        file = open_log(folder.path(), ++file_number);
        in_file = 0;
      }
      const int64_t before = now_ns();
      CHECK(write(file, group.data(), group.size()) == static_cast<ssize_t>(group.size()) && fdatasync(file) == 0,
            "the disk takes it");
      sync_us.push_back(static_cast<float>(now_ns() - before) / 1000.0f);
      in_file += group.size();
      queue.push(std::move(group));
    }
    queue.end();
  }
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  close(file);
  if (interrupted()) return interrupted_error();
  TRY_VOID(check_totals("the raw file's fold", fold.totals(), plan.workload->totals(next)));
  const auto facts = static_cast<double>((next[0] + next[1]) * facts_of_batch);
  Figures figures;
  figures.add("facts_per_s", facts / secs);
  figures.add("ack_p50_us", quantile(sync_us, 0.5));
  figures.add("ack_p99_us", quantile(sync_us, 0.99));
  figures.add("facts", facts);
  figures.add("secs", secs);
  return figures;
}

}  // namespace xundian::bench
