// PostgreSQL: orders copied in, 10,000 rows a commit, each synced; and what a dashboard and the report of the day take when they
// are added up from rows, on one connection, at rest and while rows come in.
#include <cmath>
#include <random>
#include <thread>

#include "tests/bench/order_rows.h"
#include "tests/bench/paced.h"
#include "tests/bench/postgresql.h"
#include "tests/bench/timed.h"

namespace xundian::bench {

namespace {

constexpr size_t pg_rows_of_commit = 10'000, pg_reports_max = 5;
constexpr double pg_paced_commits_per_s = 5;  // Few and large ones, as it likes them; ours come a hundred facts at a time.

constexpr const char* pg_table =
    "CREATE TABLE orders (store text NOT NULL, key text NOT NULL, day date NOT NULL, placed_ms bigint NOT NULL, paid_ms bigint "
    "NOT "
    "NULL, as_of_ms bigint NOT NULL, buyer bigint NOT NULL, orders int NOT NULL, units int NOT NULL, amount_micros bigint NOT "
    "NULL, "
    "refund_micros bigint NOT NULL)";
constexpr const char* pg_dashboard =
    "SELECT sum(amount_micros), sum(orders), sum(units), count(DISTINCT buyer) FROM orders "
    "WHERE store = $1 AND day BETWEEN $2 AND $3";
constexpr const char* pg_report =
    "SELECT store, sum(amount_micros), sum(orders), sum(units), count(DISTINCT buyer), sum(refund_micros) FROM orders "
    "WHERE day BETWEEN $1 AND $2 GROUP BY store ORDER BY store";

// As COPY's text has it.
std::string copy_text(const std::vector<OrderRow>& rows) {
  std::string text;
  for (const OrderRow& row : rows)
    fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", row.store, row.key,
                   format_day(row.day), row.placed_ms, row.paid_ms, row.as_of_ms, static_cast<int64_t>(row.buyer), row.orders,
                   row.units, row.amount_micros, row.refund_micros);
  return text;
}

// The clock runs while a commit is under way. It holds what ours held when it was asked, so that both are asked of the same.
Result<void> load_orders(PGconn& connection, const Plan& plan, OrderRows& rows, Figures& figures) {
  std::vector<float> ack_us;
  double secs = 0;
  while (rows.facts() < plan.facts_of_ours) {
    if (interrupted()) return interrupted_error();
    const std::vector<OrderRow> some = rows.next(pg_rows_of_commit);
    if (some.empty()) break;
    const std::string text = copy_text(some);
    const int64_t began = now_ns();
    TRY_VOID(pg_copy(connection, "orders", text));
    const auto took = static_cast<double>(now_ns() - began);
    ack_us.push_back(static_cast<float>(took / 1000));
    secs += took / 1e9;
  }
  figures.add("facts_per_s", static_cast<double>(rows.totals().rows) / secs);
  figures.add("ack_p50_us", quantile(ack_us, 0.5));
  figures.add("ack_p99_us", quantile(ack_us, 0.99));
  figures.add("facts", static_cast<double>(rows.totals().rows));
  figures.add("secs", secs);
  return {};
}

struct PgBooks {
  PGconn& connection;
  const std::string first, last;  // Days.

  Result<void> add_store(uint32_t store, RowTotals& counted) const {
    const std::string id = store_id(store);
    const std::array<const char*, 3> values = {id.c_str(), first.c_str(), last.c_str()};
    const PgResult answer = TRY(pg_ask(connection, "dashboard", values));
    counted.amount_micros += pg_number(*answer, 0, 0);
    counted.orders += pg_number(*answer, 0, 1);
    counted.units += pg_number(*answer, 0, 2);
    counted.buyers += static_cast<uint64_t>(pg_number(*answer, 0, 3));
    return {};
  }
  Result<void> add_all(RowTotals& counted) const {
    const std::array<const char*, 2> values = {first.c_str(), last.c_str()};
    const PgResult answer = TRY(pg_ask(connection, "report", values));
    for (int row = 0; row < PQntuples(answer.get()); ++row) {
      counted.amount_micros += pg_number(*answer, row, 1);
      counted.orders += pg_number(*answer, row, 2);
      counted.units += pg_number(*answer, row, 3);
      counted.buyers += static_cast<uint64_t>(pg_number(*answer, row, 4));
      counted.refund_micros += pg_number(*answer, row, 5);
    }
    return {};
  }
};

// Copies rows at the pace at which facts come beside our overviews, on a connection of its own. Both are made ready before.
class PacedCopies {
 public:
  static Result<std::unique_ptr<PacedCopies>> start(const PostgresServer& server, OrderRows& rows, double secs) {
    std::unique_ptr<PacedCopies> copies(new PacedCopies(TRY(server.connect())));
    const auto commits = static_cast<size_t>(std::ceil(secs * pg_paced_commits_per_s));
    for (size_t commit = 0; commit < commits; ++commit) {
      const uint64_t facts = rows.facts() + static_cast<uint64_t>(paced_facts_per_s / pg_paced_commits_per_s);
      std::vector<OrderRow> some;
      while (rows.facts() < facts) {
        const std::vector<OrderRow> more = rows.next(facts_of_batch);
        if (more.empty()) break;
        some.insert(some.end(), more.begin(), more.end());
      }
      copies->texts_.push_back(copy_text(some));
    }
    copies->thread_ = std::jthread([copies = copies.get()](const std::stop_token& stop) { copies->copy(stop); });
    return copies;
  }
  // Whatever is left is copied at once, so that all rows are there.
  Result<void> stop() {
    thread_.request_stop();
    thread_.join();
    return outcome_;
  }

 private:
  explicit PacedCopies(PgConnection connection) : connection_(std::move(connection)) {}
  void copy(const std::stop_token& stop) {
    const int64_t began = now_ns();
    for (size_t commit = 0; commit < texts_.size() && outcome_; ++commit) {
      const int64_t due = began + static_cast<int64_t>(1e9 * static_cast<double>(commit) / pg_paced_commits_per_s);
      while (!stop.stop_requested() && now_ns() < due) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      outcome_ = pg_copy(*connection_, "orders", texts_[commit]);
    }
  }
  PgConnection connection_;
  std::vector<std::string> texts_;
  Result<void> outcome_;
  std::jthread thread_;
};

Result<void> check_report(const PgBooks& books, const RowTotals& said) {
  RowTotals reported;
  reported.rows = said.rows;
  TRY_VOID(books.add_all(reported));
  return check_rows("PostgreSQL's report", reported, said);
}

void add_dashboards(const std::string& name, const Timed& timed, Figures& figures) {
  figures.add(name + "_per_s", timed.per_s());
  figures.add(name + "_p50_us", timed.p50_us());
  figures.add(name + "_p99_us", timed.p99_us());
}

Result<void> ask(const PostgresServer& server, const PgBooks& books, const Plan& plan, OrderRows& rows, Figures& figures) {
  const RowTotals said = rows.totals();
  RowTotals counted;
  counted.rows = said.rows;
  for (uint32_t store = 0; store < plan.workload->shape.stores; ++store) TRY_VOID(books.add_store(store, counted));
  TRY_VOID(check_rows("PostgreSQL's dashboards", counted, said));
  std::mt19937 dice(1);
  const auto ask_store = [&] { return books.add_store(dice() % plan.workload->shape.stores, counted); };
  const Timed at_rest = TRY(time_calls(asking_secs(plan), SIZE_MAX, ask_store));
  const Timed reports = TRY(time_calls(asking_secs(plan), pg_reports_max, [&] { return check_report(books, said); }));
  const auto copies = TRY(PacedCopies::start(server, rows, asking_secs(plan)));
  const Timed busy = TRY(time_calls(asking_secs(plan), SIZE_MAX, ask_store));
  TRY_VOID(copies->stop());
  TRY_VOID(check_report(books, rows.totals()));
  figures.add("rows", static_cast<double>(said.rows));
  add_dashboards("store_dashboard", busy, figures);
  add_dashboards("store_dashboard_at_rest", at_rest, figures);
  figures.add("report_ms", reports.p50_us() / 1000);
  return {};
}

}  // namespace

Result<Figures> run_postgresql(const Plan& plan) {
  TempFolder folder;
  const auto server = TRY(PostgresServer::start(folder.path()));
  const PgConnection connection = TRY(server->connect());
  TRY(pg_command(*connection, pg_table));
  Figures figures;
  OrderRows rows(*plan.workload);
  TRY_VOID(load_orders(*connection, plan, rows, figures));
  // No clock runs: an index that is there already would slow the load, and what is not yet vacuumed the questions.
  TRY(pg_command(*connection, "CREATE INDEX orders_by_day ON orders (store, day)"));
  TRY(pg_command(*connection, "VACUUM ANALYZE orders"));
  TRY_VOID(pg_prepare(*connection, "dashboard", pg_dashboard));
  TRY_VOID(pg_prepare(*connection, "report", pg_report));
  const PgBooks books{*connection, format_day(plan.workload->first_day), format_day(plan.workload->last_day)};
  TRY_VOID(ask(*server, books, plan, rows, figures));
  return figures;
}

}  // namespace xundian::bench
