#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>

#include "common/log.h"
#include "services/gateway/gateway.h"

namespace {

using namespace xundian;

int usage(int status) {
  fmt::print(stderr,
             "xundian-gateway: the door of Xundian: gRPC, JSON over HTTP, the status page.\n"
             "  --home FOLDER   the home (else XUNDIAN_HOME, else ./var)\n"
             "  --config FILE   reads [gateway] there (else XUNDIAN_CONFIG)\n"
             "  --check         checks the settings and ends\n"
             "  --print-config  prints the settings and ends\n"
             "Environment: XUNDIAN_HOME, XUNDIAN_HTTP, XUNDIAN_GRPC, XUNDIAN_CONFIG, XUNDIAN_LOG.\n");
  return status;
}

void print(const gateway::Settings& settings) {
  fmt::print(
      "[gateway]\nhttp = \"{}\"\ngrpc = \"{}\"\ntls_cert_file = \"{}\"\ntls_key_file = \"{}\"\nworkers = {}\nstreams_max = {}\n"
      "service_timeout = \"{}ms\"\nhome_wait = \"{}ms\"\n",
      settings.http, settings.grpc, settings.tls_cert_file, settings.tls_key_file, settings.workers, settings.streams_max,
      settings.service_timeout_ms, settings.home_wait_ms);
}

}  // namespace

int main(int argc, char** argv) {
  const option options[] = {{"home", required_argument, nullptr, 'o'}, {"config", required_argument, nullptr, 'c'},
                            {"check", no_argument, nullptr, 'k'},      {"print-config", no_argument, nullptr, 'p'},
                            {"help", no_argument, nullptr, 'h'},       {nullptr, 0, nullptr, 0}};
  const char* environment = std::getenv("XUNDIAN_CONFIG");
  std::string home;
  std::string config = environment == nullptr ? "" : environment;
  bool only_check = false, only_print = false;
  for (int flag; (flag = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (flag == 'c')
      config = optarg;
    else if (flag == 'o')
      home = optarg;
    else if (flag == 'k')
      only_check = true;
    else if (flag == 'p')
      only_print = true;
    else
      return usage(flag == 'h' ? 0 : 2);
  }
  start_log("gateway");
  auto settings = gateway::read_settings(config);
  if (settings && !home.empty()) settings->home = home;
  const auto checked = settings ? gateway::check_settings(*settings) : Result<void>(tl::unexpected(settings.error()));
  if (!checked) {
    spdlog::error("settings_refused why=\"{}\"", checked.error().message);
    return 2;
  }
  if (only_print) print(*settings);
  if (only_check || only_print) return 0;
  // No core file: it would hold tokens. Signals are waited for here; threads made later leave them alone.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  auto running = gateway::Gateway::start(*settings);
  if (!running) {
    spdlog::error("gateway_failed why=\"{}\"", running.error().message);
    return 1;
  }
  int caught = 0;
  sigwait(&signals, &caught);
  spdlog::info("gateway_stopping signal={}", caught);
  running->reset();
  return 0;
}
