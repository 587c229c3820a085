// Questions and answers between processes of a home, over ZeroMQ.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "common/error.h"
#include "common/version.h"

namespace xundian {

// One context a process.
zmq::context_t& zmq_context();

// Answers questions on a ROUTER; the owner polls `socket()` and calls `serve_one` when it can be read.
class QueryServer {
 public:
  using Answer = std::function<Result<std::string>(std::string_view method, std::string_view request)>;
  QueryServer(const std::string& endpoint, Answer answer);
  zmq::socket_t& socket() { return socket_; }
  // Answers one waiting question; false if there is none.
  bool serve_one();

 private:
  zmq::socket_t socket_;
  Answer answer_;
};

// Asks one service. Not thread safe; cheap to make.
class QueryClient {
 public:
  explicit QueryClient(std::string endpoint);
  // Code::unavailable if no answer comes in time; the client may be used again.
  Result<std::string> ask(std::string_view method, std::string_view request, Millis timeout_ms);
  template <typename Response, typename Request>
  Result<Response> ask_as(std::string_view method, const Request& request, Millis timeout_ms) {
    const std::string bytes = TRY(ask(method, request.SerializeAsString(), timeout_ms));
    Response response;
    if (!response.ParseFromString(bytes)) return fail(Code::internal, "the answer to {} cannot be read", method);
    return response;
  }

 private:
  void connect();

  std::string endpoint_;
  zmq::socket_t socket_;
  uint64_t next_id_ = 1;
};

// Endpoint names: "bus.<b>.put" (ROUTER), "bus.<b>.bell" (XPUB), "bus.<b>.query", "<service>.<instance>.query".

}  // namespace xundian
