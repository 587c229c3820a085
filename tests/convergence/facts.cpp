#include "tests/convergence/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "services/alerts/state.h"

namespace xundian::convergence {

namespace {

constexpr int64_t unit = 1'000'000;  // Micros of a currency unit.

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) { fact_.set_group(chance(70) ? "north" : one_of({"south", "west"})); }

  v1::Fact make() {
    fact_.set_store(fact_.group() + (chance(80) ? "1" : "2"));
    fact_.set_as_of_ms(first_ms + below(40) * 6 * hour_ms);
    fact_.set_occurred_ms(chance(70) ? fact_.as_of_ms() : first_ms + below(60) * 5 * hour_ms);
    fact_.set_status_rank(static_cast<uint32_t>(below(3)));
    fact_.set_source_rank(static_cast<uint32_t>(below(2)));
    fact_.set_source("test.convergence");
    if (chance(12)) fact_.set_revision(static_cast<uint32_t>(below(4)));
    if (fact_.revision() > 0 && chance(60)) fact_.set_content_rank(static_cast<uint64_t>(1 + below(3)));
    gone_ = chance(8);
    using Make = void (Maker::*)();
    static constexpr Make makes[] = {
        &Maker::order,   &Maker::order,   &Maker::order,   &Maker::order,  &Maker::refund,   &Maker::refund, &Maker::store,
        &Maker::product, &Maker::product, &Maker::traffic, &Maker::ad,     &Maker::ad,       &Maker::ad,     &Maker::plan,
        &Maker::level,   &Maker::level,   &Maker::chat,    &Maker::chat,   &Maker::chat,     &Maker::chat,   &Maker::purchase,
        &Maker::move,    &Maker::listing, &Maker::score,   &Maker::review, &Maker::unfolded, &Maker::rules,  &Maker::import};
    (this->*makes[below(std::size(makes))])();
    return fact_;
  }

  v1::Fact handling() {
    fact_.set_as_of_ms(first_ms + below(9) * 3 * day_ms);
    fact_.set_key(fmt::format("h{}", below(3)));
    const std::string store = fact_.group() + one_of({"1", "2"});
    v1::FindingTerms finding;
    finding.set_rule(one_of({"out_of_stock", "below_reorder_point", "unshipped_overdue"}));
    const bool of_order = finding.rule() == "unshipped_overdue";
    finding.set_entity_kind(of_order ? "order" : "sku");
    finding.set_entity(of_order ? order_key() : sku());
    const std::string alert = alerts::alert_key(finding, store);
    const bool gone = chance(15);
    switch (below(4)) {
      case 0: {
        v1::SilenceState& state = *fact_.mutable_silence_state();
        if (gone) return state.mutable_withdrawn(), fact_;
        if (chance(70)) state.mutable_terms()->set_rule(finding.rule());
        if (chance(30)) state.mutable_terms()->set_store(store);
        state.mutable_terms()->set_start_ms(first_ms + below(20) * day_ms);
        state.mutable_terms()->set_end_ms(first_ms + below(30) * day_ms);
        return fact_;
      }
      case 1: {
        fact_.set_key(alert);
        if (gone) return fact_.mutable_ack_state()->mutable_withdrawn(), fact_;
        fact_.mutable_ack_state()->mutable_terms()->set_alert(alert);
        if (chance(50)) fact_.mutable_ack_state()->mutable_terms()->set_until_ms(first_ms + below(30) * day_ms);
        return fact_;
      }
      case 2: {
        if (gone) return fact_.mutable_subscriber_state()->mutable_withdrawn(), fact_;
        v1::SubscriberTerms& terms = *fact_.mutable_subscriber_state()->mutable_terms();
        terms.set_channel("webhook");
        if (chance(50)) terms.set_severity_min(v1::SEVERITY_HIGH);
        if (chance(30)) terms.add_stores(store);
        return fact_;
      }
      default: {
        v1::DeliveryAttempt& attempt = *fact_.mutable_delivery()->mutable_attempt();
        attempt.set_notice(alerts::notice_id(alert, static_cast<uint32_t>(1 + below(4))));
        attempt.set_subscriber(fact_.key());
        attempt.set_attempt(1);
        attempt.set_outcome(one_of({"delivered", "retry", "dead"}));
        attempt.set_attempted_ms(fact_.as_of_ms());
        attempt.set_retry_ms(fact_.as_of_ms() + hour_ms);
        fact_.set_key(attempt.notice() + "@" + attempt.subscriber());
        return fact_;
      }
    }
  }

 private:
  int64_t below(auto limit) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit)); }
  bool chance(int percent) { return below(100) < percent; }
  std::string one_of(std::initializer_list<const char*> words) { return words.begin()[below(words.size())]; }
  std::string sku() { return one_of({"mug", "cup", "pot"}); }
  std::string order_key() { return fmt::format("o{}", below(5)); }
  // Few moments, so that statements tie in all but their words; some unknown.
  Millis moment() { return chance(12) ? 0 : first_ms + below(12) * day_ms + below(4) * 5 * hour_ms; }
  std::string day(int64_t days = 6) { return format_day(static_cast<Day>(first_ms / day_ms + below(days))); }

  void order() {
    fact_.set_key(order_key());
    v1::OrderState& order = *fact_.mutable_order_state();
    if (gone_) order.mutable_withdrawn();
    if (gone_ && chance(60)) return;
    if (chance(50)) {
      v1::OrderPlaced& placed = *order.mutable_placed();
      placed.set_created_ms(moment());
      placed.set_buyer(static_cast<uint64_t>(below(4)));
      placed.set_currency_code(one_of({"", "", "USD"}));
      placed.set_channel(one_of({"", "app", "live"}));
    }
    if (chance(60)) {
      order.mutable_paid()->set_paid_ms(moment());
      if (chance(50)) order.mutable_paid()->set_amount_micros(below(5) * unit);
    }
    if (chance(40))
      order.mutable_status()->set_status(one_of({"paid", "paid", "unpaid", "shipped", "closed", "refunding", "odd"}));
    if (chance(30)) {
      order.mutable_shipped()->set_shipped_ms(chance(20) ? -1 : chance(50) ? 0 : moment());
      if (chance(50)) order.mutable_shipped()->set_promised_ms(moment());
    }
    if (chance(15)) order.mutable_received()->set_received_ms(moment());
    if (chance(25)) order.mutable_closed()->set_closed_ms(chance(20) ? -1 : moment());
    if (chance(25)) order.mutable_refunded()->set_amount_micros(below(4) * unit);
    for (int64_t lines = below(4); lines > 0 || order.ByteSizeLong() == 0; --lines) {
      v1::OrderLine& line = *order.add_lines();
      line.set_line_id(fmt::format("{}", below(3)));  // A line may be named twice.
      line.set_sku(sku());
      line.set_quantity(1 + below(4));
      line.set_amount_micros(below(5) * unit);
      line.set_withdrawn(chance(15));
    }
  }

  void refund() {
    fact_.set_key(fmt::format("r{}", below(4)));
    v1::RefundState& refund = *fact_.mutable_refund_state();
    if (gone_) refund.mutable_withdrawn();
    if (chance(60)) {
      v1::RefundOpened& opened = *refund.mutable_opened();
      opened.set_order(chance(15) ? "" : order_key());
      opened.set_amount_micros(below(4) * unit);
      opened.set_currency_code(one_of({"", "", "USD"}));
      opened.set_opened_ms(moment());
      opened.set_deadline_ms(moment());
      for (int64_t lines = below(3); lines > 0; --lines) {
        v1::RefundLine& line = *opened.add_lines();
        line.set_sku(sku());
        line.set_quantity(1);
        line.set_amount_micros(unit);
      }
    }
    if (chance(60) || refund.ByteSizeLong() == 0) {
      refund.mutable_status()->set_status(one_of({"settled", "settled", "open", "closed"}));
      refund.mutable_status()->set_settled_ms(moment());
    }
  }

  void store() {
    fact_.set_key(fact_.store());
    v1::StoreState& state = *fact_.mutable_store_state();
    if (gone_ && chance(50)) state.mutable_withdrawn();
    if (chance(40)) state.mutable_identity()->set_platform(one_of({"tmall", "jd"}));
    if (chance(70) || state.ByteSizeLong() == 0) {
      v1::StoreSettings& settings = *state.mutable_settings();
      settings.set_time_zone(one_of({"Asia/Shanghai", "Europe/London", "America/New_York", "Nowhere/None"}));
      settings.set_currency_code(one_of({"CNY", "GBP"}));
      settings.set_day_cut_minutes(chance(30) ? 300 : 0);
      if (chance(40)) settings.set_stock_pool(one_of({"shared", "other"}));
      if (chance(10)) settings.set_live_from_ms(moment());
    }
  }

  void product() {
    const std::string product = one_of({"cream", "soap"}), of_day = day();
    fact_.set_key(product + of_day + one_of({"", "", "b"}));
    v1::ProductReport& report = *fact_.mutable_product_report();
    if (gone_) report.mutable_withdrawn();
    if (gone_ && chance(60)) return;
    v1::ProductCell& cell = *report.mutable_cell();
    cell.mutable_cut()->set_dimensions("product");
    cell.mutable_cut()->set_grain(chance(80) ? "snapshot" : "day");
    cell.mutable_period()->set_from(chance(5) ? "someday" : of_day);
    cell.set_product(product);
    if (chance(80)) cell.set_sold_count(below(10) * 10);
    if (chance(80)) cell.set_price_micros(below(4) * unit);
    if (chance(50)) cell.set_uv(below(10));
  }

  void traffic() {
    const std::string dimensions = one_of({"store", "store+source"}), of_day = day(4);
    const std::string source = dimensions == "store" ? "" : one_of({"", "search"});
    fact_.set_key(dimensions + of_day + source);
    v1::TrafficReport& report = *fact_.mutable_traffic_report();
    if (gone_) report.mutable_withdrawn();
    if (gone_ && chance(60)) return;
    v1::TrafficCell& cell = *report.mutable_cell();
    cell.mutable_cut()->set_dimensions(dimensions);
    cell.mutable_cut()->set_grain("day");
    cell.mutable_period()->set_from(of_day);
    if (chance(30)) cell.mutable_period()->set_hour(static_cast<uint32_t>(below(25)));
    cell.set_source(source);
    if (chance(80)) cell.set_uv(below(10));
    if (chance(80)) cell.set_pv(below(10));
    if (chance(50)) cell.set_cart_users(below(4));
  }

  void ad() {
    v1::AdCell cell;
    const auto depth = below(3);
    cell.mutable_cut()->set_dimensions(std::initializer_list<const char*>{"channel", "campaign", "campaign+item"}.begin()[depth]);
    cell.mutable_cut()->set_grain(chance(85) ? "day" : "week");
    if (chance(30)) cell.mutable_cut()->set_attribution_days(static_cast<uint32_t>(below(2) * 7));
    cell.mutable_period()->set_from(day());
    if (chance(10)) cell.mutable_period()->set_hour(static_cast<uint32_t>(below(24)));
    cell.set_channel(one_of({"ztc", "jzt"}));
    if (depth > 0) cell.set_campaign(one_of({"c1", "c2"}));
    if (depth > 1) cell.set_item(sku());
    fact_.set_key(cell.ShortDebugString());
    v1::AdReport& report = *fact_.mutable_ad_report();
    if (gone_) report.mutable_withdrawn();
    if (gone_ && chance(60)) return;
    if (chance(50)) cell.set_impressions(below(100));
    if (chance(50)) cell.set_clicks(below(60));
    if (chance(90)) cell.set_cost_micros((below(200) - 5) * unit);
    if (chance(50)) cell.set_attributed_orders(below(4));
    if (chance(50)) cell.set_attributed_amount_micros(below(300) * unit);
    *report.mutable_cell() = cell;
  }

  void plan() {
    fact_.set_key(fmt::format("p{}", below(3)));
    if (chance(40)) {
      v1::CampaignPlan& plan = *fact_.mutable_campaign_plan();
      if (gone_) return static_cast<void>(plan.mutable_withdrawn());
      plan.mutable_terms()->set_start_ms(moment());
      plan.mutable_terms()->set_end_ms(moment() + 5 * day_ms);
      return;
    }
    v1::BudgetPlan& plan = *fact_.mutable_budget_plan();
    if (gone_) return static_cast<void>(plan.mutable_withdrawn());
    v1::BudgetTerms& terms = *plan.mutable_terms();
    terms.set_channel(one_of({"", "ztc"}));
    terms.set_campaign(one_of({"", "c1"}));
    terms.set_from(day(3));
    terms.set_to(chance(5) ? "never" : day(12));
    terms.set_amount_micros(below(400) * unit);
  }

  void level() {
    const std::string name = sku(), warehouse = one_of({"", "w"});
    fact_.set_key(name + "@" + warehouse);
    v1::StockLevel& level = *fact_.mutable_stock_level();
    if (gone_) return static_cast<void>(level.mutable_withdrawn());
    if (chance(30)) {
      level.mutable_policy()->set_sku(name);
      level.mutable_policy()->set_warehouse(warehouse);
      level.mutable_policy()->set_reorder_point_units(below(20));
      if (chance(50)) return;
    }
    v1::StockCount& count = *level.mutable_count();
    count.set_sku(chance(95) ? name : sku());
    count.set_warehouse(warehouse);
    if (chance(70)) count.set_available_units(below(14) - 5);
    if (chance(50)) count.set_on_hand_units(below(30));
    if (chance(40)) count.set_inbound_units(below(10));
    if (chance(80)) count.set_counted_ms(fact_.as_of_ms() - below(40) * 6 * hour_ms);
  }

  void purchase() {
    fact_.set_key(fmt::format("po{}", below(3)));
    v1::PurchaseOrder& purchase = *fact_.mutable_purchase_order();
    if (gone_) return static_cast<void>(purchase.mutable_withdrawn());
    const bool terms = chance(60);
    if (terms) purchase.mutable_terms()->set_due_ms(moment());
    if (!terms && chance(30)) purchase.mutable_receipt()->set_complete(true);
    for (int64_t lines = 1 + below(2); lines > 0; --lines) {
      v1::PurchaseLine& line = terms ? *purchase.mutable_terms()->add_lines() : *purchase.mutable_receipt()->add_lines();
      line.set_sku(sku());
      line.set_quantity(1 + below(9));
    }
  }

  void move() {
    fact_.set_key(fmt::format("m{}", below(3)));
    if (gone_) return static_cast<void>(fact_.mutable_stock_move()->mutable_withdrawn());
    v1::StockMovement& movement = *fact_.mutable_stock_move()->mutable_movement();
    movement.set_sku(sku());
    movement.set_quantity(below(9) - 4);
    movement.set_moved_ms(moment());
  }

  void listing() {
    fact_.set_key(sku());
    v1::Listing& listing = *fact_.mutable_listing();
    if (gone_) return static_cast<void>(listing.mutable_withdrawn());
    if (chance(40)) listing.mutable_identity()->set_title(one_of({"Mug", "Cup"}));
    if (chance(50)) listing.mutable_shelf()->set_on_shelf(chance(50));
    if (chance(50) || listing.ByteSizeLong() == 0) listing.mutable_supply()->set_lead_time_days(static_cast<uint32_t>(below(9)));
  }

  void chat() {
    fact_.set_key(fmt::format("{}", below(9)));
    v1::ChatMessage& message = *fact_.mutable_chat_message();
    if (gone_) message.mutable_withdrawn();
    if (gone_ && chance(60)) return;
    v1::ChatLine& line = *message.mutable_line();
    line.set_sent_ms(chance(90) ? first_ms + below(30) * 50 * minute_ms : moment());
    line.set_author(static_cast<v1::AuthorKind>(1 + below(5)));
    if (chance(40)) line.set_author(chance(50) ? v1::AUTHOR_KIND_CUSTOMER : v1::AUTHOR_KIND_AGENT);
    if (line.author() == v1::AUTHOR_KIND_AGENT) line.set_agent(one_of({"li", "wang"}));
    if (line.author() == v1::AUTHOR_KIND_CUSTOMER) line.set_buyer(static_cast<uint64_t>(below(4)));
    if (chance(35)) line.set_conversation(fmt::format("c{}", below(2)));
    if (chance(60)) line.set_reply_to(fmt::format("{}", below(9)));
  }

  void score() {
    const std::string of_day = day();
    fact_.set_key(of_day);
    v1::ServiceScore& score = *fact_.mutable_service_score();
    if (gone_) return static_cast<void>(score.mutable_withdrawn());
    score.mutable_card()->set_day(of_day);
    score.mutable_card()->set_description_milli(static_cast<uint32_t>(4'700 + below(300)));
  }

  void review() {
    fact_.set_key(fmt::format("{}", below(3)));
    if (chance(50)) {
      v1::ReviewState& review = *fact_.mutable_review_state();
      if (gone_) return static_cast<void>(review.mutable_withdrawn());
      if (chance(60)) review.mutable_given()->set_score(static_cast<uint32_t>(below(6)));
      if (!review.has_given() || chance(50)) review.mutable_reply()->set_replied_ms(moment());
      return;
    }
    v1::CaseState& state = *fact_.mutable_case_state();
    if (gone_) return static_cast<void>(state.mutable_withdrawn());
    if (chance(60)) state.mutable_opened()->set_deadline_ms(moment());
    if (!state.has_opened() || chance(50)) state.mutable_status()->set_status(one_of({"open", "closed"}));
  }

  // Kinds that intake weighs and no other service folds yet.
  void unfolded() {
    fact_.set_key(fmt::format("u{}", below(3)));
    const auto kind = below(6);
    if (kind == 0) fact_.mutable_agent_presence()->mutable_change()->set_presence(one_of({"online", "offline"}));
    if (kind == 1) fact_.mutable_shift()->mutable_terms()->set_agent(one_of({"li", "wang"}));
    if (kind == 2) fact_.mutable_thing_link()->mutable_keys()->set_one(sku());
    if (kind == 3) fact_.mutable_target_plan()->mutable_terms()->set_value_micros(below(9));
    if (kind == 4) fact_.mutable_calendar()->mutable_days();
    if (kind == 5) fact_.mutable_horizon()->set_day(day());
  }

  void rules() {
    fact_.clear_store();
    fact_.set_key(fmt::format("rules{}", below(2)));
    if (gone_) return static_cast<void>(fact_.mutable_rule_set()->mutable_withdrawn());
    v1::Rule& rule = *fact_.mutable_rule_set()->mutable_list()->add_rules();
    rule.set_id(one_of({"out_of_stock", "roas_below", "refund_rate_high", "reply_missed", "unshipped_overdue"}));
    if (chance(50)) rule.set_fire_at_micros(below(9) * unit / 2);
    if (chance(30)) rule.set_store(fact_.group() + "1");
    if (chance(20)) rule.set_disabled(true);
    if (chance(30)) rule.set_sample_min(below(3));
  }

  void import() {
    const auto id = below(3);
    fact_.clear_store();
    fact_.set_key(fmt::format("{}", id));
    v1::ImportState& state = *fact_.mutable_import_state();
    if (chance(70)) state.mutable_done()->set_import_id(static_cast<uint64_t>(id));
    if (!state.has_done() || chance(20)) state.mutable_undone();
  }

  std::mt19937_64 random_;
  v1::Fact fact_;
  bool gone_ = false;
};

}  // namespace

v1::Fact make_fact(uint64_t seed) { return Maker(seed).make(); }

v1::Fact make_fact(uint64_t seed, const std::vector<Kind>& kinds) {
  for (;; ++seed)
    if (v1::Fact fact = make_fact(seed); std::find(kinds.begin(), kinds.end(), fact.fact_case()) != kinds.end()) return fact;
}

v1::Fact make_handling(uint64_t seed) { return Maker(seed).handling(); }

bool withdraw(v1::Fact& fact, Millis as_of_ms) {
  const auto* access = v1::Fact::GetReflection();
  const auto* kind = access->GetOneofFieldDescriptor(fact, v1::Fact::descriptor()->oneof_decl(0));
  auto* state = access->MutableMessage(&fact, kind);
  const auto* aspect = state->GetDescriptor()->FindFieldByNumber(withdrawn_aspect);
  if (aspect == nullptr) return false;
  state->Clear();
  state->GetReflection()->MutableMessage(state, aspect);
  fact.set_as_of_ms(as_of_ms);
  return true;
}

}  // namespace xundian::convergence
