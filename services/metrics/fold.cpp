// What metrics comes to know when something is stated.
#include "services/metrics/state.h"

namespace xundian::metrics {

MetricsFold::MetricsFold() : rules_(shipped_rules()) {}

void MetricsFold::expect(const FactView& fact) {
  if (fact.kind() != v1::Fact::kOrderState) return;
  orders_.prefetch(fact.key());
  order_memory_.prefetch_ahead();
  OrderAhead& coming = ahead_.add(fact);
  // An order that is known comes nearer in steps: its place in the directory, where it lies, itself.
  if (const OrderAhead* earlier = ahead_.before_last(3)) orders_.prefetch_thing(earlier->key);
  if (const OrderAhead* earlier = ahead_.before_last(6))
    if (const Packed* order = orders_.find(earlier->key)) order->prefetch();
  const auto entry = book_index_.find(fact.store());
  if (!coming.is_whole || coming.scan.paid_ms <= 0 || entry == book_index_.end()) return;
  for (OrderLineScan& line : coming.scan.lines) line.sku_name = names_.find(line.sku);
  const StoreBook& book = books_[entry->second];
  const auto cell = book.days.find(book.day_of(coming.scan.paid_ms));
  if (cell == book.days.end()) return;
  const NameId currency = coming.scan.currency_code.empty() ? book.currency : names_.find(coming.scan.currency_code);
  for (const OrderLineScan& line : coming.scan.lines) cell->second.skus.prefetch(cell_key(line.sku_name, currency));
  for (const CurrencyDay& one : cell->second.currencies) one.buyers.prefetch(coming.scan.buyer);
}

void MetricsFold::fold(const FactView& fact, Outbox& outbox) {
  const Millis now = fact.time_ms();
  if (fact.kind() == v1::Fact::kStoreState) return fold_store(fact);
  if (fact.kind() == v1::Fact::kRuleSet) {
    rules_.fold(fact);
    return;
  }
  StoreBook& book = book_of(fact);
  switch (fact.kind()) {
    case v1::Fact::kOrderState:
      after_order(book, fold_order(fact, book, outbox), now, outbox);
      break;
    case v1::Fact::kRefundState:
      fold_refund(fact, book, outbox);
      if (book.info->is_news(fact.occurred_ms())) judge_refund_rate(book, now, outbox);
      break;
    case v1::Fact::kTrafficReport:
      fold_traffic(fact, book, outbox);
      break;
    case v1::Fact::kProductReport:
      fold_product(fact, book, outbox);
      break;
    default:
      return;  // Not ours.
  }
  after_word(book, now, outbox);
}

StoreBook& MetricsFold::book_of(const FactView& fact) {
  const auto [entry, fresh] = book_index_.try_emplace(fact.store(), static_cast<uint32_t>(books_.size()));
  if (fresh) {
    StoreBook& book = books_.emplace_back();
    book.store = fact.store();
    book.info = &stores_.of(fact);
    book.zone = book.info->zone;
    book.currency = names_.of(book.info->currency_code);
  }
  StoreBook& book = books_[entry->second];
  book.newest_ms = std::max(book.newest_ms, fact.occurred_ms());
  return book;
}

void MetricsFold::fold_store(const FactView& fact) {
  if (!stores_.fold(fact)) return;
  const auto found = book_index_.find(fact.store());
  if (found == book_index_.end()) return;
  StoreBook& book = books_[found->second];
  const NameId currency = names_.of(book.info->currency_code);
  if (book.zone == book.info->zone && book.currency == currency) return;
  book.zone = book.info->zone;
  book.currency = currency;
  recount(book);
}

void MetricsFold::recount(StoreBook& book) {
  book.days.clear();
  book.packed_to = day_min;
  book.traffic.clear();
  book.products.clear();
  book.snapshots.clear();
  book.paid_orders = 0;
  for (const uint32_t index : book.orders) {
    order_.unpack(orders_[index].bytes());
    count_order(book, order_, 1);
    count_refunded(book, orders_.key(index), order_, 1);
  }
  for (const uint32_t index : book.refunds) count_refund(book, refunds_[index], 1);
  for (const uint32_t index : book.reports) place_report(book, index, true);
}

std::vector<const StoreBook*> MetricsFold::books() const {
  std::vector<const StoreBook*> books;
  for (const StoreInfo* info : stores_.all())
    if (const StoreBook* book = find_book(info->id)) books.push_back(book);
  return books;
}

const StoreBook* MetricsFold::find_book(std::string_view store) const {
  const auto found = book_index_.find(store_hash(store));
  return found == book_index_.end() ? nullptr : &books_[found->second];
}

}  // namespace xundian::metrics
