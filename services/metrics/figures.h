// What a query adds up for one row's cell, and how each metric reads its figure off it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/registry.h"
#include "services/metrics/state.h"

namespace xundian::metrics {

// The sums of one currency.
struct CurrencySum {
  Counters counters;
  int64_t buyers = 0;
  // Of stores that have counters since ever and no orders.
  int64_t estimated_micros = 0;
  int32_t estimated = 0;
  int64_t snapshot_micros = 0;
  int32_t snapshot_priced = 0;
};

// Everything known of one cell: a store (or all together), a key, a period.
struct Sum {
  std::map<std::string, CurrencySum> currencies;
  int64_t buyers = 0;       // Over all currencies, each once.
  bool has_buyers = false;  // False: buyers are not known by this dimension and grain.
  int64_t snapshot_units = 0, snapshot_resets = 0;
  int32_t snapshot_sales = 0;
  int64_t estimated_units = 0;
  int32_t estimated = 0;
  int64_t pv = 0;
  int32_t pv_cells = 0;
  bool has_orders = false;  // Some store of the cell has orders at all.
  bool provisional = false;
  // Cells of exactly this period, the coarsest cut first; empty where several stores are asked together.
  std::vector<const Report*> reports;

  int64_t paid_orders() const;
  int64_t orders() const;
  int64_t units() const;
  // The first cell that states all of these.
  const Report* report_with(std::initializer_list<Figure> figures) const;
};

// Takes a figure: its currency, numerator, denominator, and whether it is an estimate.
struct Figures {
  struct One {
    std::string currency;
    int64_t numerator = 0;
    std::optional<int64_t> denominator;
    bool estimated = false;
  };
  std::vector<One> all;

  void money(const std::string& currency, int64_t micros, std::optional<int64_t> denominator = {}, bool estimated = false) {
    all.push_back({currency, micros, denominator, estimated});
  }
  void count(int64_t value, bool estimated = false) { all.push_back({{}, value, {}, estimated}); }
  void ratio(int64_t numerator, int64_t denominator) { all.push_back({{}, numerator, denominator, false}); }
};

// A metric as data.
struct Metric : MetricWords {
  void (*read)(const Sum&, Figures&);
  bool of_buyers = false;  // Each once over the period: their sets are to be united.
};

std::span<const Metric> all_metrics();
const Metric* find_metric(std::string_view id);

}  // namespace xundian::metrics
