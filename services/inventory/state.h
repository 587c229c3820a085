// What the warehouse and the purchasers have to know: stock, how fast it sells, what is on its way, and orders that wait to be
// shipped.
#pragma once

#include <absl/container/inlined_vector.h>

#include <array>
#include <limits>
#include <memory>
#include <utility>

#include "common/ahead.h"
#include "common/mix_hash.h"
#include "common/orders_ahead.h"
#include "common/rules.h"
#include "common/service.h"
#include "common/stores.h"
#include "common/things.h"
#include "common/timers.h"
#include "services/inventory/things.h"

namespace xundian::inventory {

using SkuId = uint32_t;
using PoolId = uint32_t;

// How a SKU stands today, as overviews count it.
struct Standing {
  bool is_known = false;  // How much can be sold is known.
  bool is_in_stock = false, is_out = false, is_below = false;
  int64_t available_units = 0;
};

// The same over all SKUs of a pool.
struct StandingSums {
  int64_t known = 0, in_stock = 0, out = 0, below = 0, available_units = 0;
  void add(const Standing& standing, int64_t sign);
};

// How fast a SKU sells on days on which it can be bought.
struct Demand {
  int64_t daily_micros = 0;
  double sigma = 0;
  int64_t days_known = 0;  // Whole days since it was first sold or counted.
};

inline constexpr Day no_day = std::numeric_limits<Day>::min();

// What is said of few SKUs.
struct SkuSupply {
  std::vector<const Offer*> offers;
  DayUnits moved;       // By the day on which they were moved.
  int64_t awaited = 0;  // Units in open purchase orders.
};
inline const SkuSupply no_supply;

inline constexpr size_t levels_in_place = 2;
inline constexpr uint32_t things_ahead = 8;  // Memory is asked for so many before they are looked at, where they are walked over.
using LevelsOfSku = absl::InlinedVector<const Level*, levels_in_place>;

// What is known of a SKU beside what it sold. Of many nothing is, and orders, which are most of all facts, do not ask for it.
struct SkuDetail {
  LevelsOfSku levels;
  const Place* home = nullptr;   // That it was judged for last.
  Standing standing;             // As it was judged last; time moves it at midnight alone, and then all are judged.
  std::optional<Demand> demand;  // As of demand_day.
  int64_t sold_units = 0;        // In the last 30 days up to demand_day.
  std::unique_ptr<SkuSupply> more;
  const SkuSupply& supply() const { return more ? *more : no_supply; }
  SkuSupply& own_supply() {
    if (!more) more = std::make_unique<SkuSupply>();
    return *more;
  }
};
inline const SkuDetail no_detail;

// A SKU in a pool of stores, with everything that was said of it. All of it follows from the things and can be made anew; what it
// sold is saved all the same. With its key it fills a line of the processor's memory.
struct Sku {
  PoolId pool : 31 = 0;
  uint32_t is_out : 1 = 0;  // It is known that none can be sold.
  NameId name = 0;
  [[no_unique_address]] DayUnits sold;  // By pay day.
  Day demand_day = no_day;  // Its demand is kept, by the sales and the stock up to that day; no_day: it has to be reckoned.
  std::unique_ptr<SkuDetail> more;
  const SkuDetail& detail() const { return more ? *more : no_detail; }
  SkuDetail& own() {
    if (!more) more = std::make_unique<SkuDetail>();
    return *more;
  }
};
static_assert(sizeof(Sku) + sizeof(Key) == 64);

// A SKU's stock over all its warehouses.
struct Stock {
  std::optional<int64_t> available;
  int64_t inbound = 0;  // What levels state, or what purchase orders still await, whichever is more.
  std::optional<int64_t> reorder_point;
  std::optional<uint32_t> lead_time_days;
  bool has_policy = false;
  Millis stated_ms = 0;  // The newest count or policy.
  int64_t position() const { return available.value_or(0) + inbound; }
};

// When and how much to order.
struct Plan {
  Stock stock;
  std::optional<Demand> demand;  // Absent: nothing is known of it yet.
  int64_t sold_month = 0;        // Units in the last 30 days.
  bool off_shelf = false;
  uint32_t lead_time_days = 0;
  int64_t safety_units = 0;
  std::optional<int64_t> reorder_point;
  std::optional<int64_t> cover_micros;  // Days.
  int64_t suggested_units = 0;
  bool sells() const { return cover_micros && demand && demand->daily_micros != 0; }
  bool is_out() const { return stock.available && *stock.available <= 0 && (sold_month > 0 || stock.has_policy) && !off_shelf; }
  bool is_below() const { return stock.available && reorder_point && stock.position() <= *reorder_point; }
  Standing standing() const {
    if (!stock.available) return {};
    return {true, *stock.available > 0, is_out(), is_below(), *stock.available};
  }
};

inline constexpr double service_z = 1.645;  // 95 % of resupplies arrive before stock runs out.
inline constexpr uint32_t lead_time_days_default = 7;
inline constexpr int64_t young_days = 14, safety_days = 3, target_days = 30;

// `units_back[0]` are the units of the last whole day, and so back in time; only days that are in stock count.
Demand weigh_demand(const std::vector<int64_t>& units_back, const std::vector<bool>& in_stock_back);
double safety_stock(double z, double sigma, double lead_time_days);
int64_t order_units(int64_t need_units, uint32_t minimum_units, uint32_t pack_units);

// A store as stock is reckoned with it.
struct Place {
  uint64_t store = 0;   // Hash of its id.
  uint32_t number = 0;  // Of those that were spoken of, in the order in which they were.
  const StoreInfo* info = nullptr;
  PoolId pool = 0;
  Millis near_ms = 0, late_ms = 0;  // Before and behind a deadline: when its rules begin to hold.
  bool plain_rules = true;          // These hold as they ship: no order has one of its own.
  Millis watched_until_ms = 0;      // The end of the day on which its midnight is watched for.
  // Orders that wait to be shipped, by pay day, and those of them whose deadline has passed. A line of memory of their own: while
  // a snapshot is loaded they change in one thread, and another looks at the rest.
  alignas(64) DayUnits unshipped;
  DayUnits overdue;
};

// A SKU as it is called outside, whatever its id: by its pool and its own name.
using SkuName = std::pair<std::string, std::string>;

// All SKUs and purchase orders are judged anew, a part with each record, so that an answer fits into a batch: what is left.
struct Sweep {
  std::optional<SkuName> skus;   // Those behind this one.
  std::optional<Key> purchases;  // Those behind this one.
  bool runs() const { return skus || purchases; }
};

struct Pool {
  std::string name;                  // "pool/NAME" as stated, or "store/ID".
  std::vector<const Place*> places;  // In the order of their stores' ids.
  std::vector<SkuId> skus;           // In the order in which they were first heard of.
  StandingSums sums;
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
  const std::map<uint64_t, Place>& places() const { return places_; }
  const Pool& pool(PoolId id) const { return pools_[id]; }
  const std::vector<Pool>& pools() const { return pools_; }
  const Things<Sku>& skus() const { return skus_; }
  const std::string& name(NameId id) const { return names_[id]; }
  Millis now() const { return now_; }
  Millis as_of() const { return as_of_; }
  // The plan for a SKU, by its sales up to a day and including it.
  Plan plan(const Sku& sku, Day last_day) const;
  // The last day whose sales are whole.
  Day last_whole_day(const Sku& sku) const;
  Stock stock(const Sku& sku) const;

 private:
  void fold_store(const FactView& fact, Outbox& outbox);
  void fold_order(const FactView& fact, Outbox& outbox);
  void fold_refund(const FactView& fact, Outbox& outbox);
  void fold_level(const FactView& fact, Outbox& outbox);
  void fold_purchase(const FactView& fact, Outbox& outbox);
  void fold_move(const FactView& fact, Outbox& outbox);
  void fold_listing(const FactView& fact, Outbox& outbox);

  // The store of a fact, made if it was never heard of.
  Place& place_of(const FactView& fact);
  static Key sku_key(PoolId pool, NameId name);
  SkuId sku_of(const Place& place, NameId name);
  // Makes everything that follows from the things anew; needed when a store changes its day or its pool.
  void rebuild();
  void forget_what_follows();
  void join_pools();
  void join_skus();
  void save_orders(std::string& bytes) const;
  // Each touches what the other does not: one the orders, and what places and timers count of them, one all else.
  bool load_orders(ByteReader bytes);
  bool load_beside_orders(ByteReader bytes);
  void save_skus(std::string& bytes) const;
  bool load_skus(ByteReader& bytes);
  bool load_pools(ByteReader& bytes);
  void join_pool(Place& place);
  void read_order_rules(Place& place) const;
  void refresh_places();
  bool holds_together() const;
  // What a thing adds to the SKUs (sign 1), or takes away (-1); gives the SKUs.
  void add_order(const Order& order, int64_t sign, std::vector<SkuId>& touched);
  // Whether one adds what the other does: of the same order before and after.
  static bool sells_alike(const Order& one, const Order& other);
  std::vector<SkuId> add_purchase(const Purchase& purchase, int64_t sign);
  // Once the levels of a SKU are as they are.
  static void settle_stock(Sku& sku, const Stock& stock) { sku.is_out = stock.available.value_or(1) <= 0; }
  // A level speaks of a SKU from now on, or no longer.
  void add_level(const Place& place, Level& level, NameId name, bool enters, std::vector<SkuId>& touched);
  std::vector<SkuId> add_offer(const Offer& offer, bool enters);
  void add_move(const Move& move, int64_t sign);
  // Takes an order into the waiting ones or out of them; `id` is its key's text, and it waited as of `before`.
  struct Wait {
    Millis paid_ms = 0, deadline_ms = 0;
  };
  static Wait wait_of(const Order& order) { return {order.paid_ms, order.deadline_ms()}; }
  void settle_unshipped(uint32_t index, Order& order, std::string_view id, const Wait& before, Outbox* outbox);
  void settle_refunded(const Key& key, std::string_view id, Outbox& outbox);
  void count_wait(Order& order, const Wait& wait, bool enters);
  void pass_deadlines();
  void schedule(uint32_t index, const Order& order);
  // An order as it is kept; false: its bytes are broken, as those of a snapshot may be.
  bool read(uint32_t index, Order& order) const;
  // The same, until the next is opened.
  Order& open(uint32_t index);
  void keep(uint32_t index, const Order& order);
  // It is to be judged once there is room in an answer, with those that were due before.
  void judge_later(uint32_t index, Millis due_ms);
  void watch_midnight(Place& place);
  void watch_midnights();  // Of all places.

  std::pair<std::string_view, std::string_view> name_of(SkuId id) const {
    return {pools_[skus_[id].pool].name, name(skus_[id].name)};
  }
  const Place& place(uint64_t store) const { return *place_index_.at(store); }
  const Place* home_of(const Sku& sku) const;
  const Zone& zone_of(const Sku& sku) const { return pools_[sku.pool].places.front()->info->zone; }
  std::optional<int64_t> available_at(const Sku& sku, Millis time) const;
  std::optional<Demand> demand(const Sku& sku, Day last_day) const;
  void keep_demand(Sku& sku, Day last_day) const;
  // Something that demand is reckoned from has changed, from that time on.
  void forget_demand(Sku& sku, Millis from) const;
  void settle_standing(Sku& sku, const Standing& standing);
  void judge_sku(SkuId id, Outbox& outbox);
  void judge_all(Outbox& outbox);
  void begin_sweep();
  void go_on_sweeping(Outbox& outbox);
  void find_next_swept();
  void sweep_too(SkuId id);
  void judge_due(Outbox& outbox);
  void judge_skus(const std::vector<SkuId>& ids, Outbox& outbox);
  void judge_order(const Order& order, std::string_view id, bool waits, Outbox& outbox);
  void judge_purchase(const Purchase& purchase, Outbox& outbox);

  // Things.
  Stores stores_;
  Names names_;
  RuleBook rules_;
  Judge judge_{rules_};
  PackedMemory order_memory_;
  Things<Packed> orders_;
  // What lies aside of a packed order: its place's number, and what it says of its waiting.
  struct Aside {
    uint32_t place = 0;
    bool waits = false, overdue = false;
    static Aside of(const Packed& order) { return {order.aside >> 2, (order.aside & 1) != 0, (order.aside & 2) != 0}; }
    uint32_t packed() const { return place << 2 | uint32_t{overdue} << 1 | uint32_t{waits}; }
  };
  std::map<Key, Refund> refunds_;
  Things<Level> levels_;
  std::map<Key, Purchase> purchases_;
  std::map<Key, Move> moves_;
  std::map<Key, Offer> offers_;
  Sweep sweep_;
  Millis now_ = 0, as_of_ = 0;

  // What follows from them.
  std::map<uint64_t, Place> places_;
  absl::flat_hash_map<uint64_t, Place*, MixHash> place_index_;  // The same, found faster.
  std::vector<Place*> numbered_places_;
  std::vector<Pool> pools_;
  std::map<std::string, PoolId> pool_ids_;
  Things<Sku> skus_;          // By sku_key.
  std::vector<SkuId> swept_;  // What is left of the pool that is swept, the next at the end; empty = not known yet.
  RowMemory day_memory_;      // Of their days.
  RowMemory wait_memory_;     // Of places' days.
  absl::flat_hash_map<Key, uint32_t, KeyHash> refunds_of_;  // Refunds that hold an order.
  // Of orders that wait to be shipped: when the next of their rules may begin to hold, or their deadline passes.
  Timers timers_;
  // Those of which a rule may have begun to hold, to be judged: a heap, the earliest first. Some may have gone out since.
  struct DueOrder {
    Millis due_ms = 0;
    Key key;
    uint32_t index = 0;
    auto operator<=>(const DueOrder&) const = default;
  };
  std::vector<DueOrder> due_;
  Millis midnight_ms_ = never;  // The next at which a store's day begins.

  struct Coming : OrderAhead {
    PoolId pool = 0;
  };
  void expect_order(const FactView& fact);
  void expect_levels();
  OrdersAhead<Coming> ahead_;
  // SKUs that were looked up ahead, by their keys' hashes: each is to be compared with its key.
  std::array<SkuId, 64> near_skus_{};
  SkuId& near_sku(const Key& key) { return near_skus_[key.low % near_skus_.size()]; }
  // A level of which a fact comes next. Facts of other kinds have none.
  struct ComingLevel {
    Key key;
    uint32_t index = no_level;  // Where it is, once that is known.
  };
  static constexpr uint32_t no_level = std::numeric_limits<uint32_t>::max();
  Ahead<ComingLevel> levels_ahead_;

  // Kept between facts to save allocations.
  Order order_, order_before_;
  std::vector<SkuId> touched_;
};

std::span<const ShippedRule> shipped_rules();
ServiceDefinition definition();

}  // namespace xundian::inventory
