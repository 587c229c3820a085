// Prometheus and its Alertmanager, as Debian packages them: each on a loopback port that it chose itself, with its data in the
// folder of the leg. What the packages may have started as services of the machine is not touched.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/process.h"

namespace xundian::bench {

class PrometheusProgram {
 public:
  // With a configuration that is written into the folder; returns when it is ready.
  static Result<PrometheusProgram> start_prometheus(const std::string& folder, const std::string& config);
  static Result<PrometheusProgram> start_alertmanager(const std::string& folder, const std::string& config);
  int port() const { return port_; }
  const Process& process() const { return process_; }

  // What it says of itself under /metrics.
  Result<std::string> metrics() const { return get("/metrics"); }
  // A query with one number for an answer; 0 if it finds nothing.
  Result<double> query(const std::string& expression) const;
  // Reads its configuration and its rules again.
  Result<void> reload() const;

 private:
  explicit PrometheusProgram(Process process) : process_(std::move(process)) {}
  static Result<PrometheusProgram> start(const std::string& package, std::vector<std::string> command, const std::string& log);
  Result<std::string> get(const std::string& path) const;
  Process process_;
  int port_ = 0;
};

Result<void> write_text(const std::string& path, const std::string& text);

// Of a page as metrics() gives it, the value of `name`; if `group` is given, that of the rule group of this name.
std::optional<double> metric_of(std::string_view page, std::string_view name, std::string_view group = {});

// "2.42.0+ds" and the like; empty if there is none.
std::string prometheus_version();
std::string alertmanager_version();

}  // namespace xundian::bench
