// Ad reports in as few bytes as they say: each fills two lines of the processor's memory with its key. Its texts are names, and
// its cut and its period, of which there are few, are kept once.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/names.h"
#include "common/shared.h"
#include "common/things.h"
#include "common/time.h"
#include "services/campaigns/cell_scan.h"

namespace xundian::campaigns {

// Dimensions that a question may need; every cell has its store and its channel.
enum Dimension : uint8_t { by_campaign = 1, by_item = 2 };

// The cut that a cell belongs to, in the order in which cuts are asked: from the coarsest to the finest; among equals days before
// hours before longer periods, so that days add up to months, then the longest attribution.
struct Cut {
  uint8_t depth = 0;              // Number of dimensions besides store and channel.
  std::string names;              // Those dimensions, joined by "+".
  uint8_t grain = 0;              // Its place among day, hour, week, month, others.
  uint32_t attribution_left = 0;  // UINT32_MAX less the window's days.
  uint8_t dimensions = 0;
  auto operator<=>(const Cut&) const = default;
  uint32_t attribution_days() const { return UINT32_MAX - attribution_left; }
};

// The period of a cell: whole days, or an hour of one.
struct Slot {
  Day from = 0, to = 0;
  int32_t hour = -1;
  auto operator<=>(const Slot&) const = default;
};

Cut cut_of(const v1::AdCell& cell);
std::optional<Slot> slot_of(const v1::Period& period);

struct Campaign;
class Reports;

struct Report {
  Version version;
  Figures figures{};  // Zero where it is not stated.
  // Where it counts; follows from the rest.
  Campaign* campaign = nullptr;
  Reports *counted = nullptr, *counted_in_campaign = nullptr;  // Those of its channel, of its campaign.
  uint32_t store = 0;                                          // The number of its book.
  uint32_t cut = 0, period = 0;                                // Their numbers in the table.
  NameId channel = 0, campaign_name = 0, item = 0, currency = 0;
  uint8_t stated = 0;    // Bit n: figure n is.
  bool is_live = false;  // It was not withdrawn since, and its period is a date, so that it counts.

  bool states(Figure figure) const { return (stated >> figure & 1) != 0; }
  Millis as_of_ms() const { return rank_parts(version.rank).as_of_ms; }
  // When what a live one says ends: its period, or the time as of which it was said, if that is earlier.
  Millis reached_ms() const;
  // Clicks that were never shown, or anything below zero.
  bool is_wrong() const;
};
static_assert(sizeof(Report) + sizeof(Key) == 128);

class ReportTable {
 public:
  ReportTable();

  uint32_t of(const Key& key) { return reports_.of(key).first; }
  Report* find(const Key& key) { return reports_.find(key); }
  const Report* find(const Key& key) const { return reports_.find(key); }
  Report& operator[](uint32_t index) { return reports_[index]; }
  const Report& operator[](uint32_t index) const { return reports_[index]; }
  const Key& key(uint32_t index) const { return reports_.key(index); }
  uint32_t size() const { return reports_.size(); }
  // Ask memory for a report's place in the directory; for itself, once that is at hand.
  void prefetch(const Key& key) const { reports_.prefetch(key); }
  void prefetch_report(const Key& key) const { reports_.prefetch_thing(key); }
  void prefetch_report(uint32_t index) const { reports_.prefetch_thing(index); }

  // Takes what a cell says in the place of what the report said before; its version and its withdrawal stay.
  void take(Report& report, const v1::AdCell& cell);
  // Whether a cell says what the report does but for its figures, which take_figures takes.
  bool differs_in_figures_alone(const Report& report, const CellScan& cell) const;
  static void take_figures(Report& report, const CellScan& cell);
  // What a report says, as it was stated; what no field of ours holds is left out.
  v1::AdCell cell(const Report& report) const;

  const Cut& cut(const Report& report) const { return cuts_.meaning(report.cut); }
  // Absent: the period is no date.
  const std::optional<Slot>& slot(const Report& report) const { return periods_.meaning(report.period); }
  const std::string& name(NameId id) const { return names_[id]; }
  // The version as of which all of a report is withdrawn; zero if it never was.
  Version withdrawn(uint32_t index) const;
  void withdraw(uint32_t index, const Version& version) { withdrawn_[index] = version; }
  // Whether something of a report stands: it is newer than what withdrew it.
  bool stands(uint32_t index) const { return reports_[index].version > withdrawn(index); }
  // After either has changed.
  void settle(uint32_t index) { reports_[index].is_live = stands(index) && slot(reports_[index]); }

  void save(std::string& bytes) const;
  // False: the bytes are broken, or one is of a book beyond the number that there are.
  bool load(ByteReader& bytes, size_t books);
  std::vector<Held> held() const;

 private:
  struct StatedCut {
    NameId dimensions = 0, grain = 0;
    uint32_t attribution_days = 0;
    // What of a cell decides its cut besides.
    bool has_cut = false, has_campaign = false, has_item = false, has_hour = false;
    auto operator<=>(const StatedCut&) const = default;
  };
  struct StatedPeriod {
    NameId from = 0, to = 0;
    uint32_t hour = 0;
    bool has_period = false, has_hour = false;
    auto operator<=>(const StatedPeriod&) const = default;
  };
  void forget();
  void give_cut(const StatedCut& stated, v1::AdCell& cell) const;
  void give_period(const StatedPeriod& stated, v1::AdCell& cell) const;
  bool load_shared(ByteReader& bytes);
  bool load_reports(ByteReader& bytes, size_t books);

  Names names_;
  // The first of each is that nothing was stated.
  Shared<StatedCut, Cut> cuts_;
  Shared<StatedPeriod, std::optional<Slot>> periods_;
  Things<Report> reports_;
  std::map<uint32_t, Version> withdrawn_;
};

}  // namespace xundian::campaigns
