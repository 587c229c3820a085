#include "common/query.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/wire.h"

namespace xundian {

QueryServer::QueryServer(const std::string& endpoint, Answer answer)
    : socket_(make_socket(zmq::socket_type::router, answer_message_bytes_max)), answer_(std::move(answer)) {
  const auto bound = bind_socket(socket_, endpoint);
  CHECK(bound, bound.error().message);
}

bool QueryServer::serve_one() {
  std::vector<zmq::message_t> frames;  // Who asks, the question's number, the method, the request.
  if (!take_frames(socket_, frames)) return false;
  if (frames.size() != 4) return true;
  const Result<std::string> answer = answer_(view_of(frames[2]), view_of(frames[3]));
  const std::string code = answer ? "0" : std::to_string(static_cast<int>(answer.error().code));
  // Who asked may be gone by now; nobody waits then.
  send_frames(socket_, {view_of(frames[0]), view_of(frames[1]), code, answer ? *answer : answer.error().message});
  return true;
}

QueryClient::QueryClient(std::string endpoint)
    : endpoint_(std::move(endpoint)), socket_(make_socket(zmq::socket_type::dealer, answer_message_bytes_max)) {
  connect();
}

void QueryClient::connect() {
  socket_ = make_socket(zmq::socket_type::dealer, answer_message_bytes_max);
  const auto connected = connect_socket(socket_, endpoint_);
  CHECK(connected, connected.error().message);
}

Result<std::string> QueryClient::ask(std::string_view method, std::string_view request, Millis timeout_ms) {
  send(method, request, timeout_ms);
  return receive();
}

void QueryClient::send(std::string_view method, std::string_view request, Millis timeout_ms) {
  std::string number;
  append(number, ++number_);
  method_ = method;
  timeout_ms_ = timeout_ms;
  until_ms_ = steady_ms() + timeout_ms;
  sent_ = send_frames(socket_, {number, method, request});
}

Result<std::string> QueryClient::receive() {
  std::string open;
  append(open, number_);
  std::vector<zmq::message_t> frames;
  for (bool over = false; sent_ && !over;) {
    const Millis left = until_ms_ - steady_ms();
    // What has come is taken though the time be over: who has several questions open may have waited for another's answer.
    if (!poll_socket(socket_, std::max<Millis>(left, 0))) {
      over = left <= 0;
      continue;
    }
    if (!take_frames(socket_, frames) || frames.size() != 3 || view_of(frames[0]) != open) continue;  // One that was given up.
    const std::string_view code = view_of(frames[1]);
    int number = static_cast<int>(Code::unknown);
    std::from_chars(code.data(), code.data() + code.size(), number);
    if (number == 0) return std::string(view_of(frames[2]));
    return fail(static_cast<Code>(number), "{}", view_of(frames[2]));
  }
  connect();  // What was asked in vain is not to be answered later.
  return fail(Code::unavailable, "no answer to {} from {} within {} ms; is the service running?", method_, endpoint_, timeout_ms_);
}

}  // namespace xundian
