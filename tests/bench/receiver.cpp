#include "tests/bench/receiver.h"

#include "common/clock.h"
#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr Millis alert_wait_ms = 20'000, look_ms = 100;
// Each connection that a sender keeps open holds a thread.
constexpr size_t connections_max = 32;

}  // namespace

Receiver::Receiver(const std::string& field) : opening_("\"" + field + "\":\"") {
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_max_count(1'000'000);
  server_.new_task_queue = [] { return new httplib::ThreadPool(connections_max); };
  server_.Post("/hook", [this](const httplib::Request& request, httplib::Response&) { note(request.body, now_ns()); });
  port_ = server_.bind_to_any_port("127.0.0.1");
  thread_ = std::thread([this] { server_.listen_after_bind(); });
}

Receiver::~Receiver() {
  while (!server_.is_running()) std::this_thread::yield();
  server_.stop();
  thread_.join();
}

std::string Receiver::origin() const { return fmt::format("http://127.0.0.1:{}", port_); }

void Receiver::note(std::string_view body, int64_t now) {
  const size_t begin = body.find(opening_);
  if (begin == std::string_view::npos) return;
  body.remove_prefix(begin + opening_.size());
  const std::lock_guard lock(mutex_);
  came_.emplace(body.substr(0, body.find('"')), now);
  changed_.notify_all();
}

Result<int64_t> Receiver::wait_for(const std::string& thing) {
  std::unique_lock lock(mutex_);
  for (const Millis until = steady_ms() + alert_wait_ms; !came_.contains(thing);) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "no alert of {} came in {} ms", thing, alert_wait_ms);
    changed_.wait_for(lock, std::chrono::milliseconds(look_ms));
  }
  return came_.at(thing);
}

size_t Receiver::count() {
  const std::lock_guard lock(mutex_);
  return came_.size();
}

}  // namespace xundian::bench
