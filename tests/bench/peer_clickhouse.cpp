// ClickHouse: orders inserted in blocks of 100,000; and what a dashboard and the report of the day take when they are added up
// from rows, on one connection. It answers an insert before the disk has it.
#include <random>

#include "common/bytes.h"
#include "tests/bench/clickhouse.h"
#include "tests/bench/order_rows.h"
#include "tests/bench/timed.h"

namespace xundian::bench {

namespace {

constexpr size_t clickhouse_block_rows = 100'000, clickhouse_reports_max = 20;
// From so many seconds on, so many rows: the workload's blocks come again until they are there.
constexpr double multiplied_secs = 5;
constexpr uint64_t multiplied_rows = 10'000'000;

constexpr const char* clickhouse_table =
    "CREATE TABLE orders (store String, key String, day Date, placed_ms Int64, paid_ms Int64, as_of_ms Int64, buyer UInt64, "
    "orders Int32, units Int32, amount_micros Int64, refund_micros Int64) "
    "ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (store, day)";

struct Block {
  std::string bytes;  // As RowBinary has it.
  RowTotals totals;
};

void append_short(std::string& bytes, const std::string& text) {
  CHECK(text.size() < 128, "the length is one byte");
  bytes += static_cast<char>(text.size());
  bytes += text;
}

Block block_of(const std::vector<OrderRow>& rows) {
  Block block;
  for (const OrderRow& row : rows) {
    append_short(block.bytes, row.store);
    append_short(block.bytes, row.key);
    append(block.bytes, static_cast<uint16_t>(row.day));
    append(block.bytes, row.placed_ms);
    append(block.bytes, row.paid_ms);
    append(block.bytes, row.as_of_ms);
    append(block.bytes, row.buyer);
    append(block.bytes, static_cast<int32_t>(row.orders));
    append(block.bytes, static_cast<int32_t>(row.units));
    append(block.bytes, row.amount_micros);
    append(block.bytes, row.refund_micros);
    block.totals.add(row);
  }
  return block;
}

// The clock runs while an insert is under way. What the rows add up to; buyers that come again are no new ones.
Result<RowTotals> load_blocks(ClickHouseServer& server, const Plan& plan, Figures& figures) {
  OrderRows rows(*plan.workload);
  RowTotals said;
  std::vector<float> ack_us;
  double secs = 0;
  const auto insert = [&](const Block& block) -> Result<void> {
    if (interrupted()) return interrupted_error();
    const int64_t began = now_ns();
    TRY_VOID(server.insert("orders", block.bytes));
    const auto took = static_cast<double>(now_ns() - began);
    ack_us.push_back(static_cast<float>(took / 1000));
    secs += took / 1e9;
    said += block.totals;
    return {};
  };
  const bool multiplied = plan.secs >= multiplied_secs;
  std::vector<Block> blocks;
  for (;;) {
    const std::vector<OrderRow> some = rows.next(clickhouse_block_rows);
    if (some.empty()) break;
    Block block = block_of(some);
    TRY_VOID(insert(block));
    if (multiplied) blocks.push_back(std::move(block));
  }
  for (size_t index = 0; multiplied && said.rows < multiplied_rows; ++index) TRY_VOID(insert(blocks[index % blocks.size()]));
  said.buyers = rows.totals().buyers;
  figures.add("facts_per_s", static_cast<double>(said.rows) / secs);
  figures.add("ack_p50_us", quantile(ack_us, 0.5));
  figures.add("ack_p99_us", quantile(ack_us, 0.99));
  figures.add("facts", static_cast<double>(said.rows));
  figures.add("secs", secs);
  return said;
}

// Adds up what a question gives by store: amount, orders, units, buyers, refunds.
Result<void> add_answer(ClickHouseServer& server, const std::string& of, const Plan& plan, RowTotals& counted) {
  const auto rows = TRY(server.ask(
      fmt::format("SELECT store, sum(amount_micros), sum(orders), sum(units), uniqExact(buyer), sum(refund_micros) FROM orders "
                  "WHERE {}day BETWEEN '{}' AND '{}' GROUP BY store",
                  of, format_day(plan.workload->first_day), format_day(plan.workload->last_day))));
  for (const std::vector<std::string>& row : rows) {
    if (row.size() != 6) return fail(Code::internal, "ClickHouse answered a row of {} columns", row.size());
    counted.amount_micros += std::stoll(row[1]);
    counted.orders += std::stoll(row[2]);
    counted.units += std::stoll(row[3]);
    counted.buyers += std::stoull(row[4]);
    counted.refund_micros += std::stoll(row[5]);
  }
  return {};
}

}  // namespace

Result<Figures> run_clickhouse(const Plan& plan) {
  TempFolder folder;
  const auto server = TRY(ClickHouseServer::start(folder.path()));
  TRY(server->ask(clickhouse_table));
  Figures figures;
  const RowTotals said = TRY(load_blocks(*server, plan, figures));
  TRY(server->ask("OPTIMIZE TABLE orders FINAL"));  // No clock runs; else it would go on merging while it is asked.
  RowTotals counted;
  counted.rows = said.rows;
  const auto ask_store = [&](uint32_t store) {
    return add_answer(*server, fmt::format("store = '{}' AND ", store_id(store)), plan, counted);
  };
  for (uint32_t store = 0; store < plan.workload->shape.stores; ++store) TRY_VOID(ask_store(store));
  TRY_VOID(check_rows("ClickHouse's dashboards", counted, said));
  std::mt19937 dice(1);
  const auto ask_any_store = [&] { return ask_store(dice() % plan.workload->shape.stores); };
  const auto ask_report = [&]() -> Result<void> {
    RowTotals reported;
    reported.rows = said.rows;
    TRY_VOID(add_answer(*server, "", plan, reported));
    return check_rows("ClickHouse's report", reported, said);
  };
  const Timed dashboards = TRY(time_calls(asking_secs(plan), SIZE_MAX, ask_any_store));
  const Timed reports = TRY(time_calls(asking_secs(plan), clickhouse_reports_max, ask_report));
  figures.add("rows", static_cast<double>(said.rows));
  figures.add("store_dashboard_per_s", dashboards.per_s());
  figures.add("store_dashboard_p50_us", dashboards.p50_us());
  figures.add("store_dashboard_p99_us", dashboards.p99_us());
  figures.add("report_ms", reports.p50_us() / 1000);
  return figures;
}

}  // namespace xundian::bench
