// The counters of a store and day, and what is known of a store.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "common/mix_hash.h"
#include "common/stores.h"
#include "services/metrics/cell_table.h"
#include "services/metrics/things.h"

namespace xundian::metrics {

// What orders and refunds add up to in a cell. The last four count who contributes: a cell in which all of them are 0 is gone.
struct Counters {
  int64_t paid_amount_micros = 0;
  int64_t units = 0;
  int64_t refund_micros = 0;  // By the refunds' own time.
  int64_t booked_micros = 0;  // Refunds by the pay day of their orders, for net sales.
  int32_t orders = 0;         // With a positive amount.
  int32_t paid_orders = 0;    // With a pay time, whatever the amount.
  int32_t refunds = 0;
  int32_t booked = 0;

  bool empty() const { return paid_orders == 0 && refunds == 0 && booked == 0; }
  void add(const Counters& other, int sign = 1) {
    paid_amount_micros += sign * other.paid_amount_micros;
    units += sign * other.units;
    refund_micros += sign * other.refund_micros;
    booked_micros += sign * other.booked_micros;
    orders += sign * other.orders;
    paid_orders += sign * other.paid_orders;
    refunds += sign * other.refunds;
    booked += sign * other.booked;
  }
};

struct OrderCount {
  uint32_t orders = 0;
  bool empty() const { return orders == 0; }
};

// Distinct buyers, each with the number of orders that name it.
using BuyerSet = CellTable<OrderCount>;

// By (hour, channel or SKU) << 32 | currency.
using CounterTable = CellTable<Counters>;

inline uint64_t cell_key(uint32_t dimension, NameId currency) { return uint64_t{dimension} << 32 | currency; }

// Adds to one cell of a table; a cell to which nothing contributes any more goes.
inline void bump(CounterTable& table, uint32_t dimension, NameId currency, const Counters& counters, int sign) {
  table.change(cell_key(dimension, currency), [&](Counters& held) { held.add(counters, sign); });
}

// Sales that follow from counters since ever, of one product and day.
struct SnapshotCounters {
  int64_t units = 0;
  int64_t amount_micros = 0;
  int32_t sales = 0;   // Days on which the difference is known.
  int32_t priced = 0;  // Those with a price.
  int64_t resets = 0;  // Falling counters.

  bool empty() const { return sales == 0 && resets == 0; }
  void add(const SnapshotCounters& other, int sign = 1) {
    units += sign * other.units;
    amount_micros += sign * other.amount_micros;
    sales += sign * other.sales;
    priced += sign * other.priced;
    resets += sign * other.resets;
  }
};

// Their bytes go into the fingerprint as they lie.
static_assert(std::has_unique_object_representations_v<Counters> && std::has_unique_object_representations_v<SnapshotCounters>);

struct CurrencyDay {
  NameId currency = 0;
  Counters total;
  BuyerSet buyers;
};

// A store's day.
struct DayCell {
  std::vector<CurrencyDay> currencies;
  CounterTable hours, channels, skus;
  absl::flat_hash_map<NameId, SnapshotCounters, MixHash> snapshots;  // By product.
  SnapshotCounters snapshot;

  bool empty() const { return currencies.empty() && snapshots.empty(); }
};

// Where a report cell stands.
struct Slot {
  Day from = 0, to = 0;
  int16_t hour = -1;
  bool is_product = false;
  NameId subject = 0;
  auto operator<=>(const Slot&) const = default;
};

// One store: the things it has and the cells they count in.
struct StoreBook {
  uint64_t store = 0;  // Its hash.
  const StoreInfo* info = nullptr;
  // With what its contributions were made; they are made anew when the store's own change.
  Zone zone;
  NameId currency = 0;
  Millis newest_ms = 0;     // The newest occurred-at.
  int64_t paid_orders = 0;  // Contributing to any cell.
  std::vector<uint32_t> orders, refunds, reports;
  std::map<Day, DayCell> days;
  std::map<Slot, std::vector<uint32_t>> slots;                     // Live reports but for snapshots.
  std::map<NameId, std::set<std::pair<Day, uint32_t>>> snapshots;  // Live snapshots by product.
  // For the rules.
  Millis due_ms = never;                            // When it is to be judged next.
  Millis last_paid_ms = 0;                          // The newest pay time ever heard of.
  uint32_t holding = 0;                             // Bit n: rule n holds.
  Millis finished_from_ms = 0, finished_to_ms = 0;  // The finished day that was judged last.
  Millis waits_for_ms = never;                      // The end of a day that is judged once the store has spoken after it.

  Day day_of(Millis time) const { return zone.day_of(time); }
};

}  // namespace xundian::metrics
