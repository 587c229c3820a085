// The one table of calls: gRPC, Connect and the test of who may do what are all made from it.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "services/gateway/auth.h"
#include "xundian/gateway/v1/gateway.pb.h"

// X(Method, function of Api, verb, what it means that no store is named)
#define XUNDIAN_MESSAGE_METHODS(X)                                \
  X(ListStores, list_stores, read, filtered)                      \
  X(SetStore, set_store, admin, every_store)                      \
  X(QueryMetrics, query_metrics, read, filtered)                  \
  X(GetMetricDefinitions, get_metric_definitions, read, filtered) \
  X(ListAlerts, list_alerts, read, filtered)                      \
  X(AckAlert, ack_alert, write, filtered)                         \
  X(PutSilence, put_silence, write, every_store)                  \
  X(PutSubscriber, put_subscriber, admin, every_store)            \
  X(ListSubscribers, list_subscribers, admin, every_store)        \
  X(ListRules, list_rules, read, filtered)                        \
  X(PutRules, put_rules, admin, every_store)                      \
  X(CheckRules, check_rules, read, filtered)                      \
  X(PutFacts, put_facts, write, every_store)                      \
  X(UndoImport, undo_import, admin, every_store)                  \
  X(GetReport, get_report, read, filtered)                        \
  X(GetStatus, get_status, read, filtered)                        \
  X(GetFingerprint, get_fingerprint, read, every_store)           \
  X(WaitFolded, wait_folded, read, filtered)

// Those whose answers are made as bytes.
#define XUNDIAN_SERIALIZED_METHODS(X) X(GetOverview, get_overview, read, filtered)

#define XUNDIAN_UNARY_METHODS(X) \
  XUNDIAN_MESSAGE_METHODS(X)     \
  XUNDIAN_SERIALIZED_METHODS(X)

#define XUNDIAN_STREAM_METHODS(X)                     \
  X(WatchAlerts, watch_alerts, read, filtered)        \
  X(RehearseRules, rehearse_rules, read, every_store) \
  X(ImportFile, import_file, write, every_store)

namespace xundian::gateway {

// A response as its bytes, of which some were made by others and are handed on unread.
template <typename Response>
struct Serialized {
  std::string bytes;
};

// What a method of Api gives for its response.
template <typename Response>
using Given =
    std::conditional_t<std::is_same_v<Response, v1::GetOverviewResponse>, Serialized<v1::GetOverviewResponse>, Response>;

// What a method needs, whoever carries it.
struct MethodRule {
  const char* name;
  Verb verb;
  Unnamed unnamed;
};

// Appends the stores that a message names, in itself or in what it carries.
template <typename Message>
void named_stores(const Message& message, std::vector<std::string>& stores) {
  if constexpr (requires {
                  { message.store() } -> std::convertible_to<std::string>;
                }) {
    if (!message.store().empty()) stores.push_back(message.store());
  }
  if constexpr (requires { message.stores(); }) {
    for (const std::string& store : message.stores()) stores.push_back(store);
  }
  if constexpr (requires { message.terms(); }) named_stores(message.terms(), stores);
}

// True if the message carries facts of which one names no store: such a fact concerns its whole group.
inline bool concerns_group(const v1::PutFactsRequest& request) {
  for (const facts::v1::Fact& fact : request.facts())
    if (fact.store().empty()) return true;
  return false;
}
template <typename Message>
bool concerns_group(const Message&) {
  return false;
}

inline void named_stores(const v1::PutFactsRequest& request, std::vector<std::string>& stores) {
  // Neighbours are mostly of one store.
  for (const facts::v1::Fact& fact : request.facts())
    if (!fact.store().empty() && (stores.empty() || stores.back() != fact.store())) stores.push_back(fact.store());
}

}  // namespace xundian::gateway
