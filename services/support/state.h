// What the support service knows: of each store its conversations, buyers who ask, refunds, reviews, scores and cases.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>

#include <set>
#include <span>

#include "common/mix_hash.h"
#include "common/orders_ahead.h"
#include "common/rules.h"
#include "common/service.h"
#include "common/stores.h"
#include "common/things.h"
#include "services/support/things.h"

namespace xundian::support {

// A store's part of the state.
struct Desk {
  uint64_t store = 0;  // Hash of its id.
  const StoreInfo* info = nullptr;
  Things<Message, 8, 16> messages;
  std::map<uint32_t, Version> withdrawn_messages;               // By their indices.
  absl::flat_hash_map<Key, std::vector<Key>, KeyHash> replies;  // To each message, known or not: what replies to it.
  absl::node_hash_map<Key, Conversation, KeyHash> conversations;
  // By agent and hour (day * 24 + hour of the day).
  std::map<std::string, std::map<int64_t, Cell>, std::less<>> cells;
  std::map<Day, NewsDay> news;
  std::vector<uint32_t> buyers;  // Their indices, in the order in which they were first heard of.
  std::map<Day, Inquiries> inquiries;
  std::map<Key, Merged<v1::RefundState>> refunds;
  std::map<Key, Merged<v1::ReviewState>> reviews;
  std::map<Key, Merged<v1::ServiceScore>> scores;
  std::map<Key, Merged<v1::CaseState>> cases;
  std::map<Key, Millis> refunds_due;  // When open refunds come near their deadlines, as far as that is to come.
  Millis newest_ms = 0;
  // Those of all that somebody asks for: what is over is not walked past.
  using Keys = absl::flat_hash_set<Key, KeyHash>;
  Keys waiting;  // Conversations in which a customer waits.
  Keys open_refunds, open_cases;
  std::set<std::pair<Day, Key>> scored_days;  // Of the scores that count.
};

// A buyer of a store, by the hash of its id.
inline Key buyer_key(uint64_t store, uint64_t buyer) { return {MixHash()(buyer) ^ store, buyer}; }

using ScoreOfDay = std::optional<uint32_t> (*)(const v1::ScoreCard&);

// When a message, by its index, was withdrawn; the zero version: it never was.
Version withdrawal_of(const Desk& desk, uint32_t message);
// Whether it was said, and not withdrawn since.
bool counts(const Desk& desk, uint32_t message);
// The stated id of a conversation, else the id of the root of its reply tree.
std::string name_of(const Desk& desk, const Key& home, const Conversation& conversation);
std::span<const ShippedRule> shipped_rules();
query::v1::GetMetricDefinitionsResponse metric_definitions();
// A stated length in whole seconds, rounded to the nearest.
int64_t whole_seconds(Millis length);
bool is_open(const Merged<v1::RefundState>& refund);
bool is_open(const Merged<v1::CaseState>& one);
std::optional<Day> scored_day(const Merged<v1::ServiceScore>& score);
std::optional<uint32_t> description_of(const v1::ScoreCard& card);

class State final : public Fold {
 public:
  State() : rules_(shipped_rules()) {}
  void expect(const FactView& fact) override;
  void fold(const FactView& fact, Outbox& outbox) override;
  void said(const FactView& fact) override { judge_.said(fact); }
  void wake(Millis now, Outbox& outbox) override;
  Millis next_wake() const override;
  void save(std::string& bytes) const override;
  bool load(ByteReader bytes) override;
  std::vector<Held> held() const override;
  void fingerprint(Fingerprint& sum) const override;

  const Stores& stores() const { return stores_; }
  const RuleBook& rules() const { return rules_; }
  // Null if nothing was said of the store.
  const Desk* desk_of(uint64_t store) const;
  Millis now() const { return now_; }

 private:
  struct Touched;  // Conversations that an input changed.

  Desk& desk_of(const FactView& fact);
  const StoreInfo& info(const Desk& desk) const { return *desk.info; }
  void take_store(const FactView& fact, Outbox& outbox);
  void take_rules(const FactView& fact, Outbox& outbox);
  void recount(Desk& desk);
  template <typename Thing>
  bool merge(std::map<Key, Merged<Thing>>& things, const FactView& fact, Outbox& outbox);
  void take_score(Desk& desk, const FactView& fact, Outbox& outbox);

  // conversations.cpp
  void take_message(Desk& desk, const FactView& fact, Outbox& outbox);
  void meet(Desk& desk, const Words& words, std::vector<uint32_t>& loose, Touched& touched);
  void group(Desk& desk, const std::vector<uint32_t>& loose, Touched& touched);
  bool extend(Desk& desk, uint32_t message, const Words& words, Touched& touched);
  void group_all(Desk& desk);
  void dissolve(Desk& desk, Key home, std::vector<uint32_t>& loose, Touched& touched);
  void walk(Desk& desk, const Key& home, Conversation& conversation, int sign, Touched& touched);
  void step(Desk& desk, const Conversation& conversation, uint32_t message, const Words& words, Progress& progress, int sign,
            Touched& touched);
  void link(Desk& desk, uint32_t message, const Words& words, bool linked);

  // inquiries.cpp
  void take_order(Desk& desk, const FactView& fact, Outbox& outbox);
  Version withdrawn_of(uint32_t order) const {
    const auto found = withdrawn_orders_.find(order);
    return found == withdrawn_orders_.end() ? Version() : found->second;
  }
  Buyer& buyer_of(Desk& desk, uint64_t buyer);
  void count_message(Desk& desk, uint64_t buyer, Millis sent_ms, int sign);
  void count_payment(Desk& desk, uint64_t buyer, Millis paid_ms, int sign);
  void count_buyer(Desk& desk, const Buyer& buyer, int sign);

  // rules.cpp
  void judge_conversation(Desk& desk, const Key& home, Millis now, Outbox& outbox);
  void judge_gone(const Desk& desk, std::string_view name, Millis now, Outbox& outbox);
  void judge_first_response(const Desk& desk, Millis now, Outbox& outbox);
  void judge_refund(Desk& desk, const Key& key, Millis now, Outbox& outbox);
  void judge_score(const Desk& desk, Millis now, Outbox& outbox);
  void judge_due(Millis now, Outbox& outbox);
  void judge_anew(Desk& desk, Millis now, Outbox& outbox);
  std::optional<Millis> threshold(const Desk& desk, RulePlace rule, std::string_view entity) const;
  void schedule(Desk& desk, const Key& home, Conversation& conversation, Millis due);
  void schedule_refund(Desk& desk, const Key& key, Millis due);
  Judge::Subject subject(const Desk& desk, std::string_view entity) const;

  // keep.cpp
  bool load_messages(ByteReader& bytes, Desk& desk);
  void save_orders(std::string& bytes) const;
  bool load_orders(ByteReader& bytes);
  void save_buyers(std::string& bytes) const;
  bool load_buyers(ByteReader& bytes);

  struct Due {
    Millis at = 0;
    uint64_t store = 0;
    Key key;
    bool refund = false;
    auto operator<=>(const Due&) const = default;
  };

  Stores stores_;
  RuleBook rules_;
  Judge judge_{rules_};
  std::map<uint64_t, Desk> desks_;
  absl::flat_hash_map<uint64_t, Desk*, MixHash> desk_index_;  // The same, found faster.
  // Of all stores: to look for one of millions takes less in a few large tables than in many small ones, of each of which the
  // head, too, lies somewhere in memory.
  Things<Order> orders_;
  std::map<uint32_t, Version> withdrawn_orders_;  // By their indices.
  Things<Buyer> buyers_;                          // By buyer_key.
  PackedMemory words_;                            // Of messages.
  std::set<Due> due_;
  Millis now_ = 0;  // The time of the newest record.
  struct Coming : OrderAhead {
    Key buyer;
  };
  OrdersAhead<Coming, false> ahead_;

  // Kept between facts to save allocations.
  v1::ChatMessage chat_;
};

ServiceDefinition definition();

}  // namespace xundian::support
