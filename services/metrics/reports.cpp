// Report cells: where they stand, and what sales follow from counters since ever.
#include <algorithm>

#include "services/metrics/state.h"

namespace xundian::metrics {

namespace {

constexpr uint32_t cell_aspect = 1;

// A report whose figures are being read.
struct Reading {
  Report& report;
  ReportFigures& figures;
  void put(Figure which, bool stated, int64_t value) const {
    if (!stated) return;
    report.stated |= static_cast<uint16_t>(1u << which);
    figures[which] = value;
  }
};

// How fine a cut is: the dimensions that it has beside the store, which all have.
uint16_t depth_of(std::string_view dimensions) {
  uint16_t depth = 0;
  while (!dimensions.empty()) {
    const size_t end = std::min(dimensions.find('+'), dimensions.size());
    if (dimensions.substr(0, end) != "store") ++depth;
    dimensions.remove_prefix(std::min(end + 1, dimensions.size()));
  }
  return depth;
}

}  // namespace

void MetricsFold::read_place(const v1::Cut& cut, const v1::Period& period, Report& report) {
  report.cut = cut_of({names_.of(cut.dimensions()), names_.of(cut.grain()), cut.attribution_days()});
  const auto from = parse_day(period.from()), to = parse_day(period.to().empty() ? period.from() : period.to());
  report.has_period = from && to && *from <= *to && (!period.has_hour() || period.hour() < 24);
  if (!report.has_period) return;
  report.from = *from;
  report.to = *to;
  report.hour = period.has_hour() ? static_cast<int16_t>(period.hour()) : int16_t{-1};
}

uint32_t MetricsFold::cut_of(const StatedCut& stated) {
  return cuts_.of(stated, [&] { return CutMeaning{depth_of(names_[stated.dimensions]), names_[stated.grain] == "snapshot"}; });
}

void MetricsFold::read_traffic(const v1::TrafficCell& cell, Report& report, ReportFigures& figures) {
  const Reading reading{report, figures};
  read_place(cell.cut(), cell.period(), report);
  report.subject = names_.of(cell.source());
  report.device = names_.of(cell.device());
  reading.put(figure_uv, cell.has_uv(), cell.uv());
  reading.put(figure_pv, cell.has_pv(), cell.pv());
  reading.put(figure_cart_users, cell.has_cart_users(), cell.cart_users());
  reading.put(figure_favourite_users, cell.has_favourite_users(), cell.favourite_users());
  reading.put(figure_paid_buyers, cell.has_paid_buyers(), cell.paid_buyers());
  reading.put(figure_paid_amount, cell.has_paid_amount_micros(), cell.paid_amount_micros());
  reading.put(figure_dwell_ms, cell.has_dwell_ms(), cell.dwell_ms());
  reading.put(figure_bounced_visitors, cell.has_bounced_visitors(), cell.bounced_visitors());
}

void MetricsFold::read_product(const v1::ProductCell& cell, Report& report, ReportFigures& figures) {
  const Reading reading{report, figures};
  read_place(cell.cut(), cell.period(), report);
  report.is_product = true;
  report.subject = names_.of(cell.product());
  reading.put(figure_uv, cell.has_uv(), cell.uv());
  reading.put(figure_pv, cell.has_pv(), cell.pv());
  reading.put(figure_cart_users, cell.has_cart_users(), cell.cart_users());
  reading.put(figure_favourite_users, cell.has_favourite_users(), cell.favourite_users());
  reading.put(figure_sold_count, cell.has_sold_count(), cell.sold_count());
  reading.put(figure_comment_count, cell.has_comment_count(), cell.comment_count());
  reading.put(figure_price, cell.has_price_micros(), cell.price_micros());
}

// Merges a cell; `read` fills a report from the message.
template <typename Read>
void MetricsFold::fold_report(const FactView& fact, StoreBook& book, Outbox& outbox, Read&& read) {
  const auto [index, fresh] = reports_.of(fact.key());
  Report& report = reports_[index];
  if (fresh) {
    report.store = book_index_.at(book.store);
    book.reports.push_back(index);
  }
  const auto withdrawn = withdrawn_reports_.find(index);
  const bool newer = fact.states(cell_aspect) && fact.version(cell_aspect) > report.version;
  const bool gone =
      fact.withdrawn() && (withdrawn == withdrawn_reports_.end() || fact.version(withdrawn_aspect) > withdrawn->second);
  if (!newer && !gone) return;
  Report merged = report;
  ReportFigures figures{};
  if (newer) {
    merged = {.version = fact.version(cell_aspect), .figures = report.figures, .store = report.store};
    if (!read(merged, figures)) return outbox.reject("the report cell cannot be read");
  }
  place_report(book, index, false);
  report = merged;
  if (newer) {
    size_t count = 0;  // What is stated is moved to the front.
    for (uint32_t figure = 0; figure < figure_end; ++figure)
      if ((report.stated >> figure & 1) != 0) figures[count++] = figures[figure];
    report.figures.assign(report_memory_, {reinterpret_cast<const char*>(figures.data()), count * sizeof(int64_t)});
  }
  if (gone) withdrawn_reports_[index] = fact.version(withdrawn_aspect);
  settle_report(index);
  place_report(book, index, true);
}

// After its version or its withdrawal has changed.
void MetricsFold::settle_report(uint32_t index) {
  Report& report = reports_[index];
  const auto withdrawn = withdrawn_reports_.find(index);
  report.is_live = report.has_period && report.version > (withdrawn == withdrawn_reports_.end() ? Version() : withdrawn->second);
}

void MetricsFold::fold_traffic(const FactView& fact, StoreBook& book, Outbox& outbox) {
  fold_report(fact, book, outbox, [&](Report& report, ReportFigures& figures) {
    if (!fact.parse(traffic_report_)) return false;
    read_traffic(traffic_report_.cell(), report, figures);
    return true;
  });
}

void MetricsFold::fold_product(const FactView& fact, StoreBook& book, Outbox& outbox) {
  fold_report(fact, book, outbox, [&](Report& report, ReportFigures& figures) {
    if (!fact.parse(product_report_)) return false;
    read_product(product_report_.cell(), report, figures);
    return true;
  });
}

// Puts a live report where queries find it, or takes it away.
void MetricsFold::place_report(StoreBook& book, uint32_t index, bool placed) {
  const Report& report = reports_[index];
  if (!report.is_live) return;
  if (cut(report).is_snapshot) {
    if (!report.is_product) return;
    auto& series = book.snapshots[report.subject];
    count_snapshots(book, report.subject, report.from, -1);
    if (placed)
      series.emplace(report.from, index);
    else
      series.erase({report.from, index});
    count_snapshots(book, report.subject, report.from, 1);
    if (series.empty()) book.snapshots.erase(report.subject);
    return;
  }
  const Slot slot{report.from, report.to, report.hour, report.subject};
  auto& slots = book.slots(report.is_product);
  if (placed) {
    slots[slot].push_back(index);
    return;
  }
  const auto found = slots.find(slot);
  found->second.erase(std::ranges::find(found->second, index));
  if (found->second.empty()) slots.erase(found);
}

void MetricsFold::count_sale(StoreBook& book, NameId product, const Report& from, const Report& to, int sign) {
  const int64_t units = *to.figure(figure_sold_count) - *from.figure(figure_sold_count);
  SnapshotCounters counters;
  if (units < 0) {
    counters.resets = 1;  // The platform began to count anew; nothing is known of the day.
  } else {
    counters = {.units = units, .sales = 1};
    if (const auto price = to.figure(figure_price)) {
      counters.amount_micros = units * *price;
      counters.priced = 1;
    }
  }
  DayCell& cell = open_day(book, to.from);
  cell.snapshot.add(counters, sign);
  const auto entry = cell.snapshots.try_emplace(product).first;
  entry->second.add(counters, sign);
  if (entry->second.empty()) cell.snapshots.erase(entry);
  if (sign < 0) close_day(book, to.from);
}

// A counter stated on `day` changes what that day sold, and what was sold until the next day on which the counter is known.
void MetricsFold::count_snapshots(StoreBook& book, NameId product, Day day, int sign) {
  const auto& series = book.snapshots[product];
  // The statement that counts for the day that `at` stands on, and then the first of another day; null if it states no counter.
  const auto newest_of_day = [&](auto at) {
    const Report* newest = nullptr;
    for (const Day asked = at->first; at != series.end() && at->first == asked; ++at)
      if (const Report& report = reports_[at->second]; newest == nullptr || report.version > newest->version) newest = &report;
    return newest->figure(figure_sold_count) ? newest : nullptr;
  };
  const Report *before = nullptr, *here = nullptr, *after = nullptr;
  const auto first = series.lower_bound({day, 0});
  for (auto at = first; before == nullptr && at != series.begin();) {
    at = series.lower_bound({std::prev(at)->first, 0});
    before = newest_of_day(at);
  }
  auto next = first;
  if (next != series.end() && next->first == day) {
    here = newest_of_day(next);
    next = series.upper_bound({day, UINT32_MAX});
  }
  while (after == nullptr && next != series.end()) {
    after = newest_of_day(next);
    next = series.upper_bound({next->first, UINT32_MAX});
  }
  if (before != nullptr && here != nullptr) count_sale(book, product, *before, *here, sign);
  if (const Report* known = here != nullptr ? here : before; known != nullptr && after != nullptr)
    count_sale(book, product, *known, *after, sign);
}

}  // namespace xundian::metrics
