// What metrics knows in a partition: merged orders, refunds and reports, the cells they count in, and what it has said.
#pragma once

#include <memory>

#include "common/orders_ahead.h"
#include "common/rules.h"
#include "common/service.h"
#include "common/shared.h"
#include "common/stores.h"
#include "common/things.h"
#include "services/metrics/cells.h"

namespace xundian::metrics {

// Changes with the layout that save writes.
inline constexpr uint64_t state_shape = 7;

// What an order's fact changed, for the rules.
struct OrderChange {
  bool changed = false;
  Millis paid_ms = 0;     // When it was paid, as known now; 0 = it is not.
  bool refunded = false;  // What the order list says of refunds is other than before.
};

ServiceDefinition definition();
std::span<const ShippedRule> shipped_rules();
query::v1::GetMetricDefinitionsResponse metric_definitions();

class MetricsFold final : public Fold {
 public:
  MetricsFold();
  void expect(const FactView& fact) override;
  void fold(const FactView& fact, Outbox& outbox) override;
  void said(const FactView& fact) override;
  void wake(Millis now, Outbox& outbox) override;
  Millis next_wake() const override;
  void save(std::string& bytes) const override;
  bool load(ByteReader bytes) override;
  std::vector<Held> held() const override;
  void fingerprint(Fingerprint& sum) const override;

  const Stores& stores() const { return stores_; }
  const Names& names() const { return names_; }
  const RuleBook& rules() const { return rules_; }
  const Report& report(uint32_t index) const { return reports_[index]; }
  const StatedCut& stated_cut(const Report& report) const { return cuts_.stated(report.cut); }
  const CutMeaning& cut(const Report& report) const { return cuts_.meaning(report.cut); }
  // Stores that something was said of, those that were withdrawn left out, by their ids.
  std::vector<const StoreBook*> books() const;
  const StoreBook* find_book(std::string_view store) const;

 private:
  StoreBook& book_of(const FactView& fact);
  void fold_store(const FactView& fact);
  // Makes all of a store's contributions anew.
  void recount(StoreBook& book);

  // orders.cpp
  OrderChange fold_order(const FactView& fact, StoreBook& book, Outbox& outbox);
  void merge_order(const FactView& fact, const OrderScan& stated, Order& order);
  // An order as it is kept, until the next is asked for; null: nothing is known of it.
  const Order* find_order(const Key& key);
  // sign: 1 puts the contribution in, -1 takes it out.
  void count_order(StoreBook& book, const Order& order, int sign);
  void count_skus(DayCell& cell, const Order& order, NameId currency, bool counted, int sign);
  DayCell& open_day(StoreBook& book, Day day);
  static void pack_past(StoreBook& book, Day opened);
  void close_day(StoreBook& book, Day day);
  void add(DayCell& cell, NameId currency, int hour, std::optional<NameId> channel, const Counters& counters, int sign);

  // refunds.cpp
  void fold_refund(const FactView& fact, StoreBook& book, Outbox& outbox);
  void merge_refund(const FactView& fact, Refund& refund, std::string_view store);
  // What the order list itself says was refunded, as long as no refund names the order.
  void count_refunded(StoreBook& book, const Key& key, const Order& order, int sign);
  void count_refund(StoreBook& book, const Refund& refund, int sign);
  // The order's own refund and all refunds that name it.
  void count_refunds_of(StoreBook& book, const Key& key, const Order& order, int sign);
  void link_refund(uint32_t index, const Refund& refund, bool linked);
  void book_refund(StoreBook& book, const Order* order, Millis own_ms, NameId currency, int64_t amount_micros,
                   const std::vector<RefundLine>* lines, int sign);

  // reports.cpp
  void fold_traffic(const FactView& fact, StoreBook& book, Outbox& outbox);
  void fold_product(const FactView& fact, StoreBook& book, Outbox& outbox);
  template <typename Read>
  void fold_report(const FactView& fact, StoreBook& book, Outbox& outbox, Read&& read);
  // What a cell says, but for its version; its figures as they are in `figures`.
  void read_traffic(const v1::TrafficCell& cell, Report& report, ReportFigures& figures);
  void read_product(const v1::ProductCell& cell, Report& report, ReportFigures& figures);
  uint32_t cut_of(const StatedCut& stated);
  void settle_report(uint32_t index);
  void read_place(const v1::Cut& cut, const v1::Period& period, Report& report);
  void place_report(StoreBook& book, uint32_t index, bool placed);
  // What the snapshots of a product give on a day and on the next one that rests on it.
  void count_snapshots(StoreBook& book, NameId product, Day day, int sign);
  void count_sale(StoreBook& book, NameId product, const Report& from, const Report& to, int sign);

  // rules.cpp
  void after_order(StoreBook& book, const OrderChange& change, Millis now, Outbox& outbox);
  void after_word(StoreBook& book, Millis now, Outbox& outbox);
  void judge_store(StoreBook& book, Millis now, Outbox& outbox);
  void judge_no_orders(StoreBook& book, Millis now, Outbox& outbox);
  void judge_sales_drop(StoreBook& book, Millis now, Outbox& outbox);
  void judge_refund_rate(StoreBook& book, Millis now, Outbox& outbox);
  void schedule(StoreBook& book, Millis due);
  Millis next_due(const StoreBook& book, Millis now) const;
  Judge::Subject subject(const StoreBook& book) const;

  // state.cpp
  bool load_books(ByteReader& bytes);
  bool load_orders(ByteReader& bytes);
  bool load_refunds(ByteReader& bytes);
  bool load_reports(ByteReader& bytes);
  static void save_cells(std::string& bytes, const StoreBook& book);
  bool load_cells(ByteReader& bytes, StoreBook& book) const;
  void fingerprint_things(Fingerprint& sum) const;
  void fingerprint_book(Fingerprint& sum, const StoreBook& book) const;

  Names names_;
  Stores stores_;
  absl::flat_hash_map<uint64_t, uint32_t, MixHash> book_index_;  // By the store's hash.
  std::deque<StoreBook> books_;
  PackedMemory order_memory_;
  Things<Packed> orders_;  // Aside lies the index of the store's book.
  Things<Refund> refunds_;
  Things<Report> reports_;
  RowMemory report_memory_;                                                    // Of their figures.
  Shared<StatedCut, CutMeaning> cuts_;                                         // Of reports.
  std::map<uint32_t, Version> withdrawn_reports_;                              // As of when those of them are that ever were.
  absl::flat_hash_map<Key, std::vector<uint32_t>, KeyHash> refunds_by_order_;  // Those that are live and name an order.

  RuleBook rules_;
  Judge judge_{rules_};
  std::set<std::pair<Millis, uint32_t>> timers_;  // (due, index of the book).

  OrdersAhead<> ahead_;

  // Kept between facts to save allocations.
  Order order_;         // That is being folded,
  Order order_before_;  // as it was, if it was known.
  Order named_order_;   // That a refund names.
  v1::RefundState refund_state_;
  v1::TrafficReport traffic_report_;
  v1::ProductReport product_report_;
  std::vector<uint64_t> sku_lines_;  // Of an order, by SKUs: a SKU and, below, the place of a line.
};

}  // namespace xundian::metrics
