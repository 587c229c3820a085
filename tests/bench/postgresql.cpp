#include "tests/bench/postgresql.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "common/clock.h"

namespace xundian::bench {

namespace {

const std::string pg_programs = "/usr/lib/postgresql/15/bin";
constexpr const char* pg_user = "postgres";
constexpr Millis initdb_ms = 60'000, pg_stop_ms = 10'000;

// Root gives the folder to PostgreSQL's user and becomes it. Becoming another takes away what ends a process with its parent, so
// that is asked for again; and it starts where that user may be.
Result<std::vector<std::string>> as_its_user(const std::string& folder, std::vector<std::string> command) {
  if (geteuid() != 0) return command;
  const passwd* known = getpwnam(pg_user);
  if (known == nullptr) return fail(Code::not_found, "there is no user {}; apt-get install postgresql", pg_user);
  if (chown(folder.c_str(), known->pw_uid, known->pw_gid) != 0)
    return fail(Code::internal, "{} cannot be given to {}: {}", folder, pg_user, std::strerror(errno));
  const std::vector<std::string> become = {"/usr/bin/env",     "--chdir=/",      "/usr/bin/setpriv", "--reuid=postgres",
                                           "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"};
  command.insert(command.begin(), become.begin(), become.end());
  return command;
}

Error error_of(PGconn& connection) { return Error{Code::internal, fmt::format("PostgreSQL: {}", PQerrorMessage(&connection))}; }

Result<PgResult> good(PGconn& connection, PGresult* result) {
  PgResult held(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN) return held;
  return tl::unexpected(error_of(connection));
}

Result<void> make_cluster(const std::string& folder) {
  for (const char* program : {"/initdb", "/postgres"})
    if (access((pg_programs + program).c_str(), X_OK) != 0)
      return fail(Code::not_found, "{}{} is not there; apt-get install postgresql", pg_programs, program);
  const auto command = TRY(as_its_user(folder, {pg_programs + "/initdb", "--pgdata=" + folder + "/data", "--username=bench",
                                                "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}));
  auto initdb = TRY(Process::start(command, folder + "/initdb.log"));
  const auto made = initdb.wait(initdb_ms);
  if (made) return {};
  return fail(made.error().code, "{}If it may not enter a folder above {}, set TMPDIR to one that every user may enter.",
              made.error().message, folder);
}

}  // namespace

Result<PgResult> pg_command(PGconn& connection, const std::string& sql) {
  return good(connection, PQexec(&connection, sql.c_str()));
}

Result<void> pg_prepare(PGconn& connection, const char* name, const char* sql) {
  TRY(good(connection, PQprepare(&connection, name, sql, 0, nullptr)));
  return {};
}

Result<PgResult> pg_ask(PGconn& connection, const char* name, std::span<const char* const> values) {
  return good(connection, PQexecPrepared(&connection, name, static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0));
}

Result<void> pg_copy(PGconn& connection, const char* table, const std::string& rows) {
  TRY(pg_command(connection, fmt::format("COPY {} FROM STDIN", table)));
  if (PQputCopyData(&connection, rows.data(), static_cast<int>(rows.size())) != 1 || PQputCopyEnd(&connection, nullptr) != 1)
    return tl::unexpected(error_of(connection));
  TRY(good(connection, PQgetResult(&connection)));
  while (PQgetResult(&connection) != nullptr) {
  }
  return {};
}

int64_t pg_number(const PGresult& result, int row, int column) { return std::atoll(PQgetvalue(&result, row, column)); }

Result<std::unique_ptr<PostgresServer>> PostgresServer::start(const std::string& folder) {
  TRY_VOID(make_cluster(folder));
  std::vector<std::string> command = {pg_programs + "/postgres", "-D", folder + "/data"};
  for (const std::string& setting :
       {std::string("listen_addresses="), "unix_socket_directories=" + folder, std::string("fsync=on"),
        std::string("synchronous_commit=on"), std::string("shared_buffers=512MB"), std::string("work_mem=256MB"),
        std::string("max_wal_size=8GB"), std::string("checkpoint_timeout=1h")})
    command.insert(command.end(), {"-c", setting});
  command = TRY(as_its_user(folder, std::move(command)));
  std::unique_ptr<PostgresServer> server(new PostgresServer(folder, TRY(Process::start(command, folder + "/postgres.log"))));
  for (const Millis until = steady_ms() + start_ms;;) {
    if (const auto connection = server->connect()) {
      for (const char* setting : {"fsync", "synchronous_commit"}) {
        const auto shown = TRY(pg_command(**connection, fmt::format("SHOW {}", setting)));
        if (std::string_view(PQgetvalue(shown.get(), 0, 0)) != "on")
          return fail(Code::failed_precondition, "PostgreSQL does not sync before it answers: {} is off", setting);
      }
      return server;
    }
    if (interrupted()) return interrupted_error();
    if (!server->process_.lives()) return fail(Code::unavailable, "postgres ended: {}", server->process_.said());
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "postgres did not answer in {} ms", start_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Killed, it would leave its memory behind, and its children a moment longer.
PostgresServer::~PostgresServer() { process_.end(SIGQUIT, pg_stop_ms); }

Result<PgConnection> PostgresServer::connect() const {
  PgConnection connection(
      PQconnectdb(fmt::format("host='{}' port=5432 user=bench dbname=postgres sslmode=disable", folder_).c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK) return tl::unexpected(error_of(*connection));
  return connection;
}

std::string postgresql_version() {
  // "postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"
  const std::string line = first_line({pg_programs + "/postgres", "--version"}), before = "(PostgreSQL) ";
  const size_t at = line.find(before);
  if (at == std::string::npos) return {};
  return line.substr(at + before.size(), line.find(' ', at + before.size()) - at - before.size());
}

}  // namespace xundian::bench
