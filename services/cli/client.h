// The command line's way to the gateway: address and token from the environment, one function for every call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/error.h"
#include "common/version.h"
#include "xundian/gateway/v1/gateway_service.grpc.pb.h"

namespace xundian::cli {

namespace v1 = gateway::v1;

// Exit statuses, as scripts rely on them.
enum Exit : int { done = 0, failed = 1, wrong_use = 2, some_rejected = 3 };

struct Environment {
  std::string home;   // XUNDIAN_HOME, or ./var.
  std::string http;   // XUNDIAN_HTTP
  std::string grpc;   // XUNDIAN_GRPC
  std::string token;  // XUNDIAN_TOKEN, or the home's admin.token.
};
Result<Environment> read_environment();

// All bytes of a file.
Result<std::string> read_file(const std::string& path);

inline constexpr Millis call_timeout_ms = 30'000;

class Client {
 public:
  explicit Client(const Environment& environment);

  template <typename Request, typename Response>
  Result<Response> call(grpc::Status (v1::GatewayService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request, Millis timeout_ms = call_timeout_ms) {
    grpc::ClientContext context;
    prepare(context, timeout_ms);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) return tl::unexpected(error_of(status));
    return response;
  }
  // Hands each message of a stream to `take` until it returns false.
  template <typename Request, typename Response, typename Take>
  Result<void> stream(std::unique_ptr<grpc::ClientReader<Response>> (v1::GatewayService::Stub::*method)(grpc::ClientContext*,
                                                                                                        const Request&),
                      const Request& request, Take&& take) {
    grpc::ClientContext context;
    prepare(context, 0);
    const auto reader = (stub_.get()->*method)(&context, request);
    Response message;
    while (reader->Read(&message)) {
      if (take(message)) continue;
      context.TryCancel();
      while (reader->Read(&message)) {
      }
      reader->Finish();
      return {};
    }
    const grpc::Status status = reader->Finish();
    if (!status.ok()) return tl::unexpected(error_of(status));
    return {};
  }

 private:
  void prepare(grpc::ClientContext& context, Millis timeout_ms) const;
  Error error_of(const grpc::Status& status) const;

  Environment environment_;
  std::unique_ptr<v1::GatewayService::Stub> stub_;
};

// Prints an error on stderr and gives the exit status that belongs to it.
int complain(const Error& error);

}  // namespace xundian::cli
