// WatchAlerts: every change of an alert from a position on, read from the journal itself, so that there is no hole and no repeat.
#include <algorithm>

#include "common/clock.h"
#include "common/mutant.h"
#include "services/gateway/api.h"
#include "services/gateway/position.h"

namespace xundian::gateway {

namespace {

constexpr Millis look_ms = 1'000;  // How often it is looked whether anybody still listens, and may.

Result<std::pair<TailStream::Start, Heads>> start_of(const v1::WatchAlertsRequest& request, const Home& home) {
  if (request.position().empty() || request.position() == "now" || mutant("watch_from_now"))
    return std::pair(TailStream::Start::now, Heads());
  if (request.position() == "beginning") return std::pair(TailStream::Start::beginning, Heads());
  Heads heads = TRY(decode_position(request.position(), home.settings().id, home.settings().partitions));
  return std::pair(TailStream::Start::heads, std::move(heads));
}

}  // namespace

Result<void> Api::watch_alerts(const Call& call, const v1::WatchAlertsRequest& request,
                               const Sink<v1::WatchAlertsResponse>& sink) {
  const int severity_min = severity_number(request.severity());
  if (severity_min < 0)
    return fail(Code::invalid_argument, "the severity \"{}\" is none of info, warning, high, critical", request.severity());
  if (!call.principal->may_see_department("alerts")) return fail(Code::permission_denied, "the token is not for alerts");
  auto [start, from] = TRY(start_of(request, home_));
  const std::set<std::string> stores(request.stores().begin(), request.stores().end());
  const auto stream = tail_.open({facts::v1::Fact::kAlertState}, start, std::move(from));
  const auto wanted = [&](const TailItem& item) {
    const std::string& store = item.fact.store();
    if (!call.sees_scope(item.scope) || (!stores.empty() && !stores.contains(store))) return false;
    // The scope has said that it is the tenant's; a store that is newer than the directory is the tenant's too.
    if (!call.principal->all_stores && !call.principal->stores.contains(store)) return false;
    return item.fact.alert_state().terms().finding().severity() >= severity_min;
  };
  Millis said_ms = 0, checked_ms = steady_ms();  // The first sign of life comes at once: it has the position to go on from.
  for (;;) {
    const auto item = stream->pop(said_ms == 0 ? 20 : look_ms);
    if (const auto error = stream->error()) return tl::unexpected(*error);
    if (stopping_) return fail(Code::unavailable, "the gateway is closing; connect again");
    if (call.gone && call.gone()) return {};
    const Millis now = steady_ms();
    if (call.recheck && now - checked_ms >= look_ms) {
      checked_ms = now;
      TRY_VOID(call.recheck());
    }
    v1::WatchAlertsResponse message;
    if (item && wanted(*item)) {
      *message.mutable_alert() = shown(item->fact.store(), item->fact.alert_state().terms(), item->partition);
      message.set_position(encode_position(home_.settings().id, item->heads));
      *message.mutable_time() = timestamp(item->time_ms);
    } else if (const auto heads = stream->heads(); heads && (said_ms == 0 || now - said_ms >= heartbeat_ms)) {
      message.set_position(encode_position(home_.settings().id, *heads));
    } else {
      if (said_ms != 0 && now - said_ms < heartbeat_ms) continue;
      if (said_ms == 0) continue;  // The journal cannot be read yet: there is no position to name.
    }
    if (!sink(message)) return {};
    said_ms = now;
  }
}

}  // namespace xundian::gateway
