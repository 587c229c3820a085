// What can be wrong with stock and with orders that wait. Each detector measures one thing; from when on it matters, the rule
// says.
#include <algorithm>

#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

// To add a rule, write it here, measure it below, and give it a scenario on both sides of its threshold.
constexpr ShippedRule rules[] = {
    {.id = "out_of_stock",
     .detector = "stock_available",
     .entity_kind = "sku",
     .unit = "units",
     .side = Side::below,
     .fire_at_micros = 0,
     .clear_at_micros = 0,
     .severity = v1::SEVERITY_CRITICAL,
     .owner = "purchasing",
     .text_zh = "{store}：{entity} 已缺货，可售 {available} 件，近 30 天卖出 {sold_month} 件，在途 {inbound} 件",
     .text_en = "{store}: {entity} is out of stock: {available} available, {sold_month} sold in 30 days, {inbound} on the way",
     .next = "open_purchase_order"},
    {.id = "below_reorder_point",
     .detector = "position_over_reorder_point",
     .entity_kind = "sku",
     .unit = "units",
     .side = Side::below,
     .fire_at_micros = 0,
     .clear_at_micros = 0,
     .severity = v1::SEVERITY_HIGH,
     .owner = "purchasing",
     .text_zh = "{store}：{entity} 可售加在途 {position} 件，已到补货点 {reorder_point} 件，建议采购 {suggested} 件",
     .text_en = "{store}: {entity} has {position} available and on the way, reorder point {reorder_point}; order {suggested}",
     .next = "open_purchase_order"},
    {.id = "runs_out_before_resupply",
     .detector = "cover_over_lead_time",
     .entity_kind = "sku",
     .unit = "days",
     .side = Side::below,
     .fire_at_micros = 0,
     .clear_at_micros = 3 * micros,
     .severity = v1::SEVERITY_HIGH,
     .owner = "purchasing",
     .text_zh = "{store}：{entity} 还能卖 {cover} 天，补货要 {lead_time} 天，日销 {demand} 件",
     .text_en = "{store}: {entity} lasts {cover} days, resupply takes {lead_time}, {demand} sell a day",
     .next = "open_purchase_order"},
    {.id = "oversold",
     .detector = "stock_available",
     .entity_kind = "sku",
     .unit = "units",
     .side = Side::below,
     .fire_at_micros = -1 * micros,
     .clear_at_micros = -1 * micros,
     .severity = v1::SEVERITY_CRITICAL,
     .owner = "warehouse",
     .text_zh = "{store}：{entity} 超卖，可售 {available} 件，请下架或调货",
     .text_en = "{store}: {entity} is oversold: {available} available; take it off the shelf or transfer stock",
     .next = "stop_selling"},
    {.id = "unshipped_overdue",
     .detector = "hours_past_ship_deadline",
     .entity_kind = "order",
     .unit = "hours",
     .side = Side::above,
     .fire_at_micros = 0,
     .clear_at_micros = 0,
     .severity = v1::SEVERITY_CRITICAL,
     .owner = "warehouse",
     .text_zh = "{store}：订单 {entity} 已过发货时限 {deadline} {value} 小时，付款后 {age} 小时仍未发货",
     .text_en = "{store}: order {entity} is {value} hours past its shipping deadline {deadline}, paid {age} hours ago",
     .next = "ship_order"},
    {.id = "shipping_deadline_near",
     .detector = "hours_to_ship_deadline",
     .entity_kind = "order",
     .unit = "hours",
     .side = Side::below,
     .fire_at_micros = 6 * micros,
     .clear_at_micros = 6 * micros,
     .severity = v1::SEVERITY_WARNING,
     .owner = "warehouse",
     .text_zh = "{store}：订单 {entity} 须在 {deadline} 前发货，还剩 {value} 小时",
     .text_en = "{store}: order {entity} must be shipped by {deadline}, {value} hours are left",
     .next = "ship_order"},
    {.id = "overstock",
     .detector = "cover",
     .entity_kind = "sku",
     .unit = "days",
     .side = Side::above,
     .fire_at_micros = 180 * micros,
     .clear_at_micros = 150 * micros,
     .sample_min = young_days,
     .severity = v1::SEVERITY_INFO,
     .owner = "purchasing",
     .text_zh = "{store}：{entity} 库存 {available} 件，够卖 {cover} 天，有积压风险",
     .text_en = "{store}: {entity} has {available} available, enough for {cover} days",
     .next = "mark_down"},
    {.id = "purchase_order_late",
     .detector = "hours_past_arrival",
     .entity_kind = "purchase_order",
     .unit = "hours",
     .side = Side::above,
     .fire_at_micros = 0,
     .clear_at_micros = 0,
     .severity = v1::SEVERITY_WARNING,
     .owner = "purchasing",
     .text_zh = "{store}：采购单 {entity}（{supplier}）应于 {due} 到货，尚有 {awaited} 件未到",
     .text_en = "{store}: purchase order {entity} of {supplier} was due {due}, {awaited} units have not arrived",
     .next = "chase_supplier"},
};

constexpr RulePlace deadline_near = place_of(rules, "shipping_deadline_near"), overdue = place_of(rules, "unshipped_overdue"),
                    purchase_late = place_of(rules, "purchase_order_late");

// What one record says and judges at most; the rest waits for the next, so that an answer fits into a batch and takes no time
// that is felt.
constexpr size_t said_at_once = 1'000, judged_at_once = 500;

int64_t hours_micros(Millis span) { return span * 1000 / 3600; }  // Hours times 1,000,000.

std::vector<v1::Evidence> evidence_of(const Plan& plan) {
  std::vector<v1::Evidence> list = {evidence("available", *plan.stock.available * micros, "units"),
                                    evidence("inbound", plan.stock.inbound * micros, "units"),
                                    evidence("position", plan.stock.position() * micros, "units"),
                                    evidence("sold_month", plan.sold_month * micros, "units"),
                                    evidence("lead_time", int64_t{plan.lead_time_days} * micros, "days"),
                                    evidence("suggested", plan.suggested_units * micros, "units")};
  if (plan.reorder_point) list.push_back(evidence("reorder_point", *plan.reorder_point * micros, "units"));
  if (plan.demand) list.push_back(evidence("demand", plan.demand->daily_micros, "units"));
  if (plan.cover_micros) list.push_back(evidence("cover", *plan.cover_micros, "days"));
  return list;
}

Measurement measured(int64_t value_micros) { return {.value_micros = value_micros, .evidence = {}}; }

// What is measured of a SKU whose stock is known, for a rule; absent: nothing is wrong with it in that way.
struct SkuDetector {
  RulePlace rule;
  std::optional<Measurement> (*measure)(const Plan& plan);
};
using Found = std::optional<Measurement>;
constexpr SkuDetector sku_detectors[] = {
    {place_of(rules, "out_of_stock"),
     [](const Plan& plan) {
       const bool concerns = !plan.off_shelf && (plan.sold_month > 0 || plan.stock.has_policy);
       return concerns ? Found(measured(*plan.stock.available * micros)) : std::nullopt;
     }},
    {place_of(rules, "below_reorder_point"),
     [](const Plan& plan) {
       const bool concerns = plan.reorder_point && !plan.off_shelf;
       return concerns ? Found(measured((plan.stock.position() - *plan.reorder_point) * micros)) : std::nullopt;
     }},
    {place_of(rules, "runs_out_before_resupply"),
     [](const Plan& plan) {
       const bool concerns = plan.sells() && !plan.off_shelf;
       return concerns ? Found(measured(*plan.cover_micros - int64_t{plan.lead_time_days} * micros)) : std::nullopt;
     }},
    {place_of(rules, "oversold"), [](const Plan& plan) { return Found(measured(*plan.stock.available * micros)); }},
    {place_of(rules, "overstock"),
     [](const Plan& plan) {
       if (!plan.sells()) return Found();
       Measurement cover = measured(*plan.cover_micros);
       cover.sample = plan.demand->days_known;
       return Found(std::move(cover));
     }},
};

}  // namespace

std::span<const ShippedRule> shipped_rules() { return rules; }

void State::read_order_rules(Place& place) const {
  const auto span_of = [&](RulePlace rule) {
    return rules_.find(rule, place.info->id, place.info->platform, {}).fire_at_micros * (hour_ms / 1000) / 1000;
  };
  place.near_ms = span_of(deadline_near);
  place.late_ms = span_of(overdue);
  place.plain_rules = rules_.plain(deadline_near) != nullptr && rules_.plain(overdue) != nullptr;
}

void State::judge_skus(const std::vector<SkuId>& ids, Outbox& outbox) {
  if (ids.size() == 1) return judge_sku(ids.front(), outbox);
  // In the order of their names, each once, so that what is said does not depend on ids.
  std::map<std::string_view, SkuId> sorted;
  for (const SkuId id : ids) sorted.emplace(name(skus_[id].name), id);
  for (const auto& [sku, id] : sorted) judge_sku(id, outbox);
}

void State::settle_standing(Sku& sku, const Standing& standing) {
  StandingSums& sums = pools_[sku.pool].sums;
  sums.add(sku.detail().standing, -1);
  sku.own().standing = standing;
  sums.add(standing, 1);
}

void State::judge_sku(SkuId id, Outbox& outbox) {
  Sku& sku = skus_[id];
  const std::string& entity = name(sku.name);
  const Place* home = home_of(sku);
  // A pool speaks for the SKU at one store; what held at another, before that one spoke of it, holds no longer.
  const bool moved = home == nullptr || home != sku.detail().home;
  if (home != nullptr && moved) sku.own().home = home;
  for (const Place* place : pools_[sku.pool].places) {
    if (!moved || place == home) continue;
    for (const auto& [rule, measure] : sku_detectors)
      if (judge_.holds_since(place->info->id, rule, entity))
        judge_.judge(rule, {place->info->id, place->info->platform, entity}, std::nullopt, now_, outbox);
  }
  if (!home) {  // It has no levels.
    sku.is_out = 0;
    if (sku.more) settle_standing(sku, {});
    return;
  }
  const Day day = home->info->zone.day_of(now_) - 1;
  keep_demand(sku, day);
  const Plan plan = this->plan(sku, day);
  settle_stock(sku, plan.stock);
  settle_standing(sku, plan.standing());
  if (plan.stock.stated_ms != 0 && !home->info->is_news(plan.stock.stated_ms)) return;
  const auto support = [&] { return evidence_of(plan); };
  for (const auto& [rule, measure] : sku_detectors)
    judge_.judge(rule, {home->info->id, home->info->platform, entity}, plan.stock.available ? measure(plan) : std::nullopt,
                 support, now_, outbox);
}

void State::judge_all(Outbox& outbox) {
  begin_sweep();
  go_on_sweeping(outbox);
  due_.clear();  // All that wait are due now.
  for (uint32_t index = 0; index < orders_.size(); ++index)
    if (Aside::of(orders_[index]).waits) judge_later(index, now_);
  judge_due(outbox);
}

void State::begin_sweep() {
  sweep_ = {SkuName(), Key()};
  swept_.clear();
}

// The SKUs of the next pool that are behind those swept: by pools' and SKUs' names, not by ids, which a restart gives anew. Those
// without stock have nothing to be judged by.
void State::find_next_swept() {
  const auto& [from_pool, from_name] = *sweep_.skus;
  for (auto at = pool_ids_.lower_bound(from_pool); at != pool_ids_.end() && swept_.empty(); ++at)
    for (const SkuId id : pools_[at->second].skus)
      if (!skus_[id].detail().levels.empty() && (at->first != from_pool || name(skus_[id].name) > from_name))
        swept_.push_back(id);
  std::ranges::sort(swept_, std::greater(), [&](SkuId id) -> std::string_view { return name(skus_[id].name); });
}

// A SKU has got stock: as if it had had it when the sweep began.
void State::sweep_too(SkuId id) {
  if (swept_.empty() || skus_[id].pool != skus_[swept_.back()].pool) return;  // Of a pool that comes later it is found then.
  if (name_of(id) <= std::pair<std::string_view, std::string_view>(*sweep_.skus)) return;
  swept_.insert(std::ranges::upper_bound(swept_, name_of(id), std::greater(), [&](SkuId held) { return name_of(held); }), id);
}

void State::go_on_sweeping(Outbox& outbox) {
  size_t judged = 0;
  const auto has_room = [&] { return judged < judged_at_once && outbox.facts().size() < said_at_once; };
  while (sweep_.skus && has_room()) {
    if (swept_.empty()) find_next_swept();
    if (swept_.empty()) {
      sweep_.skus.reset();
      break;
    }
    SkuId last = 0;
    for (; !swept_.empty() && has_room(); ++judged) {
      last = swept_.back();
      swept_.pop_back();
      judge_sku(last, outbox);
    }
    sweep_.skus = name_of(last);
  }
  if (sweep_.skus || !sweep_.purchases) return;
  auto purchase = purchases_.upper_bound(*sweep_.purchases);
  for (; purchase != purchases_.end() && has_room(); ++purchase, ++judged) {
    judge_purchase(purchase->second, outbox);
    sweep_.purchases = purchase->first;
  }
  if (purchase == purchases_.end()) sweep_.purchases.reset();
}

// Orders of which a rule may have begun to hold, by their times; the rest waits for the next record.
void State::judge_due(Outbox& outbox) {
  for (size_t judged = 0; !due_.empty() && judged < said_at_once && outbox.facts().size() < said_at_once; ++judged) {
    std::pop_heap(due_.begin(), due_.end(), std::greater());
    const uint32_t index = due_.back().index;
    due_.pop_back();
    const Order& order = open(index);
    if (!order.waits) continue;
    schedule(index, order);  // By the rules that hold now.
    judge_order(order, order.id, true, outbox);
  }
}

void State::judge_order(const Order& order, std::string_view id, bool waits, Outbox& outbox) {
  const StoreInfo& store = *order.place->info;
  const Judge::Subject subject{store.id, store.platform, id};
  const Millis deadline_ms = order.deadline_ms();
  std::optional<Measurement> late, near;
  if (waits && store.is_news(deadline_ms) && !store.withdrawn) {
    late = Measurement{.value_micros = hours_micros(now_ - deadline_ms), .evidence = {}};
    // Past the deadline the other rule speaks.
    if (now_ < deadline_ms) near = Measurement{.value_micros = hours_micros(deadline_ms - now_), .evidence = {}};
  }
  const auto support = [&] {
    return std::vector<v1::Evidence>{evidence("deadline", store.zone.format(deadline_ms)),
                                     evidence("age", hours_micros(now_ - order.paid_ms), "hours")};
  };
  judge_.judge(deadline_near, subject, near, support, now_, outbox);
  judge_.judge(overdue, subject, late, support, now_, outbox);
}

void State::judge_purchase(const Purchase& purchase, Outbox& outbox) {
  const Place& place = places_.at(purchase.store);
  int64_t awaited = 0;
  for (const auto& [sku, units] : purchase.awaited()) awaited += units;
  const PurchaseTerms& terms = purchase.terms.content;
  std::optional<Measurement> measured;
  if (awaited > 0 && terms.due_ms > 0 && place.info->is_news(terms.due_ms) && !place.info->withdrawn)
    measured = Measurement{.value_micros = hours_micros(now_ - terms.due_ms), .evidence = {}};
  const auto support = [&] {
    return std::vector<v1::Evidence>{evidence("supplier", terms.supplier), evidence("due", place.info->zone.format(terms.due_ms)),
                                     evidence("awaited", awaited * micros, "units")};
  };
  judge_.judge(purchase_late, {place.info->id, place.info->platform, purchase.id}, measured, support, now_, outbox);
}

}  // namespace xundian::inventory
