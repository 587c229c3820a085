// A gateway asked over one connection: the same loop asks ours and the one whose handler does nothing.
#pragma once

#include <functional>

#include "services/cli/client.h"
#include "tests/bench/timed.h"

namespace xundian::bench {

inline constexpr size_t callers_together = 8;

cli::Client gateway_at(int port, const std::string& token);

struct OverviewCalls {
  size_t callers = 1;  // On the same connection, each in a thread of its own that waits for its answer.
  double secs = 1;
  uint32_t stores = 1;
  bool of_home = false;  // All stores at once; else one, another each time.
  std::function<bool(const gateway::v1::GetOverviewResponse&)> is_good;
};
Result<Timed> time_overviews(cli::Client& client, const OverviewCalls& calls);

// This program as the server whose handler does nothing. The exit status.
int run_grpc_empty_role();

}  // namespace xundian::bench
