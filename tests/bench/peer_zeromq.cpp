// Bare ZeroMQ: fifty sockets that each send one fact and wait, and a process that answers each at once. Nothing is checked,
// written, synced or folded: what fifty single facts cost on the way alone, and so the most that ours could take of them.
#include "common/clock.h"
#include "common/query.h"
#include "common/wire.h"
#include "tests/bench/leg.h"
#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr size_t echo_connections = 50;
constexpr Millis echo_wait_ms = 30'000;
constexpr double echo_share = 0.5;  // Of the leg's seconds, as our own single facts have.

}  // namespace

Result<Figures> run_zeromq_echo(const Plan& plan) {
  TempFolder folder;
  const std::string endpoint = "ipc://" + folder.path() + "/echo";
  Process echo = TRY(Process::start({program_folder() + "/xundian-bench", "zeromq-echo", endpoint}, folder.path() + "/echo.log"));
  if (TRY(echo.read_line(start_ms)) != "ready") return fail(Code::internal, "the echo is not ready: {}", echo.said());
  std::vector<zmq::socket_t> sockets;
  std::vector<zmq::pollitem_t> items;
  for (size_t index = 0; index < echo_connections; ++index) {
    sockets.push_back(make_socket(zmq::socket_type::dealer, put_message_bytes_max));
    TRY_VOID(connect_socket(sockets.back(), endpoint));
  }
  for (zmq::socket_t& socket : sockets) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  const Feed& feed = plan.workload->feeds[0];
  std::string_view rest;
  std::vector<int64_t> sent_ns(echo_connections);
  std::vector<float> answer_us;
  std::vector<zmq::message_t> frames;
  size_t batch = 0, said = 0, waiting = 0;
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(plan.secs * echo_share * 1e9);
  const auto say_next = [&](size_t index) -> Result<void> {
    if (rest.empty() && batch < feed.batches()) rest = feed.frames(batch++);
    if (rest.empty() || now_ns() >= until) return {};
    sent_ns[index] = now_ns();
    const std::string_view frame = TRY(split_frame(rest));
    if (!send_frames(sockets[index], {type_frame(wire::v1::MESSAGE_TYPE_PUT), frame}))
      return fail(Code::unavailable, "a socket with nothing under way takes nothing");
    said += 1;
    waiting += 1;
    return {};
  };
  for (size_t index = 0; index < echo_connections; ++index) TRY_VOID(say_next(index));
  while (waiting > 0) {
    if (interrupted()) return interrupted_error();
    if (!poll_sockets(items, echo_wait_ms)) return fail(Code::deadline_exceeded, "the echo is silent: {}", echo.said());
    for (size_t index = 0; index < echo_connections; ++index) {
      if ((items[index].revents & ZMQ_POLLIN) == 0 || !take_frames(sockets[index], frames)) continue;
      answer_us.push_back(static_cast<float>(now_ns() - sent_ns[index]) / 1000.0f);
      waiting -= 1;
      TRY_VOID(say_next(index));
    }
  }
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  if (answer_us.size() != said) return fail(Code::data_loss, "{} facts were said and {} answered", said, answer_us.size());
  Figures figures;
  figures.add("facts_per_s", static_cast<double>(said) / secs);
  figures.add("ack_p50_us", quantile(answer_us, 0.5));
  figures.add("ack_p99_us", quantile(answer_us, 0.99));
  figures.add("facts", static_cast<double>(said));
  figures.add("secs", secs);
  figures.add("cpu_us_per_fact.echo", echo.cpu_seconds() * 1e6 / static_cast<double>(said));
  return figures;
}

// Until it is ended.
int run_zeromq_echo_role(const std::string& endpoint) {
  zmq::socket_t router = make_socket(zmq::socket_type::router, put_message_bytes_max);
  if (const auto bound = bind_socket(router, endpoint); !bound) {
    fmt::print(stderr, "{}\n", bound.error().message);
    return 1;
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  const std::string answer(24, '\0');  // About an acknowledgement's length.
  std::vector<zmq::message_t> frames;
  for (;;) {
    poll_socket(router, 1'000);
    while (take_frames(router, frames)) send_frames(router, {view_of(frames[0]), type_frame(wire::v1::MESSAGE_TYPE_ACK), answer});
  }
}

}  // namespace xundian::bench
