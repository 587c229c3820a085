#include "services/gateway/services.h"

#include <algorithm>

namespace xundian::gateway {

namespace {

// A service that was silent a moment ago gets this long to be back, so that one that is down does not slow every answer.
constexpr Millis silent_timeout_ms = 250;

// "metrics" is asked at metrics.0.query, "bus" and "bus.1" at bus.0.query and bus.1.query.
std::string endpoint_name(const std::string& service) {
  if (service.find('.') != std::string::npos) return service + ".query";
  return service + ".0.query";
}

}  // namespace

Services::Services(const Home& home, Millis timeout_ms) : home_(home), timeout_ms_(timeout_ms) {}

Services::Target& Services::target(const std::string& service) {
  const std::lock_guard lock(mutex_);
  return targets_[service];
}

Result<std::string> Services::ask(const std::string& service, std::string_view method, const std::string& request,
                                  Millis timeout_ms) {
  return receive(service, send(service, method, request, timeout_ms));
}

Services::Question Services::send(const std::string& service, std::string_view method, const std::string& request,
                                  Millis timeout_ms) {
  Target& asked = target(service);
  Question question{&asked, nullptr};
  Millis wait_ms = timeout_ms > 0 ? timeout_ms : timeout_ms_;
  {
    const std::lock_guard lock(asked.mutex);
    if (asked.silent) wait_ms = std::min(wait_ms, silent_timeout_ms);
    if (!asked.idle.empty()) {
      question.client = std::move(asked.idle.back());
      asked.idle.pop_back();
    }
  }
  if (!question.client) question.client = std::make_unique<QueryClient>(home_.endpoint(endpoint_name(service)));
  question.client->send(method, request, wait_ms);
  return question;
}

Result<std::string> Services::receive(const std::string& service, Question question) {
  auto answer = question.client->receive();
  const bool down = !answer && is_down(answer.error().code);
  const std::lock_guard lock(question.target->mutex);
  question.target->silent = down;
  question.target->idle.push_back(std::move(question.client));
  if (down) return fail(Code::unavailable, "the service {} does not answer; see: xundian status", service);
  return answer;
}

std::vector<Result<std::string>> Services::ask_each(const std::vector<std::string>& services, std::string_view method,
                                                    const std::string& request) {
  std::vector<Question> questions;
  for (const std::string& service : services) questions.push_back(send(service, method, request, 0));
  std::vector<Result<std::string>> answers;
  for (size_t index = 0; index < services.size(); ++index)
    answers.push_back(receive(services[index], std::move(questions[index])));
  return answers;
}

}  // namespace xundian::gateway
