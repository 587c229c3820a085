// A ClickHouse of its own on ports of the loopback, asked over HTTP on one connection.
#pragma once

#include <httplib.h>

#include <memory>
#include <vector>

#include "tests/bench/process.h"

namespace xundian::bench {

class ClickHouseServer {
 public:
  // Its folders, users and ports are its own; it asks nobody outside.
  static Result<std::unique_ptr<ClickHouseServer>> start(const std::string& folder);
  // The rows of the answer, each with its columns as text.
  Result<std::vector<std::vector<std::string>>> ask(const std::string& sql);
  // Rows as RowBinary has them; returns when they can be asked for.
  Result<void> insert(const std::string& table, const std::string& rows);

 private:
  ClickHouseServer(Process process, int port);
  Result<std::string> post(const std::string& path, const std::string& body);
  Process process_;
  httplib::Client client_;
};

// "18.16.1"; empty if there is none.
std::string clickhouse_version();

}  // namespace xundian::bench
