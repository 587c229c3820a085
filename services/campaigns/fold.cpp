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
  // A report comes nearer in steps: its place in the directory, itself, its campaign's name and the sums that it counts in.
  if (const Key* earlier = ahead_.before_last(4)) reports_.prefetch_report(*earlier);
  const Key* const near = ahead_.before_last(6);
  if (const Report* report = near == nullptr ? nullptr : std::as_const(reports_).find(*near)) {
    prefetch_line(&reports_.name(report->campaign_name));
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
  const uint32_t index = reports_.of(fact.key());
  Report& report = reports_[index];
  report.store = book.number;
  Version withdrawn = reports_.withdrawn(index);
  const bool is_newer = (fact.states(first_aspect) && fact.version(first_aspect) > report.version) ||
                        (fact.withdrawn() && fact.version(withdrawn_aspect) > withdrawn);
  if (!is_newer) return;
  std::vector<Touched> touched;
  const auto touch = [&] {
    if (report.is_live && (touched.empty() || touched.front().campaign != report.campaign))
      touched.push_back({report.channel, report.campaign_name, report.campaign});
  };
  touch();
  leave(index);
  if (take_newer(fact, first_aspect, report.version)) reports_.take(report, ad_report_.cell());
  if (take_newer(fact, withdrawn_aspect, withdrawn)) reports_.withdraw(index, withdrawn);
  reports_.settle(index);
  enter(index);
  touch();
  std::ranges::sort(touched, {},
                    [&](const Touched& one) { return std::tie(reports_.name(one.channel), reports_.name(one.name)); });
  judge_touched(book, touched, outbox);
}

// Nearly all reports are such.
bool State::grows(const FactView& fact, const Report& held) {
  return fact.aspects() == 1u << first_aspect && held.is_live && cell_scan_.scan(fact) &&
         reports_.differs_in_figures_alone(held, cell_scan_);
}

// Such a cell stays where it counts.
void State::grow(const FactView& fact, Report& held, Outbox& outbox) {
  if (fact.version(first_aspect) <= held.version) return;
  const Book& book = book_of(fact);
  for (Reports* reports : {held.counted, held.counted_in_campaign}) reports->recount(held, reports_, *book.info, -1);
  held.version = fact.version(first_aspect);
  reports_.take_figures(held, cell_scan_);
  for (Reports* reports : {held.counted, held.counted_in_campaign}) reports->recount(held, reports_, *book.info, 1);
  settle_wrong(fact.key(), held);
  judge_touched(book, {{held.channel, held.campaign_name, held.campaign}}, outbox);
}

void State::judge_touched(const Book& book, const std::vector<Touched>& touched, Outbox& outbox) {
  watch_midnight(book);
  for (const auto& [channel, name, campaign] : touched)
    judge_campaign(book, reports_.name(channel), reports_.name(name), *campaign, outbox);
  for (const auto& [key, budget] : book.budgets) {
    const v1::BudgetTerms& terms = budget->terms.content;
    const bool concerned = std::ranges::any_of(touched, [&](const Touched& one) {
      return (terms.channel().empty() || terms.channel() == reports_.name(one.channel)) &&
             (terms.campaign().empty() || terms.campaign() == reports_.name(one.name));
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
  if (known == nullptr) known = &add_book(fact.store(), stores_.of(fact));
  return *known;
}

Book& State::add_book(uint64_t store, const StoreInfo& info) {
  Book& book = books_[store];
  book.store = store;
  book.number = static_cast<uint32_t>(numbered_books_.size());
  book.info = &info;
  numbered_books_.push_back(&book);
  return book;
}

void State::enter(uint32_t index) {
  Report& report = reports_[index];
  if (!report.is_live) return;
  Book& book = *numbered_books_[report.store];
  Channel& channel = book.channels[reports_.name(report.channel)];
  Campaign& campaign = channel.campaigns[reports_.name(report.campaign_name)];
  const Cut& cut = reports_.cut(report);
  const Slot& slot = *reports_.slot(report);
  const Millis end_ms = end_of(*book.info, slot);
  const auto reports_in = [&](Cells& cells) { return &cells[cut].try_emplace(slot, cut, slot, end_ms).first->second; };
  report.campaign = &campaign;
  report.counted = reports_in(channel.cells);
  report.counted_in_campaign = reports_in(campaign.cells);
  for (Reports* reports : {report.counted, report.counted_in_campaign}) reports->insert(index, reports_, *book.info);
  settle_wrong(reports_.key(index), report);
}

void State::settle_wrong(const Key& key, const Report& report) {
  Campaign& campaign = *report.campaign;
  if (report.is_wrong())
    campaign.wrong[key] = &report;
  else if (!campaign.wrong.empty())
    campaign.wrong.erase(key);
}

// An empty campaign stays, so that what held of it can be cleared.
void State::leave(uint32_t index) {
  const Report& report = reports_[index];
  if (!report.is_live) return;
  Book& book = *numbered_books_[report.store];
  Channel& channel = book.channels[reports_.name(report.channel)];
  // The channel's last: by them it is known where the report counts.
  for (Cells* cells : {&report.campaign->cells, &channel.cells}) {
    const auto slots = cells->find(reports_.cut(report));
    const auto reports = slots->second.find(*reports_.slot(report));
    reports->second.erase(index, reports_, *book.info);
    if (reports->second.empty()) slots->second.erase(reports);
    if (slots->second.empty()) cells->erase(slots);
  }
  report.campaign->wrong.erase(reports_.key(index));
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
  for (auto& [hash, book] : books_) {
    book.channels.clear();
    book.budgets.clear();
    book.plans.clear();
  }
  for (uint32_t index = 0; index < reports_.size(); ++index) enter(index);
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
