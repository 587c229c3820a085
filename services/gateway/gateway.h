// The gateway as a whole: made from settings, started, stopped.
#pragma once

#include <memory>

#include "services/gateway/grpc_server.h"
#include "services/gateway/http_server.h"

namespace xundian::gateway {

class Gateway {
 public:
  // Opens the home (waiting for the bus to make it), the tokens and both doors.
  static Result<std::unique_ptr<Gateway>> start(const Settings& settings);
  ~Gateway();
  int http_port() const { return http_->port(); }
  int grpc_port() const { return grpc_->port(); }

 private:
  Gateway(const Settings& settings, Home home, std::unique_ptr<TokenBook> tokens);

  const Settings settings_;
  const Home home_;
  std::unique_ptr<TokenBook> tokens_;
  Api api_;
  Door door_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace xundian::gateway
