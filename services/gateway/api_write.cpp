// Calls that state something.
#include <openssl/rand.h>

#include "common/clock.h"
#include "common/time.h"
#include "services/gateway/api.h"
#include "services/gateway/rules_file.h"

namespace xundian::gateway {

namespace {

constexpr int facts_max = 10'000;
constexpr size_t text_bytes_max = 4'096;  // Of a key or a store's id.
constexpr Millis ack_default_ms = 24 * hour_ms;
constexpr Millis silence_default_ms = hour_ms;
constexpr Millis duration_max_ms = 366 * day_ms;

// A name for something that the caller did not name, the same for the same call.
std::string name_of(const Call& call, const std::string& request_id) {
  if (!request_id.empty()) return to_hex(hash128(call.principal->name + "\n" + request_id)).substr(0, 16);
  unsigned char bytes[8];
  CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "there is no randomness");
  std::string name;
  for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

Result<Millis> duration(Millis asked_ms, Millis default_ms) {
  if (asked_ms < 0 || asked_ms > duration_max_ms) return fail(Code::invalid_argument, "a duration is from 0 to 366 days");
  return asked_ms == 0 ? default_ms : asked_ms;
}

// Facts that only services say; whoever could state them from outside could forge what others conclude.
bool is_concluded(const facts::v1::Fact& fact) {
  return fact.has_finding() || fact.has_alert_state() || fact.has_delivery() || fact.has_horizon() || fact.has_import_state();
}

// Configuration needs the verb that its own call needs.
bool is_configuration(const facts::v1::Fact& fact) {
  return fact.has_rule_set() || fact.has_subscriber_state() || fact.has_store_state() || fact.has_tick();
}

Result<void> check_fact(const Call& call, const facts::v1::Fact& fact, int index) {
  if (fact.fact_case() == facts::v1::Fact::FACT_NOT_SET) return fail(Code::invalid_argument, "facts[{}] states nothing", index);
  if (fact.key().empty() && !fact.has_tick()) return fail(Code::invalid_argument, "facts[{}] has no key", index);
  if (fact.key().size() > text_bytes_max || fact.store().size() > text_bytes_max)
    return fail(Code::invalid_argument, "facts[{}] has a key or store of more than {} bytes", index, text_bytes_max);
  if (fact.as_of_ms() <= 0) return fail(Code::invalid_argument, "facts[{}] does not say as_of_ms, when it was true", index);
  if (fact.ByteSizeLong() > frame_bytes_max / 2) return fail(Code::invalid_argument, "facts[{}] is larger than 2 MB", index);
  if (fact.cause() != 0 || fact.import_id() != 0)
    return fail(Code::invalid_argument, "facts[{}] states cause or import_id, which only services do", index);
  if (is_concluded(fact)) return fail(Code::permission_denied, "facts[{}] is of a kind that only services state", index);
  if (is_configuration(fact) && !call.principal->may_admin)
    return fail(Code::permission_denied, "facts[{}] is configuration, which needs the verb \"admin\"", index);
  return {};
}

}  // namespace

Result<v1::PutFactsResponse> Api::put_facts(const Call& call, const v1::PutFactsRequest& request) {
  v1::PutFactsResponse response;
  if (remembered(call, "PutFacts", request.request_id(), response)) return response;
  if (request.facts_size() > facts_max)
    return fail(Code::invalid_argument, "{} facts in one call; at most {}", request.facts_size(), facts_max);
  std::vector<facts::v1::Fact> facts;
  std::vector<std::string> scopes;
  for (int index = 0; index < request.facts_size(); ++index) {
    facts::v1::Fact fact = request.facts(index);
    TRY_VOID(check_fact(call, fact, index));
    if (fact.tenant().empty()) fact.set_tenant(call.tenant());
    if (fact.group().empty()) fact.set_group("default");
    if (call.principal->tenant != "*" && fact.tenant() != call.principal->tenant)
      return fail(Code::permission_denied, "facts[{}] is another tenant's", index);
    if (fact.tenant().find('/') != std::string::npos || fact.group().find('/') != std::string::npos)
      return fail(Code::invalid_argument, "facts[{}]: tenant and group hold no slash", index);
    if (fact.id().empty()) fact.set_id(request.request_id());
    if (fact.source().empty()) fact.set_source("api");
    scopes.push_back(fact.tenant() + "/" + fact.group());
    facts.push_back(std::move(fact));
  }
  response.set_facts(facts.size());
  if (!facts.empty()) TRY_VOID(put(call, std::move(facts), scopes, response.mutable_heads()));
  remember(call, "PutFacts", request.request_id(), response);
  return response;
}

Result<v1::SetStoreResponse> Api::set_store(const Call& call, const v1::SetStoreRequest& request) {
  v1::SetStoreResponse response;
  if (remembered(call, "SetStore", request.request_id(), response)) return response;
  if (request.store().empty() || request.store().size() > 256)
    return fail(Code::invalid_argument, "the store's id must have 1 to 256 bytes");
  const auto told = TRY(services_.ask_as<query::v1::ListStoresResponse>("metrics", "ListStores", query::v1::ListStoresRequest()));
  query::v1::Store store;
  store.set_id(request.store());
  store.set_platform("other");
  store.set_currency_code("CNY");
  store.set_time_zone("Asia/Shanghai");
  store.set_scope(call.tenant() + "/" + (request.group().empty() ? "default" : request.group()));
  for (const query::v1::Store& known : told.stores()) {
    if (known.id() != request.store()) continue;
    store = known;
    if (!request.group().empty() && known.scope() != call.tenant() + "/" + request.group())
      return fail(Code::failed_precondition, "the store {} belongs to {}, and a store's group never changes", known.id(),
                  known.scope());
  }
  if (!request.platform().empty()) store.set_platform(request.platform());
  if (!request.name().empty()) store.set_name(request.name());
  if (!request.currency_code().empty()) store.set_currency_code(request.currency_code());
  if (!request.time_zone().empty()) store.set_time_zone(request.time_zone());
  if (request.has_day_cut_minutes()) store.set_day_cut_minutes(request.day_cut_minutes());
  if (request.has_calendar()) store.set_calendar(request.calendar());
  if (request.has_stock_pool()) store.set_stock_pool(request.stock_pool());
  if (request.has_live_from_ms()) store.set_live_from_ms(request.live_from_ms());
  if (store.currency_code().size() != 3) return fail(Code::invalid_argument, "\"{}\" is no ISO 4217 code", store.currency_code());
  if (store.day_cut_minutes() > 1'439) return fail(Code::invalid_argument, "the day's cut is from 0 to 1439 minutes");
  if (store.live_from_ms() < 0) return fail(Code::invalid_argument, "live_from_ms is negative");
  TRY(Zone::find(store.time_zone(), store.day_cut_minutes()));
  facts::v1::Fact fact = TRY(stated(request.request_id(), store.id(), store.id()));
  auto& identity = *fact.mutable_store_state()->mutable_identity();
  identity.set_platform(store.platform());
  identity.set_name(store.name());
  auto& settings = *fact.mutable_store_state()->mutable_settings();
  settings.set_currency_code(store.currency_code());
  settings.set_time_zone(store.time_zone());
  settings.set_day_cut_minutes(store.day_cut_minutes());
  settings.set_calendar(store.calendar());
  settings.set_stock_pool(store.stock_pool());
  settings.set_live_from_ms(store.live_from_ms());
  TRY_VOID(put(call, {std::move(fact)}, {store.scope()}, response.mutable_heads()));
  *response.mutable_store() = store;
  remember(call, "SetStore", request.request_id(), response);
  return response;
}

Result<v1::AckAlertResponse> Api::ack_alert(const Call& call, const v1::AckAlertRequest& request) {
  v1::AckAlertResponse response;
  if (remembered(call, "AckAlert", request.request_id(), response)) return response;
  const Millis for_ms = TRY(duration(request.duration_ms(), ack_default_ms));
  // The alert says which store it is of; the same words for one that is not there and one that is another's.
  query::v1::ListAlertsRequest question;
  question.set_alert(request.alert());
  const auto told = TRY(services_.ask_as<query::v1::ListAlertsResponse>("alerts", "ListAlerts", question));
  std::optional<query::v1::Alert> found;
  for (const query::v1::Alert& alert : told.alerts())
    if (alert.terms().alert() == request.alert() && call.sees(alert.store())) found = alert;
  if (!found) return fail(Code::not_found, "there is no alert \"{}\"; see: xundian alerts list", request.alert());
  facts::v1::Fact fact = TRY(stated(request.request_id(), found->store(), request.alert()));
  facts::v1::AckTerms& terms = *fact.mutable_ack_state()->mutable_terms();
  terms.set_alert(request.alert());
  terms.set_author(call.principal->name);
  terms.set_acked_ms(fact.occurred_ms());
  terms.set_until_ms(fact.occurred_ms() + for_ms);
  terms.set_note(request.note());
  std::string scope = directory()->scope_of(found->store());
  if (scope.empty()) scope = call.tenant() + "/default";
  TRY_VOID(put(call, {std::move(fact)}, {scope}, response.mutable_heads()));
  remember(call, "AckAlert", request.request_id(), response);
  return response;
}

Result<v1::PutSilenceResponse> Api::put_silence(const Call& call, const v1::PutSilenceRequest& request) {
  v1::PutSilenceResponse response;
  if (remembered(call, "PutSilence", request.request_id(), response)) return response;
  const Millis for_ms = TRY(duration(request.duration_ms(), silence_default_ms));
  if (request.withdraw() && request.silence().empty())
    return fail(Code::invalid_argument, "it is not said which silence is to end");
  if (!request.withdraw() && request.comment().empty())
    return fail(Code::invalid_argument, "a silence needs a comment: why, in words");
  const std::string id = request.silence().empty() ? name_of(call, request.request_id()) : request.silence();
  facts::v1::Fact fact = TRY(stated(request.request_id(), request.store(), id));
  if (request.withdraw()) {
    fact.mutable_silence_state()->mutable_withdrawn()->set_reason("ended by " + call.principal->name);
  } else {
    facts::v1::SilenceTerms& terms = *fact.mutable_silence_state()->mutable_terms();
    terms.set_rule(request.rule());
    terms.set_store(request.store());
    terms.set_entity(request.entity());
    terms.set_start_ms(fact.occurred_ms());
    terms.set_end_ms(fact.occurred_ms() + for_ms);
    terms.set_author(call.principal->name);
    terms.set_comment(request.comment());
  }
  response.set_silence(id);
  if (const std::string scope = directory()->scope_of(request.store()); !scope.empty())
    TRY_VOID(put(call, {std::move(fact)}, {scope}, response.mutable_heads()));
  else
    TRY_VOID(put_everywhere(call, fact, response.mutable_heads()));
  remember(call, "PutSilence", request.request_id(), response);
  return response;
}

Result<v1::PutSubscriberResponse> Api::put_subscriber(const Call& call, const v1::PutSubscriberRequest& request) {
  v1::PutSubscriberResponse response;
  if (remembered(call, "PutSubscriber", request.request_id(), response)) return response;
  if (request.subscriber().empty()) return fail(Code::invalid_argument, "the subscriber has no id");
  facts::v1::Fact fact = TRY(stated(request.request_id(), "", request.subscriber()));
  if (request.withdraw()) {
    fact.mutable_subscriber_state()->mutable_withdrawn()->set_reason("taken away by " + call.principal->name);
  } else {
    const facts::v1::SubscriberTerms& terms = request.terms();
    if (terms.channel() != "webhook")
      return fail(Code::invalid_argument, "the channel \"{}\" is not known; there is \"webhook\"", terms.channel());
    if (!terms.url().starts_with("https://") && !(terms.allow_private_targets() && terms.url().starts_with("http://")))
      return fail(Code::invalid_argument, "the address must begin with https:// (or http://, with allow_private_targets)");
    if (terms.secret_file().empty())
      return fail(Code::invalid_argument, "secret_file, the file with the signing secret, is not named");
    *fact.mutable_subscriber_state()->mutable_terms() = terms;
  }
  TRY_VOID(put_everywhere(call, fact, response.mutable_heads()));
  remember(call, "PutSubscriber", request.request_id(), response);
  return response;
}

}  // namespace xundian::gateway
