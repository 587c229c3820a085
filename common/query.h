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
  // The two halves of `ask`, so that one thread may have a question open at several services. One at a time for each client.
  void send(std::string_view method, std::string_view request, Millis timeout_ms);
  Result<std::string> receive();
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
  // The question that is open.
  uint64_t number_ = 0;
  std::string method_;
  Millis timeout_ms_ = 0, until_ms_ = 0;
  bool sent_ = false;
};

// Endpoint names: "bus.<b>.put" (ROUTER), "bus.<b>.bell" (XPUB), "bus.<b>.query", "<service>.<instance>.query".

}  // namespace xundian
