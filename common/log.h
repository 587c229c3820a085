// Logging: lines `noun_verbed key=value`, to stderr.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace xundian {

// Sets the process's log up once: UTC times, the service's name, level from XUNDIAN_LOG (default info).
void start_log(const std::string& service);

}  // namespace xundian
