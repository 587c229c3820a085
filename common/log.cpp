#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <cstdlib>

namespace xundian {

void start_log(const std::string& service) {
  auto log = spdlog::stderr_logger_mt(service);
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %v", spdlog::pattern_time_type::utc);
  const char* level = std::getenv("XUNDIAN_LOG");
  log->set_level(level != nullptr ? spdlog::level::from_str(level) : spdlog::level::info);
  log->flush_on(spdlog::level::info);
  spdlog::set_default_logger(log);
}

}  // namespace xundian
