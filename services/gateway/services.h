// Asks the services of the home: several at once, with a time-out, naming those that did not answer.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/home.h"
#include "common/query.h"

namespace xundian::gateway {

class Services {
 public:
  Services(const Home& home, Millis timeout_ms);

  // One service ("metrics"), or a bus ("bus" of number `instance`). Unavailable: it did not answer in time.
  Result<std::string> ask(const std::string& service, std::string_view method, const std::string& request, Millis timeout_ms);
  template <typename Response, typename Request>
  Result<Response> ask_as(const std::string& service, std::string_view method, const Request& request, Millis timeout_ms = 0) {
    const std::string bytes = TRY(ask(service, method, request.SerializeAsString(), timeout_ms));
    Response response;
    if (!response.ParseFromString(bytes)) return fail(Code::internal, "the answer of {} to {} cannot be read", service, method);
    return response;
  }

  // Asks all of them at once. `take` gets the answers in the order of the names; a service that did not answer is added to
  // `missing`, one that does not know the method is passed over.
  template <typename Response, typename Request, typename Missing, typename Take>
  Result<void> ask_all(const std::vector<std::string>& services, std::string_view method, const Request& request,
                       Missing* missing, Take&& take) {
    const auto answers = ask_each(services, method, request.SerializeAsString());
    for (size_t index = 0; index < services.size(); ++index) {
      Response response;
      if (answers[index] && response.ParseFromString(*answers[index])) {
        take(services[index], response);
      } else if (answers[index] || is_down(answers[index].error().code)) {
        missing->Add(std::string(services[index]));
      } else if (answers[index].error().code != Code::unimplemented) {
        return tl::unexpected(answers[index].error());
      }
    }
    return {};
  }
  std::vector<Result<std::string>> ask_each(const std::vector<std::string>& services, std::string_view method,
                                            const std::string& request);

 private:
  struct Target {
    std::mutex mutex;
    std::vector<std::unique_ptr<QueryClient>> idle;  // Each is one thread's at a time.
    bool silent = false;                             // The last question was not answered: the next waits less long.
  };
  struct Question {
    Target* target = nullptr;
    std::unique_ptr<QueryClient> client;
  };
  Question send(const std::string& service, std::string_view method, const std::string& request, Millis timeout_ms);
  Result<std::string> receive(const std::string& service, Question question);
  static bool is_down(Code code) { return code == Code::unavailable || code == Code::deadline_exceeded; }
  Target& target(const std::string& service);

  const Home& home_;
  const Millis timeout_ms_;
  std::mutex mutex_;
  std::map<std::string, Target> targets_;
};

}  // namespace xundian::gateway
