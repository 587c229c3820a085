// The limit of our door: a gRPC server in a process of its own whose handler gives the same 1 KB whatever it is asked.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "tests/bench/gateway_calls.h"

namespace xundian::bench {

namespace {

constexpr size_t answer_bytes = 1'000;

class EmptyGateway final : public gateway::v1::GatewayService::CallbackService {
  grpc::ServerUnaryReactor* GetOverview(grpc::CallbackServerContext* context, const gateway::v1::GetOverviewRequest*,
                                        gateway::v1::GetOverviewResponse* response) override {
    response->add_rows()->mutable_key()->assign(answer_bytes, '.');
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int run_grpc_empty_role() {
  EmptyGateway service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  fmt::print("{}\n", port);
  std::fflush(stdout);
  server->Wait();  // Until the bench ends us.
  return 0;
}

Result<Figures> run_grpc_empty(const Plan& plan) {
  TempFolder folder;
  auto server = TRY(Process::start({program_folder() + "/xundian-bench", "grpc-empty"}, folder.path() + "/log"));
  cli::Client client = gateway_at(std::stoi(TRY(server.read_line(start_ms))), "none");
  OverviewCalls calls;
  calls.secs = asking_secs(plan);
  calls.is_good = [](const gateway::v1::GetOverviewResponse& response) {
    return response.rows_size() == 1 && response.rows(0).key().size() == answer_bytes;
  };
  const Timed alone = TRY(time_overviews(client, calls));
  const double cpu_before = server.cpu_seconds();
  calls.callers = callers_together;
  const Timed together = TRY(time_overviews(client, calls));
  Figures figures;
  figures.add("unary_per_s", alone.per_s());
  figures.add("unary_p50_us", alone.p50_us());
  figures.add("unary_p99_us", alone.p99_us());
  figures.add("unary_c8_per_s", together.per_s());
  figures.add("unary_c8_cpu_us", (server.cpu_seconds() - cpu_before) * 1e6 / static_cast<double>(together.us.size()));
  return figures;
}

}  // namespace xundian::bench
