// What people ask our gateway, started beside the house: overviews while facts come in, and the report of the day.
#include <fmt/ranges.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "common/clock.h"
#include "tests/bench/gateway_calls.h"
#include "tests/bench/paced.h"

namespace xundian::bench {

namespace {

namespace door = gateway::v1;

constexpr double gateway_waits_us = 2e6;
constexpr size_t our_reports_max = 50;

class GatewayProcess {
 public:
  // Returns when it answers, and every service through it.
  static Result<GatewayProcess> start(const House& house) {
    const std::string program = program_folder() + "/xundian-gateway", config = house.folder() + "/gateway.toml";
    const int port = TRY(free_port()), http_port = TRY(free_port());
    std::ofstream(config) << fmt::format("[gateway]\ngrpc = \"127.0.0.1:{}\"\nhttp = \"127.0.0.1:{}\"\n", port, http_port);
    if (access(program.c_str(), X_OK) != 0) return fail(Code::not_found, "{} is not there; deploy/up builds it", program);
    const std::string& home = house.home().folder();
    Process process = TRY(Process::start({program, "--home", home, "--config", config}, house.folder() + "/gateway.log"));
    for (const Millis until = steady_ms() + start_ms;;) {
      std::string token;
      std::getline(std::ifstream(home + "/admin.token"), token);
      cli::Client client = gateway_at(port, token);
      door::GetOverviewRequest request;
      request.add_stores(store_id(0));
      const auto overview = client.call(&door::GatewayService::Stub::GetOverview, request);
      if (overview && overview->missing().empty()) return GatewayProcess(std::move(process), std::move(client));
      if (interrupted()) return interrupted_error();
      if (!process.lives()) return fail(Code::unavailable, "xundian-gateway ended: {}", process.said());
      if (steady_ms() >= until)
        return fail(Code::deadline_exceeded, "the gateway did not answer in {} ms: {}", start_ms,
                    overview ? fmt::format("without {}", fmt::join(overview->missing(), ", ")) : overview.error().message);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  cli::Client& client() { return client_; }
  const Process& process() const { return process_; }

 private:
  GatewayProcess(Process process, cli::Client client) : process_(std::move(process)), client_(std::move(client)) {}
  Process process_;
  cli::Client client_;
};

// An overview without some department, because it was not done in the time that the gateway gives it, is no answer: where one
// comes there is no figure.
Result<Timed> time_whole_overviews(GatewayProcess& gateway, const Plan& plan, bool of_home, size_t callers) {
  OverviewCalls calls;
  calls.secs = asking_secs(plan);
  calls.stores = plan.workload->shape.stores;
  calls.of_home = of_home;
  calls.callers = callers;
  calls.is_good = [of_home, stores = calls.stores](const door::GetOverviewResponse& response) {
    return response.missing().empty() && static_cast<uint32_t>(response.rows_size()) > (of_home ? stores : 1);
  };
  auto timed = time_overviews(gateway.client(), calls);
  if (!timed && timed.error().code == Code::unavailable) return Timed();
  return timed;
}

void add_overviews(const std::string& name, const Timed& alone, const Timed& together, Figures& figures) {
  figures.add(name + "_per_s", alone.per_s());
  figures.add(name + "_p50_us", alone.p50_us());
  figures.add(name + "_p99_us", alone.p99_us());
  figures.add(name + "_c8_per_s", together.per_s());
}

// Of one store and of the home, one caller and several, all while a producer puts facts. A service folds nothing while it
// answers, so where the stores one by one would take longer than the gateway waits, the home is not asked: 0, which gives no
// ratio.
Result<void> ask_overviews(GatewayProcess& gateway, const Plan& plan, Figures& figures) {
  const Timed store = TRY(time_whole_overviews(gateway, plan, false, 1));
  const Timed store_together = TRY(time_whole_overviews(gateway, plan, false, callers_together));
  Timed home, home_together;
  if (!store.us.empty() && store.p50_us() * plan.workload->shape.stores < gateway_waits_us) {
    home = TRY(time_whole_overviews(gateway, plan, true, 1));
    home_together = TRY(time_whole_overviews(gateway, plan, true, callers_together));
  }
  add_overviews("overview", home, home_together, figures);
  add_overviews("overview_store", store, store_together, figures);
  return {};
}

struct Answered {
  int64_t orders = 0, units = 0, amount_micros = 0, buyers = 0, refund_micros = 0;
  auto operator<=>(const Answered&) const = default;
  std::string text() const {
    return fmt::format("orders={} units={} amount_micros={} buyers={} refund_micros={}", orders, units, amount_micros, buyers,
                       refund_micros);
  }
};

void add_up(const google::protobuf::RepeatedPtrField<door::MetricRow>& rows, Answered& answered) {
  for (const door::MetricRow& row : rows) {
    if (row.metric() == "orders") answered.orders += row.numerator();
    if (row.metric() == "units") answered.units += row.numerator();
    if (row.metric() == "paid_amount") answered.amount_micros += row.numerator();
    if (row.metric() == "buyers") answered.buyers += row.numerator();
    if (row.metric() == "refund_amount") answered.refund_micros += row.numerator();
  }
}

Result<void> check_answer(const char* what, const Answered& answered, const Answered& said) {
  if (answered == said) return {};
  return fail(Code::data_loss, "the gateway's {} adds up to {} of {}", what, answered.text(), said.text());
}

// The home's overview, of each day that has orders; buyers that came on both days count twice there, so they are left out.
Result<void> check_overview(GatewayProcess& gateway, const Workload& workload, Answered said) {
  Answered answered;
  for (Day day = workload.first_day; day <= workload.last_day; ++day) {
    door::GetOverviewRequest request;
    request.set_day(format_day(day));
    add_up(TRY(gateway.client().call(&door::GatewayService::Stub::GetOverview, request)).rows(), answered);
  }
  answered.buyers = said.buyers = 0;
  return check_answer("overview", answered, said);
}

Result<void> ask_reports(GatewayProcess& gateway, const Plan& plan, const Answered& said, Figures& figures) {
  door::QueryMetricsRequest request;
  for (const char* metric : {"paid_amount", "orders", "units", "buyers", "refund_amount"}) request.add_metrics(metric);
  request.set_from(format_day(plan.workload->first_day));
  request.set_to(format_day(plan.workload->last_day));
  request.set_by("store");
  const auto ask_report = [&]() -> Result<void> {
    const auto response = TRY(gateway.client().call(&door::GatewayService::Stub::QueryMetrics, request));
    if (!response.missing().empty()) return fail(Code::unavailable, "the report lacks {}", response.missing(0));
    Answered answered;
    add_up(response.rows(), answered);
    return check_answer("report", answered, said);
  };
  const Timed reports = TRY(time_calls(asking_secs(plan), our_reports_max, ask_report));
  figures.add("report_ms", reports.p50_us() / 1000);
  return {};
}

}  // namespace

size_t paced_batches_kept(const Plan& plan) {
  constexpr double phases = 4, reserve = 1.5;
  return static_cast<size_t>(asking_secs(plan) * phases * reserve * paced_facts_per_s / facts_of_batch);
}

Result<void> measure_queries(House& house, const Plan& plan, std::array<size_t, producers>& next, Figures& figures) {
  GatewayProcess gateway = TRY(GatewayProcess::start(house));
  figures.add("overview_of_facts", static_cast<double>((next[0] + next[1]) * facts_of_batch));  // And those that come meanwhile.
  PacedLoad load(house, plan.workload->feeds[0], next[0], paced_facts_per_s);
  const auto asked = ask_overviews(gateway, plan, figures);
  next[0] += TRY(load.stop());
  TRY_VOID(asked);
  figures.add("overview_beside_facts_per_s", load.facts_per_s());
  TRY_VOID(house.wait_quiet());
  const Totals totals = plan.workload->totals(next);
  const Answered said = {static_cast<int64_t>(totals.orders), static_cast<int64_t>(totals.units), totals.amount_micros,
                         static_cast<int64_t>(plan.workload->buyers(next)), 0};
  TRY_VOID(check_overview(gateway, *plan.workload, said));
  TRY_VOID(ask_reports(gateway, plan, said, figures));
  figures.add("gateway_memory_mb", gateway.process().memory_bytes() / 1e6);
  return {};
}

}  // namespace xundian::bench
