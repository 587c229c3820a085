// What a fact costs as stores and SKUs become more. Each point begins with a fold that knows every SKU of every store, counted
// once and sold once on the day that is measured, and every campaign; what is measured then is as many facts at every point.
#include <malloc.h>

#include <climits>
#include <cstdio>
#include <memory>

#include "common/time.h"
#include "services/cli/json.h"
#include "tests/bench/fold_bench.h"
#include "tests/bench/fold_facts.h"
#include "tests/bench/machine.h"

namespace xundian::bench {

namespace {

constexpr uint32_t skus_of_growing_stores = 1'000, stores_of_growing_skus = 200;
constexpr uint32_t fill_lines = 50;
constexpr size_t fill_facts = 1'000;         // Of a commit.
constexpr Millis fill_age_ms = 7 * hour_ms;  // Before everything of the workload.
constexpr double bytes_of_sku = 700;         // That the fold which takes most needs for one, and some room.
constexpr size_t bytes_of_fact = 500;        // The same for a fact that is measured.

struct Cost {
  double ns = 0, bytes = 0;  // Of a fact.
};
struct Point {
  Shape shape;
  std::string skipped;      // Why; empty: it was measured.
  std::vector<Cost> costs;  // By service, and of them together.
  uint64_t skus() const { return uint64_t{shape.stores} * shape.skus_of_store; }
};
struct Row {
  std::string name;
  std::vector<Point> points;
};

bool folds_kind(const ServiceDefinition& service, Kind kind) {
  return std::find(service.kinds.begin(), service.kinds.end(), kind) != service.kinds.end();
}

// Only what the fold wants of it is made.
void fill(Replica& replica, const ServiceDefinition& service, const Shape& shape, Millis now, CommitMaker& maker) {
  BatchBuilder builder;
  const auto add = [&](const v1::Fact& fact) { CHECK(builder.add(fact).has_value(), "what fills a fold are good facts"); };
  const auto fold = [&] {
    if (!builder.empty()) fold_commit(replica, view_of_commit(maker.next(builder, now)));
  };
  for (const v1::Fact& fact : store_facts(now, shape.stores)) add(fact);
  fold();
  const Millis then = now - fill_age_ms;
  uint64_t number = 0;
  for (uint32_t store = 0; store < shape.stores; ++store) {
    for (uint32_t campaign = 0; campaign < campaigns_of_store && folds_kind(service, v1::Fact::kAdReport); ++campaign)
      add(ad_fact(store, campaign, format_day(static_cast<Day>(now / day_ms)), then));
    for (uint32_t sku = 0; sku < shape.skus_of_store && folds_kind(service, v1::Fact::kOrderState); sku += fill_lines) {
      add(order_fact(store, number++, sku, std::min(fill_lines, shape.skus_of_store - sku), then));
      if (builder.count() >= fill_facts) fold();
    }
    for (uint32_t sku = 0; sku < shape.skus_of_store && folds_kind(service, v1::Fact::kStockLevel); ++sku) {
      add(stock_fact(store, sku, then));
      if (builder.count() >= fill_facts) fold();
    }
    fold();
  }
}

// Gives the heap so much that is touched already. The first touch of memory is the system's cost, and the host's; services take
// theirs ahead of need (common/memory_ahead.h).
void warm_heap(size_t bytes) {
  constexpr size_t block_bytes = 1u << 20;
  ::mallopt(M_MMAP_THRESHOLD, 32 * block_bytes);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  std::vector<std::unique_ptr<char[]>> blocks;
  for (size_t taken = 0; taken < bytes; taken += block_bytes) blocks.push_back(std::make_unique<char[]>(block_bytes));
}

Cost measure(const ServiceDefinition& service, const Workload& workload, const Shape& shape, Millis now) {
  CommitMaker maker;
  Replica replica = make_replica(service);
  fill(replica, service, shape, now, maker);
  const std::vector<std::string> commits = commits_of(workload, now, 0, maker);
  warm_heap(commits.size() * facts_of_batch * bytes_of_fact);
  const Folded folded = fold(replica, commits);
  return {folded.ns_of_fact(), folded.bytes_of_fact()};
}

// Keeps what is better than what the point had: other programs only ever add to it.
void measure(const Asked& asked, Millis now, Point& point) {
  const double needed = static_cast<double>(point.skus()) * bytes_of_sku, free = free_memory_bytes();
  if (needed > free) {
    point.skipped = fmt::format("needs about {:.1f} GB, {:.1f} GB are free", needed / 1e9, free / 1e9);
    return;
  }
  const Workload workload = Workload::make(asked.facts, now, point.shape);
  Cost all;
  std::vector<Cost> costs;
  for (const ServiceDefinition& service : definitions(asked)) {
    const Cost cost = costs.emplace_back(measure(service, workload, point.shape, now));
    malloc_trim(0);  // The next one may take what this one had.
    all.ns += cost.ns;
    all.bytes += cost.bytes;
  }
  costs.push_back(all);
  if (point.costs.empty()) point.costs = costs;
  for (size_t index = 0; index < costs.size(); ++index)
    if (costs[index].ns < point.costs[index].ns) point.costs[index] = costs[index];
}

// How much dearer a fact is at the last point that was measured than at the first; empty if there is no last.
std::vector<double> last_to_first(const Row& row) {
  const Point *first = nullptr, *last = nullptr;
  for (const Point& point : row.points) {
    if (!point.skipped.empty()) continue;
    (first == nullptr ? first : last) = &point;
  }
  std::vector<double> ratios;
  for (size_t index = 0; last != nullptr && index < first->costs.size(); ++index)
    ratios.push_back(last->costs[index].ns / first->costs[index].ns);
  return ratios;
}

void print_row(const Row& row, const std::vector<std::string>& names) {
  fmt::print("\n{:>6} {:>9}{:>15}\n", "stores", "SKUs", fmt::join(names, ""));
  for (const Point& point : row.points) {
    fmt::print("{:>6} {:>9}", point.shape.stores, point.skus());
    if (!point.skipped.empty())
      fmt::print("  skipped: {}", point.skipped);
    else
      for (const Cost& cost : point.costs) fmt::print("{:>8.0f} ({:>4.0f})", cost.ns, cost.bytes);
    fmt::print("\n");
  }
  fmt::print("{:>16}", "last ÷ first");
  for (const double ratio : last_to_first(row)) fmt::print("{:>8.2f}{:>7}", ratio, "");
  fmt::print("\n");
  std::fflush(stdout);
}

void print_json(const Asked& asked, const std::vector<std::string>& names, const std::vector<Row>& rows) {
  cli::Json json;
  json.begin_object().field("facts", uint64_t{asked.facts}).field("repeat", uint64_t{asked.repeat});
  for (const Row& row : rows) {
    json.key(row.name).begin_array();
    for (const Point& point : row.points) {
      json.begin_object().field("stores", point.shape.stores).field("skus", point.skus());
      if (!point.skipped.empty()) json.field("skipped", std::string_view(point.skipped));
      for (size_t index = 0; index < point.costs.size() && point.skipped.empty(); ++index)
        json.key(names[index])
            .begin_object()
            .field("ns_of_fact", std::round(point.costs[index].ns))
            .field("bytes_of_fact", std::round(point.costs[index].bytes))
            .end_object();
      json.end_object();
    }
    json.end_array().key(row.name + "_last_to_first").begin_object();
    const std::vector<double> ratios = last_to_first(row);
    for (size_t index = 0; index < ratios.size(); ++index) json.field(names[index], std::round(ratios[index] * 100) / 100);
    json.end_object();
  }
  json.end_object();
  fmt::print("{}\n", json.text());
}

}  // namespace

void print_growth(const Asked& asked, Millis now) {
  std::vector<Row> rows(2);
  rows[0].name = "stores";
  for (const uint32_t count : {1u, 10u, 100u, 1'000u}) rows[0].points.push_back({{count, skus_of_growing_stores}, {}, {}});
  rows[1].name = "skus";
  for (const uint32_t count : {5u, 50u, 500u, 5'000u, 50'000u})
    rows[1].points.push_back({{stores_of_growing_skus, count}, {}, {}});
  std::vector<std::string> names;
  for (const ServiceDefinition& service : definitions(asked)) names.push_back(service.name);
  names.push_back("together");
  if (!asked.json)
    fmt::print("ns of one thread for a fact (and bytes); {} facts a point, best of {} rounds\n", asked.facts, asked.repeat);
  for (Row& row : rows) {
    // Point after point, so often: a busy minute of the machine spoils no point more than another.
    for (size_t round = 0; round < asked.repeat; ++round)
      for (Point& point : row.points)
        if (point.skipped.empty()) measure(asked, now, point);
    if (!asked.json) print_row(row, names);
  }
  if (asked.json) print_json(asked, names, rows);
}

}  // namespace xundian::bench
