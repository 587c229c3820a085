#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/journal.h"
#include "common/lmdb_volume.h"

namespace xundian {

namespace {

Result<void> sync_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return lmdb_failed(errno, fmt::format("opening {}", path));
  const int code = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (code != 0) return lmdb_failed(code, fmt::format("syncing {}", path));
  return {};
}

Result<void> copy_volume(const Volume& volume, const std::string& to) {
  const std::string path = volume_path(to, volume.first());
  if (mkdir(path.c_str(), 0700) != 0) return lmdb_failed(errno, fmt::format("making {}", path));
  if (const int code = mdb_env_copy(volume.env(), path.c_str()); code != MDB_SUCCESS)
    return lmdb_failed(code, fmt::format("copying a volume to {}", path));
  TRY_VOID(sync_file(path + "/data.mdb"));
  return sync_folder(path);
}

// Copies what there is at the call; the last volume with what was appended to it while the others were copied.
Result<Position> copy_volumes(const std::string& from, const std::string& to) {
  Position next = 0;
  bool copied = false;
  for (const Position first : TRY(list_volumes(from))) {
    const auto volume = Volume::open(from, first);
    if (!volume && volume.error().code == Code::not_found && !copied) continue;  // Trimmed in the meantime.
    if (!volume) return tl::unexpected(volume.error());
    TRY_VOID(copy_volume(**volume, to));
    copied = true;
    const auto copy = TRY(Volume::open(to, first));
    next = TRY(copy->next());
  }
  TRY_VOID(sync_folder(to));
  return next;
}

}  // namespace

Result<Position> backup_lmdb(const std::string& from, const std::string& to) {
  std::error_code error;
  const auto target = std::filesystem::path(to).lexically_normal();
  const std::string folder = target.has_filename() ? target.string() : target.parent_path().string();
  if (std::filesystem::exists(folder, error)) return fail(Code::already_exists, "{} exists; name a folder that does not", folder);
  const std::string partial = folder + ".partial";
  std::filesystem::remove_all(partial, error);
  if (mkdir(partial.c_str(), 0700) != 0) return lmdb_failed(errno, fmt::format("making {}", partial));
  auto position = copy_volumes(from, partial);
  if (position && rename(partial.c_str(), folder.c_str()) != 0)
    position = lmdb_failed(errno, fmt::format("renaming {} to {}", partial, folder));
  if (!position) {
    std::filesystem::remove_all(partial, error);
    return position;
  }
  const auto parent = std::filesystem::path(folder).parent_path();
  TRY_VOID(sync_folder(parent.empty() ? "." : parent.string()));
  return position;
}

}  // namespace xundian
