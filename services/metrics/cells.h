// The counters of a store and day, and what is known of a store.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <array>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "common/mix_hash.h"
#include "common/stores.h"
#include "services/metrics/cell_table.h"
#include "services/metrics/packed_table.h"
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
  // For a packed table.
  static constexpr size_t columns = 8;
  void to_numbers(std::span<int64_t, columns> to) const {
    std::ranges::copy(
        std::to_array<int64_t>({paid_amount_micros, units, refund_micros, booked_micros, orders, paid_orders, refunds, booked}),
        to.begin());
  }
  static Counters from_numbers(std::span<const int64_t, columns> from) {
    const auto count = [&](size_t column) { return static_cast<int32_t>(from[column]); };
    return {from[0], from[1], from[2], from[3], count(4), count(5), count(6), count(7)};
  }
};

struct OrderCount {
  uint32_t orders = 0;
  bool empty() const { return orders == 0; }
  static constexpr size_t columns = 1;
  void to_numbers(std::span<int64_t, columns> to) const { to[0] = orders; }
  static OrderCount from_numbers(std::span<const int64_t, columns> from) { return {static_cast<uint32_t>(from[0])}; }
};

// Distinct buyers, each with the number of orders that name it.
struct BuyerSet : CellTable<OrderCount> {
  using Entry = OrderCount;
  void put(uint64_t buyer, const OrderCount& count) {
    change(buyer, [&](OrderCount& held) { held = count; });
  }
  bool contains(uint64_t buyer) const { return find(buyer) != nullptr; }
};

inline uint64_t cell_key(uint32_t dimension, NameId currency) { return uint64_t{dimension} << 32 | currency; }

// By (hour, channel or SKU) << 32 | currency. What refunds count lies apart: of most cells nothing was refunded.
class CounterTable {
 public:
  using Entry = Counters;
  // Adds to one cell; one to which nothing contributes any more goes.
  void add(uint64_t key, const Counters& more, int sign) {
    if (more.paid_orders != 0)
      sales_.change(key, [&](Sales& held) {
        held.paid_amount_micros += sign * more.paid_amount_micros;
        held.units += sign * more.units;
        held.orders += sign * more.orders;
        held.paid_orders += sign * more.paid_orders;
      });
    if (more.refunds != 0 || more.booked != 0)
      refunds_.change(key, [&](Refunds& held) {
        held.refund_micros += sign * more.refund_micros;
        held.booked_micros += sign * more.booked_micros;
        held.refunds += sign * more.refunds;
        held.booked += sign * more.booked;
      });
  }
  void put(uint64_t key, const Counters& counters) { add(key, counters, 1); }
  Counters at(uint64_t key) const { return whole(sales_.find(key), refunds_.find(key)); }
  bool contains(uint64_t key) const { return sales_.find(key) != nullptr || refunds_.find(key) != nullptr; }
  void prefetch(uint64_t key) const { sales_.prefetch(key); }
  // Calls `each(key, counters)` for the cells, always in the same order.
  template <typename Each>
  void for_each(Each&& each) const {
    sales_.for_each([&](uint64_t key, const Sales& sales) { each(key, whole(&sales, refunds_.find(key))); });
    refunds_.for_each([&](uint64_t key, const Refunds& refunds) {
      if (sales_.find(key) == nullptr) each(key, whole(nullptr, &refunds));
    });
  }
  void reserve(size_t count) { sales_.reserve(count); }
  size_t size() const { return std::max(sales_.size(), refunds_.size()); }  // At least as many.
  bool empty() const { return size() == 0; }
  size_t bytes() const { return sales_.bytes() + refunds_.bytes(); }

 private:
  struct Sales {
    int64_t paid_amount_micros = 0, units = 0;
    int32_t orders = 0, paid_orders = 0;
    bool empty() const { return paid_orders == 0; }
  };
  struct Refunds {
    int64_t refund_micros = 0, booked_micros = 0;
    int32_t refunds = 0, booked = 0;
    bool empty() const { return refunds == 0 && booked == 0; }
  };
  static Counters whole(const Sales* sales, const Refunds* refunds) {
    Counters counters;
    if (sales != nullptr) {
      counters.paid_amount_micros = sales->paid_amount_micros;
      counters.units = sales->units;
      counters.orders = sales->orders;
      counters.paid_orders = sales->paid_orders;
    }
    if (refunds != nullptr) {
      counters.refund_micros = refunds->refund_micros;
      counters.booked_micros = refunds->booked_micros;
      counters.refunds = refunds->refunds;
      counters.booked = refunds->booked;
    }
    return counters;
  }

  CellTable<Sales> sales_;
  CellTable<Refunds> refunds_;
};

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
  PackedTable<BuyerSet> buyers;
};

// A store's day.
struct DayCell {
  std::vector<CurrencyDay> currencies;
  CounterTable hours, channels;
  PackedTable<CounterTable> skus;
  absl::flat_hash_map<NameId, SnapshotCounters, MixHash> snapshots;  // By product.
  SnapshotCounters snapshot;

  bool empty() const { return currencies.empty() && snapshots.empty(); }
  // What has a row for each SKU and each buyer. False: there was nothing to do.
  bool pack() {
    bool packed = skus.pack();
    for (CurrencyDay& one : currencies) packed |= one.buyers.pack();
    return packed;
  }
};

// Where a report cell stands.
struct Slot {
  Day from = 0, to = 0;
  int16_t hour = -1;
  NameId subject = 0;
  auto operator<=>(const Slot&) const = default;
};

inline constexpr Day day_min = std::numeric_limits<Day>::min();

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
  Day packed_to = day_min;  // Days before it are packed; one that is opened again moves it back.
  // Live reports but for snapshots: those of the store's traffic, and those of its products, which are many.
  using Slots = absl::btree_map<Slot, absl::InlinedVector<uint32_t, 4>>;
  Slots traffic, products;
  Slots& slots(bool of_products) { return of_products ? products : traffic; }
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
