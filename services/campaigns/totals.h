// The figures of ad reports, added up so that a report can be taken out again: a question looks at sums, however many reports
// they are of.
#pragma once

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "common/stores.h"
#include "services/campaigns/report_table.h"

namespace xundian::campaigns {

// What names no currency is in the store's.
inline std::string_view currency_of(const StoreInfo& store, std::string_view stated) {
  return stated.empty() ? store.currency_code : stated;
}

// Of those that state a figure.
struct Count {
  int64_t sum = 0;
  int32_t stated = 0;  // By so many reports.

  void add(bool states, int64_t value, int by);
  void add(const Count& other);
};

// Of those that state both figures.
struct Ratio {
  int64_t upper = 0, lower = 0;
  int32_t stated = 0;

  void add(bool states_both, int64_t value, int64_t of, int by);
  void add(const Ratio& other);
};

// Until when something is known.
struct Reach {
  Millis ms = 0;   // 0 = nothing is.
  int32_t by = 0;  // By so many reports; 0 of `among`: by some that were taken out, and how far the rest reach is not known.
  int32_t among = 0;

  void add(Millis reached_ms, int by_reports);
  void add(const Reach& other);
  bool is_known() const { return among == 0 || by > 0; }
};

// Of reports in one currency.
struct MoneyTotals {
  std::string currency_code;
  int32_t reports = 0;
  Count cost_micros, amount_micros, orders;
  Ratio cpc, cpm, roas, cost_per_order;  // The upper part of cpm is a thousand times the cost.
  Reach reach, cost_reach;               // Of all of them; of those that state a cost.
};

// Sums wrap around: whatever was added can be taken out again.
class Totals {
 public:
  // Adds a live report, whose figures are in that currency, or takes it out (`by` -1).
  void add(const Report& report, std::string_view currency_code, int by = 1);
  void add(const Totals& other);
  // False: a report was taken out without which it is not known how far the others reach, and they are to be added up anew.
  bool is_known() const;

  const absl::InlinedVector<MoneyTotals, 1>& money() const { return money_; }
  const Count& impressions() const { return impressions_; }
  const Count& clicks() const { return clicks_; }
  const Ratio& ctr() const { return ctr_; }
  // Whether a period had not ended as of what was said; whether its attribution window had not.
  bool is_provisional() const { return provisional_ > 0; }
  bool is_immature() const { return immature_ > 0; }

 private:
  MoneyTotals& money_in(std::string_view currency_code);

  absl::InlinedVector<MoneyTotals, 1> money_;  // One for each currency, in no order.
  Count impressions_, clicks_;
  Ratio ctr_;
  int32_t provisional_ = 0, immature_ = 0;  // So many reports.
};

// The live reports of one cut and period. A few are added up when somebody asks; more are kept added up.
class Reports {
 public:
  // `end_ms`: when the period ends by the store's clock.
  Reports(const Cut& cut, const Slot& slot, Millis end_ms)
      : end_ms_(end_ms), attribution_days_(cut.attribution_days()), is_hour_(slot.hour >= 0) {}

  void insert(uint32_t index, const ReportTable& table, const StoreInfo& store);
  void erase(uint32_t index, const ReportTable& table, const StoreInfo& store);
  // A report stays while its figures and its version change: called with -1 before, with 1 after that.
  void recount(const Report& report, const ReportTable& table, const StoreInfo& store, int by);

  void add_to(Totals& sum, const ReportTable& table, const StoreInfo& store) const;
  // Calls `visit(report)` for each.
  template <typename Visit>
  void for_each(const ReportTable& table, Visit&& visit) const {
    // They lie anywhere in memory, which is asked for those that come next.
    constexpr size_t ahead = 8;
    for (size_t next = 0; next < std::min(ahead, reports_.size()); ++next) table.prefetch_report(reports_[next]);
    for (size_t at = 0; at < reports_.size(); ++at) {
      if (at + ahead < reports_.size()) table.prefetch_report(reports_[at + ahead]);
      visit(table[reports_[at]]);
    }
  }
  bool empty() const { return reports_.empty(); }
  Millis end_ms() const { return end_ms_; }
  uint32_t attribution_days() const { return attribution_days_; }
  bool is_hour() const { return is_hour_; }
  // What lies outside the object itself.
  size_t bytes() const;

 private:
  static constexpr size_t in_place = 4;

  void add_up(const ReportTable& table, const StoreInfo& store);

  absl::InlinedVector<uint32_t, in_place> reports_;  // Where they lie in the table, in that order.
  Millis end_ms_;
  std::unique_ptr<Totals> totals_;  // Null where there are few.
  uint32_t attribution_days_;
  bool is_hour_;
};

}  // namespace xundian::campaigns
