// Importing files: the gateway hands them to intake and says how far it is.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "common/clock.h"
#include "common/log.h"
#include "services/gateway/api.h"
#include "xundian/query/v1/intake.pb.h"

namespace xundian::gateway {

namespace {

constexpr size_t inline_bytes_max = 64u << 20;
constexpr Millis silence_max_ms = 30'000;  // Intake may be silent so long, in the middle of an import, before it counts as gone.

// Files that came in a request, on disk as long as intake reads them.
class Uploads {
 public:
  explicit Uploads(const std::string& folder) : folder_(folder) {}
  ~Uploads() {
    std::error_code error;
    if (made_) std::filesystem::remove_all(folder_, error);
    if (error) spdlog::warn("uploads_kept folder={} why=\"{}\"", folder_, error.message());
  }
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  // Writes one and returns its path; readable by this user alone, for it holds what the door has not yet taken out.
  Result<std::string> add(const std::string& name, const std::string& content) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (!error) std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, error);
    if (error) return fail(Code::internal, "{} cannot be made: {}", folder_, error.message());
    made_ = true;
    std::string path = folder_ + "/" + name;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return fail(Code::internal, "{} cannot be made: {}", path, std::strerror(errno));
    size_t done = 0;
    while (done < content.size()) {
      const ssize_t written = ::write(file, content.data() + done, content.size() - done);
      if (written <= 0) break;
      done += static_cast<size_t>(written);
    }
    ::close(file);
    if (done < content.size()) return fail(Code::resource_exhausted, "{} cannot be written: {}", path, std::strerror(errno));
    return path;
  }

 private:
  std::string folder_;
  bool made_ = false;
};

// A base name, and no way out of the folder.
bool is_base_name(const std::string& name) {
  return !name.empty() && name.size() <= 200 && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0\n", 4)) == std::string::npos;
}

void copy(const query::v1::ImportedFile& from, v1::ImportedFile& to) {
  to.set_file(from.file());
  to.set_format(from.format());
  to.set_encoding(from.encoding());
  to.set_rows(from.rows());
  to.set_facts(from.facts());
  to.set_new_(from.new_facts());
  to.set_updated(from.updated());
  to.set_unchanged(from.unchanged());
  to.set_rejected(from.rejected());
  to.set_rejects_file(from.rejects_file());
}

Result<void> check(const Call& call, const v1::ImportFileRequest& request) {
  if (request.paths().empty() && request.files().empty()) return fail(Code::invalid_argument, "no file is named");
  if ((!request.paths().empty() || !request.mapping_path().empty()) && !call.principal->may_admin)
    return fail(Code::permission_denied, "files of the gateway's machine need the verb \"admin\"; send them in the request");
  // A mapping says which column names the store: it could lead out of the stores that the token is for.
  if (!call.principal->all_stores && !request.mapping().empty())
    return fail(Code::permission_denied, "a mapping needs a token for all stores");
  for (const std::string& path : request.paths())
    if (!path.starts_with('/')) return fail(Code::invalid_argument, "{} is no absolute path", path);
  size_t bytes = 0;
  std::set<std::string> names;
  for (const v1::InlineFile& file : request.files()) {
    bytes += file.content().size();
    if (!is_base_name(file.name())) return fail(Code::invalid_argument, "\"{}\" is no base name of a file", file.name());
    if (!names.insert(file.name()).second) return fail(Code::invalid_argument, "two files are named \"{}\"", file.name());
  }
  if (bytes > inline_bytes_max)
    return fail(Code::resource_exhausted, "files in a request are at most 64 MB; name their paths instead");
  if (!request.mapping().empty() && !request.mapping_path().empty())
    return fail(Code::invalid_argument, "mapping and mapping_path are both given");
  return {};
}

std::string upload_folder(const Home& home) {
  static std::atomic<uint64_t> count = 0;
  return home.path(fmt::format("uploads/{}-{}-{}", wall_ms(), getpid(), ++count));
}

}  // namespace

Result<void> Api::import_file(const Call& call, const v1::ImportFileRequest& request, const Sink<v1::ImportFileResponse>& sink) {
  TRY_VOID(check(call, request));
  query::v1::StartImportRequest start;
  Uploads uploads(upload_folder(home_));
  Uploads mappings(upload_folder(home_));
  *start.mutable_paths() = request.paths();
  for (const v1::InlineFile& file : request.files()) start.add_paths(TRY(uploads.add(file.name(), file.content())));
  start.set_mapping_path(request.mapping().empty() ? request.mapping_path()
                                                   : TRY(mappings.add("mapping.toml", request.mapping())));
  start.set_format(request.format());
  start.set_store(request.store());
  start.set_request_id(request.request_id());
  start.set_scope(call.tenant() + "/default");
  const auto started = TRY(services_.ask_as<query::v1::StartImportResponse>("intake", "StartImport", start));
  return follow_import(call, started.job(), sink);
}

Result<void> Api::follow_import(const Call& call, uint64_t job, const Sink<v1::ImportFileResponse>& sink) {
  query::v1::GetImportRequest question;
  question.set_job(job);
  Millis heard_ms = steady_ms(), pause_ms = 2, said_ms = 0;
  bool listening = true;
  for (;;) {
    const auto job_now = services_.ask_as<query::v1::GetImportResponse>("intake", "GetImport", question);
    const Millis now = steady_ms();
    if (!job_now) {
      if (job_now.error().code != Code::unavailable || now - heard_ms > silence_max_ms) return tl::unexpected(job_now.error());
    } else {
      heard_ms = now;
      if (job_now->done() && !job_now->error().empty())
        return fail(job_now->error_code() == 0 ? Code::unknown : static_cast<Code>(job_now->error_code()), "{}",
                    job_now->error());
      v1::ImportFileResponse message;
      message.set_bytes_done(job_now->bytes_done());
      message.set_bytes_all(job_now->bytes_all());
      message.set_rows_done(job_now->rows_done());
      message.set_done(job_now->done());
      if (job_now->done()) {
        for (const query::v1::ImportedFile& file : job_now->files()) copy(file, *message.add_files());
        copy(job_now->total(), *message.mutable_total());
        message.set_import_id(job_now->import_id());
      }
      // The import goes on when nobody listens any more; the files must stay until it has ended.
      if (listening && (job_now->done() || now - said_ms >= 100)) {
        listening = sink(message);
        said_ms = now;
      }
      if (job_now->done()) return {};
    }
    if (stopping_) return fail(Code::unavailable, "the gateway is closing; the import goes on");
    if (call.gone && call.gone()) listening = false;
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    pause_ms = std::min<Millis>(pause_ms * 2, 50);
  }
}

Result<v1::UndoImportResponse> Api::undo_import(const Call& call, const v1::UndoImportRequest& request) {
  v1::UndoImportResponse response;
  if (remembered(call, "UndoImport", request.request_id(), response)) return response;
  if (request.import_id() == 0) return fail(Code::invalid_argument, "no import is named; xundian status lists them");
  query::v1::UndoImportRequest question;
  question.set_import_id(request.import_id());
  question.set_scope(call.tenant() + "/default");
  const auto started =
      TRY(services_.ask_as<query::v1::UndoImportResponse>("intake", "UndoImport", question, call.left_ms(deadline_max_ms)));
  query::v1::GetImportRequest ask;
  ask.set_job(started.job());
  for (query::v1::GetImportResponse state; !state.done(); std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    state = TRY(services_.ask_as<query::v1::GetImportResponse>("intake", "GetImport", ask, call.left_ms(deadline_max_ms)));
    if (state.done() && !state.error().empty()) return fail(static_cast<Code>(state.error_code()), "{}", state.error());
    response.set_withdrawn(state.withdrawn());
    response.set_restored(state.restored());
  }
  remember(call, "UndoImport", request.request_id(), response);
  return response;
}

}  // namespace xundian::gateway
