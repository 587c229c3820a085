#include "services/gateway/door.h"

#include <prometheus/text_serializer.h>

#include "common/time.h"

namespace xundian::gateway {

namespace {

constexpr Millis stream_deadline_ms = day_ms * 365;
constexpr const char* methods[] = {
#define XUNDIAN_NAME(Method, function, verb, unnamed) #Method,
    XUNDIAN_UNARY_METHODS(XUNDIAN_NAME) XUNDIAN_STREAM_METHODS(XUNDIAN_NAME)
#undef XUNDIAN_NAME
};

bool is_stream(std::string_view method) {
#define XUNDIAN_IS(Method, function, verb, unnamed) \
  if (method == #Method) return true;
  XUNDIAN_STREAM_METHODS(XUNDIAN_IS)
#undef XUNDIAN_IS
  return false;
}

}  // namespace

const char* code_name(Code code) {
  constexpr const char* names[] = {
      "ok",        "canceled",       "unknown",           "invalid_argument",   "deadline_exceeded",
      "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
      "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
      "data_loss", "unauthenticated"};
  const auto number = static_cast<size_t>(code);
  return number < std::size(names) ? names[number] : "unknown";
}

Door::Door(const Settings& settings, Api& api, TokenBook& tokens) : settings_(settings), api_(api), tokens_(tokens) {
  auto& calls = prometheus::BuildCounter()
                    .Name("gateway_calls_total")
                    .Help("Calls that have ended, by method and code.")
                    .Register(registry_);
  auto& seconds =
      prometheus::BuildHistogram().Name("gateway_call_seconds").Help("How long calls took, by method.").Register(registry_);
  auto& streams = prometheus::BuildGauge().Name("gateway_streams").Help("Streams that are open.").Register(registry_);
  streams_gauge_ = &streams.Add({});
  for (const char* method : methods) {
    Handles& handles = handles_[method];
    for (int code = 0; code <= static_cast<int>(Code::unauthenticated); ++code)
      handles.calls[static_cast<Code>(code)] = &calls.Add({{"method", method}, {"code", code_name(static_cast<Code>(code))}});
    handles.seconds = &seconds.Add({{"method", method}}, prometheus::Histogram::BucketBoundaries{
                                                             0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30});
  }
}

Result<Call> Door::admit(const MethodRule& rule, const Caller& caller, const std::vector<std::string>& stores, bool whole_group) {
  Call call;
  call.principal = TRY(tokens_.authenticate(caller.authorization, wall_ms()));
  std::set<std::string> foreign;
  if (call.principal->tenant == "*") {
    call.directory = api_.directory_at_hand();
  } else {
    // Which stores are this tenant's must be known before anything is shown.
    call.directory = api_.directory();
    if (call.principal->all_stores && !call.directory->known)
      return fail(Code::unavailable, "which stores the token \"{}\" is for is not known while metrics does not answer",
                  call.principal->name);
    for (const std::string& store : stores) {
      const std::string tenant = call.directory->tenant_of(store);
      if (!tenant.empty() ? tenant != call.principal->tenant : rule.verb == Verb::read) foreign.insert(store);
    }
  }
  TRY_VOID(allow(*call.principal, rule.verb, stores, rule.unnamed, foreign));
  if (whole_group) TRY_VOID(allow(*call.principal, rule.verb, {}, Unnamed::every_store, foreign));
  const Millis most = is_stream(rule.name) ? stream_deadline_ms : deadline_max_ms;
  call.deadline_ms = steady_ms() + (caller.timeout_ms > 0 ? std::min(caller.timeout_ms, most) : most);
  call.gone = caller.gone;
  return call;
}

Result<void> Door::authenticate(const Caller& caller) {
  TRY(tokens_.authenticate(caller.authorization, wall_ms()));
  return {};
}

void Door::Measured::ended(Code code) const {
  const auto found = handles_.calls.find(code);
  (found == handles_.calls.end() ? handles_.calls.at(Code::unknown) : found->second)->Increment();
  handles_.seconds->Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count());
}

Door::Place::Place(Door& door) : door_(door) {
  taken_ = door_.streams_.fetch_add(1) < door_.settings_.streams_max;
  if (!taken_) door_.streams_.fetch_sub(1);
  door_.streams_gauge_->Set(static_cast<double>(door_.streams_.load()));
}

Door::Place::~Place() {
  if (taken_) door_.streams_.fetch_sub(1);
  door_.streams_gauge_->Set(static_cast<double>(door_.streams_.load()));
}

std::string Door::metrics_text() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace xundian::gateway
