// What the service desk comes to know when something is stated.
#include "services/support/state.h"

namespace xundian::support {

namespace {

void note(Desk::Keys& keys, const Key& key, bool is_one) {
  if (is_one)
    keys.insert(key);
  else
    keys.erase(key);
}

}  // namespace

void Cell::add(const Cell& other) {
  first_response_seconds += other.first_response_seconds;
  first_responses += other.first_responses;
  response_seconds += other.response_seconds;
  responses += other.responses;
  replies += other.replies;
  questions += other.questions;
  conversations += other.conversations;
  unanswered += other.unanswered;
}

const Desk* State::desk_of(uint64_t store) const {
  const auto found = desk_index_.find(store);
  return found == desk_index_.end() ? nullptr : found->second;
}

Desk& State::desk_of(const FactView& fact) {
  const auto [found, is_new] = desk_index_.try_emplace(fact.store(), nullptr);
  if (is_new) found->second = &desks_[fact.store()];
  Desk& desk = *found->second;
  if (!desk.info) {
    desk.store = fact.store();
    desk.info = &stores_.of(fact);
  }
  desk.newest_ms = std::max(desk.newest_ms, fact.occurred_ms());
  return desk;
}

void State::expect(const FactView& fact) {
  if (fact.kind() == v1::Fact::kChatMessage)
    if (const Desk* const desk = desk_of(fact.store())) desk->messages.prefetch(fact.key());
  if (fact.kind() != v1::Fact::kOrderState) return;
  Coming& coming = ahead_.add(fact);
  coming.buyer = buyer_key(fact.store(), coming.scan.buyer);
  orders_.prefetch(coming.key);
  buyers_.prefetch(coming.buyer);
  constexpr size_t behind = 4;
  if (const Coming* const earlier = ahead_.before_last(behind)) {
    orders_.prefetch_thing(earlier->key);
    buyers_.prefetch_thing(earlier->buyer);
  }
}

void State::fold(const FactView& fact, Outbox& outbox) {
  now_ = fact.time_ms();
  switch (fact.kind()) {
    case v1::Fact::kStoreState:
      return take_store(fact, outbox);
    case v1::Fact::kRuleSet:
      return take_rules(fact, outbox);
    case v1::Fact::kChatMessage:
      return take_message(desk_of(fact), fact, outbox);
    case v1::Fact::kOrderState:
      return take_order(desk_of(fact), fact, outbox);
    case v1::Fact::kRefundState: {
      Desk& desk = desk_of(fact);
      if (!merge(desk.refunds, fact, outbox)) return;
      note(desk.open_refunds, fact.key(), is_open(desk.refunds.at(fact.key())));
      return judge_refund(desk, fact.key(), now_, outbox);
    }
    case v1::Fact::kServiceScore:
      return take_score(desk_of(fact), fact, outbox);
    case v1::Fact::kReviewState:
      merge(desk_of(fact).reviews, fact, outbox);
      return;
    case v1::Fact::kCaseState: {
      Desk& desk = desk_of(fact);
      if (merge(desk.cases, fact, outbox)) note(desk.open_cases, fact.key(), is_open(desk.cases.at(fact.key())));
      return;
    }
    default:
      return;  // Not ours.
  }
}

// True if the fact said anything newer of the thing.
template <typename Thing>
bool State::merge(std::map<Key, Merged<Thing>>& things, const FactView& fact, Outbox& outbox) {
  Thing stated;
  if (!fact.parse(stated)) {
    outbox.reject("the state cannot be read");
    return false;
  }
  Merged<Thing>& thing = things[fact.key()];
  if (thing.id.empty()) thing.id = fact.key_text();
  return thing.merge(fact, stated);
}

void State::take_score(Desk& desk, const FactView& fact, Outbox& outbox) {
  const auto held = desk.scores.find(fact.key());
  const auto before = held == desk.scores.end() ? std::nullopt : scored_day(held->second);
  if (!merge(desk.scores, fact, outbox)) return;
  if (before) desk.scored_days.erase({*before, fact.key()});
  if (const auto day = scored_day(desk.scores.at(fact.key()))) desk.scored_days.emplace(*day, fact.key());
  judge_score(desk, now_, outbox);
}

void State::take_store(const FactView& fact, Outbox& outbox) {
  const StoreInfo before = stores_.of(fact);
  const bool recounted = stores_.fold(fact);
  const auto desk = desks_.find(fact.store());
  if (desk == desks_.end()) return;
  const StoreInfo& after = info(desk->second);
  const bool has_other_news = before.live_from_ms != after.live_from_ms;
  if (recounted || has_other_news) recount(desk->second);
  if (!recounted && !has_other_news && before.platform == after.platform) return;
  judge_anew(desk->second, now_, outbox);
  judge_due(now_, outbox);
}

void State::take_rules(const FactView& fact, Outbox& outbox) {
  if (!rules_.fold(fact)) return;
  for (auto& [store, desk] : desks_) judge_anew(desk, now_, outbox);
  judge_due(now_, outbox);
}

void State::wake(Millis now, Outbox& outbox) {
  now_ = now;
  judge_due(now, outbox);
}

Millis State::next_wake() const { return due_.empty() ? never : due_.begin()->at; }

}  // namespace xundian::support
