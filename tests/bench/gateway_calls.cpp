#include "tests/bench/gateway_calls.h"

#include <random>
#include <thread>

namespace xundian::bench {

namespace {

Result<Timed> call_in_turn(cli::Client& client, const OverviewCalls& calls, uint32_t seed) {
  std::mt19937 dice(seed);
  gateway::v1::GetOverviewRequest request;
  const auto call = [&]() -> Result<void> {
    request.clear_stores();
    if (!calls.of_home) request.add_stores(store_id(dice() % calls.stores));
    const auto response = TRY(client.call(&gateway::v1::GatewayService::Stub::GetOverview, request));
    if (calls.is_good(response)) return {};
    return fail(Code::unavailable, "an overview of {} rows, without {} services, is not whole", response.rows_size(),
                response.missing_size());
  };
  return time_calls(calls.secs, SIZE_MAX, call);
}

}  // namespace

cli::Client gateway_at(int port, const std::string& token) {
  cli::Environment environment;
  environment.grpc = fmt::format("127.0.0.1:{}", port);
  environment.token = token;
  return cli::Client(environment);
}

Result<Timed> time_overviews(cli::Client& client, const OverviewCalls& calls) {
  std::vector<Result<Timed>> outcomes(calls.callers);
  {
    std::vector<std::jthread> callers;
    for (size_t index = 0; index < calls.callers; ++index)
      callers.emplace_back([&, index] { outcomes[index] = call_in_turn(client, calls, static_cast<uint32_t>(index + 1)); });
  }
  Timed all;
  for (auto& outcome : outcomes) {
    const Timed one = TRY(std::move(outcome));
    all.us.insert(all.us.end(), one.us.begin(), one.us.end());
    all.secs = std::max(all.secs, one.secs);
  }
  return all;
}

}  // namespace xundian::bench
