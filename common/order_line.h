// The lines of an order as folds keep them: of each the newest that was said, by their ids.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "common/names.h"
#include "common/order_scan.h"
#include "common/packed.h"

namespace xundian {

struct OrderLine {
  uint64_t id = 0;  // Hash of its id.
  Version version;
  int64_t quantity = 0;
  int64_t amount_micros = 0;
  NameId sku = 0;
  bool withdrawn = false;
  bool operator==(const OrderLine&) const = default;
};
using OrderLines = std::vector<OrderLine>;  // In the order of their ids.

// Makes an order as if nothing had been said of it; its lines keep their room.
template <typename Order>
void clear_order(Order& order) {
  OrderLines room = std::move(order.lines);
  order = Order();
  order.lines = std::move(room);
  order.lines.clear();
}

// Whether the fact says anything of a line that is not known; decided without decoding it.
bool say_more(const FactView& fact, const OrderLines& lines);
// Takes of each line what is newer.
void merge_lines(OrderLines& lines, const FactView& fact, const OrderScan& stated, Names& names);

// Nearly always one fact says all there is of an order, and all of its versions have one rank: it is written once, as the base.
// Otherwise the ranks of the order's own versions and those of its lines come behind the lines.
bool has_one_rank(const PackBase& base, std::initializer_list<Version> own, const OrderLines& lines);
inline constexpr size_t line_bytes_max = pack_bytes_max<3> + 3 * sizeof(uint64_t);  // Its rank included.
void pack_lines(PackWriter& to, const OrderLines& lines);
void pack_ranks(PackWriter& to, std::initializer_list<Version> own, const OrderLines& lines);
// In the place of what `lines` held. Where the bytes are broken, as many as could be read.
void unpack_lines(PackReader& from, uint64_t count, OrderLines& lines);
void unpack_ranks(PackReader& from, std::initializer_list<Version*> own, OrderLines& lines);
// Passes lines by instead, and their ranks, if they and `own` more have any. False: one is of a SKU that has no name here.
bool pass_lines(PackReader& from, uint64_t count, const Names& names);
inline void pass_ranks(PackReader& from, uint64_t lines, uint64_t own) { from.bytes((lines + own) * sizeof(uint64_t)); }

}  // namespace xundian
