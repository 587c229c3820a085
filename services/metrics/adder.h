// Adds up the cells that a question covers, store by store, into the rows of its answer.
#pragma once

#include <algorithm>
#include <compare>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "common/overview.h"
#include "common/patience.h"
#include "services/metrics/figures.h"

namespace xundian::metrics {

enum class Grain { total, month, day, hour };
enum class By { nothing, store, sku, channel, other };

struct Asked {
  std::vector<const Metric*> metrics;  // By their ids, each once.
  std::vector<std::string> stores;     // Empty = all.
  Day from = 0, to = 0;
  Grain grain = Grain::total;
  By by = By::nothing;
};

struct Period {
  Day from = 0, to = 0;
  int16_t hour = -1;
  std::string text() const { return hour < 0 ? format_day(from) : fmt::format("{}T{:02}", format_day(from), hour); }
};

struct Place {
  std::string store, key, from;
  auto operator<=>(const Place&) const = default;
};

// The row's period that a day belongs to.
inline Period period_of(const Asked& asked, Day day, int16_t hour = -1) {
  switch (asked.grain) {
    case Grain::total:
      return {asked.from, asked.to, -1};
    case Grain::month: {
      const Day start = month_start(day), next = month_start(start + 31);
      return {std::max(start, asked.from), std::min(next - 1, asked.to), -1};
    }
    case Grain::day:
      return {day, day, -1};
    case Grain::hour:
      return {day, day, hour};
  }
  return {};
}

// Adds up cells. One is used for a whole answer; each fold's buyers are united before the next fold is added.
class Adder {
 public:
  Adder(const Asked& asked, size_t stores_asked)
      : asked_(asked),
        several_(asked.by != By::store && stores_asked > 1),
        unites_buyers_(std::ranges::any_of(asked.metrics, &Metric::of_buyers)) {}

  void add_store(const MetricsFold& fold, const StoreBook& book) {
    fold_ = &fold;
    book_ = &book;
    store_ = asked_.by == By::store ? book.info->id : std::string();
    as_of_ms_ = std::max(as_of_ms_, book.newest_ms);
    for (auto day = book.days.lower_bound(asked_.from); day != book.days.end() && day->first <= asked_.to; ++day) {
      if (Patience::is_over()) return;
      add_day(day->first, day->second);
    }
    add_reports();
  }

  // A distinct count is exact within a fold and added over folds.
  void unite_buyers() {
    for (auto& [place, cell] : cells_) {
      if (cell.buyer_sets.empty()) continue;
      if (Patience::is_over()) return;
      std::map<std::string, std::vector<const Buyers*>> by_currency;
      std::vector<const Buyers*> all;
      for (const auto& [code, set] : cell.buyer_sets) by_currency[code].push_back(set), all.push_back(set);
      int64_t united = 0;
      for (const auto& [code, sets] : by_currency) cell.sum.currencies[code].buyers += united = count_united(sets);
      cell.sum.buyers += by_currency.size() == 1 ? united : count_united(all);
      cell.buyer_sets.clear();
    }
  }

  // Calls `give(row)` for each figure.
  template <typename Give>
  void write(Give&& give) const {
    Figures figures;
    for (const auto& [place, cell] : cells_) {
      if (Patience::is_over()) return;
      for (const Metric* metric : asked_.metrics) {
        figures.all.clear();
        metric->read(cell.sum, figures);
        for (const Figures::One& one : figures.all)
          give(MetricRowView{place.store, place.key, place.from, metric->id, one.numerator, one.denominator, metric->unit,
                             one.currency,
                             one.estimated          ? "estimated"
                             : cell.sum.provisional ? "provisional"
                                                    : "final"});
      }
    }
  }

  Millis as_of_ms() const { return as_of_ms_; }

 private:
  using Buyers = PackedTable<BuyerSet>;
  struct Cell {
    Sum sum;
    std::vector<std::pair<std::string, const Buyers*>> buyer_sets;
  };

  static int64_t count_united(const std::vector<const Buyers*>& sets) {
    if (sets.size() == 1) return static_cast<int64_t>(sets.front()->size());
    BuyerSet united;
    size_t largest = 0;
    for (const Buyers* set : sets) largest = std::max<size_t>(largest, set->size());
    united.reserve(2 * largest);
    for (const Buyers* set : sets) {
      if (Patience::is_over()) break;
      set->for_each(
          [&](uint64_t buyer, const OrderCount&) { united.change(buyer, [](OrderCount& of_buyer) { of_buyer.orders = 1; }); });
    }
    return united.size();
  }

  Cell& cell_at(const Period& period, const std::string& key) {
    Cell& cell = cells_[Place{store_, key, period.text()}];
    cell.sum.has_buyers = (asked_.by == By::nothing || asked_.by == By::store) && asked_.grain != Grain::hour;
    // The newest day is still being told of.
    if (period.to >= book_->day_of(book_->newest_ms)) cell.sum.provisional = true;
    if (book_->paid_orders > 0) cell.sum.has_orders = true;
    return cell;
  }

  const std::string& text(uint64_t id) const { return fold_->names()[static_cast<NameId>(id)]; }

  void add_day(Day day, const DayCell& cell) {
    if (asked_.grain == Grain::hour) {
      if (asked_.by == By::nothing || asked_.by == By::store) add_table(day, cell.hours, true);
      return;
    }
    if (asked_.by == By::sku) {
      add_table(day, cell.skus, false);
      for (const auto& [product, counters] : cell.snapshots)
        add_snapshot(cell_at(period_of(asked_, day), text(product)).sum, counters);
      return;
    }
    if (asked_.by == By::channel) return add_table(day, cell.channels, false);
    Cell& sum = cell_at(period_of(asked_, day), {});
    for (const CurrencyDay& one : cell.currencies) {
      sum.sum.currencies[text(one.currency)].counters.add(one.total);
      if (unites_buyers_ && !one.buyers.empty()) sum.buyer_sets.emplace_back(text(one.currency), &one.buyers);
    }
    if (!cell.snapshot.empty()) add_snapshot(sum.sum, cell.snapshot);
  }

  void add_table(Day day, const auto& table, bool hours) {
    table.for_each([&](uint64_t dimensions, const Counters& counters) {
      const uint64_t dimension = dimensions >> 32;
      const Period period = period_of(asked_, day, hours ? static_cast<int16_t>(dimension) : int16_t{-1});
      Cell& cell = cell_at(period, hours ? std::string() : text(dimension));
      cell.sum.currencies[text(dimensions & UINT32_MAX)].counters.add(counters);
    });
  }

  // A store that has counters since ever and no orders answers sales from them, as an estimate.
  void add_snapshot(Sum& sum, const SnapshotCounters& counters) {
    CurrencySum& money = sum.currencies[text(book_->currency)];
    sum.snapshot_units += counters.units;
    sum.snapshot_sales += counters.sales;
    sum.snapshot_resets += counters.resets;
    money.snapshot_micros += counters.amount_micros;
    money.snapshot_priced += counters.priced;
    if (book_->paid_orders > 0) return;
    sum.estimated_units += counters.units;
    sum.estimated += counters.sales;
    money.estimated_micros += counters.amount_micros;
    money.estimated += counters.priced;
  }

  // Whether a cell is one of those asked for: its other dimensions must be open.
  bool fits(const Slot& slot, const Report& report) const {
    if (asked_.by == By::sku) return slot.subject != 0;
    if (report.device != 0) return false;
    return asked_.by == By::channel ? slot.subject != 0 : slot.subject == 0;
  }

  // From the coarsest cut to the finest; among equals by the cut's words, then the newest.
  bool coarser(const Report& a, const Report& b) const {
    const auto rank = [&](const Report& report) {
      const StatedCut& cut = fold_->stated_cut(report);
      return std::tuple<uint16_t, const std::string&, const std::string&, uint32_t>(
          fold_->cut(report).depth, text(cut.dimensions), text(cut.grain), cut.attribution_days);
    };
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.version > b.version;
  }

  // Page views of days, to be added where no cell has the whole period; one cut answers, the coarsest.
  struct DailyViews {
    const Report* cut = nullptr;
    Day last = 0;
    int64_t pv = 0;
    int32_t cells = 0;
    Period period;
  };

  void add_reports() {
    if (asked_.by == By::other) return;
    std::map<std::pair<Place, std::string>, DailyViews> daily;  // By cut.
    const auto& slots = asked_.by == By::sku ? book_->products : book_->traffic;
    for (auto at = slots.lower_bound(Slot{asked_.from, asked_.from, -1, 0}); at != slots.end() && at->first.from <= asked_.to;
         ++at) {
      const Slot& slot = at->first;
      if (Patience::is_over()) return;
      const Period period = period_of(asked_, slot.from, slot.hour);
      const bool exact = slot.from == period.from && slot.to == period.to && slot.hour == period.hour;
      const bool day_of_more = !exact && asked_.grain != Grain::hour && slot.from == slot.to && slot.hour < 0;
      if (!exact && !day_of_more) continue;
      for (const uint32_t index : at->second) {
        const Report& report = fold_->report(index);
        if (!fits(slot, report)) continue;
        const std::string key = slot.subject == 0 ? std::string() : text(slot.subject);
        if (exact)
          add_exact(cell_at(period, key).sum, report);
        else if (report.figure(figure_pv))
          add_views(daily[{Place{store_, key, period.text()}, cut_text(report)}], slot.from, period, report);
      }
    }
    settle_views(daily);
  }

  std::string cut_text(const Report& report) const {
    const StatedCut& cut = fold_->stated_cut(report);
    return fmt::format("{:04}|{}|{}|{}", fold_->cut(report).depth, text(cut.dimensions), text(cut.grain), cut.attribution_days);
  }

  void add_exact(Sum& sum, const Report& report) {
    pending_.emplace(&sum, std::vector<const Report*>()).first->second.push_back(&report);
  }

  void add_views(DailyViews& views, Day day, const Period& period, const Report& report) {
    // Two cells of one cut and day differ in what a cut does not name; the newer is taken.
    if (views.cells > 0 && views.last == day) {
      if (report.version > views.cut->version) {
        views.pv += *report.figure(figure_pv) - *views.cut->figure(figure_pv);
        views.cut = &report;
      }
      return;
    }
    views.cut = &report;
    views.last = day;
    views.pv += *report.figure(figure_pv);
    views.cells += 1;
    views.period = period;
  }

  void settle_views(const std::map<std::pair<Place, std::string>, DailyViews>& daily) {
    std::map<Place, bool> answered;
    for (auto& [sum, reports] : pending_) {
      std::sort(reports.begin(), reports.end(), [&](const Report* a, const Report* b) { return coarser(*a, *b); });
      for (const Report* report : reports) {
        const auto views = report->figure(figure_pv);
        if (!views) continue;
        sum->pv += *views;
        sum->pv_cells += 1;
        break;
      }
      // Visitors of two stores are not added: the same person may visit both.
      if (!several_) sum->reports = reports;
    }
    // The map has the coarsest cut first.
    for (const auto& [place_and_cut, views] : daily) {
      const Place& place = place_and_cut.first;
      const auto cell = cells_.find(place);
      const bool exact = cell != cells_.end() && pending_.contains(&cell->second.sum) && views_of(pending_.at(&cell->second.sum));
      if (exact || !answered.emplace(place, true).second) continue;
      Sum& sum = cell_at(views.period, place.key).sum;
      sum.pv += views.pv;
      sum.pv_cells += views.cells;
    }
    pending_.clear();
  }

  static bool views_of(const std::vector<const Report*>& reports) {
    return std::any_of(reports.begin(), reports.end(),
                       [](const Report* report) { return report->figure(figure_pv).has_value(); });
  }

  const Asked& asked_;
  const bool several_;  // Several stores are asked together.
  const bool unites_buyers_;
  const MetricsFold* fold_ = nullptr;
  const StoreBook* book_ = nullptr;
  std::string store_;
  std::map<Place, Cell> cells_;
  std::map<Sum*, std::vector<const Report*>> pending_;  // Cells of the store at hand that have exactly the period.
  Millis as_of_ms_ = 0;
};

}  // namespace xundian::metrics
