// The intake service: its fold in the loop, its jobs in a thread beside it.
#include <cstdlib>
#include <string>

#include "common/config.h"
#include "services/intake/import_job.h"
#include "services/intake/state.h"

namespace {

using namespace xundian;

constexpr Millis stop_wait_ms = 5'000;

// The value of "--name value" or "--name=value"; run_service checks the flags, this only looks for those that jobs need.
std::string flag(int argc, char** argv, const std::string& name) {
  for (int index = 1; index < argc; ++index) {
    const std::string argument = argv[index];
    if (argument == name && index + 1 < argc) return argv[index + 1];
    if (argument.starts_with(name + "=")) return argument.substr(name.size() + 1);
  }
  return {};
}

intake::HomeOptions read_options(int argc, char** argv) {
  intake::HomeOptions options;
  options.folder = flag(argc, argv, "--home");
  options.instance = static_cast<uint32_t>(std::strtoul(flag(argc, argv, "--instance").c_str(), nullptr, 10));
  std::string config = flag(argc, argv, "--config");
  if (const char* named = std::getenv("XUNDIAN_CONFIG"); config.empty() && named != nullptr) config = named;
  int64_t instances = 1;
  if (auto file = config.empty() ? Result<ConfigTable>(fail(Code::not_found, "")) : ConfigTable::read_file(config))
    if (const auto table = file->table("intake")) table->get("instances", instances, 1, 1024);
  if (const std::string given = flag(argc, argv, "--instances"); !given.empty())
    instances = std::strtol(given.c_str(), nullptr, 10);
  options.instances = static_cast<uint32_t>(std::max<int64_t>(instances, 1));
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const intake::HomeOptions options = read_options(argc, argv);
  intake::Jobs jobs([&options](const intake::Task& task, const intake::Watch& watch) -> Result<void> {
    const auto outside = TRY(intake::open_outside(options, watch.stopping));
    return task.undo_id == 0 ? intake::run_import(task, *outside, intake::import_file, watch)
                             : intake::run_undo(task, *outside, watch);
  });
  const int status = run_service(argc, argv, intake::definition(&jobs));
  if (!jobs.stop(stop_wait_ms)) std::_Exit(status);  // The job reads a long file; what it put is durable.
  return status;
}
