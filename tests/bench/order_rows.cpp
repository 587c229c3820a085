#include "tests/bench/order_rows.h"

#include <algorithm>

namespace xundian::bench {

void RowTotals::add(const OrderRow& row) {
  rows += 1;
  orders += row.orders;
  units += row.units;
  amount_micros += row.amount_micros;
  refund_micros += row.refund_micros;
}

RowTotals& RowTotals::operator+=(const RowTotals& other) {
  rows += other.rows;
  buyers += other.buyers;
  orders += other.orders;
  units += other.units;
  amount_micros += other.amount_micros;
  refund_micros += other.refund_micros;
  return *this;
}

std::string RowTotals::text() const {
  return fmt::format("rows={} orders={} units={} amount_micros={} refund_micros={} buyers={}", rows, orders, units, amount_micros,
                     refund_micros, buyers);
}

Result<void> check_rows(std::string_view who, const RowTotals& counted, const RowTotals& said) {
  if (counted == said) return {};
  return fail(Code::data_loss, "{} counted {} of {}", who, counted.text(), said.text());
}

OrderRows::OrderRows(const Workload& workload) : workload_(workload), zone_(Zone::find(time_zone).value()) {}

std::vector<OrderRow> OrderRows::next(size_t wanted) {
  std::vector<OrderRow> rows;
  rows.reserve(wanted);
  while (rows.size() < wanted && (!read_.empty() || read_batch())) {
    OrderRow& row = rows.emplace_back(std::move(read_.back()));
    read_.pop_back();
    totals_.add(row);
    const uint64_t buyer = std::hash<std::string>()(row.store) ^ row.buyer;
    if (buyers_.insert(buyer).second) totals_.buyers += 1;
  }
  return rows;
}

// The orders of the next batch; false if there is none.
bool OrderRows::read_batch() {
  const size_t producer = batches_[0] <= batches_[1] ? 0 : 1;
  const Feed& feed = workload_.feeds[producer];
  if (batches_[producer] == feed.batches()) return false;
  for_each_body(feed.frames(batches_[producer]++), [&](std::string_view body) {
    CHECK(fact_.ParseFromArray(body.data(), static_cast<int>(body.size())), "the workload's facts are good");
    if (!fact_.has_order_state()) return;
    read_.push_back(row_of(fact_));
    totals_read_.add(read_.back());
  });
  std::reverse(read_.begin(), read_.end());
  const Totals said = workload_.totals(batches_);
  CHECK(static_cast<uint64_t>(totals_read_.orders) == said.orders && static_cast<uint64_t>(totals_read_.units) == said.units &&
            totals_read_.amount_micros == said.amount_micros,
        "the rows add up to what the workload says");
  return true;
}

OrderRow OrderRows::row_of(const v1::Fact& fact) {
  const v1::OrderState& order = fact.order_state();
  const auto [known, is_new] = known_.try_emplace(fact.key());
  Counted counted;
  for (const v1::OrderLine& line : order.lines()) counted.units += line.quantity();
  counted.amount_micros = order.paid().amount_micros();
  OrderRow row;
  row.store = fact.store();
  row.key = fact.key();
  row.day = zone_.day_of(order.placed().created_ms());
  row.placed_ms = order.placed().created_ms();
  row.paid_ms = order.paid().paid_ms();
  row.as_of_ms = fact.as_of_ms();
  row.buyer = order.placed().buyer();
  row.orders = is_new ? 1 : 0;
  row.units = counted.units - known->second.units;
  row.amount_micros = counted.amount_micros - known->second.amount_micros;
  known->second = counted;
  return row;
}

}  // namespace xundian::bench
