#include <getopt.h>
#include <sys/resource.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "common/config.h"
#include "common/log.h"
#include "common/memory_ahead.h"
#include "common/runner.h"

namespace xundian {

namespace {

std::atomic<bool> stop_wanted{false};

constexpr int64_t memory_ahead_mb_max = 1024;

struct Flags {
  RunnerOptions options;
  std::string config;
  int64_t memory_ahead_mb = 0;
  bool check = false, print_config = false;
};

void print_usage(const char* program) {
  fmt::print(
      "usage: {} [--config FILE] [--home DIR] [--instance I --instances N] [--pull] [--check] [--print-config] [--version]\n"
      "  --config FILE    TOML; the section of this service is read (default: XUNDIAN_CONFIG)\n"
      "  --home DIR       the home (default: XUNDIAN_HOME, else ./var)\n"
      "  --instance I     serves the partitions p with p mod N = I (default 0 of 1)\n"
      "  --pull           fetch records through the bus instead of reading the journal in place\n"
      "  --check          read the configuration, say what is wrong, touch nothing else\n"
      "example: {} --home ./var\n",
      program, program);
}

// What deploy/up finds fit for the machine; a configuration may say otherwise.
Result<void> read_environment(Flags& flags) {
  if (const char* config = std::getenv("XUNDIAN_CONFIG")) flags.config = config;
  const char* const ahead = std::getenv("XUNDIAN_MEMORY_AHEAD_MB");
  if (ahead == nullptr) return {};
  const std::string_view text = ahead;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), flags.memory_ahead_mb);
  if (error == std::errc() && end == text.data() + text.size() && flags.memory_ahead_mb >= 0 &&
      flags.memory_ahead_mb <= memory_ahead_mb_max)
    return {};
  return fail(Code::invalid_argument, "XUNDIAN_MEMORY_AHEAD_MB={}: megabytes, from 0 to {}", text, memory_ahead_mb_max);
}

Result<void> read_config(const std::string& service, Flags& flags) {
  if (flags.config.empty()) return {};
  ConfigTable file = TRY(ConfigTable::read_services(flags.config));
  const auto table = file.table(service);
  if (!table) return {};
  int64_t instances = flags.options.instances;
  table->get("instances", instances, 1, 1024);
  flags.options.instances = static_cast<uint32_t>(instances);
  table->get("pull", flags.options.pull);
  table->get("snapshot_facts", flags.options.snapshot_facts, 1'000, INT64_MAX);
  table->get("memory_ahead_mb", flags.memory_ahead_mb, 0, memory_ahead_mb_max);
  return table->done();
}

void print_config(const std::string& service, const Flags& flags) {
  fmt::print("[{}]\n", service);
  fmt::print("instances = {}          # processes of this service; each is started with --instance\n", flags.options.instances);
  fmt::print("pull = {}           # fetch records through the bus instead of reading the journal in place\n", flags.options.pull);
  fmt::print(
      "snapshot_facts = {}  # snapshot when about so many facts were folded since the last, and little is; or at 8 times\n",
      flags.options.snapshot_facts);
  fmt::print("memory_ahead_mb = {}     # taken from the system ahead of need, for a first touch of memory is slow; 0 = none\n",
             flags.memory_ahead_mb);
}

// 0: go on; else the exit status plus one.
int read_flags(int argc, char** argv, const ServiceDefinition& definition, Flags& flags) {
  static const option options[] = {{"config", required_argument, nullptr, 'c'},   {"home", required_argument, nullptr, 'h'},
                                   {"instance", required_argument, nullptr, 'i'}, {"instances", required_argument, nullptr, 'n'},
                                   {"pull", no_argument, nullptr, 'p'},           {"check", no_argument, nullptr, 'k'},
                                   {"print-config", no_argument, nullptr, 'P'},   {"version", no_argument, nullptr, 'v'},
                                   {"help", no_argument, nullptr, '?'},           {nullptr, 0, nullptr, 0}};
  if (const auto read = read_environment(flags); !read) {
    fmt::print(stderr, "{}\n", read.error().message);
    return 3;
  }
  std::string instance, instances;
  bool pull = false;
  for (int flag = 0; (flag = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    switch (flag) {
      case 'c':
        flags.config = optarg;
        break;
      case 'h':
        flags.options.home = optarg;
        break;
      case 'i':
        instance = optarg;
        break;
      case 'n':
        instances = optarg;
        break;
      case 'p':
        pull = true;
        break;
      case 'k':
        flags.check = true;
        break;
      case 'P':
        flags.print_config = true;
        break;
      case 'v':
        fmt::print("xundian-{} 0.1.0\n", definition.name);
        return 1;
      default:
        print_usage(argv[0]);
        return 3;
    }
  }
  if (const auto read = read_config(definition.name, flags); !read) {
    fmt::print(stderr, "{}\n", read.error().message);
    return 3;
  }
  flags.options.pull = flags.options.pull || pull;
  if (!instances.empty()) flags.options.instances = static_cast<uint32_t>(std::strtoul(instances.c_str(), nullptr, 10));
  if (!instance.empty()) flags.options.instance = static_cast<uint32_t>(std::strtoul(instance.c_str(), nullptr, 10));
  if (flags.options.instances == 0 || flags.options.instance >= flags.options.instances) {
    fmt::print(stderr, "--instance {} of --instances {}: instances count from 0\n", flags.options.instance,
               flags.options.instances);
    return 3;
  }
  return 0;
}

}  // namespace

int run_service(int argc, char** argv, const ServiceDefinition& definition) {
  Flags flags;
  if (const int status = read_flags(argc, argv, definition, flags); status != 0) return status - 1;
  if (flags.print_config) {
    print_config(definition.name, flags);
    return 0;
  }
  if (flags.check) return 0;
  start_log(definition.name);
  const MemoryAhead memory_ahead(static_cast<size_t>(flags.memory_ahead_mb) << 20);
  const rlimit no_core{0, 0};  // A core dump could hold what must not be stored.
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::signal(SIGTERM, [](int) { stop_wanted = true; });
  std::signal(SIGINT, [](int) { stop_wanted = true; });
  std::signal(SIGPIPE, SIG_IGN);
  auto home = Home::open(flags.options.home.empty() ? Home::folder_from_environment() : flags.options.home);
  if (!home) {
    spdlog::error("start_failed why=\"{}\"", home.error().message);
    return 2;
  }
  try {
    Runner runner(definition, flags.options, std::move(*home));
    const auto outcome = runner.run([] { return stop_wanted.load(); });
    if (outcome) {
      spdlog::info("service_stopped name={}", definition.name);
      return 0;
    }
    spdlog::error("service_failed name={} why=\"{}\"", definition.name, outcome.error().message);
  } catch (const std::exception& error) {  // Of a library, at start: an address in use, a folder that cannot be made.
    spdlog::error("service_failed name={} why=\"{}\"", definition.name, error.what());
  }
  return 1;
}

}  // namespace xundian
