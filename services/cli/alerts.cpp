// Commands about alerts.
#include <chrono>
#include <thread>

#include "services/cli/commands.h"
#include "services/cli/terminal.h"

namespace xundian::cli {

namespace {

using Stub = v1::GatewayService::Stub;

Result<std::vector<v1::Alert>> read_alerts(Client& client, const std::string& store, const std::string& state,
                                           google::protobuf::RepeatedPtrField<std::string>* missing) {
  std::vector<v1::Alert> alerts;
  v1::ListAlertsRequest request;
  request.set_store(store);
  request.set_state(state);
  do {
    const auto told = TRY(client.call(&Stub::ListAlerts, request));
    alerts.insert(alerts.end(), told.alerts().begin(), told.alerts().end());
    *missing = told.missing();
    request.set_page_token(told.next_page_token());
  } while (!request.page_token().empty());
  return alerts;
}

std::string text_of(const v1::Alert& alert) { return alert.text_zh().empty() ? alert.text_en() : alert.text_zh(); }

}  // namespace

int list_alerts(const AlertOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    google::protobuf::RepeatedPtrField<std::string> missing;
    const auto alerts = TRY(read_alerts(client, options.store, options.state, &missing));
    Json json;
    Table table({"级别 Severity", "店铺 Store", "规则 Rule", "对象 Entity", "状态 State", "起 Since", "说明 Text", "键 Key"});
    json.begin_object().key("alerts").begin_array();
    for (const v1::Alert& alert : alerts) {
      write_alert(json, alert);
      table.add({alert.severity(), alert.store(), alert.rule(), alert.entity(),
                 alert.condition() + (alert.handling() == "acked" ? ", acked" : ""), local_time_text(alert.since().seconds()),
                 text_of(alert), alert.key()});
    }
    json.end_array().key("missing").begin_array();
    for (const std::string& service : missing) json.value(service);
    json.end_array().end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("{}", table.empty() ? "没有告警。No alerts.\n" : table.text());
    if (!missing.empty()) fmt::print(stderr, "xundian: no answer from: {}\n", fmt::join(missing, ", "));
    return done;
  });
}

int show_alert(const AlertOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::ListAlertsRequest request;
    request.set_alert(options.key);
    const auto told = TRY(client.call(&Stub::ListAlerts, request));
    for (const v1::Alert& alert : told.alerts()) {
      if (alert.key() != options.key) continue;
      if (options.json) {
        Json json;
        write_alert(json, alert);
        print_json(json);
        return done;
      }
      fmt::print("{}\n{}\n\n", alert.text_zh(), alert.text_en());
      Table table({"", ""});
      table.add({"规则 Rule", alert.rule()});
      table.add({"店铺 Store", alert.store()});
      table.add({"对象 Entity", alert.entity_kind() + " " + alert.entity()});
      table.add({"级别 Severity", alert.severity()});
      table.add({"状态 State", alert.condition() + ", " + alert.handling() + ", " + alert.muting()});
      table.add({"通知 Delivery", alert.delivery()});
      table.add({"起 Since", local_time_text(alert.since().seconds())});
      table.add({"责任 Owner", alert.owner()});
      table.add({"下一步 Next", alert.next()});
      for (const auto& [name, value] : alert.evidence().fields()) table.add({"证据 " + name, value_text(value, "")});
      table.add(
          {"起因 Cause", fmt::format("partition {} offset {}", alert.partition(), alert.cause() == 0 ? 0 : alert.cause() - 1)});
      fmt::print("{}", table.text());
      return done;
    }
    return fail(Code::not_found, "there is no alert \"{}\"; see: xundian alerts list", options.key);
  });
}

int ack_alert(const AlertOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::AckAlertRequest request;
    request.set_request_id(new_request_id());
    request.set_alert(options.key);
    request.set_note(options.note);
    request.set_duration_ms(TRY(parse_duration(options.duration)));
    TRY(client.call(&Stub::AckAlert, request));
    TRY_VOID(wait_until_folded(client));
    Json json;
    json.begin_object().field("key", options.key).field("handling", "acked").end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("{} acked\n", options.key);
    return done;
  });
}

int silence_alerts(const AlertOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::PutSilenceRequest request;
    request.set_request_id(new_request_id());
    request.set_rule(options.rule);
    request.set_store(options.store);
    request.set_entity(options.entity);
    request.set_comment(options.comment);
    request.set_duration_ms(TRY(parse_duration(options.duration)));
    request.set_silence(options.end);
    request.set_withdraw(!options.end.empty());
    const auto told = TRY(client.call(&Stub::PutSilence, request));
    TRY_VOID(wait_until_folded(client));
    Json json;
    json.begin_object().field("silence", told.silence()).field("ended", request.withdraw()).end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("silence {} {}\n", told.silence(),
                 request.withdraw() ? "ended" : "set; end it with: xundian alerts silence --end " + told.silence());
    return done;
  });
}

int watch(const WatchOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::WatchAlertsRequest request;
    request.mutable_stores()->Add(options.stores.begin(), options.stores.end());
    request.set_severity(options.severity);
    request.set_position(options.from);
    uint64_t seen = 0;
    const auto take = [&](const v1::WatchAlertsResponse& message) {
      request.set_position(message.position());
      if (!message.has_alert()) return true;
      if (options.json) {
        Json json;
        json.begin_object().key("alert");
        write_alert(json, message.alert());
        json.field("position", message.position()).end_object();
        print_json(json);
      } else {
        const v1::Alert& alert = message.alert();
        fmt::print("{}  {:9} {:9} {} {}: {}\n", local_time_text(alert.changed().seconds()), alert.condition(), alert.severity(),
                   alert.store(), alert.rule(), text_of(alert));
      }
      std::fflush(stdout);
      return options.count == 0 || ++seen < options.count;
    };
    // A gateway that restarts is come back to, right behind what was seen last.
    for (;;) {
      const auto ended = client.stream(&Stub::WatchAlerts, request, take);
      if (ended) return done;
      if (ended.error().code != Code::unavailable || request.position() == options.from) return tl::unexpected(ended.error());
      fmt::print(stderr, "xundian: {}; trying again\n", ended.error().message);
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  });
}

}  // namespace xundian::cli
