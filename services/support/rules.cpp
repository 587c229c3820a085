// What can be wrong at the service desk, measured against rules. To add a detector, write it here and give it a scenario.
#include <algorithm>

#include "services/support/state.h"

namespace xundian::support {

namespace {

constexpr ShippedRule rules[] = {
    {.id = "reply_due",
     .detector = "waiting_seconds",
     .entity_kind = "conversation",
     .unit = "seconds",
     .side = Side::above,
     .fire_at_micros = 100 * micros,  // Early enough to answer within the three minutes that platforms count.
     .clear_at_micros = 100 * micros,
     .severity = v1::SEVERITY_WARNING,
     .owner = "support",
     .text_zh = "{store} 会话 {entity} 的客户自 {since} 起等待回复，已 {value} 秒",
     .text_en = "{store}: the customer of conversation {entity} has waited for a reply since {since}, {value} seconds",
     .next = "reply"},
    {.id = "reply_missed",
     .detector = "waiting_seconds",
     .entity_kind = "conversation",
     .unit = "seconds",
     .side = Side::above,
     .fire_at_micros = 180 * micros,
     .clear_at_micros = 180 * micros,
     .severity = v1::SEVERITY_HIGH,
     .owner = "support",
     .text_zh = "{store} 会话 {entity} 超过三分钟未人工回复：客户自 {since} 起已等待 {value} 秒",
     .text_en = "{store}: conversation {entity} missed its reply, the customer has waited {value} seconds since {since}",
     .next = "reply"},
    {.id = "first_response_slow",
     .detector = "first_response_seconds",
     .entity_kind = "store",
     .unit = "seconds",
     .side = Side::above,
     .fire_at_micros = 60 * micros,
     .clear_at_micros = 60 * micros,
     .sample_min = 20,  // First responses.
     .severity = v1::SEVERITY_WARNING,
     .owner = "support",
     .text_zh = "{store} {day} 平均首次响应 {value} 秒（{conversations} 个会话）",
     .text_en = "{store} took {value} seconds to the first response on {day}, on average of {conversations} conversations",
     .next = "add_agents"},
    {.id = "refund_deadline_near",
     .detector = "hours_to_refund_deadline",
     .entity_kind = "refund",
     .unit = "hours",
     .side = Side::below,
     .fire_at_micros = 6 * micros,
     .clear_at_micros = 6 * micros,
     .severity = v1::SEVERITY_HIGH,
     .owner = "support",
     .text_zh = "{store} 退款 {entity}（订单 {order}）距处理时限 {deadline} 只剩 {value} 小时",
     .text_en = "{store}: refund {entity} of order {order} must be answered by {deadline}, {value} hours are left",
     .next = "answer_refund"},
    {.id = "score_drop",
     .detector = "description_score_fall",
     .entity_kind = "store",
     .unit = "count",
     .side = Side::above,
     .fire_at_micros = micros / 100,
     .clear_at_micros = micros / 100,
     .severity = v1::SEVERITY_WARNING,
     .owner = "support",
     .text_zh = "{store} {day} 描述相符评分 {score}，比 {before} 的 {score_before} 下降 {value}",
     .text_en = "{store}: the description score of {day} is {score}, {value} less than {score_before} on {before}",
     .next = "review_ratings"},
};

constexpr RulePlace reply_due = place_of(rules, "reply_due"), reply_missed = place_of(rules, "reply_missed"),
                    first_response_slow = place_of(rules, "first_response_slow"),
                    refund_deadline_near = place_of(rules, "refund_deadline_near"), score_drop = place_of(rules, "score_drop");

constexpr uint32_t opened_aspect = 1, status_aspect = 2, card_aspect = 1;
// What one input judges at most; the rest waits for the next, so that an answer fits into a batch.
constexpr size_t judged_at_once = 256;

// Hours, rounded up, times 1,000,000: the threshold is reached no millisecond early.
int64_t hours_left(Millis length) { return length <= 0 ? length * 5 / 18 : (length * 5 + 17) / 18; }

}  // namespace

std::span<const ShippedRule> shipped_rules() { return rules; }

bool is_open(const Merged<v1::RefundState>& refund) {
  return refund.counts(opened_aspect) && (!refund.counts(status_aspect) || refund.state.status().status() == "open");
}

bool is_open(const Merged<v1::CaseState>& one) {
  return one.counts(opened_aspect) && (!one.counts(status_aspect) || one.state.status().status() != "closed");
}

std::optional<uint32_t> description_of(const v1::ScoreCard& card) {
  return card.has_description_milli() ? std::optional(card.description_milli()) : std::nullopt;
}

// The day of a score that counts.
std::optional<Day> scored_day(const Merged<v1::ServiceScore>& score) {
  const auto day = parse_day(score.state.card().day());
  return score.counts(card_aspect) && day ? std::optional(*day) : std::nullopt;
}

Judge::Subject State::subject(const Desk& desk, std::string_view entity) const {
  const StoreInfo& store = info(desk);
  return {store.id, store.platform, entity};
}

// From which value on a rule holds, as a length of time; absent: the rule is switched off.
std::optional<Millis> State::threshold(const Desk& desk, RulePlace rule, std::string_view entity) const {
  const EffectiveRule found = rules_.find(rule, info(desk).id, info(desk).platform, entity);
  if (found.disabled) return std::nullopt;
  if (found.shipped->unit == "hours") return found.fire_at_micros / 5 * 18 + found.fire_at_micros % 5 * 18 / 5;
  return (found.fire_at_micros + 999) / 1000;
}

// How long the customer of a conversation waits, and when that will have become too long.
void State::judge_conversation(Desk& desk, const Key& home, Millis now, Outbox& outbox) {
  Conversation& conversation = desk.conversations.at(home);
  const Progress& progress = conversation.progress;
  const std::string name = name_of(desk, home, conversation);
  const bool judged = progress.waiting && info(desk).is_news(progress.waiting_ms);
  if (!judged) {
    schedule(desk, home, conversation, never);
    return judge_gone(desk, name, now, outbox);
  }
  const Measurement waited{.value_micros = (now - progress.waiting_ms) * 1000, .evidence = {}};
  const auto support = [&] { return std::vector{evidence("since", info(desk).zone.format(progress.waiting_ms))}; };
  Millis due = never;
  for (const RulePlace rule : {reply_due, reply_missed}) {
    judge_.judge(rule, subject(desk, name), waited, support, now, outbox);
    const auto patience = threshold(desk, rule, name);
    if (patience && progress.waiting_ms + *patience > now) due = std::min(due, progress.waiting_ms + *patience);
  }
  schedule(desk, home, conversation, due);
}

// Nobody waits in it, or it is no more: what held of it no longer does.
void State::judge_gone(const Desk& desk, std::string_view name, Millis now, Outbox& outbox) {
  for (const RulePlace rule : {reply_due, reply_missed})
    if (!outbox.facts().empty() || judge_.holds_since(info(desk).id, rule, name))
      judge_.judge(rule, subject(desk, name), std::nullopt, now, outbox);
}

// The day at hand alone is judged: earlier ones are over.
void State::judge_first_response(const Desk& desk, Millis now, Outbox& outbox) {
  const StoreInfo& store = info(desk);
  const Day day = store.zone.day_of(now);
  const auto found = desk.news.find(day);
  std::optional<Measurement> mean;
  const NewsDay news = found == desk.news.end() ? NewsDay() : found->second;
  if (news.count > 0)
    mean = Measurement{.value_micros = news.seconds * micros / news.count, .sample = news.count, .evidence = {}};
  const auto support = [&] {
    return std::vector{evidence("day", format_day(day)), evidence("conversations", news.count * micros, "count")};
  };
  judge_.judge(first_response_slow, subject(desk, store.id), mean, support, now, outbox);
}

void State::judge_refund(Desk& desk, const Key& key, Millis now, Outbox& outbox) {
  const Merged<v1::RefundState>& refund = desk.refunds.at(key);
  const v1::RefundOpened& opened = refund.state.opened();
  const bool judged = is_open(refund) && opened.deadline_ms() > 0 && info(desk).is_news(opened.deadline_ms());
  std::optional<Measurement> left;
  Millis due = never;
  if (judged) {
    left = Measurement{.value_micros = hours_left(opened.deadline_ms() - now), .evidence = {}};
    const auto notice = threshold(desk, refund_deadline_near, refund.id);
    if (notice && opened.deadline_ms() - *notice > now) due = opened.deadline_ms() - *notice;
  }
  schedule_refund(desk, key, due);
  const auto support = [&] {
    return std::vector{evidence("order", opened.order().empty() ? "?" : opened.order()),
                       evidence("deadline", info(desk).zone.format(opened.deadline_ms())),
                       evidence("amount", opened.amount_micros(), "money")};
  };
  judge_.judge(refund_deadline_near, subject(desk, refund.id), left, support, now, outbox);
}

// The newest day's score against the last one known before it.
void State::judge_score(const Desk& desk, Millis now, Outbox& outbox) {
  const StoreInfo& store = info(desk);
  std::vector<std::pair<Day, int64_t>> newest;  // Two days that have one, the newest first.
  for (auto at = desk.scored_days.rbegin(); at != desk.scored_days.rend() && newest.size() < 2; ++at)
    if (const auto score = description_of(desk.scores.at(at->second).state.card());
        score && (newest.empty() || newest.back().first != at->first))
      newest.emplace_back(at->first, *score);
  std::optional<Measurement> fall;
  if (newest.size() == 2 && store.is_news(store.zone.start_of(newest[0].first + 1) - 1))
    fall = Measurement{.value_micros = (newest[1].second - newest[0].second) * 1000, .evidence = {}};
  const auto support = [&] {
    return std::vector{evidence("day", format_day(newest[0].first)), evidence("score", newest[0].second * 1000, "count"),
                       evidence("before", format_day(newest[1].first)),
                       evidence("score_before", newest[1].second * 1000, "count")};
  };
  judge_.judge(score_drop, subject(desk, store.id), fall, support, now, outbox);
}

// Rules or the store changed: what waits is looked at again, as much as fits now, the rest with the records that follow.
void State::judge_anew(Desk& desk, Millis now, Outbox& outbox) {
  for (const Key& home : desk.waiting) schedule(desk, home, desk.conversations.at(home), now);
  for (const Key& key : desk.open_refunds) schedule_refund(desk, key, now);
  judge_first_response(desk, now, outbox);
  judge_score(desk, now, outbox);
}

void State::judge_due(Millis now, Outbox& outbox) {
  for (size_t judged = 0; judged < judged_at_once && !due_.empty() && due_.begin()->at <= now; ++judged) {
    const Due due = *due_.begin();
    Desk& desk = desks_.at(due.store);
    if (due.refund)
      judge_refund(desk, due.key, now, outbox);
    else
      judge_conversation(desk, due.key, now, outbox);
  }
}

void State::schedule(Desk& desk, const Key& home, Conversation& conversation, Millis due) {
  if (conversation.due != never) due_.erase({conversation.due, desk.store, home, false});
  conversation.due = due;
  if (due != never) due_.insert({due, desk.store, home, false});
}

void State::schedule_refund(Desk& desk, const Key& key, Millis due) {
  if (const auto held = desk.refunds_due.find(key); held != desk.refunds_due.end()) {
    due_.erase({held->second, desk.store, key, true});
    desk.refunds_due.erase(held);
  }
  if (due == never) return;
  desk.refunds_due[key] = due;
  due_.insert({due, desk.store, key, true});
}

}  // namespace xundian::support
