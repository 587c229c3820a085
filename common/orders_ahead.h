// Orders that come to a fold next. Each is scanned once: when the fold is told of it, for memory is asked for what it names.
#pragma once

#include "common/ahead.h"
#include "common/order_scan.h"

namespace xundian {

struct OrderAhead {
  OrderScan scan;
  bool is_whole = false;  // False: it cannot be read.
  Key key;
};

// `Coming` is an OrderAhead, and what the fold comes to know of the order besides. Who counts no lines leaves them out.
template <typename Coming = OrderAhead, bool with_lines = true>
class OrdersAhead {
 public:
  // The oldest gives way.
  Coming& add(const FactView& fact) {
    Coming& coming = ahead_.add(fact);
    coming.is_whole = coming.scan.scan(fact, with_lines);
    coming.key = fact.key();
    return coming;
  }
  // What was added so many calls before the last; null: it is not there, or was read.
  Coming* before_last(size_t calls) { return ahead_.before_last(calls); }
  // What an order says, read ahead or now, until the next is added or read; null: it cannot be read.
  const OrderScan* read(const FactView& fact) {
    if (const Coming* coming = ahead_.take(fact)) return coming->is_whole ? &coming->scan : nullptr;
    return now_.scan(fact, with_lines) ? &now_ : nullptr;
  }
  void clear() { ahead_.clear(); }

 private:
  Ahead<Coming> ahead_;
  OrderScan now_;  // Of one that nobody told of.
};

}  // namespace xundian
