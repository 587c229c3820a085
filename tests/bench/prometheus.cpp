#include "tests/bench/prometheus.h"

#include <httplib.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <thread>

#include "common/clock.h"

namespace xundian::bench {

namespace {

constexpr const char* prometheus_program = "/usr/bin/prometheus";
constexpr const char* alertmanager_program = "/usr/bin/prometheus-alertmanager";
constexpr int answer_secs = 10;

// The port that a program's log says it listens on; absent: it does not yet.
std::optional<int> port_in(const std::string& log) {
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view before = "msg=\"Listening on\" address=127.0.0.1:";
    const size_t at = line.find(before);
    int port = 0;
    if (at == std::string::npos) continue;
    const char* digits = line.data() + at + before.size();
    if (std::from_chars(digits, line.data() + line.size(), port).ec == std::errc() && port > 0) return port;
  }
  return std::nullopt;
}

httplib::Client client_of(int port) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(answer_secs);
  return client;
}

// "prometheus, version 2.42.0+ds (branch: …)"
std::string version_of(const char* path) {
  TempFolder folder;
  auto asked = access(path, X_OK) == 0 ? Process::start({path, "--version"}, folder.path() + "/log")
                                       : Result<Process>(fail(Code::not_found, ""));
  if (!asked) return {};
  const auto line = asked->read_line(5'000);
  constexpr std::string_view before = "version ";
  const size_t at = line ? line->find(before) : std::string::npos;
  if (at == std::string::npos) return {};
  const std::string rest = line->substr(at + before.size());
  return rest.substr(0, rest.find(' '));
}

}  // namespace

Result<PrometheusProgram> PrometheusProgram::start(const std::string& package, std::vector<std::string> command,
                                                   const std::string& log) {
  if (access(command[0].c_str(), X_OK) != 0)
    return fail(Code::not_found, "{} is not there; apt-get install {}", command[0], package);
  PrometheusProgram started(TRY(Process::start(std::move(command), log)));
  for (const Millis until = steady_ms() + start_ms;;) {
    if (interrupted()) return interrupted_error();
    started.port_ = port_in(log).value_or(0);
    if (started.port_ > 0 && started.get("/-/ready")) return started;
    if (!started.process_.lives()) return fail(Code::unavailable, "{} ended: {}", package, started.process_.said());
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "{} was not ready in {} ms", package, start_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<PrometheusProgram> PrometheusProgram::start_prometheus(const std::string& folder, const std::string& config) {
  const std::string path = folder + "/prometheus.yml";
  TRY_VOID(write_text(path, config));
  return start("prometheus",
               {prometheus_program, "--config.file=" + path, "--storage.tsdb.path=" + folder + "/prometheus",
                "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"},
               folder + "/prometheus.log");
}

Result<PrometheusProgram> PrometheusProgram::start_alertmanager(const std::string& folder, const std::string& config) {
  const std::string path = folder + "/alertmanager.yml";
  TRY_VOID(write_text(path, config));
  // Without an address for a cluster it stays alone.
  return start("prometheus-alertmanager",
               {alertmanager_program, "--config.file=" + path, "--storage.path=" + folder + "/alertmanager",
                "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="},
               folder + "/alertmanager.log");
}

Result<std::string> PrometheusProgram::get(const std::string& path) const {
  const auto answer = client_of(port_).Get(path);
  if (!answer) return fail(Code::unavailable, "no answer to {}: {}", path, httplib::to_string(answer.error()));
  if (answer->status != 200) return fail(Code::unavailable, "{} to {}: {}", answer->status, path, answer->body);
  return answer->body;
}

Result<double> PrometheusProgram::query(const std::string& expression) const {
  const std::string answer = TRY(get("/api/v1/query?query=" + httplib::detail::encode_query_param(expression)));
  // {…,"result":[{"metric":{},"value":[1700000000.1,"2000"]}]}
  const size_t value = answer.find("\"value\":["), number = answer.find(",\"", value);
  if (value == std::string::npos || number == std::string::npos) return 0;
  return std::strtod(answer.c_str() + number + 2, nullptr);
}

Result<void> PrometheusProgram::reload() const {
  const auto answer = client_of(port_).Post("/-/reload");
  if (!answer) return fail(Code::unavailable, "no answer to a reload: {}", httplib::to_string(answer.error()));
  if (answer->status != 200) return fail(Code::internal, "the rules were not taken: {}", answer->body);
  return {};
}

Result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return fail(Code::internal, "{} cannot be written", path);
  return {};
}

std::optional<double> metric_of(std::string_view page, std::string_view name, std::string_view group) {
  // name{rule_group="FILE;GROUP"} VALUE
  const std::string end = group.empty() ? std::string() : fmt::format(";{}\"}}", group);
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(line.size() + 1, page.size()));
    const size_t space = line.rfind(' ');
    if (space == std::string_view::npos || !line.starts_with(name)) continue;
    const std::string_view series = line.substr(0, space);
    if (group.empty() ? series != name : series[name.size()] != '{' || !series.ends_with(end)) continue;
    return std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr);
  }
  return std::nullopt;
}

std::string prometheus_version() { return version_of(prometheus_program); }
std::string alertmanager_version() { return version_of(alertmanager_program); }

}  // namespace xundian::bench
