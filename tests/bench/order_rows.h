// The workload's orders as rows of a table, for peers that keep tables: one row a fact, which holds what the fact changes. So a
// peer adds up rows where ours works out what an order was before; that is done here, and no clock runs meanwhile.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "tests/bench/workload.h"

namespace xundian::bench {

struct OrderRow {
  std::string store, key;
  Day day = 0;
  Millis placed_ms = 0, paid_ms = 0, as_of_ms = 0;
  uint64_t buyer = 0;
  // What changes: an order that is stated anew is no more an order, and said again it changes nothing.
  int64_t orders = 0, units = 0, amount_micros = 0, refund_micros = 0;
};

// What rows add up to.
struct RowTotals {
  uint64_t rows = 0, buyers = 0;  // Buyers: the different ones of each store, added up over the stores.
  int64_t orders = 0, units = 0, amount_micros = 0, refund_micros = 0;
  auto operator<=>(const RowTotals&) const = default;
  void add(const OrderRow& row);  // All but the buyers.
  RowTotals& operator+=(const RowTotals& other);
  std::string text() const;
};
Result<void> check_rows(std::string_view who, const RowTotals& counted, const RowTotals& said);

class OrderRows {
 public:
  explicit OrderRows(const Workload& workload);
  // The next ones, both producers' by turns; fewer than `wanted` when the workload is over.
  std::vector<OrderRow> next(size_t wanted);
  // That were read for them; some say nothing of an order.
  uint64_t facts() const { return (batches_[0] + batches_[1]) * facts_of_batch; }
  // Of all that were given.
  const RowTotals& totals() const { return totals_; }

 private:
  struct Counted {
    int64_t units = 0, amount_micros = 0;
  };
  bool read_batch();
  OrderRow row_of(const v1::Fact& fact);

  const Workload& workload_;
  const Zone zone_;
  std::array<size_t, producers> batches_{};
  v1::Fact fact_;
  std::vector<OrderRow> read_;  // Of the last batch, the next at the end.
  std::unordered_map<std::string, Counted> known_;
  std::unordered_set<uint64_t> buyers_;
  RowTotals totals_, totals_read_;
};

}  // namespace xundian::bench
