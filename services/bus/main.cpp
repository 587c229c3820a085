#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "common/log.h"
#include "services/bus/shell.h"

namespace xundian::bus {

namespace {

constexpr const char* usage =
    "usage: xundian-bus [--config FILE] [--check] [--print-config] [--version] [--home DIR] [--bus B] [--clock wall|facts]\n"
    "                   [--engine lmdb|redis]\n";

struct Flags {
  std::string config_path;
  std::string home = Home::folder_from_environment();
  std::string clock;
  std::string engine;
  uint32_t bus = 0;
  bool check = false;
  bool print_config = false;
  bool version = false;
};

Result<Flags> parse_flags(int argc, char** argv) {
  static const option options[] = {{"config", required_argument, nullptr, 'c'},
                                   {"check", no_argument, nullptr, 'k'},
                                   {"print-config", no_argument, nullptr, 'p'},
                                   {"version", no_argument, nullptr, 'v'},
                                   {"home", required_argument, nullptr, 'h'},
                                   {"bus", required_argument, nullptr, 'b'},
                                   {"clock", required_argument, nullptr, 't'},
                                   {"engine", required_argument, nullptr, 'e'},
                                   {nullptr, 0, nullptr, 0}};
  Flags flags;
  if (const char* path = std::getenv("XUNDIAN_CONFIG")) flags.config_path = path;
  for (int found = 0; (found = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    const std::string_view value = optarg != nullptr ? optarg : "";
    if (found == 'c')
      flags.config_path = value;
    else if (found == 'k')
      flags.check = true;
    else if (found == 'p')
      flags.print_config = true;
    else if (found == 'v')
      flags.version = true;
    else if (found == 'h')
      flags.home = value;
    else if (found == 't')
      flags.clock = value;
    else if (found == 'e')
      flags.engine = value;
    else if (found != 'b')
      return fail(Code::invalid_argument, "{}", usage);
    else if (const auto read = std::from_chars(value.data(), value.data() + value.size(), flags.bus);
             read.ec != std::errc{} || read.ptr != value.data() + value.size())
      return fail(Code::invalid_argument, "--bus {}: must be a number from 0 on", value);
  }
  if (optind < argc) return fail(Code::invalid_argument, "\"{}\" is not understood\n{}", argv[optind], usage);
  return flags;
}

Result<Config> configure(const Flags& flags) {
  Config config = TRY(read_config(flags.config_path));
  if (!flags.clock.empty()) config.clock = TRY(parse_clock(flags.clock));
  if (!flags.engine.empty()) config.engine = TRY(parse_engine(flags.engine));
  return config;
}

// Signals are read where everything else is; blocked before any thread begins.
Result<int> catch_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return fail(Code::internal, "sigprocmask: {}", std::strerror(errno));
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return fail(Code::internal, "signalfd: {}", std::strerror(errno));
  return fd;
}

Result<void> serve(const Flags& flags, const Config& config) {
  const rlimit no_core{0, 0};  // A dump would hold facts.
  setrlimit(RLIMIT_CORE, &no_core);
  umask(077);
  start_log("bus");
  const int signals = TRY(catch_signals());
  const Home home = TRY(Home::make(flags.home, config.wanted()));
  TRY_VOID(config.check(home));
  if (flags.bus >= home.settings().buses)
    return fail(Code::invalid_argument, "--bus {}: this home has {} bus(es), counted from 0", flags.bus, home.settings().buses);
  const auto shell = TRY(Shell::open(home, config, flags.bus, signals));
  return shell->run();
}

int run(int argc, char** argv) {
  const auto refuse = [](const Error& error) {
    fmt::print(stderr, "xundian-bus: {}\n", error.message);
    return error.code == Code::invalid_argument || error.code == Code::not_found ? 2 : 1;
  };
  const auto flags = parse_flags(argc, argv);
  if (!flags) return refuse(flags.error());
  if (flags->version) {
    fmt::print("xundian-bus {}\n", XUNDIAN_VERSION);
    return 0;
  }
  const auto config = configure(*flags);
  if (!config) return refuse(config.error());
  if (flags->print_config) fmt::print("{}", print_config(*config));
  if (flags->print_config || flags->check) return 0;
  const auto served = serve(*flags, *config);
  return served ? 0 : refuse(served.error());
}

}  // namespace

}  // namespace xundian::bus

int main(int argc, char** argv) { return xundian::bus::run(argc, argv); }
