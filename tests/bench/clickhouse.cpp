#include "tests/bench/clickhouse.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/clock.h"

namespace xundian::bench {

namespace {

const std::string clickhouse_program = "/usr/sbin/clickhouse-server", clickhouse_client = "/usr/bin/clickhouse-client";
constexpr int clickhouse_wait_secs = 300;

constexpr const char* clickhouse_users = R"(<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>10000000000</max_memory_usage></default></profiles>
  <users>
    <default>
      <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default>
  </users>
  <quotas><default></default></quotas>
</yandex>
)";

std::string clickhouse_config(const std::string& folder, int http_port, int tcp_port) {
  return fmt::format(R"(<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{1}</http_port>
  <tcp_port>{2}</tcp_port>
  <keep_alive_timeout>300</keep_alive_timeout>
  <mark_cache_size>536870912</mark_cache_size>
  <path>{0}/data/</path>
  <tmp_path>{0}/tmp/</tmp_path>
  <user_files_path>{0}/user_files/</user_files_path>
  <format_schema_path>{0}/format_schemas/</format_schema_path>
  <users_config>{0}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
</yandex>
)",
                     folder, http_port, tcp_port);
}

}  // namespace

ClickHouseServer::ClickHouseServer(Process process, int port) : process_(std::move(process)), client_("127.0.0.1", port) {
  client_.set_keep_alive(true);
  client_.set_tcp_nodelay(true);
  client_.set_read_timeout(clickhouse_wait_secs);
  client_.set_write_timeout(clickhouse_wait_secs);
}

Result<std::unique_ptr<ClickHouseServer>> ClickHouseServer::start(const std::string& folder) {
  if (access(clickhouse_program.c_str(), X_OK) != 0)
    return fail(Code::not_found, "{} is not there; apt-get install clickhouse-server", clickhouse_program);
  const int http_port = TRY(free_port()), tcp_port = TRY(free_port());
  const std::string config = folder + "/config.xml";
  std::ofstream(config) << clickhouse_config(folder, http_port, tcp_port);
  std::ofstream(folder + "/users.xml") << clickhouse_users;
  for (const char* name : {"/data", "/tmp"}) std::filesystem::create_directory(folder + name);
  std::unique_ptr<ClickHouseServer> server(new ClickHouseServer(
      TRY(Process::start({clickhouse_program, "--config-file=" + config}, folder + "/clickhouse.log")), http_port));
  for (const Millis until = steady_ms() + start_ms; !server->ask("SELECT 1");) {
    if (interrupted()) return interrupted_error();
    if (!server->process_.lives()) return fail(Code::unavailable, "clickhouse-server ended: {}", server->process_.said());
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "clickhouse-server did not answer in {} ms", start_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return server;
}

Result<std::string> ClickHouseServer::post(const std::string& path, const std::string& body) {
  const auto response = client_.Post(path, body, "application/octet-stream");
  if (!response) return fail(Code::unavailable, "ClickHouse: {}", httplib::to_string(response.error()));
  if (response->status != 200) return fail(Code::internal, "ClickHouse answered {}: {}", response->status, response->body);
  return response->body;
}

Result<std::vector<std::vector<std::string>>> ClickHouseServer::ask(const std::string& sql) {
  std::istringstream text(TRY(post("/", sql)));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream columns(line);
    auto& row = rows.emplace_back();
    for (std::string column; std::getline(columns, column, '\t');) row.push_back(column);
  }
  return rows;
}

Result<void> ClickHouseServer::insert(const std::string& table, const std::string& rows) {
  TRY(post(fmt::format("/?query=INSERT INTO {} FORMAT RowBinary", table), rows));
  return {};
}

std::string clickhouse_version() {
  // "ClickHouse client version 18.16.1."; the server has no such flag and is of the same build.
  const std::string line = first_line({clickhouse_client, "--version"}), before = "version ";
  const size_t at = line.find(before);
  if (at == std::string::npos) return {};
  return line.substr(at + before.size(), line.find_last_of('.') - at - before.size());
}

}  // namespace xundian::bench
