// A PostgreSQL of its own on a unix socket, which syncs before each answer; and libpq with its memory held.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <span>

#include "tests/bench/process.h"

namespace xundian::bench {

struct FreePgConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreePgResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgConnection = std::unique_ptr<PGconn, FreePgConnection>;
using PgResult = std::unique_ptr<PGresult, FreePgResult>;

// What PostgreSQL says to a command or a query; an error that it says is an error here.
Result<PgResult> pg_command(PGconn& connection, const std::string& sql);
Result<void> pg_prepare(PGconn& connection, const char* name, const char* sql);
Result<PgResult> pg_ask(PGconn& connection, const char* name, std::span<const char* const> values);
// Copies rows, as COPY's text has them, into a table; returns when they are committed.
Result<void> pg_copy(PGconn& connection, const char* table, const std::string& rows);
// A number of an answer; 0 if it is null.
int64_t pg_number(const PGresult& result, int row, int column);

class PostgresServer {
 public:
  // fsync and synchronous_commit on, verified by asking it; memory enough that sorts and the table's newest pages stay in it; no
  // TCP. It refuses root, under which it runs as the user that Debian's package made.
  static Result<std::unique_ptr<PostgresServer>> start(const std::string& folder);
  ~PostgresServer();
  Result<PgConnection> connect() const;

 private:
  PostgresServer(std::string folder, Process process) : folder_(std::move(folder)), process_(std::move(process)) {}
  std::string folder_;
  Process process_;
};

// "15.8"; empty if there is none.
std::string postgresql_version();

}  // namespace xundian::bench
