// The calls over gRPC, with health and reflection.
#pragma once

#include <memory>
#include <string>

#include "services/gateway/door.h"

namespace xundian::gateway {

class GrpcServer {
 public:
  static Result<std::unique_ptr<GrpcServer>> start(const Settings& settings, Door& door);
  ~GrpcServer();
  int port() const;
  // Ends what is open; returns when nothing is.
  void stop();

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A whole file; for certificates and keys.
Result<std::string> read_whole_file(const std::string& path);

}  // namespace xundian::gateway
