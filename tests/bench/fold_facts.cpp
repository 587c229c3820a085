#include "tests/bench/fold_facts.h"

#include "common/time.h"

namespace xundian::bench {

namespace {

v1::Fact new_fact(uint32_t store, std::string key, Millis as_of_ms) {
  v1::Fact fact;
  fact.set_store(store_id(store));
  fact.set_key(std::move(key));
  fact.set_as_of_ms(as_of_ms);
  fact.set_source("bench.facts");
  return fact;
}

}  // namespace

v1::Fact order_fact(uint32_t store, uint64_t number, uint32_t sku, uint32_t lines, Millis placed_ms) {
  constexpr int64_t price_micros = 59'000'000;
  v1::Fact fact = new_fact(store, fmt::format("F{}", number), placed_ms + 2 * second_ms);
  fact.set_status_rank(20);
  v1::OrderState& order = *fact.mutable_order_state();
  order.mutable_placed()->set_created_ms(placed_ms);
  order.mutable_placed()->set_buyer(hash64(fact.key()));
  order.mutable_placed()->set_buyer_key_id(7);
  order.mutable_status()->set_status("paid");
  for (uint32_t index = 0; index < lines; ++index) {
    v1::OrderLine& line = *order.add_lines();
    line.set_line_id(std::to_string(index + 1));
    line.set_sku(sku_name(sku + index));
    line.set_quantity(1);
    line.set_amount_micros(price_micros);
  }
  order.mutable_paid()->set_paid_ms(placed_ms + second_ms);
  order.mutable_paid()->set_amount_micros(price_micros * lines);
  return fact;
}

v1::Fact stock_fact(uint32_t store, uint32_t sku, Millis counted_ms) {
  v1::Fact fact = new_fact(store, sku_name(sku) + "@", counted_ms);
  v1::StockCount& count = *fact.mutable_stock_level()->mutable_count();
  count.set_sku(sku_name(sku));
  count.set_available_units(500);
  count.set_counted_ms(counted_ms);
  return fact;
}

v1::Fact chat_fact(uint32_t store, uint64_t number, Millis asked_ms) {
  const bool asks = number % 2 == 0;
  const Millis sent_ms = asked_ms + (asks ? 0 : 5 * second_ms);
  v1::Fact fact = new_fact(store, fmt::format("m{}", number), sent_ms);
  v1::ChatLine& line = *fact.mutable_chat_message()->mutable_line();
  line.set_sent_ms(sent_ms);
  line.set_author(asks ? v1::AUTHOR_KIND_CUSTOMER : v1::AUTHOR_KIND_AGENT);
  if (!asks) line.set_agent("agent07");
  line.set_conversation(fmt::format("c{}", number / 2));
  line.set_buyer(hash64(line.conversation()));
  return fact;
}

v1::Fact ad_fact(uint32_t store, uint32_t campaign, const std::string& day, Millis as_of_ms) {
  const std::string name = fmt::format("plan{:02}", campaign);
  v1::Fact fact = new_fact(store, fmt::format("campaign|day|7|search|{}||{}", name, day), as_of_ms);
  v1::AdCell& cell = *fact.mutable_ad_report()->mutable_cell();
  cell.mutable_cut()->set_dimensions("campaign");
  cell.mutable_cut()->set_grain("day");
  cell.mutable_cut()->set_attribution_days(7);
  cell.mutable_period()->set_from(day);
  cell.set_channel("search");
  cell.set_campaign(name);
  cell.set_impressions(4'000);
  cell.set_clicks(200);
  cell.set_cost_micros(200'000'000);
  cell.set_attributed_orders(20);
  cell.set_attributed_amount_micros(1'200'000'000);
  return fact;
}

v1::Fact budget_fact(uint32_t store, Day day, Millis as_of_ms) {
  const Day first = month_start(day);
  v1::Fact fact = new_fact(store, "month", as_of_ms);
  v1::BudgetTerms& terms = *fact.mutable_budget_plan()->mutable_terms();
  terms.set_from(format_day(first));
  terms.set_to(format_day(month_start(first + 31) - 1));
  terms.set_amount_micros(1'000'000'000'000);
  return fact;
}

v1::Fact product_fact(uint32_t store, uint32_t product, const std::string& day, Millis as_of_ms) {
  v1::Fact fact = new_fact(store, fmt::format("{}|{}", sku_name(product), day), as_of_ms);
  v1::ProductCell& cell = *fact.mutable_product_report()->mutable_cell();
  cell.mutable_cut()->set_dimensions("product");
  cell.mutable_cut()->set_grain("day");
  cell.mutable_period()->set_from(day);
  cell.set_product(sku_name(product));
  cell.set_uv(120);
  cell.set_pv(300);
  cell.set_cart_users(14);
  cell.set_favourite_users(5);
  return fact;
}

v1::Fact finding_fact(uint32_t store, uint64_t number, bool holds, Millis judged_ms) {
  const std::string order = fmt::format("26113000{:010}", number);
  v1::Fact fact = new_fact(store, "shipping_overdue|" + order, judged_ms);
  v1::FindingTerms& terms = *fact.mutable_finding()->mutable_terms();
  terms.set_rule("shipping_overdue");
  terms.set_entity_kind("order");
  terms.set_entity(order);
  terms.set_holds(holds);
  terms.set_judged_ms(judged_ms);
  terms.set_since_ms(judged_ms);
  terms.set_severity(v1::SEVERITY_HIGH);
  terms.set_owner("warehouse");
  terms.set_next("ship_now");
  terms.set_text_zh(fmt::format("{}：订单 {} 已超过承诺发货时间 2 小时", store_id(store), order));
  terms.set_text_en(fmt::format("{}: order {} is two hours past its promised time of shipping", store_id(store), order));
  if (!holds) return fact;
  v1::Evidence& evidence = *terms.add_evidence();
  evidence.set_name("deadline");
  evidence.set_text("2026-11-30 18:00");
  return fact;
}

v1::Fact subscriber_fact(uint32_t number, Millis as_of_ms) {
  v1::Fact fact;
  fact.set_key(fmt::format("subscriber{:02}", number));
  fact.set_as_of_ms(as_of_ms);
  fact.set_source("bench.facts");
  fact.mutable_subscriber_state()->mutable_terms()->set_url("http://127.0.0.1/");
  return fact;
}

v1::Fact delivery_fact(const std::string& alert, uint32_t change, uint32_t subscriber, Millis as_of_ms) {
  v1::Fact fact;
  v1::DeliveryAttempt& attempt = *fact.mutable_delivery()->mutable_attempt();
  attempt.set_notice(fmt::format("{}.{}", alert, change));
  attempt.set_subscriber(fmt::format("subscriber{:02}", subscriber));
  attempt.set_attempt(1);
  attempt.set_outcome("delivered");
  attempt.set_status(200);
  attempt.set_attempted_ms(as_of_ms);
  fact.set_key(attempt.notice() + "@" + attempt.subscriber());
  fact.set_as_of_ms(as_of_ms);
  fact.set_source("alerts.delivery");
  return fact;
}

}  // namespace xundian::bench
