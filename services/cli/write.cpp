// Commands that state something: stores set, rules, subscribers.
#include <openssl/rand.h>

#include <charconv>

#include "common/time.h"
#include "services/cli/commands.h"
#include "services/cli/terminal.h"

namespace xundian::cli {

namespace {

using Stub = v1::GatewayService::Stub;

Result<facts::v1::Severity> parse_severity(const std::string& name) {
  const char* names[] = {"", "info", "warning", "high", "critical"};
  for (int index = 0; index < 5; ++index)
    if (name == names[index]) return static_cast<facts::v1::Severity>(index);
  return fail(Code::invalid_argument, "the severity \"{}\" is none of info, warning, high, critical", name);
}

// A local date of the store's zone, or a time in milliseconds since 1970.
Result<int64_t> parse_live_from(const std::string& text, const std::string& time_zone) {
  if (text.empty() || text == "0") return 0;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  const Day day = TRY(parse_day(text));
  return TRY(Zone::find(time_zone.empty() ? "Asia/Shanghai" : time_zone)).start_of(day);
}

void print_problems(const std::string& file, const google::protobuf::RepeatedPtrField<v1::RuleProblem>& problems) {
  for (const v1::RuleProblem& problem : problems)
    fmt::print(stderr, "{}:{}: {}: {}\n", file, problem.line(), problem.key(), problem.why());
}

}  // namespace

std::string new_request_id() {
  unsigned char bytes[16];
  CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "there is no randomness");
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

Result<Millis> parse_duration(const std::string& text) {
  if (text.empty()) return 0;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const Millis scale = unit == "s" ? second_ms : unit == "m" ? minute_ms : unit == "h" ? hour_ms : unit == "d" ? day_ms : 0;
  if (error != std::errc{} || scale == 0 || number <= 0 || number > 100'000)
    return fail(Code::invalid_argument, "\"{}\" is no duration; write for example 90s, 30m, 2h, 1d", text);
  return number * scale;
}

int set_store(const StoreOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::SetStoreRequest request;
    request.set_request_id(new_request_id());
    request.set_store(options.id);
    request.set_platform(options.platform);
    request.set_name(options.name);
    request.set_currency_code(options.currency);
    request.set_time_zone(options.time_zone);
    request.set_group(options.group);
    if (options.day_cut) request.set_day_cut_minutes(*options.day_cut);
    if (options.calendar) request.set_calendar(*options.calendar);
    if (options.stock_pool) request.set_stock_pool(*options.stock_pool);
    if (options.live_from) request.set_live_from_ms(TRY(parse_live_from(*options.live_from, options.time_zone)));
    const auto told = TRY(client.call(&Stub::SetStore, request));
    TRY_VOID(wait_until_folded(client));
    Json json;
    json.begin_object().key("stores").begin_array();
    write_store(json, told.store());
    json.end_array().end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("{}: {} {} {}\n", told.store().id(), told.store().platform(), told.store().currency_code(),
                 told.store().time_zone());
    return done;
  });
}

int list_rules(bool as_json) {
  return with_client([&](Client& client) -> Result<int> {
    const auto told = TRY(client.call(&Stub::ListRules, v1::ListRulesRequest()));
    Json json;
    Table table({"规则 Rule", "探测 Detector", "部门 Service", ">触发 Fires at", "单位 Unit", "级别 Severity", "说明 Text"});
    const auto severity = [](const facts::v1::Rule& rule) {
      const char* names[] = {"", "info", "warning", "high", "critical"};
      return rule.severity() >= 0 && rule.severity() < 5 ? names[rule.severity()] : "";
    };
    const auto write = [&](const facts::v1::Rule& rule) {
      json.begin_object().field("id", rule.id()).field("detector", rule.detector()).field("store", rule.store());
      json.field("platform", rule.platform()).field("entity", rule.entity()).key("fire_at");
      if (rule.has_fire_at_micros())
        json.value(static_cast<double>(rule.fire_at_micros()) / 1e6);
      else
        json.null();
      json.key("clear_at");
      if (rule.has_clear_at_micros())
        json.value(static_cast<double>(rule.clear_at_micros()) / 1e6);
      else
        json.null();
      json.key("for_ms");
      if (rule.has_for_ms())
        json.value(int64_t{rule.for_ms()});
      else
        json.null();
      json.field("severity", severity(rule)).field("owner", rule.owner()).field("zh", rule.text_zh()).field("en", rule.text_en());
      json.field("next", rule.next()).field("disabled", rule.disabled());
    };
    json.begin_object().key("rules").begin_array();
    for (const query::v1::ShippedRule& rule : told.rules()) {
      write(rule.rule());
      json.field("unit", rule.unit())
          .field("side", rule.side())
          .field("service", rule.service())
          .field("entity_kind", rule.entity_kind());
      json.end_object();
      table.add({rule.rule().id(), rule.rule().detector(), rule.service(),
                 fmt::format("{:g}", static_cast<double>(rule.rule().fire_at_micros()) / 1e6), rule.unit(), severity(rule.rule()),
                 rule.rule().text_zh()});
    }
    json.end_array().key("overrides").begin_array();
    for (const facts::v1::Rule& rule : told.overrides()) {
      write(rule);
      json.end_object();
    }
    json.end_array().key("missing").begin_array();
    for (const std::string& service : told.missing()) json.value(service);
    json.end_array().end_object();
    if (as_json) {
      print_json(json);
      return done;
    }
    fmt::print("{}", table.text());
    for (const facts::v1::Rule& rule : told.overrides())
      fmt::print("覆盖 Override: {}{}{}{}\n", rule.id(), rule.store().empty() ? "" : " store=" + rule.store(),
                 rule.entity().empty() ? "" : " entity=" + rule.entity(), rule.disabled() ? " off" : "");
    return done;
  });
}

int check_rules(const RuleOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::CheckRulesRequest request;
    request.set_text(TRY(read_file(options.file)));
    const auto told = TRY(client.call(&Stub::CheckRules, request));
    if (options.json)
      print_json(rules_check_json(told.rules(), told.errors()));
    else if (told.errors().empty())
      fmt::print("{} rules, nothing wrong\n", told.rules());
    if (!options.json) print_problems(options.file, told.errors());
    if (!told.missing().empty())
      fmt::print(stderr, "xundian: names were not checked, no answer from: {}\n", fmt::join(told.missing(), ", "));
    return told.errors().empty() ? done : wrong_use;
  });
}

int rehearse_rules(const RuleOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::RehearseRulesRequest request;
    request.set_set(options.set);
    request.set_text(TRY(read_file(options.file)));
    request.set_from(options.from);
    request.set_to(options.to);
    v1::RehearseRulesResponse told;
    {
      Progress progress("演练 rehearsing");
      TRY_VOID(client.stream(&Stub::RehearseRules, request, [&](const v1::RehearseRulesResponse& message) {
        progress.show(message.result().facts_done(), message.result().facts_all(), "");
        told = message;
        return true;
      }));
    }
    if (!told.errors().empty()) {
      if (options.json)
        print_json(rules_check_json(told.rules(), told.errors()));
      else
        print_problems(options.file, told.errors());
      return wrong_use;
    }
    if (options.json) {
      print_json(rehearsal_json(told.result()));
      return done;
    }
    Table alerts({"触发 Fired", "解除 Resolved", "规则 Rule", "店铺 Store", "对象 Entity"});
    for (const query::v1::RehearsedAlert& alert : told.result().alerts())
      alerts.add({local_time_text(alert.fired().seconds()),
                  alert.has_resolved() ? local_time_text(alert.resolved().seconds()) : "–", alert.rule(), alert.store(),
                  alert.entity()});
    if (told.result().alerts().empty())
      fmt::print("没有告警 No alert would have fired.\n");
    else
      fmt::print("{}", alerts.text());
    Table rules({"规则 Rule", ">演练 Rehearsed", ">现行 In force"});
    for (const query::v1::RehearsedRule& rule : told.result().per_rule())
      rules.add({rule.rule(), std::to_string(rule.alerts()), std::to_string(rule.alerts_now())});
    fmt::print("{}", rules.text());
    return done;
  });
}

int put_rules(const RuleOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::PutRulesRequest request;
    request.set_request_id(new_request_id());
    request.set_set(options.set);
    request.set_text(TRY(read_file(options.file)));
    const auto told = TRY(client.call(&Stub::PutRules, request));
    if (options.json) print_json(rules_check_json(told.rules(), told.errors()));
    if (!told.errors().empty()) {
      if (!options.json) print_problems(options.file, told.errors());
      return wrong_use;
    }
    TRY_VOID(wait_until_folded(client));
    if (!options.json) fmt::print("{} rules in force\n", told.rules());
    return done;
  });
}

int list_subscribers(bool as_json) {
  return with_client([&](Client& client) -> Result<int> {
    const auto told = TRY(client.call(&Stub::ListSubscribers, v1::ListSubscribersRequest()));
    Json json;
    Table table({"订阅 Subscriber", "渠道 Channel", "地址 URL", "级别 Severity", "店铺 Stores"});
    json.begin_object().key("subscribers").begin_array();
    for (const v1::Subscriber& subscriber : told.subscribers()) {
      const char* names[] = {"", "info", "warning", "high", "critical"};
      const auto& terms = subscriber.terms();
      const char* severity = terms.severity_min() >= 0 && terms.severity_min() < 5 ? names[terms.severity_min()] : "";
      json.begin_object().field("id", subscriber.id()).field("channel", terms.channel()).field("url", terms.url());
      json.field("secret_file", terms.secret_file()).field("severity", severity).key("stores").begin_array();
      for (const std::string& store : terms.stores()) json.value(store);
      json.end_array().key("rules").begin_array();
      for (const std::string& rule : terms.rules()) json.value(rule);
      json.end_array().field("allow_private", terms.allow_private_targets()).end_object();
      table.add({subscriber.id(), terms.channel(), terms.url(), severity, fmt::format("{}", fmt::join(terms.stores(), ","))});
    }
    json.end_array().end_object();
    if (as_json)
      print_json(json);
    else
      fmt::print("{}", table.empty() ? "还没有订阅。No subscribers yet.\n" : table.text());
    return done;
  });
}

int set_subscriber(const SubscriberOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::PutSubscriberRequest request;
    request.set_request_id(new_request_id());
    request.set_subscriber(options.id);
    request.set_withdraw(options.remove);
    auto& terms = *request.mutable_terms();
    terms.set_channel("webhook");
    terms.set_url(options.url);
    terms.set_secret_file(options.secret_file);
    terms.set_severity_min(TRY(parse_severity(options.severity)));
    terms.mutable_stores()->Add(options.stores.begin(), options.stores.end());
    terms.mutable_rules()->Add(options.rules.begin(), options.rules.end());
    terms.set_allow_private_targets(options.allow_private);
    if (options.remove) request.clear_terms();
    TRY(client.call(&Stub::PutSubscriber, request));
    TRY_VOID(wait_until_folded(client));
    Json json;
    json.begin_object().field("id", options.id).field("removed", options.remove).end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("{} {}\n", options.id, options.remove ? "taken away" : "set");
    return done;
  });
}

}  // namespace xundian::cli
