// What promotion has to know: what ad channels report, cut by cut, what was budgeted, and which campaigns are planned.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/ahead.h"
#include "common/mix_hash.h"
#include "common/money.h"
#include "common/rules.h"
#include "common/service.h"
#include "common/stores.h"
#include "common/time.h"
#include "services/campaigns/report_table.h"
#include "services/campaigns/totals.h"

namespace xundian::campaigns {

// The newest that was said of one aspect.
template <typename Content>
struct Aspect {
  Version version;
  Content content;
};

using Cells = std::map<Cut, std::map<Slot, Reports>>;

struct Campaign {
  Cells cells;
  std::map<Key, const Report*> wrong;  // Reports that are impossible.
};

struct Channel {
  Cells cells;
  std::map<std::string, Campaign> campaigns;  // Cells without a campaign stand under "".
};

struct Budget {
  uint64_t store = 0;
  std::string id;
  Aspect<v1::BudgetTerms> terms;
  Version withdrawn;
  std::optional<Slot> slot;
  Millis due_ms = 0;  // The timer that is set for it; 0 = none.
  bool live() const { return terms.version > withdrawn && slot && terms.content.amount_micros() > 0; }
};

struct Planned {
  uint64_t store = 0;
  std::string id;
  Aspect<v1::CampaignTerms> terms;
  Version withdrawn;
  bool live() const { return terms.version > withdrawn; }
};

// How a budget stands, as far as reports reach.
struct Pace {
  int64_t spent_micros = 0;
  int64_t amount_micros = 0;
  int64_t due_micros = 0;  // What would be spent by now if it were spent evenly.
  Millis reached_ms = 0;   // Until when spending is known; 0 = nothing is reported.
  // Shares of the amount, in millionths.
  int64_t used_micros() const { return divide_micros(spent_micros, amount_micros); }
  int64_t passed_micros() const { return divide_micros(due_micros, amount_micros); }
};

// A store's part.
struct Book {
  uint64_t store = 0;   // Hash of its id.
  uint32_t number = 0;  // Of those that were spoken of, in the order in which they were.
  const StoreInfo* info = nullptr;
  std::map<std::string, Channel> channels;
  std::map<Key, const Budget*> budgets;
  std::map<Key, const Planned*> plans;
};

// A campaign's day, from one cut.
struct DaySum {
  int64_t cost_micros = 0, amount_micros = 0, orders = 0;
  bool knows_amount = false, knows_orders = true;
  Millis reached_ms = 0;
};

// Days in their order, each once. Those of a question are few.
class DaySet {
 public:
  bool contains(Day day) const { return std::ranges::binary_search(days_, day); }
  void insert(Day day) {
    const auto at = days_.empty() || days_.back() < day ? days_.end() : std::ranges::lower_bound(days_, day);
    if (at == days_.end() || *at != day) days_.insert(at, day);
  }
  void merge(const DaySet& other) {
    for (const Day day : other.days_) insert(day);
  }

 private:
  absl::InlinedVector<Day, 16> days_;
};

// Calls `visit(slot, reports)` for those that answer a question about whole days in [from, to], or about hours: each day from one
// cut, the coarsest that has the needed dimensions. `fits(slot)` says whether a period lies within what is asked; it is asked of
// those that begin within, however long the history.
template <typename Fits, typename Visit>
void answer_from_one_cut(const Cells& cells, uint8_t needed, Day from, Day to, Fits&& fits, Visit&& visit) {
  DaySet taken;
  for (const auto& [cut, slots] : cells) {
    if ((cut.dimensions & needed) != needed) continue;
    DaySet mine;
    for (auto at = slots.lower_bound(Slot{from, from, -1}); at != slots.end() && at->first.from <= to; ++at) {
      const auto& [slot, reports] = *at;
      if (!fits(slot)) continue;
      bool is_free = true;
      for (Day day = slot.from; day <= slot.to && is_free; ++day)
        is_free = !taken.contains(day) && (slot.from == slot.to || !mine.contains(day));
      if (!is_free) continue;
      for (Day day = slot.from; day <= slot.to; ++day) mine.insert(day);
      visit(slot, reports);
    }
    taken.merge(mine);
  }
}

// All campaigns and budgets are judged anew, a part with each record, so that an answer fits into a batch: what is left.
struct Sweep {
  std::optional<std::tuple<uint64_t, std::string, std::string>> campaigns;  // Those behind this one: by store, channel and name.
  std::optional<Key> budgets;                                               // Those behind this one.
  bool runs() const { return campaigns || budgets; }
};

class State final : public Fold {
 public:
  State();
  void expect(const FactView& fact) override;
  void fold(const FactView& fact, Outbox& outbox) override;
  void said(const FactView& fact) override { judge_.said(fact); }
  void wake(Millis now, Outbox& outbox) override;
  Millis next_wake() const override;
  void save(std::string& bytes) const override;
  bool load(ByteReader bytes) override;
  std::vector<Held> held() const override;
  void fingerprint(Fingerprint& sum) const override;

  // For queries.
  const Stores& stores() const { return stores_; }
  const RuleBook& rules() const { return rules_; }
  const std::map<uint64_t, Book>& books() const { return books_; }
  const ReportTable& reports() const { return reports_; }
  Millis as_of() const { return as_of_; }
  Millis now() const { return now_; }
  Pace pace(const Budget& budget) const;

 private:
  void fold_store(const FactView& fact, Outbox& outbox);
  void fold_report(const FactView& fact, Outbox& outbox);
  // Whether the fact is of a cell that is held already, with other figures.
  bool grows(const FactView& fact, const Report& held);
  void grow(const FactView& fact, Report& held, Outbox& outbox);
  void fold_budget(const FactView& fact, Outbox& outbox);
  void fold_plan(const FactView& fact, Outbox& outbox);
  Book& book_of(const FactView& fact);
  Book& add_book(uint64_t store, const StoreInfo& info);
  // Keeps the campaign's list of impossible reports true.
  static void settle_wrong(const Key& key, const Report& report);
  // A report begins to count, if it is live, or ceases to.
  void enter(uint32_t index);
  void leave(uint32_t index);
  void rebuild();
  void watch_midnight(const Book& book);
  void schedule(const Key& key, Budget& budget);
  void set_timer(const Key& key, Budget& budget, Millis due_ms);

  // A campaign's last days, each from one cut.
  std::map<Day, DaySum> days_of(const Book& book, const Campaign& campaign, Day from, Day to) const;
  void judge_campaign(const Book& book, const std::string& channel, const std::string& name, const Campaign& campaign,
                      Outbox& outbox);
  void judge_budget(const Budget& budget, Outbox& outbox);
  // A campaign in which a report counted before or counts now.
  struct Touched {
    NameId channel = 0, name = 0;
    const Campaign* campaign = nullptr;
  };
  // By their names, each once.
  void judge_touched(const Book& book, const std::vector<Touched>& touched, Outbox& outbox);
  void judge_all(Outbox& outbox);
  void go_on_sweeping(Outbox& outbox);
  void judge_due(Outbox& outbox);

  // Things.
  Stores stores_;
  RuleBook rules_;
  Judge judge_{rules_};
  ReportTable reports_;
  std::map<Key, Budget> budgets_;
  std::map<Key, Planned> plans_;
  Sweep sweep_;
  Millis now_ = 0, as_of_ = 0;

  // What follows from them.
  std::map<uint64_t, Book> books_;
  absl::flat_hash_map<uint64_t, Book*, MixHash> book_index_;  // The same, found faster.
  std::vector<Book*> numbered_books_;
  std::set<std::pair<Millis, Key>> timers_;  // Of budgets.
  Millis midnight_ms_ = never;               // The next at which a store's day begins.

  Ahead<Key> ahead_;  // Reports that come next.
  // Kept between facts to save allocations.
  v1::AdReport ad_report_;
  CellScan cell_scan_;
};

std::span<const ShippedRule> shipped_rules();
query::v1::GetMetricDefinitionsResponse metric_definitions();
ServiceDefinition definition();

}  // namespace xundian::campaigns
