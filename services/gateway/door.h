// What every call passes, over gRPC and HTTP alike: who is it, may they, how long may it take, how did it end.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <map>
#include <string>

#include "common/clock.h"
#include "services/gateway/api.h"

namespace xundian::gateway {

// How a call came in.
struct Caller {
  std::string authorization;   // The header's value.
  Millis timeout_ms = 0;       // What the caller allows; 0 = as long as the gateway does.
  std::function<bool()> gone;  // May be empty.
};

class Door {
 public:
  Door(const Settings& settings, Api& api, TokenBook& tokens);

  template <typename Request, typename Response>
  using Unary = Result<Response> (Api::*)(const Call&, const Request&);
  template <typename Request, typename Response>
  using Stream = Result<void> (Api::*)(const Call&, const Request&, const Sink<Response>&);

  template <typename Request, typename Response>
  Result<Response> unary(const MethodRule& rule, Unary<Request, Response> handle, const Caller& caller, const Request& request) {
    const Measured measured(*this, rule.name);
    auto call = admit(rule, caller, request);
    auto response = call ? (api_.*handle)(*call, request) : Result<Response>(tl::unexpected(call.error()));
    measured.ended(response ? Code{} : response.error().code);
    return response;
  }

  template <typename Request, typename Response>
  Result<void> stream(const MethodRule& rule, Stream<Request, Response> handle, const Caller& caller, const Request& request,
                      const Sink<Response>& sink) {
    const Measured measured(*this, rule.name);
    auto call = admit(rule, caller, request);
    if (!call) {
      measured.ended(call.error().code);
      return tl::unexpected(call.error());
    }
    call->recheck = [&] { return Result<void>(admit(rule, caller, request).map([](const Call&) {})); };
    const Place place(*this);
    auto ended = place.taken()
                     ? (api_.*handle)(*call, request, sink)
                     : Result<void>(fail(Code::resource_exhausted, "{} streams are open, which is all there may be; try later",
                                         settings_.streams_max));
    measured.ended(ended ? Code{} : ended.error().code);
    return ended;
  }

  // Whether the token is known at all, whatever it may do.
  Result<void> authenticate(const Caller& caller);
  // Prometheus text.
  std::string metrics_text();
  Api& api() { return api_; }

 private:
  // The one interceptor.
  template <typename Request>
  Result<Call> admit(const MethodRule& rule, const Caller& caller, const Request& request) {
    std::vector<std::string> stores;
    named_stores(request, stores);
    return admit(rule, caller, stores, concerns_group(request));
  }
  Result<Call> admit(const MethodRule& rule, const Caller& caller, const std::vector<std::string>& stores, bool whole_group);

  struct Handles {
    std::map<Code, prometheus::Counter*> calls;
    prometheus::Histogram* seconds = nullptr;
  };
  // Counts a call when it has ended.
  class Measured {
   public:
    Measured(Door& door, const char* method) : handles_(door.handles_.at(method)), began_(std::chrono::steady_clock::now()) {}
    void ended(Code code) const;

   private:
    const Handles& handles_;
    const std::chrono::steady_clock::time_point began_;
  };
  // One of the places for streams, if there is one.
  class Place {
   public:
    explicit Place(Door& door);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool taken() const { return taken_; }

   private:
    Door& door_;
    bool taken_ = false;
  };

  const Settings& settings_;
  Api& api_;
  TokenBook& tokens_;
  std::atomic<int64_t> streams_ = 0;
  prometheus::Registry registry_;
  prometheus::Gauge* streams_gauge_ = nullptr;
  std::map<std::string, Handles, std::less<>> handles_;
};

// "ok", "invalid_argument", …: the names that Connect uses.
const char* code_name(Code code);

}  // namespace xundian::gateway
