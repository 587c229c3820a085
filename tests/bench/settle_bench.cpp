// The two choices that are dear to change: how commits lie in LMDB, and how a fold sees a fact.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "common/journal.h"
#include "common/order_scan.h"
#include "tests/bench/process.h"

namespace xundian {
namespace {

using bench::TempFolder;

constexpr size_t fact_bytes = 256;
constexpr uint32_t partitions = 16;
constexpr size_t environment_bytes_max = 512u << 20;  // Begun anew when it is full.

void must(bool holds, const char* what) { CHECK(holds, what); }

// How long each commit took.
class Latencies {
 public:
  void add(std::chrono::steady_clock::duration time) {
    micros_.push_back(std::chrono::duration<double, std::micro>(time).count());
  }
  void report(benchmark::State& state) {
    std::sort(micros_.begin(), micros_.end());
    if (micros_.empty()) return;
    state.counters["p50_us"] = micros_[micros_.size() / 2];
    state.counters["p99_us"] = micros_[micros_.size() * 99 / 100];
  }

 private:
  std::vector<double> micros_;
};

// What every durable figure has to be read beside: the disk alone, with as many bytes.
void disk_alone(benchmark::State& state) {
  TempFolder temp;
  const auto bytes = static_cast<size_t>(state.range(0));
  const std::string block(bytes, 'x');
  const int file = open((temp.path() + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  must(file >= 0, "no file");
  Latencies latencies;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    must(write(file, block.data(), bytes) == static_cast<ssize_t>(bytes) && fdatasync(file) == 0, "the disk failed");
    latencies.add(std::chrono::steady_clock::now() - begin);
  }
  close(file);
  latencies.report(state);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}

// A bare environment with its databases.
class Environment {
 public:
  explicit Environment(unsigned databases) {
    must(mdb_env_create(&env_) == 0 && mdb_env_set_maxdbs(env_, partitions) == 0, "no environment");
    must(mdb_env_set_mapsize(env_, environment_bytes_max + environment_bytes_max / 4) == 0, "no map");
    must(mdb_env_open(env_, temp_.path().c_str(), MDB_NOTLS, 0600) == 0, "the environment does not open");
    MDB_txn* transaction = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &transaction) == 0, "no transaction");
    dbis_.resize(databases);
    for (unsigned index = 0; index < databases; ++index)
      must(mdb_dbi_open(transaction, databases == 1 ? nullptr : std::to_string(index).c_str(), MDB_CREATE | MDB_INTEGERKEY,
                        &dbis_[index]) == 0,
           "no database");
    must(mdb_txn_commit(transaction) == 0, "the databases are not made");
  }
  ~Environment() { mdb_env_close(env_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // One transaction of one synced commit, in which `put(transaction)` writes.
  template <typename Put>
  void commit(Put&& put) {
    MDB_txn* transaction = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &transaction) == 0, "no transaction");
    put(transaction);
    must(mdb_txn_commit(transaction) == 0, "the commit failed");
  }
  // Room for a value at the end of a database.
  char* append(MDB_txn* transaction, unsigned database, uint64_t number, size_t bytes) {
    MDB_val key{sizeof number, &number};
    MDB_val value{bytes, nullptr};
    must(mdb_put(transaction, dbis_[database], &key, &value, MDB_APPEND | MDB_RESERVE) == 0, "the put failed");
    return static_cast<char*>(value.mv_data);
  }

 private:
  TempFolder temp_;
  MDB_env* env_ = nullptr;
  std::vector<MDB_dbi> dbis_;
};

enum class Layout { one_value_a_commit, database_per_partition, record_per_fact };

void put_commit(Environment& environment, Layout layout, uint64_t number, const std::string& facts) {
  environment.commit([&](MDB_txn* transaction) {
    const size_t count = facts.size() / fact_bytes;
    switch (layout) {
      case Layout::one_value_a_commit:
        std::copy(facts.begin(), facts.end(), environment.append(transaction, 0, number, facts.size()));
        break;
      case Layout::database_per_partition: {
        const size_t share = std::max<size_t>(1, count / partitions) * fact_bytes;
        for (size_t at = 0, partition = 0; at < facts.size(); at += share, ++partition) {
          char* to = environment.append(transaction, static_cast<unsigned>(partition), number, share);
          std::copy_n(facts.data() + at, share, to);
        }
        break;
      }
      case Layout::record_per_fact:
        for (size_t index = 0; index < count; ++index)
          std::copy_n(facts.data() + index * fact_bytes, fact_bytes,
                      environment.append(transaction, 0, number * count + index, fact_bytes));
        break;
    }
  });
}

void layout_of_a_commit(benchmark::State& state, Layout layout) {
  const auto bytes = static_cast<size_t>(state.range(0));
  const std::string facts(bytes, 'f');
  const auto make = [&] { return std::make_unique<Environment>(layout == Layout::database_per_partition ? partitions : 1); };
  auto environment = make();
  Latencies latencies;
  uint64_t number = 0;
  size_t written = 0;
  for (auto _ : state) {
    if (written + 2 * bytes > environment_bytes_max) {
      state.PauseTiming();
      environment.reset();
      environment = make();
      written = 0;
      state.ResumeTiming();
    }
    const auto begin = std::chrono::steady_clock::now();
    put_commit(*environment, layout, number++, facts);
    latencies.add(std::chrono::steady_clock::now() - begin);
    written += 2 * bytes;  // With what pages and their heads take.
  }
  latencies.report(state);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
  state.counters["facts/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * (bytes / fact_bytes)), benchmark::Counter::kIsRate);
}

// An order such as a platform states it: paid, two lines.
v1::Fact make_order() {
  v1::Fact fact;
  fact.set_store("flagship");
  fact.set_key("3180642597014412345");
  fact.set_as_of_ms(1'717'200'000'000);
  fact.set_occurred_ms(1'717'199'995'000);
  fact.set_source("taobao.order_list");
  fact.set_import_id(17);
  fact.set_status_rank(30);
  fact.set_source_rank(10);
  auto& order = *fact.mutable_order_state();
  order.mutable_placed()->set_created_ms(1'717'199'900'000);
  order.mutable_placed()->set_buyer(0x1234'5678'9abc'def0);
  order.mutable_placed()->set_buyer_key_id(77);
  order.mutable_placed()->set_channel("app");
  order.mutable_paid()->set_paid_ms(1'717'199'995'000);
  order.mutable_paid()->set_amount_micros(259'000'000);
  order.mutable_status()->set_status("paid");
  order.mutable_status()->set_platform_status("买家已付款，等待卖家发货");
  for (int index = 0; index < 2; ++index) {
    auto& line = *order.add_lines();
    line.set_line_id("318064259701441234" + std::to_string(index));
    line.set_sku("MUG-BLUE-35" + std::to_string(index));
    line.set_product("7412345678" + std::to_string(index));
    line.set_quantity(1 + index);
    line.set_amount_micros(129'500'000);
  }
  return fact;
}

// Different orders, enough of them not to sit in the nearest cache.
std::string make_orders(size_t count) {
  BatchBuilder builder;
  v1::Fact order = make_order();
  for (size_t index = 0; index < count; ++index) {
    order.set_key(std::to_string(3'180'642'597'014'400'000 + index));
    must(builder.add(order).has_value(), "the order is good");
  }
  return builder.finish("acme/north", partitions, {});
}

// Calls `see(FactView)` for each order of a batch again and again; it returns something of what it saw.
template <typename See>
void see_orders(benchmark::State& state, See&& see) {
  constexpr size_t count = 4'096;
  const std::string bytes = make_orders(count);
  const BatchView batch = BatchView::trust(bytes);
  for (auto _ : state) {
    uint64_t sum = 0;
    must(batch
             .for_each([](Kind kind) { return kind == v1::Fact::kOrderState; },
                       [&](std::string_view frame, Offset offset) { sum += see(FactView(frame, offset, 1)); })
             .has_value(),
         "the batch is good");
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
  state.counters["s/fact"] = benchmark::Counter(static_cast<double>(state.iterations() * count),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["frame_bytes"] = static_cast<double>(bytes.size() / count);
}

uint64_t sum_of(const v1::OrderState& order) {
  uint64_t sum = order.placed().buyer() + static_cast<uint64_t>(order.paid().paid_ms() + order.paid().amount_micros());
  sum += order.status().status().size() + static_cast<uint64_t>(order.placed().created_ms());
  for (const auto& line : order.lines()) sum += line.sku().size() + static_cast<uint64_t>(line.quantity() + line.amount_micros());
  return sum;
}

// Every message built anew.
void parse_anew(benchmark::State& state) {
  see_orders(state, [](const FactView& view) {
    v1::Fact fact;
    must(view.parse_fact(fact), "the fact is good");
    return sum_of(fact.order_state());
  });
}

// One message, used again for each.
void parse_into_one(benchmark::State& state) {
  v1::Fact fact;
  see_orders(state, [&](const FactView& view) {
    must(view.parse_fact(fact), "the fact is good");
    return sum_of(fact.order_state());
  });
}

void scan_fields(benchmark::State& state) {
  OrderScan order;
  see_orders(state, [&](const FactView& view) {
    must(order.scan(view), "the fact is good");
    uint64_t sum = order.buyer + static_cast<uint64_t>(order.paid_ms + order.paid_amount_micros.value_or(0));
    sum += order.status.size() + static_cast<uint64_t>(order.created_ms);
    for (const auto& line : order.lines) sum += line.sku.size() + static_cast<uint64_t>(line.quantity + line.amount_micros);
    return sum;
  });
}

// What a fold needs that knows the thing's versions already: nothing is newer.
void read_head_and_versions(benchmark::State& state) {
  see_orders(state, [](const FactView& view) {
    uint64_t sum = view.key().low;
    for (const uint32_t aspect : {order_placed, order_paid, order_status})
      if (view.states(aspect)) sum += view.version(aspect).digest;
    for (uint32_t line = 0; line < view.line_count(); ++line) sum += view.line_version(line).digest;
    return sum;
  });
}

void read_head(benchmark::State& state) {
  see_orders(state, [](const FactView& view) { return view.key().low ^ view.rank(); });
}

// A batch as a reader of the journal checks it, before it looks at a fact.
void check_crcs(benchmark::State& state) {
  const std::string bytes = make_orders(4'096);
  for (auto _ : state) benchmark::DoNotOptimize(BatchView::open(bytes).has_value());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes.size()));
}

// The whole writer, as the bus uses it: 16 batches a commit.
void journal_append(benchmark::State& state) {
  TempFolder temp;
  auto writer = open_lmdb_writer(temp.path() + "/journal");
  must(writer.has_value(), "the journal does not open");
  const size_t batch_bytes = static_cast<size_t>(state.range(0)) / partitions;
  const std::string batch(batch_bytes, 'b');
  const std::vector<std::string_view> batches(partitions, batch);
  const Heads heads(partitions, 0);
  Latencies latencies;
  Position next = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    const auto position = (*writer)->append(heads, batches);
    latencies.add(std::chrono::steady_clock::now() - begin);
    must(position.has_value() && *position == next++, "the append failed");
    if (next % 256 == 0) must((*writer)->trim(next).has_value(), "the trim failed");
  }
  latencies.report(state);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * batch_bytes * partitions));
  state.counters["facts/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * (batch_bytes * partitions / fact_bytes)), benchmark::Counter::kIsRate);
}

constexpr int64_t small = 4 << 10, large = 1 << 20;
BENCHMARK(disk_alone)->Arg(small)->Arg(large)->UseRealTime();
BENCHMARK_CAPTURE(layout_of_a_commit, one_value, Layout::one_value_a_commit)->Arg(small)->Arg(large)->UseRealTime();
BENCHMARK_CAPTURE(layout_of_a_commit, database_per_partition, Layout::database_per_partition)
    ->Arg(small)
    ->Arg(large)
    ->UseRealTime();
BENCHMARK_CAPTURE(layout_of_a_commit, record_per_fact, Layout::record_per_fact)->Arg(small)->Arg(large)->UseRealTime();
BENCHMARK(journal_append)->Arg(small)->Arg(large)->UseRealTime();
BENCHMARK(parse_anew);
BENCHMARK(parse_into_one);
BENCHMARK(scan_fields);
BENCHMARK(read_head_and_versions);
BENCHMARK(read_head);
BENCHMARK(check_crcs);

}  // namespace
}  // namespace xundian

BENCHMARK_MAIN();
