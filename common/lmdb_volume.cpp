#include "common/lmdb_volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>
#include <tuple>

#include "common/mutant.h"

namespace xundian {

namespace {

constexpr unsigned readers_max = 1022;  // Fills the lock file's pages.
constexpr mdb_mode_t file_mode = 0600;
constexpr std::string_view new_prefix = ".new-", old_prefix = ".old-";

std::string volume_name(Position first) { return fmt::format("{:016x}", first); }

void set_close_on_exec(int fd) { fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) | FD_CLOEXEC); }

struct EnvironmentCloser {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};
using OwnEnvironment = std::unique_ptr<MDB_env, EnvironmentCloser>;

// `map_bytes` 0: as the file says.
Result<OwnEnvironment> open_environment(const std::string& path, size_t map_bytes) {
  // A file system that may not be written is read all the same.
  const unsigned unsynced = mutant("no_sync") ? MDB_NOSYNC | MDB_NOMETASYNC : 0;
  for (const unsigned flags : {MDB_NOTLS | unsynced, unsigned{MDB_NOTLS | MDB_RDONLY}}) {
    MDB_env* env = nullptr;
    int code = mdb_env_create(&env);
    OwnEnvironment own(code == MDB_SUCCESS ? env : nullptr);
    if (code == MDB_SUCCESS) code = mdb_env_set_maxreaders(env, readers_max);
    if (code == MDB_SUCCESS && map_bytes != 0) code = mdb_env_set_mapsize(env, map_bytes);
    if (code == MDB_SUCCESS) code = mdb_env_open(env, path.c_str(), flags, file_mode);
    if ((code == EROFS || code == EACCES) && !(flags & MDB_RDONLY)) continue;
    if (code != MDB_SUCCESS) return lmdb_failed(code, fmt::format("opening the volume {}", path));
    int fd = -1;
    if (mdb_env_get_fd(env, &fd) == MDB_SUCCESS) set_close_on_exec(fd);
    return own;
  }
  return fail(Code::permission_denied, "the volume {} may not be read", path);
}

Result<MDB_dbi> open_database(MDB_env* env, unsigned transaction_flags, unsigned database_flags) {
  MDB_txn* transaction = nullptr;
  int code = mdb_txn_begin(env, nullptr, transaction_flags, &transaction);
  if (code != MDB_SUCCESS) return lmdb_failed(code, "beginning a transaction");
  MDB_dbi dbi = 0;
  code = mdb_dbi_open(transaction, nullptr, database_flags, &dbi);
  if (code != MDB_SUCCESS) {
    mdb_txn_abort(transaction);
    return lmdb_failed(code, "opening the database of a volume");
  }
  code = mdb_txn_commit(transaction);
  if (code != MDB_SUCCESS) return lmdb_failed(code, "making the database of a volume");
  return dbi;
}

Result<void> system_failed(const char* what, const std::string& path) {
  return lmdb_failed(errno, fmt::format("{} {}", what, path));
}

}  // namespace

tl::unexpected<Error> lmdb_failed(int code, std::string_view what) {
  const auto [status, advice] = [code]() -> std::pair<Code, std::string_view> {
    switch (code) {
      case ENOSPC:
      case EDQUOT:
      case MDB_MAP_FULL:
        return {Code::resource_exhausted, "; make room on the disk and restart"};
      case EIO:
      case MDB_PANIC:
        return {Code::data_loss, "; the disk is full or failing: look at it before a restart"};
      case MDB_CORRUPTED:
      case MDB_PAGE_NOTFOUND:
      case MDB_INVALID:
      case MDB_VERSION_MISMATCH:
      case MDB_BAD_TXN:
        return {Code::data_loss, "; verify the journal and restore it from a backup"};
      case ENOENT:
        return {Code::not_found, ""};
      case EACCES:
      case EPERM:
      case EROFS:
        return {Code::permission_denied, ""};
      case MDB_READERS_FULL:
      case EMFILE:
      case ENFILE:
      case ENOMEM:
      case EAGAIN:
        return {Code::resource_exhausted, ""};
      default:
        return {Code::internal, ""};
    }
  }();
  return fail(status, "{}: {}{}", what, mdb_strerror(code), advice);
}

std::string volume_path(const std::string& folder, Position first) { return folder + "/" + volume_name(first); }

Result<std::vector<Position>> list_volumes(const std::string& folder) {
  std::error_code error;
  std::vector<Position> volumes;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    Position first = 0;
    const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), first, 16);
    if (code == std::errc() && end == name.data() + name.size() && name == volume_name(first)) volumes.push_back(first);
  }
  if (error) return lmdb_failed(error.value(), fmt::format("looking for the journal in {}", folder));
  std::sort(volumes.begin(), volumes.end());
  return volumes;
}

Result<void> sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failed("opening", folder);
  const int code = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (code != 0) return lmdb_failed(code, fmt::format("syncing {}", folder));
  return {};
}

Result<void> make_volume(const std::string& folder, Position first, size_t map_bytes) {
  const std::string path = fmt::format("{}/{}{}", folder, new_prefix, volume_name(first));
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  if (mkdir(path.c_str(), 0700) != 0) return system_failed("making", path);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  {
    const OwnEnvironment env = TRY(open_environment(path, (map_bytes + page - 1) / page * page));
    TRY(open_database(env.get(), 0, MDB_CREATE | MDB_INTEGERKEY));
  }
  TRY_VOID(sync_folder(path));
  if (rename(path.c_str(), volume_path(folder, first).c_str()) != 0) return system_failed("renaming", path);
  return sync_folder(folder);
}

Result<void> remove_volume(const std::string& folder, Position first) {
  const std::string path = fmt::format("{}/{}{}", folder, old_prefix, volume_name(first));
  if (rename(volume_path(folder, first).c_str(), path.c_str()) != 0) return system_failed("removing", volume_path(folder, first));
  TRY_VOID(sync_folder(folder));
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return lmdb_failed(error.value(), fmt::format("deleting {}", path));
  return {};
}

void sweep_volumes(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> left;
  for (std::filesystem::directory_iterator entry(folder, error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error))
    if (const std::string name = entry->path().filename(); name.starts_with(new_prefix) || name.starts_with(old_prefix))
      left.push_back(entry->path());
  for (const auto& path : left) std::filesystem::remove_all(path, error);
}

// A file is known by device and inode, whatever path leads to it; an environment inherited by a fork is not ours.
struct Volume::Environment {
  using Id = std::tuple<pid_t, dev_t, ino_t>;
  Id id;
  OwnEnvironment env;
  MDB_dbi dbi = 0;
  size_t page_bytes = 0;
  size_t users = 0;
};

struct Volume::Registry {
  std::mutex mutex;
  std::map<Environment::Id, std::unique_ptr<Environment>> environments;

  static Registry& get() {
    static Registry* const registry = new Registry;  // Never destroyed: a static reader may outlive it.
    return *registry;
  }

  static Result<Environment::Id> id_of(const std::string& path) {
    struct stat file {};
    const std::string data = path + "/data.mdb";
    if (stat(data.c_str(), &file) != 0) return lmdb_failed(errno, fmt::format("looking for {}", data));
    return Environment::Id(getpid(), file.st_dev, file.st_ino);
  }
};

Result<std::unique_ptr<Volume>> Volume::open(const std::string& folder, Position first) {
  Registry& registry = Registry::get();
  const std::lock_guard lock(registry.mutex);
  std::string path = volume_path(folder, first);
  const Environment::Id id = TRY(Registry::id_of(path));
  std::unique_ptr<Environment>& environment = registry.environments[id];
  if (!environment) {
    auto made = std::make_unique<Environment>();
    made->id = id;
    auto env = open_environment(path, 0);
    auto dbi = env.and_then([](const OwnEnvironment& opened) { return open_database(opened.get(), MDB_RDONLY, 0); });
    if (!dbi) {
      registry.environments.erase(id);
      return tl::unexpected(dbi.error());
    }
    made->env = std::move(*env);
    made->dbi = *dbi;
    MDB_stat stat{};
    mdb_env_stat(made->env.get(), &stat);
    made->page_bytes = stat.ms_psize;
    environment = std::move(made);
  }
  environment->users += 1;
  return std::unique_ptr<Volume>(new Volume(environment.get(), std::move(path), first));
}

Volume::~Volume() {
  Registry& registry = Registry::get();
  if (std::get<pid_t>(environment_->id) != getpid()) return;
  const std::lock_guard lock(registry.mutex);
  // Closed under the lock, so that nobody opens the file again before its locks are gone.
  if (--environment_->users == 0) registry.environments.erase(environment_->id);
}

MDB_env* Volume::env() const { return environment_->env.get(); }
MDB_dbi Volume::dbi() const { return environment_->dbi; }

bool Volume::is_there() const {
  const auto id = Registry::id_of(path_);
  return id && *id == environment_->id;
}

size_t Volume::used_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env(), &info);
  return (info.me_last_pgno + 1) * environment_->page_bytes;
}

Result<Position> Volume::next() const {
  VolumeCursor cursor(*this);
  return TRY(cursor.find_last()) ? cursor.position() + 1 : first_;
}

VolumeCursor::VolumeCursor(const Volume& volume) {
  failed_ = mdb_txn_begin(volume.env(), nullptr, MDB_RDONLY, &transaction_);
  if (failed_ == MDB_SUCCESS) failed_ = mdb_cursor_open(transaction_, volume.dbi(), &cursor_);
}

VolumeCursor::~VolumeCursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
}

Result<bool> VolumeCursor::get(MDB_cursor_op operation) {
  if (failed_ != MDB_SUCCESS) return lmdb_failed(failed_, "reading the journal");
  MDB_val key{sizeof position_, &position_};
  const int code = mdb_cursor_get(cursor_, &key, &value_, operation);
  if (code == MDB_NOTFOUND) return false;
  if (code != MDB_SUCCESS) return lmdb_failed(code, "reading the journal");
  if (key.mv_size != sizeof position_) return fail(Code::data_loss, "the journal holds a key of {} bytes", key.mv_size);
  position_ = load<Position>(static_cast<const char*>(key.mv_data));
  return true;
}

Result<bool> VolumeCursor::find(Position position) {
  position_ = position;
  return get(MDB_SET_RANGE);
}
Result<bool> VolumeCursor::step() { return get(MDB_NEXT); }
Result<bool> VolumeCursor::find_last() { return get(MDB_LAST); }

}  // namespace xundian
