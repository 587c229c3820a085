#include "common/error.h"

#include <cstdio>
#include <cstdlib>

namespace xundian {

void check_failed(const char* expression, const char* file, int line, std::string_view message) {
  fmt::print(stderr, "check_failed at={}:{} expression=\"{}\" message=\"{}\"\n", file, line, expression, message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace xundian
