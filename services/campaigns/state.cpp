// Cuts and periods, how a budget stands, and what is kept when the service stops.
#include "services/campaigns/state.h"

#include <algorithm>

namespace xundian::campaigns {

namespace {

template <typename Thing>
void save_thing(std::string& bytes, const Key& key, const Thing& thing, const Version& version,
                const google::protobuf::Message& content) {
  append(bytes, key);
  append(bytes, thing.store);
  append(bytes, version);
  append(bytes, thing.withdrawn);
  append_text(bytes, content.SerializeAsString());
}

template <typename Thing, typename Content>
bool load_thing(ByteReader& bytes, Thing& thing, Aspect<Content>& aspect) {
  thing.store = bytes.take<uint64_t>();
  aspect.version = bytes.take<Version>();
  thing.withdrawn = bytes.take<Version>();
  const std::string_view content = bytes.take_text();
  return bytes.ok() && aspect.content.ParseFromArray(content.data(), static_cast<int>(content.size()));
}

}  // namespace

State::State() : rules_(shipped_rules()) {}

// Spending and time are compared as of the same moment: until when the reports reach.
Pace State::pace(const Budget& budget) const {
  const v1::BudgetTerms& terms = budget.terms.content;
  const Book& book = books_.at(budget.store);
  const std::string_view code = currency_of(*book.info, terms.currency_code());
  Pace pace{0, terms.amount_micros(), 0, 0};
  const auto within = [&](const Slot& slot) { return slot.from >= budget.slot->from && slot.to <= budget.slot->to; };
  const auto add = [&](const Slot&, const Reports& reports) {
    Totals totals;
    reports.add_to(totals, reports_, *book.info);
    for (const MoneyTotals& money : totals.money()) {
      if (money.currency_code != code) continue;
      pace.spent_micros += money.cost_micros.sum;
      pace.reached_ms = std::max(pace.reached_ms, money.cost_reach.ms);
    }
  };
  for (const auto& [name, channel] : book.channels) {
    if (!terms.channel().empty() && terms.channel() != name) continue;
    if (terms.campaign().empty())
      answer_from_one_cut(channel.cells, 0, budget.slot->from, budget.slot->to, within, add);
    else if (const auto campaign = channel.campaigns.find(terms.campaign()); campaign != channel.campaigns.end())
      answer_from_one_cut(campaign->second.cells, by_campaign, budget.slot->from, budget.slot->to, within, add);
  }
  const Millis start = book.info->zone.start_of(budget.slot->from), end = book.info->zone.start_of(budget.slot->to + 1);
  const Millis passed = std::clamp<Millis>(pace.reached_ms - start, 0, end - start);
  const auto share = static_cast<long double>(passed) / static_cast<long double>(end - start);
  pace.due_micros = static_cast<int64_t>(static_cast<long double>(pace.amount_micros) * share);
  return pace;
}

std::map<Day, DaySum> State::days_of(const Book& book, const Campaign& campaign, Day from, Day to) const {
  std::map<Day, DaySum> days;
  const auto within = [&](const Slot& slot) { return slot.from == slot.to && slot.from >= from && slot.from <= to; };
  answer_from_one_cut(campaign.cells, by_campaign, from, to, within, [&](const Slot& slot, const Reports& reports) {
    Totals totals;
    reports.add_to(totals, reports_, *book.info);
    for (const MoneyTotals& money : totals.money()) {
      if (money.currency_code != book.info->currency_code && !book.info->currency_code.empty()) continue;
      DaySum& day = days[slot.from];
      day.cost_micros += money.cost_micros.sum;
      day.amount_micros += money.amount_micros.sum;
      day.orders += money.orders.sum;
      day.knows_amount |= money.amount_micros.stated > 0;
      day.knows_orders &= money.orders.stated == money.reports;
      day.reached_ms = std::max(day.reached_ms, money.reach.ms);
    }
  });
  return days;
}

void State::save(std::string& bytes) const {
  stores_.save(bytes);
  rules_.save(bytes);
  judge_.save(bytes);
  append(bytes, now_);
  append(bytes, as_of_);
  append(bytes, static_cast<uint32_t>(numbered_books_.size()));
  for (const Book* book : numbered_books_) append(bytes, book->store);
  reports_.save(bytes);
  append(bytes, static_cast<uint32_t>(budgets_.size()));
  for (const auto& [key, budget] : budgets_) {
    save_thing(bytes, key, budget, budget.terms.version, budget.terms.content);
    append_text(bytes, budget.id);
    append(bytes, budget.due_ms);
  }
  append(bytes, static_cast<uint32_t>(plans_.size()));
  for (const auto& [key, plan] : plans_) {
    save_thing(bytes, key, plan, plan.terms.version, plan.terms.content);
    append_text(bytes, plan.id);
  }
  append(bytes, static_cast<uint8_t>(sweep_.campaigns.has_value()));
  if (sweep_.campaigns) {
    const auto& [store, channel, campaign] = *sweep_.campaigns;
    append(bytes, store);
    append_text(bytes, channel);
    append_text(bytes, campaign);
  }
  append(bytes, static_cast<uint8_t>(sweep_.budgets.has_value()));
  if (sweep_.budgets) append(bytes, *sweep_.budgets);
}

bool State::load(ByteReader bytes) {
  if (!stores_.load(bytes) || !rules_.load(bytes) || !judge_.load(bytes)) return false;
  now_ = bytes.take<Millis>();
  as_of_ = bytes.take<Millis>();
  books_.clear();
  book_index_.clear();
  numbered_books_.clear();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto hash = bytes.take<uint64_t>();
    const StoreInfo* const info = stores_.find(hash);
    if (info == nullptr || books_.contains(hash)) return false;
    book_index_[hash] = &add_book(hash, *info);
  }
  if (!reports_.load(bytes, numbered_books_.size())) return false;
  budgets_.clear();
  std::map<Key, Millis> due;
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto key = bytes.take<Key>();
    Budget& budget = budgets_[key];
    if (!load_thing(bytes, budget, budget.terms) || !books_.contains(budget.store)) return false;
    budget.id = bytes.take_text();
    due[key] = bytes.take<Millis>();
    v1::Period period;
    period.set_from(budget.terms.content.from());
    period.set_to(budget.terms.content.to());
    budget.slot = slot_of(period);
  }
  plans_.clear();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    Planned& plan = plans_[bytes.take<Key>()];
    if (!load_thing(bytes, plan, plan.terms) || !books_.contains(plan.store)) return false;
    plan.id = bytes.take_text();
  }
  sweep_ = {};
  if (bytes.take<uint8_t>() != 0) {
    auto& [store, channel, campaign] = sweep_.campaigns.emplace();
    store = bytes.take<uint64_t>();
    channel = bytes.take_text();
    campaign = bytes.take_text();
  }
  if (bytes.take<uint8_t>() != 0) sweep_.budgets = bytes.take<Key>();
  if (!bytes.ok() || !bytes.empty()) return false;
  rebuild();
  for (const auto& [key, at] : due) set_timer(key, budgets_.at(key), at);  // What is due and not judged yet among them.
  return true;
}

// The contents are stated again in canonical form: fields in the order of their numbers, as they are written by the library.
void State::fingerprint(Fingerprint& sum) const {
  stores_.fingerprint(sum);
  for (uint32_t index = 0; index < reports_.size(); ++index)
    if (reports_.stands(index))
      sum.add("ad_report/" + to_hex(reports_.key(index)), reports_.cell(reports_[index]).SerializeAsString());
  for (const auto& [key, budget] : budgets_)
    if (budget.terms.version > budget.withdrawn) sum.add("budget_plan/" + to_hex(key), budget.terms.content.SerializeAsString());
  for (const auto& [key, plan] : plans_)
    if (plan.live()) sum.add("campaign_plan/" + to_hex(key), plan.terms.content.SerializeAsString());
}

std::vector<Held> State::held() const {
  Held budgets{"budgets", budgets_.size(), tree_bytes(budgets_)}, plans{"campaign plans", plans_.size(), tree_bytes(plans_)},
      campaigns{"campaigns"};
  for (const auto& [key, budget] : budgets_)
    budgets.bytes += budget.terms.content.SpaceUsedLong() - sizeof(budget.terms.content) + text_bytes(budget.id);
  for (const auto& [key, plan] : plans_)
    plans.bytes += plan.terms.content.SpaceUsedLong() - sizeof(plan.terms.content) + text_bytes(plan.id);
  const auto add_cells = [&](const Cells& cells) {
    campaigns.bytes += tree_bytes(cells);
    for (const auto& [cut, slots] : cells) {
      campaigns.bytes += tree_bytes(slots);
      for (const auto& [slot, all] : slots) campaigns.bytes += all.bytes();
    }
  };
  for (const auto& [store, book] : books_)
    for (const auto& [name, channel] : book.channels) {
      add_cells(channel.cells);
      campaigns.count += channel.campaigns.size();
      campaigns.bytes += tree_bytes(channel.campaigns);
      for (const auto& [id, campaign] : channel.campaigns) add_cells(campaign.cells);
    }
  std::vector<Held> held = reports_.held();
  held.insert(held.end(), {campaigns, budgets, plans});
  return held;
}

}  // namespace xundian::campaigns
