// What promotion comes to know when something is stated. A cell that is stated anew takes its old figures out first.
#include <algorithm>

#include "services/campaigns/state.h"

namespace xundian::campaigns {

namespace {

constexpr uint32_t first_aspect = 1;        // The only one, besides withdrawn, of every kind here.
constexpr Millis settle_ms = 12 * hour_ms;  // Reports of a day come in the morning after.
constexpr Millis forget_ms = 7 * day_ms;

// Takes a stated aspect's version if it is newer than what was held.
bool take_newer(const FactView& fact, uint32_t aspect, Version& held) {
  if (!fact.states(aspect) || fact.version(aspect) <= held) return false;
  held = fact.version(aspect);
  return true;
}

// When a period ends by the store's clock.
Millis end_of(const StoreInfo& store, const Slot& slot) {
  return slot.hour < 0 ? store.zone.start_of(slot.to + 1) : store.zone.from_local(slot.from, slot.hour, 0, 0) + hour_ms;
}

}  // namespace

void State::expect(const FactView& fact) {
  if (fact.kind() != v1::Fact::kAdReport) return;
  reports_.prefetch(fact.key());
  ahead_.add(fact) = fact.key();
  // A report comes nearer in steps: its place in the directory, itself, the parts that it is compared with.
  if (const Key* earlier = ahead_.before_last(4)) reports_.prefetch_thing(*earlier);
  const Key* const near = ahead_.before_last(6);
  if (const Report* report = near == nullptr ? nullptr : reports_.find(*near)) {
    prefetch_line(&report->cell.content.cut());
    prefetch_line(&report->cell.content.period());
    prefetch_whole(report->campaign);
  }
}

void State::fold(const FactView& fact, Outbox& outbox) {
  now_ = std::max(now_, fact.time_ms());
  switch (fact.kind()) {
    case v1::Fact::kStoreState:
      fold_store(fact, outbox);
      break;
    case v1::Fact::kAdReport:
      fold_report(fact, outbox);
      break;
    case v1::Fact::kBudgetPlan:
      fold_budget(fact, outbox);
      break;
    case v1::Fact::kCampaignPlan:
      fold_plan(fact, outbox);
      break;
    case v1::Fact::kRuleSet:
      if (rules_.fold(fact)) judge_all(outbox);
      break;
    default:
      return;  // Not ours.
  }
  if (outbox.rejected().empty()) as_of_ = std::max(as_of_, fact.occurred_ms());
}

// A day has begun, and what is older than a week is no news any more; or a budget's term has ended and its reports should be in.
void State::wake(Millis now, Outbox& outbox) {
  now_ = std::max(now_, now);
  if (now_ >= midnight_ms_) {
    midnight_ms_ = never;
    for (const auto& [hash, book] : books_) watch_midnight(book);
    sweep_.campaigns.emplace();
  }
  go_on_sweeping(outbox);
  judge_due(outbox);
}

Millis State::next_wake() const {
  if (sweep_.runs()) return std::min(now_, midnight_ms_);
  return std::min(midnight_ms_, timers_.empty() ? never : timers_.begin()->first);
}

void State::fold_store(const FactView& fact, Outbox& outbox) {
  v1::StoreState state;
  if (!fact.parse(state)) return outbox.reject("the store's state cannot be read");
  const Book& book = book_of(fact);
  const StoreInfo before = *book.info;
  stores_.fold(fact);
  if (before.zone == book.info->zone && before.currency_code == book.info->currency_code &&
      before.withdrawn == book.info->withdrawn && before.platform == book.info->platform &&
      before.live_from_ms == book.info->live_from_ms)
    return;
  rebuild();
  judge_all(outbox);
}

void State::fold_report(const FactView& fact, Outbox& outbox) {
  if (Report* const held = reports_.find(fact.key()); held != nullptr && grows(fact, *held)) return grow(fact, *held, outbox);
  if (!fact.parse(ad_report_)) return outbox.reject("the ad report cannot be read");
  const Book& book = book_of(fact);
  Report& report = reports_[fact.key()];
  report.store = fact.store();
  const bool is_newer = (fact.states(first_aspect) && fact.version(first_aspect) > report.cell.version) ||
                        (fact.withdrawn() && fact.version(withdrawn_aspect) > report.withdrawn);
  if (!is_newer) return;
  std::vector<Touched> touched;
  const auto touch = [&] {
    if (report.live() && (touched.empty() || touched.front().campaign != report.campaign))
      touched.push_back({report.cell.content.channel(), report.cell.content.campaign(), report.campaign});
  };
  touch();
  leave(fact.key(), report);
  if (take_newer(fact, first_aspect, report.cell.version)) {
    report.cell.content.Swap(ad_report_.mutable_cell());
    report.cut = cut_of(report.cell.content);
    report.slot = slot_of(report.cell.content.period());
  }
  take_newer(fact, withdrawn_aspect, report.withdrawn);
  enter(fact.key(), report);
  touch();
  std::ranges::sort(touched, {}, [](const Touched& one) { return std::tie(one.channel, one.name); });
  judge_touched(book, touched, outbox);
}

// Nearly all reports are of a cell that is held already, with other figures.
bool State::grows(const FactView& fact, const Report& held) {
  return fact.aspects() == 1u << first_aspect && held.live() && cell_scan_.scan(fact) &&
         cell_scan_.differs_in_figures_alone(held.cell.content);
}

// Such a cell stays where it counts.
void State::grow(const FactView& fact, Report& held, Outbox& outbox) {
  if (fact.version(first_aspect) <= held.cell.version) return;
  const Book& book = book_of(fact);
  for (Reports* reports : {held.counted, held.counted_in_campaign}) reports->recount(held, *book.info, -1);
  held.cell.version = fact.version(first_aspect);
  cell_scan_.give_figures(held.cell.content);
  for (Reports* reports : {held.counted, held.counted_in_campaign}) reports->recount(held, *book.info, 1);
  settle_wrong(*held.campaign, fact.key(), held);
  judge_touched(book, {{held.cell.content.channel(), held.cell.content.campaign(), held.campaign}}, outbox);
}

void State::judge_touched(const Book& book, const std::vector<Touched>& touched, Outbox& outbox) {
  watch_midnight(book);
  for (const auto& [channel, name, campaign] : touched) judge_campaign(book, channel, name, *campaign, outbox);
  for (const auto& [key, budget] : book.budgets) {
    const v1::BudgetTerms& terms = budget->terms.content;
    const bool concerned = std::ranges::any_of(touched, [&](const Touched& one) {
      return (terms.channel().empty() || terms.channel() == one.channel) &&
             (terms.campaign().empty() || terms.campaign() == one.name);
    });
    if (concerned) judge_budget(*budget, outbox);
  }
}

void State::fold_budget(const FactView& fact, Outbox& outbox) {
  v1::BudgetPlan state;
  if (!fact.parse(state)) return outbox.reject("the budget cannot be read");
  Budget& budget = budgets_[fact.key()];
  book_of(fact).budgets[fact.key()] = &budget;
  budget.store = fact.store();
  budget.id = fact.key_text();
  if (take_newer(fact, first_aspect, budget.terms.version)) {
    budget.terms.content = state.terms();
    v1::Period period;
    period.set_from(state.terms().from());
    period.set_to(state.terms().to());
    budget.slot = slot_of(period);
  }
  take_newer(fact, withdrawn_aspect, budget.withdrawn);
  schedule(fact.key(), budget);
  judge_budget(budget, outbox);
}

void State::fold_plan(const FactView& fact, Outbox& outbox) {
  v1::CampaignPlan state;
  if (!fact.parse(state)) return outbox.reject("the campaign plan cannot be read");
  Planned& plan = plans_[fact.key()];
  book_of(fact).plans[fact.key()] = &plan;
  plan.store = fact.store();
  plan.id = fact.key_text();
  if (take_newer(fact, first_aspect, plan.terms.version)) plan.terms.content = state.terms();
  take_newer(fact, withdrawn_aspect, plan.withdrawn);
}

Book& State::book_of(const FactView& fact) {
  Book*& known = book_index_[fact.store()];
  if (known == nullptr) known = &books_[fact.store()];
  Book& book = *known;
  if (!book.info) book.info = &stores_.of(fact);
  return book;
}

void State::enter(const Key& key, Report& report) {
  if (!report.live()) return;
  Book& book = books_.at(report.store);
  Channel& channel = book.channels[report.cell.content.channel()];
  Campaign& campaign = channel.campaigns[report.cell.content.campaign()];
  const Millis end_ms = end_of(*book.info, *report.slot);
  const auto reports_in = [&](Cells& cells) { return &cells[report.cut].try_emplace(*report.slot, end_ms).first->second; };
  report.campaign = &campaign;
  report.counted = reports_in(channel.cells);
  report.counted_in_campaign = reports_in(campaign.cells);
  for (Reports* reports : {report.counted, report.counted_in_campaign}) reports->insert(key, report, *book.info);
  settle_wrong(campaign, key, report);
}

void State::settle_wrong(Campaign& campaign, const Key& key, const Report& report) {
  if (report.is_wrong())
    campaign.wrong[key] = &report;
  else if (!campaign.wrong.empty())
    campaign.wrong.erase(key);
}

// An empty campaign stays, so that what held of it can be cleared.
void State::leave(const Key& key, const Report& report) {
  if (!report.live()) return;
  Book& book = books_.at(report.store);
  Channel& channel = book.channels[report.cell.content.channel()];
  Campaign& campaign = channel.campaigns[report.cell.content.campaign()];
  // The channel's last: by them it is known where the report counts.
  for (Cells* cells : {&campaign.cells, &channel.cells}) {
    const auto slots = cells->find(report.cut);
    const auto reports = slots->second.find(*report.slot);
    reports->second.erase(key, report, *book.info);
    if (reports->second.empty()) slots->second.erase(reports);
    if (slots->second.empty()) cells->erase(slots);
  }
  campaign.wrong.erase(key);
}

void State::watch_midnight(const Book& book) {
  if (book.channels.empty()) return;
  const Zone& zone = book.info->zone;
  midnight_ms_ = std::min(midnight_ms_, zone.start_of(zone.day_of(now_) + 1));
}

// After its term a budget is looked at once more, when its reports should be in, and once again when it is no news any more.
void State::schedule(const Key& key, Budget& budget) {
  set_timer(key, budget, 0);
  if (!budget.live()) return;
  const Millis end = books_.at(budget.store).info->zone.start_of(budget.slot->to + 1);
  Millis next = never;
  for (const Millis due : {end + settle_ms, end + forget_ms})
    if (due > now_) next = std::min(next, due);
  if (next != never) set_timer(key, budget, next);
}

// 0 = none.
void State::set_timer(const Key& key, Budget& budget, Millis due_ms) {
  if (budget.due_ms != 0) timers_.erase({budget.due_ms, key});
  budget.due_ms = due_ms;
  if (due_ms != 0) timers_.insert({due_ms, key});
}

void State::rebuild() {
  for (auto& [hash, book] : books_) book = {stores_.find(hash), {}, {}, {}};
  for (uint32_t index = 0; index < reports_.size(); ++index) enter(reports_.key(index), reports_[index]);
  timers_.clear();
  for (auto& [key, budget] : budgets_) {
    budget.due_ms = 0;
    books_.at(budget.store).budgets[key] = &budget;
    schedule(key, budget);
  }
  for (const auto& [key, plan] : plans_) books_.at(plan.store).plans[key] = &plan;
  midnight_ms_ = never;
  for (const auto& [hash, book] : books_) watch_midnight(book);
}

}  // namespace xundian::campaigns
