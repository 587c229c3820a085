#include "services/gateway/services.h"

#include <algorithm>
#include <latch>

namespace xundian::gateway {

namespace {

constexpr size_t fan_out_threads = 12;
// A service that was silent a moment ago gets this long to be back, so that one that is down does not slow every answer.
constexpr Millis silent_timeout_ms = 250;

// "metrics" is asked at metrics.0.query, "bus" and "bus.1" at bus.0.query and bus.1.query.
std::string endpoint_name(const std::string& service) {
  if (service.find('.') != std::string::npos) return service + ".query";
  return service + ".0.query";
}

}  // namespace

Workers::Workers(size_t threads, size_t waiting_max) : waiting_max_(waiting_max) {
  for (size_t index = 0; index < threads; ++index) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_ || tasks_.size() >= waiting_max_) return false;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Workers::loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
      if (tasks_.empty()) return;  // What was taken on is carried out before the end.
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

Services::Services(const Home& home, Millis timeout_ms)
    : home_(home), timeout_ms_(timeout_ms), workers_(fan_out_threads, 10'000) {}

Services::Target& Services::target(const std::string& service) {
  const std::lock_guard lock(mutex_);
  return targets_[service];
}

Result<std::string> Services::ask(const std::string& service, std::string_view method, const std::string& request,
                                  Millis timeout_ms) {
  Target& asked = target(service);
  std::unique_ptr<QueryClient> client;
  Millis wait_ms = timeout_ms > 0 ? timeout_ms : timeout_ms_;
  {
    const std::lock_guard lock(asked.mutex);
    if (asked.silent) wait_ms = std::min(wait_ms, silent_timeout_ms);
    if (!asked.idle.empty()) {
      client = std::move(asked.idle.back());
      asked.idle.pop_back();
    }
  }
  if (!client) client = std::make_unique<QueryClient>(home_.endpoint(endpoint_name(service)));
  auto answer = client->ask(method, request, wait_ms);
  const bool down = !answer && is_down(answer.error().code);
  const std::lock_guard lock(asked.mutex);
  asked.silent = down;
  // A client whose question is open is not used again: its answer may still come.
  if (!down) asked.idle.push_back(std::move(client));
  if (down) return fail(Code::unavailable, "the service {} does not answer; see: xundian status", service);
  return answer;
}

std::vector<Result<std::string>> Services::ask_each(const std::vector<std::string>& services, std::string_view method,
                                                    const std::string& request) {
  std::vector<Result<std::string>> answers(services.size(), Result<std::string>(std::string()));
  if (services.empty()) return answers;
  std::latch open(static_cast<std::ptrdiff_t>(services.size() - 1));
  for (size_t index = 1; index < services.size(); ++index) {
    auto task = [&, index] {
      answers[index] = ask(services[index], method, request, 0);
      open.count_down();
    };
    if (!workers_.run(task)) task();
  }
  answers[0] = ask(services[0], method, request, 0);
  open.wait();
  return answers;
}

}  // namespace xundian::gateway
