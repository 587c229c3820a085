// xundian-bench: ours and its peers in turn, round after round, in one run; a figure counts only if the leg's totals were right.
#include <getopt.h>
#include <lmdb.h>
#include <unistd.h>

#include <charconv>
#include <fstream>

#include "common/clock.h"
#include "services/cli/terminal.h"
#include "tests/bench/clickhouse.h"
#include "tests/bench/gateway_calls.h"
#include "tests/bench/postgresql.h"
#include "tests/bench/process.h"
#include "tests/bench/prometheus.h"
#include "tests/bench/redis.h"
#include "tests/bench/report.h"

namespace xundian::bench {

namespace {

constexpr int done = 0, failed = 1, wrong_use = 2;
constexpr double facts_of_second = 1'300'000, facts_max = 10'000'000, facts_min = 400'000;
constexpr double calm_secs = 5;        // Of the disk before each leg, or as long as a leg's facts come, if that is less.
constexpr uint32_t skus = 1'000'000;   // Of all stores.
constexpr double bytes_of_fact = 350;  // In the workload's memory, and once more on the way.

struct Options {
  double secs = 10;
  int rounds = 3;
  uint32_t stores = Shape().stores;
  bool json = false;
  std::string svg;  // A file for the picture.
  std::vector<const PeerKind*> peers;
};

void print_usage() {
  fmt::print(
      "usage: xundian bench [--secs N] [--rounds N] [--stores N] [--peers A,B] [--json]\n"
      "Measures the services and their peers in turn, on this machine, in folders of their own under TMPDIR (/tmp); nothing else "
      "is touched.\n"
      "  --secs N     seconds that each leg puts facts for (default 10)\n"
      "  --rounds N   ours, peer, peer, … so often; medians and ranges are printed (default 3)\n"
      "  --stores N   that share a million SKUs, an even number of at most 1000 (default 200)\n"
      "  --peers A,B  which peers; \"all\", or \"none\" for ours alone (default: those marked *)\n");
  for (const PeerKind& kind : peer_kinds())
    fmt::print("               {} {:<13} {}\n", kind.always ? '*' : ' ', kind.name, kind.durability);
  fmt::print(
      "  --json       one object on standard output\n"
      "  --svg FILE   the ratios as a picture, beside it\n"
      "examples:\n"
      "  xundian bench\n"
      "  xundian bench --secs 5 --rounds 3 --peers straight,lmdb_raw --json\n"
      "  TMPDIR=/srv/disk xundian bench --peers none\n");
}

bool read_peers(std::string_view names, std::vector<const PeerKind*>& peers) {
  peers.clear();
  if (names == "all") {
    for (const PeerKind& kind : peer_kinds()) peers.push_back(&kind);
    return true;
  }
  for (size_t at = 0; at <= names.size() && names != "none";) {
    const std::string_view name = names.substr(at, std::min(names.find(',', at), names.size()) - at);
    const auto& kinds = peer_kinds();
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const PeerKind& one) { return one.name == name; });
    if (kind == kinds.end()) {
      fmt::print(stderr, "no peer \"{}\"; see --help\n", name);
      return false;
    }
    peers.push_back(&*kind);
    at += name.size() + 1;
  }
  return true;
}

template <typename Number>
bool read_number(const char* text, Number low, Number high, Number& number) {
  const std::string_view digits = text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc() && end == digits.data() + digits.size() && number >= low && number <= high) return true;
  fmt::print(stderr, "{} is no number from {} to {}\n", text, low, high);
  return false;
}

// Each store belongs to one of two producers.
bool is_even(uint32_t stores) {
  if (stores % producers == 0) return true;
  fmt::print(stderr, "{} stores cannot be shared by {} producers\n", stores, producers);
  return false;
}

// 0: go on; else the exit status plus one.
int read_options(int argc, char** argv, Options& options) {
  for (const PeerKind& kind : peer_kinds())
    if (kind.always) options.peers.push_back(&kind);
  static const option known[] = {{"secs", required_argument, nullptr, 's'},   {"rounds", required_argument, nullptr, 'r'},
                                 {"stores", required_argument, nullptr, 'n'}, {"peers", required_argument, nullptr, 'p'},
                                 {"json", no_argument, nullptr, 'j'},         {"svg", required_argument, nullptr, 'v'},
                                 {"help", no_argument, nullptr, 'h'},         {nullptr, 0, nullptr, 0}};
  for (int flag = 0; (flag = getopt_long(argc, argv, "h", known, nullptr)) != -1;) {
    bool good = true;
    switch (flag) {
      case 's':
        good = read_number(optarg, 0.1, 600.0, options.secs);
        break;
      case 'r':
        good = read_number(optarg, 1, 100, options.rounds);
        break;
      case 'n':
        good = read_number(optarg, 2u, 1'000u, options.stores) && is_even(options.stores);
        break;
      case 'p':
        good = read_peers(optarg, options.peers);
        break;
      case 'j':
        options.json = true;
        break;
      case 'v':
        options.svg = optarg;
        break;
      case 'h':
        print_usage();
        return done + 1;
      default:
        good = false;
    }
    if (!good) return wrong_use + 1;
  }
  if (optind == argc) return 0;
  fmt::print(stderr, "{} is not understood; see --help\n", argv[optind]);
  return wrong_use + 1;
}

// As many facts as our leg may take in its time, as far as memory allows; what is put into memory twice must not push others out.
size_t facts_wanted(double secs) {
  const double wanted = std::clamp(secs * facts_of_second, facts_min, facts_max);
  return static_cast<size_t>(std::min(wanted, free_memory_bytes() / 6 / bytes_of_fact));
}

void add_settings(const Options& options, const Workload& workload, size_t facts, Report& report) {
  const auto add = [&](const char* name, const auto& value) { report.settings.emplace_back(name, fmt::format("{}", value)); };
  add("secs", options.secs);
  add("rounds", options.rounds);
  add("facts_prepared", facts);
  add("facts_of_batch", facts_of_batch);
  add("producers", producers);
  add("stores", workload.shape.stores);
  add("skus_of_store", workload.shape.skus_of_store);
  add("payload_bytes", fmt::format("{:.0f}", workload.payload_bytes));
  add("frame_bytes", fmt::format("{:.0f}", workload.frame_bytes));
  add("memory_ahead_mb", memory_ahead_mb());
  add("lmdb", fmt::format("{}.{}.{}", MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH));
  add("redis", redis_version());
  add("prometheus", prometheus_version());
  add("alertmanager", alertmanager_version());
  add("grpc", grpc::Version());
  add("postgresql", postgresql_version());
  add("clickhouse", clickhouse_version());
}

// One leg, its name shown while it runs.
Result<Figures> run_leg(const std::string& name, Result<Figures> (*run)(const Plan&), const Plan& plan, cli::Progress& progress,
                        int& step, int steps) {
  progress.show(static_cast<uint64_t>(step), static_cast<uint64_t>(steps), name);
  settle(std::min(plan.secs, calm_secs));
  auto figures = run(plan);
  if (!figures) return fail(figures.error().code, "{}: {}", name, figures.error().message);
  progress.show(static_cast<uint64_t>(++step), static_cast<uint64_t>(steps), name);
  return figures;
}

Result<Report> run_rounds(const Options& options) {
  Report report;
  report.machine = describe_machine();
  if (report.machine.filesystem == "tmpfs")
    fmt::print(stderr, "the folder is in memory: no sync costs anything there; set TMPDIR to a disk\n");
  for (const PeerKind* kind : options.peers) report.peers.emplace_back(kind, std::vector<Figures>());
  cli::Progress progress("测量 measuring");
  const int steps = options.rounds * static_cast<int>(1 + options.peers.size());
  int step = 0;
  for (int round = 0; round < options.rounds; ++round) {
    progress.show(static_cast<uint64_t>(step), static_cast<uint64_t>(steps), "the facts are made");
    // Made anew for each round: rules judge the present, and facts that grow old would be judged otherwise.
    const size_t facts = facts_wanted(options.secs);
    const Workload workload = Workload::make(facts, wall_ms(), {options.stores, skus / options.stores});
    if (round == 0) add_settings(options, workload, facts, report);
    Plan plan{options.secs, &workload};
    measure_disk(report.sync_us);
    report.ours.push_back(TRY(run_leg("ours", run_ours, plan, progress, step, steps)));
    plan.facts_of_ours = static_cast<uint64_t>(report.ours.back().of("overview_of_facts"));
    for (auto& [kind, rounds] : report.peers) rounds.push_back(TRY(run_leg(kind->name, kind->run, plan, progress, step, steps)));
  }
  return report;
}

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0].starts_with("straight-")) return run_straight_role(arguments);
  if (arguments.size() == 2 && arguments[0] == "zeromq-echo") return run_zeromq_echo_role(arguments[1]);
  if (arguments == std::vector<std::string>{"grpc-empty"}) return run_grpc_empty_role();
  Options options;
  if (const int status = read_options(argc, argv, options); status != 0) return status - 1;
  // As deploy/up has it; all that the bench starts, peers too.
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1);
  // A bench has homes of its own.
  for (const char* name : {"XUNDIAN_HOME", "XUNDIAN_CONFIG", "XUNDIAN_HTTP", "XUNDIAN_GRPC", "XUNDIAN_MEMORY_AHEAD_MB"})
    unsetenv(name);
  watch_interrupts();
  const auto report = run_rounds(options);
  if (!report) {
    fmt::print(stderr, "{}\n", report.error().message);
    return failed;
  }
  if (!options.svg.empty() && !(std::ofstream(options.svg) << report_svg(*report)).flush()) {
    fmt::print(stderr, "{} cannot be written\n", options.svg);
    return failed;
  }
  fmt::print("{}\n", options.json ? report_json(*report) : report_text(*report));
  return done;
}

}  // namespace

const std::vector<PeerKind>& peer_kinds() {
  static const std::vector<PeerKind> kinds = {
      {"straight",
       "synced before the ack (appendfsync always); the same six folds, stock protobuf",
       {{"facts_per_s", "facts_per_s"},
        {"alert_busy_p50_us", "alert_busy_p50_us", true},
        {"alert_busy_p99_us", "alert_busy_p99_us", true},
        {"alert_busy_p50_us", "alert_full_p50_us", true},
        {"alert_busy_p99_us", "alert_full_p99_us", true}},
       true,
       run_straight},
      {"redis_always",
       "synced before the ack; 50 connections, one fact each; no fold",
       {{"single_facts_per_s", "facts_per_s"}, {"replay_facts_per_s", "aof_reload_entries_per_s"}},
       true,
       run_redis_always},
      {"zeromq_echo",
       "nothing is kept: 50 sockets, one fact each, a process that only answers: the limit of single facts",
       {{"single_facts_per_s", "facts_per_s"}},
       true,
       run_zeromq_echo},
      {"lmdb_raw", "synced commits of 1 MB; no transport, no fold", {{"facts_per_s", "facts_per_s"}}, true, run_lmdb_raw},
      {"raw_file",
       "synced groups of 1 MB; no transport, one fold in the same process: the limit",
       {{"facts_per_s", "facts_per_s"}},
       true,
       run_raw_file},
      {"prometheus",
       "nothing synced before the alert; a gauge as of each second's scrape, no facts and no history of them",
       {{"alert_p50_us", "alert_p50_us", true},
        {"alert_p99_us", "alert_p99_us", true},
        {"rule_checks_per_s", "rule_checks_per_s"},
        {"rule_checks_per_s", "one_rule_checks_per_s"}},
       true,
       run_prometheus},
      {"postgresql",
       "synced commits of 10,000 rows (COPY, fsync, synchronous_commit); a row an order's fact, what it changes already worked "
       "out; no fold, its index made after the load; asked of what ours held, while as many facts come in, five commits a second",
       {{"facts_per_s", "facts_per_s"},
        {"overview_store_per_s", "store_dashboard_per_s"},
        {"overview_store_p50_us", "store_dashboard_p50_us", true},
        {"overview_store_p50_us", "store_dashboard_at_rest_p50_us", true},
        {"report_ms", "report_ms", true}},
       false,
       run_postgresql},
      {"clickhouse",
       "no sync before it answers; blocks of 100,000 rows (RowBinary over HTTP), from 5 s on the same again up to 10 M; a row an "
       "order's fact, as PostgreSQL's; no fold, its parts merged after the load",
       {{"facts_per_s", "facts_per_s"},
        {"overview_store_per_s", "store_dashboard_per_s"},
        {"overview_store_p50_us", "store_dashboard_p50_us", true},
        {"report_ms", "report_ms", true}},
       false,
       run_clickhouse},
      {"grpc_empty",
       "no store, no question: an empty gRPC handler that answers 1 KB, one caller, nothing else going on",
       {{"overview_store_per_s", "unary_per_s"}, {"overview_store_p50_us", "unary_p50_us", true}},
       false,
       run_grpc_empty},
  };
  return kinds;
}

}  // namespace xundian::bench

int main(int argc, char** argv) { return xundian::bench::run(argc, argv); }
