// The calls as JSON over HTTP (the Connect protocol), health, metrics and the status page.
#pragma once

#include <memory>
#include <string>

#include "services/gateway/door.h"

namespace xundian::gateway {

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> start(const Settings& settings, Door& door);
  ~HttpServer();
  int port() const;
  void stop();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The status page.
std::string_view status_page();

}  // namespace xundian::gateway
