// Commands about the journal itself, which need no service: verify, backup, restore.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "common/bytes.h"
#include "common/home.h"
#include "common/pull_reader.h"
#include "services/cli/commands.h"
#include "services/cli/terminal.h"

namespace xundian::cli {

namespace {

namespace fs = std::filesystem;

void write_report(std::string& bytes, const VerifyReport& report) {
  append(bytes, report.records);
  append(bytes, report.facts);
  append(bytes, static_cast<uint32_t>(report.bad.size()));
  for (const BadRecord& bad : report.bad) {
    append(bytes, bad.partition);
    append(bytes, bad.offset);
    append_text(bytes, bad.why);
  }
}

VerifyReport read_report(std::string_view bytes) {
  ByteReader reader(bytes);
  VerifyReport report;
  report.records = reader.take<uint64_t>();
  report.facts = reader.take<uint64_t>();
  for (uint32_t left = reader.take<uint32_t>(); left > 0 && reader.ok(); --left) {
    BadRecord& bad = report.bad.emplace_back();
    bad.partition = reader.take<Partition>();
    bad.offset = reader.take<Offset>();
    bad.why = reader.take_text();
  }
  if (!reader.ok()) report.bad.push_back({0, 0, "the journal could not be read to its end"});
  return report;
}

[[noreturn]] void verify_in_child(const Home& home, uint32_t bus, int to) {
  VerifyReport report;
  auto reader = open_home_reader(home, bus);
  Result<VerifyReport> verified = fail(Code::unknown, "");
  if (reader) {
    Progress progress("检查 verifying");
    verified = verify(**reader, [&](Position at, Position all) { progress.show(at, all); });
  } else {
    verified = tl::unexpected(reader.error());
  }
  if (verified)
    report = *verified;
  else
    report.bad.push_back({0, 0, verified.error().message});
  std::string bytes;
  write_report(bytes, report);
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t count = ::write(to, bytes.data() + at, bytes.size() - at);
    if (count <= 0) _exit(1);
    at += static_cast<size_t>(count);
  }
  _exit(0);
}

// In a process of its own: bytes so broken that reading them crashes are a finding like any other.
Result<VerifyReport> verify_bus(const Home& home, uint32_t bus) {
  int ends[2];
  if (pipe(ends) != 0) return fail(Code::internal, "no pipe: {}", std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return fail(Code::internal, "no process: {}", std::strerror(errno));
  if (child == 0) {
    close(ends[0]);
    verify_in_child(home, bus, ends[1]);
  }
  close(ends[1]);
  std::string bytes;
  char part[4096];
  for (ssize_t count; (count = read(ends[0], part, sizeof part)) > 0;) bytes.append(part, static_cast<size_t>(count));
  close(ends[0]);
  int ended = 0;
  waitpid(child, &ended, 0);
  if (!WIFSIGNALED(ended)) return read_report(bytes);
  VerifyReport report;
  report.bad.push_back({0, 0, fmt::format("reading it ended by signal {} ({})", WTERMSIG(ended), strsignal(WTERMSIG(ended)))});
  return report;
}

Result<void> copy_one(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  fs::copy_file(from, to, error);
  if (!error) fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write, error);
  if (error) return fail(Code::internal, "{} cannot be copied to {}: {}", from.string(), to.string(), error.message());
  return {};
}

// What a home is beside its journal: its settings, the keys of buyers' hashes, who may call.
Result<void> copy_settings(const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (const char* name : {"home.toml", "admin.token", "tokens.toml"})
    if (fs::exists(from / name)) TRY_VOID(copy_one(from / name, to / name));
  for (const char* name : {"keys", "reports"}) {
    if (!fs::exists(from / name)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(from / name, error))
      if (entry.is_regular_file()) TRY_VOID(copy_one(entry.path(), to / fs::relative(entry.path(), from)));
    if (!error) fs::permissions(to / name, fs::perms::owner_all, error);
  }
  return {};
}

Result<Position> back_up_bus(const Home& home, uint32_t bus, const std::string& copy) {
  if (home.settings().engine == Engine::lmdb) return backup_lmdb(home.journal_folder(bus), copy);
  const auto reader = TRY(open_home_reader(home, bus));
  return backup_through(*reader, copy);
}

template <typename Run>
int guarded(Run&& run) {
  const Result<int> ended = run();
  return ended ? *ended : complain(ended.error());
}

}  // namespace

int verify_journal(bool as_json) {
  return guarded([&]() -> Result<int> {
    const Home home = TRY(Home::open(Home::folder_from_environment(), 0));
    VerifyReport sum;
    for (uint32_t bus = 0; bus < home.settings().buses; ++bus) {
      const VerifyReport report = TRY(verify_bus(home, bus));
      sum.records += report.records;
      sum.facts += report.facts;
      sum.bad.insert(sum.bad.end(), report.bad.begin(), report.bad.end());
    }
    Json json;
    json.begin_object().field("records", sum.records).field("facts", sum.facts).key("bad").begin_array();
    for (const BadRecord& bad : sum.bad)
      json.begin_object()
          .field("partition", uint32_t{bad.partition})
          .field("offset", bad.offset)
          .field("why", bad.why)
          .end_object();
    json.end_array().end_object();
    if (as_json) {
      print_json(json);
    } else {
      fmt::print("{} records, {} facts, {} bad\n", sum.records, sum.facts, sum.bad.size());
      for (const BadRecord& bad : sum.bad) fmt::print("partition {} offset {}: {}\n", bad.partition, bad.offset, bad.why);
    }
    return sum.bad.empty() ? done : failed;
  });
}

int backup(const std::string& folder, bool as_json) {
  return guarded([&]() -> Result<int> {
    const Home home = TRY(Home::open(Home::folder_from_environment(), 0));
    if (fs::exists(folder) && !fs::is_empty(folder)) return fail(Code::failed_precondition, "{} exists and is not empty", folder);
    std::error_code error;
    fs::create_directories(folder, error);
    fs::permissions(folder, fs::perms::owner_all, error);
    if (error) return fail(Code::invalid_argument, "{} cannot be made: {}", folder, error.message());
    Json json;
    json.begin_object().field("folder", folder).key("positions").begin_object();
    for (uint32_t bus = 0; bus < home.settings().buses; ++bus) {
      const std::string journal = home.journal_folder(bus);
      const std::string copy = folder + "/" + fs::path(journal).filename().string();
      const Position position = TRY(back_up_bus(home, bus, copy));
      json.field(std::to_string(bus), position);
    }
    json.end_object().end_object();
    TRY_VOID(copy_settings(home.folder(), folder));
    if (as_json)
      print_json(json);
    else
      fmt::print("backed up to {}; restore with: XUNDIAN_HOME=NEW xundian restore {}\n", folder, folder);
    return done;
  });
}

int restore(const std::string& folder, bool as_json) {
  return guarded([&]() -> Result<int> {
    const fs::path to = Home::folder_from_environment();
    if (fs::exists(to / "home.toml"))
      return fail(Code::failed_precondition, "{} holds a home already; set XUNDIAN_HOME to a folder that holds none",
                  to.string());
    if (!fs::exists(fs::path(folder) / "home.toml"))
      return fail(Code::invalid_argument, "{} is no backup: it has no home.toml", folder);
    std::error_code error;
    uint64_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_directory() || !name.starts_with("journal")) continue;
      for (const auto& file : fs::recursive_directory_iterator(entry.path(), error)) {
        if (!file.is_regular_file() || file.path().filename() == "lock.mdb") continue;
        TRY_VOID(copy_one(file.path(), to / fs::relative(file.path(), folder)));
        ++files;
      }
    }
    if (error) return fail(Code::internal, "{} cannot be read: {}", folder, error.message());
    TRY_VOID(copy_settings(folder, to));
    Json json;
    json.begin_object().field("home", to.string()).field("files", files).end_object();
    if (as_json)
      print_json(json);
    else
      fmt::print("restored to {}; start its services with: XUNDIAN_HOME={} deploy/up\n", to.string(), to.string());
    return done;
  });
}

}  // namespace xundian::cli
