#include "tests/simulation/facts.h"

#include <fmt/format.h>

#include "common/time.h"

namespace xundian::simulation {

namespace {

v1::Fact bare(const std::string& store, const std::string& key, Millis now) {
  v1::Fact fact;
  fact.set_store(store);
  fact.set_key(key);
  fact.set_as_of_ms(now);
  fact.set_occurred_ms(now);
  fact.set_source("simulation");
  return fact;
}

v1::Fact order(Dice& dice, const std::string& store, Millis now) {
  v1::Fact fact = bare(store, fmt::format("o{}", roll(dice, 40)), now - static_cast<Millis>(roll(dice, 3)) * hour_ms);
  v1::OrderState& state = *fact.mutable_order_state();
  fact.set_status_rank(static_cast<uint32_t>(roll(dice, 3)));
  if (roll(dice, 4) != 0) {
    state.mutable_placed()->set_created_ms(now - hour_ms);
    state.mutable_placed()->set_buyer(1 + roll(dice, 9));
  }
  if (roll(dice, 3) != 0) {
    v1::OrderPaid& paid = *state.mutable_paid();
    if (roll(dice, 5) != 0) paid.set_paid_ms(now - hour_ms / 2);
  }
  if (roll(dice, 3) == 0) state.mutable_shipped()->set_shipped_ms(roll(dice, 2) == 0 ? now : 0);
  if (roll(dice, 6) == 0) state.mutable_refunded()->set_amount_micros(5'000'000);
  for (uint64_t line = roll(dice, 3); line > 0; --line) {
    v1::OrderLine& entry = *state.add_lines();
    entry.set_line_id(fmt::format("l{}", line));
    entry.set_sku(fmt::format("sku{}", roll(dice, 5)));
    entry.set_quantity(1 + static_cast<int64_t>(roll(dice, 3)));
    entry.set_amount_micros(entry.quantity() * 10'000'000);
  }
  if (!state.has_placed() && !state.has_paid() && !state.has_shipped() && state.lines().empty())
    state.mutable_status()->set_status("paid");
  return fact;
}

v1::Fact stock(Dice& dice, const std::string& store, Millis now) {
  const std::string sku = fmt::format("sku{}", roll(dice, 5));
  v1::Fact fact = bare(store, sku + "@", now);
  v1::StockLevel& level = *fact.mutable_stock_level();
  level.mutable_count()->set_sku(sku);
  level.mutable_count()->set_available_units(static_cast<int64_t>(roll(dice, 25)) - 3);
  level.mutable_count()->set_counted_ms(now);
  if (roll(dice, 3) == 0) {
    level.mutable_policy()->set_sku(sku);
    level.mutable_policy()->set_reorder_point_units(10);
  }
  return fact;
}

v1::Fact chat(Dice& dice, const std::string& store, Millis now, size_t number) {
  v1::Fact fact = bare(store, fmt::format("m{}", number), now);
  v1::ChatLine& line = *fact.mutable_chat_message()->mutable_line();
  line.set_sent_ms(now);
  line.set_conversation(fmt::format("c{}", roll(dice, 6)));
  const bool agent = roll(dice, 2) == 0;
  line.set_author(agent ? v1::AUTHOR_KIND_AGENT : v1::AUTHOR_KIND_CUSTOMER);
  if (agent)
    line.set_agent(fmt::format("agent{}", roll(dice, 2)));
  else
    line.set_buyer(1 + roll(dice, 9));
  return fact;
}

v1::Fact ad(Dice& dice, const std::string& store, Millis now) {
  const std::string day = format_day(static_cast<Day>(now / day_ms));
  const std::string campaign = fmt::format("plan{}", roll(dice, 2));
  v1::Fact fact = bare(store, "campaign|day|7|search|" + campaign + "||" + day, now);
  v1::AdCell& cell = *fact.mutable_ad_report()->mutable_cell();
  cell.mutable_cut()->set_dimensions("campaign");
  cell.mutable_cut()->set_grain("day");
  cell.mutable_cut()->set_attribution_days(7);
  cell.mutable_period()->set_from(day);
  cell.set_channel("search");
  cell.set_campaign(campaign);
  cell.set_impressions(1'000 + static_cast<int64_t>(roll(dice, 500)));
  cell.set_clicks(static_cast<int64_t>(roll(dice, 90)));
  cell.set_cost_micros(static_cast<int64_t>(roll(dice, 300)) * micros_of_unit);
  cell.set_attributed_orders(static_cast<int64_t>(roll(dice, 5)));
  cell.set_attributed_amount_micros(static_cast<int64_t>(roll(dice, 400)) * micros_of_unit);
  return fact;
}

// What holds from here on, for all who judge.
v1::Fact rules(Dice& dice, Millis now) {
  v1::Fact fact = bare("", "team", now);
  v1::Rule& stock = *fact.mutable_rule_set()->mutable_list()->add_rules();
  stock.set_id("out_of_stock");
  stock.set_fire_at_micros(static_cast<int64_t>(roll(dice, 8)) * micros_of_unit);
  stock.set_clear_at_micros(stock.fire_at_micros());
  v1::Rule& ads = *fact.mutable_rule_set()->mutable_list()->add_rules();
  ads.set_id("roas_below");
  ads.set_fire_at_micros(static_cast<int64_t>(roll(dice, 5)) * micros_of_unit);
  return fact;
}

}  // namespace

std::string receiver_url(std::string_view scope) { return fmt::format("https://receiver.example/{}", scope); }

v1::Fact make_subscriber(std::string_view scope, const std::string& secret_file, Millis now) {
  v1::Fact fact = bare("", "hook", now);
  v1::SubscriberTerms& terms = *fact.mutable_subscriber_state()->mutable_terms();
  terms.set_channel("webhook");
  terms.set_url(receiver_url(scope));
  terms.set_secret_file(secret_file);
  return fact;
}

std::vector<v1::Fact> make_facts(Dice& dice, size_t count, Millis start_ms) {
  std::vector<v1::Fact> facts;
  Millis now = start_ms;
  for (const char* id : {"s1", "s2"}) {
    v1::Fact store = bare(id, id, now);
    store.mutable_store_state()->mutable_identity()->set_platform("tmall");
    store.mutable_store_state()->mutable_settings()->set_currency_code("CNY");
    store.mutable_store_state()->mutable_settings()->set_time_zone("Asia/Shanghai");
    facts.push_back(store);
  }
  while (facts.size() < count) {
    now += static_cast<Millis>(roll(dice, 40)) * minute_ms / 4;
    const std::string store = roll(dice, 2) == 0 ? "s1" : "s2";
    if (roll(dice, 30) == 0) facts.push_back(rules(dice, now));
    switch (roll(dice, 6)) {
      case 0:
        facts.push_back(stock(dice, store, now));
        break;
      case 1:
        facts.push_back(chat(dice, store, now, facts.size()));
        break;
      case 2:
        facts.push_back(ad(dice, store, now));
        break;
      default:
        facts.push_back(order(dice, store, now));
        break;
    }
  }
  v1::Fact tick;
  tick.set_as_of_ms(now + day_ms);
  tick.set_occurred_ms(now + day_ms);
  tick.mutable_tick()->set_time_ms(now + day_ms);
  facts.push_back(tick);
  return facts;
}

}  // namespace xundian::simulation
