// Importing files, taking an import back, and the demo.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <sstream>

#include "common/clock.h"
#include "services/cli/commands.h"
#include "services/cli/terminal.h"

namespace xundian::cli {

namespace {

using Stub = v1::GatewayService::Stub;

constexpr Millis folded_timeout_ms = 600'000;
constexpr int rounds_max = 4;  // Facts, findings about them, alerts about these, and one to see that it is quiet.

// The gateway reads files of its own machine by their paths; others are sent.
bool gateway_is_here() {
  const char* address = std::getenv("XUNDIAN_GRPC");
  const std::string text = address == nullptr || *address == 0 ? "127.0.0.1" : address;
  return text.starts_with("127.") || text.starts_with("localhost") || text.starts_with("[::1]");
}

Result<v1::ImportFileRequest> make_request(const ImportOptions& options) {
  v1::ImportFileRequest request;
  request.set_request_id(new_request_id());
  request.set_format(options.format);
  request.set_store(options.store);
  const bool here = gateway_is_here();
  for (const std::string& file : options.files) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(file, error);
    if (error || !std::filesystem::is_regular_file(path, error))
      return fail(Code::invalid_argument, "{} is no file that can be read", file);
    if (here) {
      request.add_paths(path.string());
    } else {
      v1::InlineFile& sent = *request.add_files();
      sent.set_name(path.filename().string());
      sent.set_content(TRY(read_file(file)));
    }
  }
  if (!options.mapping.empty()) request.set_mapping(TRY(read_file(options.mapping)));
  return request;
}

Result<v1::ImportFileResponse> run_import(Client& client, const v1::ImportFileRequest& request) {
  v1::ImportFileResponse result;
  {
    Progress progress("导入 importing");
    TRY_VOID(client.stream(&Stub::ImportFile, request, [&](const v1::ImportFileResponse& message) {
      progress.show(message.bytes_done(), message.bytes_all(), fmt::format("{} rows", message.rows_done()));
      result = message;
      return true;
    }));
  }
  if (!result.done()) return fail(Code::internal, "the import ended without a result; see: xundian status");
  TRY_VOID(wait_until_folded(client));
  return result;
}

void print_import(const v1::ImportFileResponse& result) {
  Table table(
      {"文件 File", "格式 Format", ">行 Rows", ">事实 Facts", ">新 New", ">更新 Updated", ">不变 Unchanged", ">拒收 Rejected"});
  const auto add = [&](const v1::ImportedFile& file, const std::string& name) {
    const auto text = [](uint64_t number) { return std::to_string(number); };
    table.add({name, file.format(), text(file.rows()), text(file.facts()), text(file.new_()), text(file.updated()),
               text(file.unchanged()), text(file.rejected())});
  };
  for (const v1::ImportedFile& file : result.files()) add(file, file.file());
  if (result.files_size() != 1) add(result.total(), "合计 Total");
  fmt::print("{}", table.text());
  for (const v1::ImportedFile& file : result.files())
    if (!file.rejects_file().empty()) fmt::print(stderr, "rejected rows: {}\n", file.rejects_file());
  fmt::print("撤销 To take it back: xundian import --undo {}\n", result.import_id());
}

Result<int> import_and_print(Client& client, const ImportOptions& options) {
  const v1::ImportFileRequest request = TRY(make_request(options));
  const auto result = TRY(run_import(client, request));
  if (options.json)
    print_json(import_json(result));
  else
    print_import(result);
  return result.total().rejected() > 0 ? some_rejected : done;
}

// Runs the program beside this one and returns what it prints.
Result<std::string> output_of(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::internal, "no pipe: {}", std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return fail(Code::internal, "no process: {}", std::strerror(errno));
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  char bytes[4096];
  for (ssize_t count; (count = read(ends[0], bytes, sizeof bytes)) > 0;) output.append(bytes, static_cast<size_t>(count));
  close(ends[0]);
  int ended = 0;
  waitpid(child, &ended, 0);
  if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) return fail(Code::internal, "{} failed", command[0]);
  return output;
}

Result<std::string> program_beside(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string path = (self.parent_path() / name).string();
  if (error || !std::filesystem::exists(path)) return fail(Code::not_found, "{} is not there; build it (deploy/up does)", path);
  return path;
}

}  // namespace

Result<void> wait_until_folded(Client& client) {
  const Millis until = steady_ms() + folded_timeout_ms;
  std::map<uint32_t, uint64_t> before;
  for (int round = 0; round < rounds_max;) {
    v1::WaitFoldedRequest request;
    request.set_settled(true);
    const auto told = client.call(&Stub::WaitFolded, request, 35'000);
    if (!told && told.error().code == Code::deadline_exceeded && steady_ms() < until) continue;
    if (!told)
      return fail(told.error().code, "the facts are durable, but not every service has folded them: {}", told.error().message);
    std::map<uint32_t, uint64_t> reached(told->heads().begin(), told->heads().end());
    if (reached == before) return {};
    before = std::move(reached);
    ++round;
  }
  return {};
}

int import_files(const ImportOptions& options) {
  return with_client([&](Client& client) { return import_and_print(client, options); });
}

int undo_import(const ImportOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    v1::UndoImportRequest request;
    request.set_request_id(new_request_id());
    request.set_import_id(options.undo);
    const auto told = TRY(client.call(&Stub::UndoImport, request));
    TRY_VOID(wait_until_folded(client));
    Json json;
    json.begin_object().field("import", options.undo).field("withdrawn", uint64_t{told.withdrawn()});
    json.field("restored", uint64_t{told.restored()}).end_object();
    if (options.json)
      print_json(json);
    else
      fmt::print("{} withdrawn, {} restored\n", told.withdrawn(), told.restored());
    return done;
  });
}

int demo(const DemoOptions& options) {
  return with_client([&](Client& client) -> Result<int> {
    const auto environment = TRY(read_environment());
    const std::string folder = options.out.empty() ? environment.home + "/demo" : options.out;
    const std::string program = TRY(program_beside("xundian-demo"));
    const std::string listed = TRY(
        output_of({program, "--out", folder, "--days", std::to_string(options.days), "--seed", std::to_string(options.seed)}));
    ImportOptions import;
    import.json = options.json;
    std::istringstream lines(listed);
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) import.files.push_back(line);
    if (import.files.empty()) return fail(Code::internal, "the demo wrote no files");
    return import_and_print(client, import);
  });
}

int bench(const std::vector<std::string>& arguments) {
  const auto program = program_beside("xundian-bench");
  // It needs what tests need (Redis among it), so deploy/up does not build it.
  if (!program)
    return complain({Code::not_found,
                     "the bench is not built; tests/run builds it, or, once the packages for tests are installed: cmake "
                     "--preset release && cmake --build build/release --target xundian-bench"});
  std::vector<char*> argv{const_cast<char*>(program->c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(program->c_str(), argv.data());
  return complain({Code::internal, fmt::format("{} cannot be started: {}", *program, std::strerror(errno))});
}

}  // namespace xundian::cli
