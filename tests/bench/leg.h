// What a leg of the bench is given and what it gives back.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/workload.h"

namespace xundian::bench {

struct Plan {
  double secs = 10;  // Of a leg: it puts for so long, or until there are no more facts, and then waits for what folds.
  const Workload* workload = nullptr;
  uint64_t facts_of_ours = UINT64_MAX;  // That our overviews were of; a peer that is asked the same holds as many.
};

// Named figures, in the order in which they are shown. "cpu_us_per_fact.bus" stands as "bus" inside "cpu_us_per_fact".
class Figures {
 public:
  void add(std::string name, double value) { all_.emplace_back(std::move(name), value); }
  const std::vector<std::pair<std::string, double>>& all() const { return all_; }
  // 0 if there is none.
  double of(std::string_view name) const {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& figure) { return figure.first == name; });
    return found == all_.end() ? 0 : found->second;
  }

 private:
  std::vector<std::pair<std::string, double>> all_;
};

// The value below which `share` of the values lie; 0 of none.
template <typename Value>
double quantile(std::vector<Value> values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at);
}

// What a leg counted must be what was said; one that lost or doubled anything has no figure.
inline Result<void> check_totals(std::string_view who, const Totals& counted, const Totals& said) {
  if (counted == said) return {};
  return fail(Code::data_loss, "{} counted {} of {}", who, counted.text(), said.text());
}

Result<Figures> run_ours(const Plan& plan);
Result<Figures> run_straight(const Plan& plan);
Result<Figures> run_redis_always(const Plan& plan);
Result<Figures> run_zeromq_echo(const Plan& plan);
Result<Figures> run_lmdb_raw(const Plan& plan);
Result<Figures> run_raw_file(const Plan& plan);
Result<Figures> run_prometheus(const Plan& plan);
Result<Figures> run_postgresql(const Plan& plan);
Result<Figures> run_clickhouse(const Plan& plan);
Result<Figures> run_grpc_empty(const Plan& plan);

// The straight design's own processes are this program under another name: "straight-gate", "straight-fold". The exit status.
int run_straight_role(const std::vector<std::string>& arguments);
// So is what answers the bare sockets: "zeromq-echo".
int run_zeromq_echo_role(const std::string& endpoint);

}  // namespace xundian::bench
