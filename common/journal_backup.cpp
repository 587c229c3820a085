#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <utility>

#include "common/journal.h"
#include "common/journal_archive.h"
#include "common/lmdb_volume.h"

namespace xundian {

namespace {

constexpr size_t copy_volume_bytes = 256u << 20;

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

// Fills a folder that appears whole or not at all.
Result<Position> fill_folder(const std::string& to, const std::function<Result<Position>(const std::string& partial)>& fill) {
  std::error_code error;
  const auto target = std::filesystem::path(to).lexically_normal();
  const std::string folder = target.has_filename() ? target.string() : target.parent_path().string();
  if (std::filesystem::exists(folder, error)) return fail(Code::already_exists, "{} exists; name a folder that does not", folder);
  const std::string partial = folder + ".partial";
  std::filesystem::remove_all(partial, error);
  if (mkdir(partial.c_str(), 0700) != 0) return lmdb_failed(errno, fmt::format("making {}", partial));
  auto position = fill(partial);
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

// A volume begins with a control batch, once the one before has taken its bytes.
Result<Position> copy_commits(JournalReader& reader, const std::string& to) {
  const JournalReader::Range range = TRY(reader.range());
  const auto archive = TRY(Archive::open(to, copy_volume_bytes));
  size_t volume_bytes = 0;
  Result<void> copied;
  const auto copy = [&](const CommitView& commit) {
    bool begins = false;
    copied = commit.for_each_batch(false, [&, first = true](const BatchView& batch) mutable {
      begins = begins || (std::exchange(first, false) && batch.is_control() && volume_bytes >= copy_volume_bytes);
    });
    const Archive::Item item{commit.position(), commit.bytes(), begins};
    if (copied) copied = archive->append({&item, 1});
    volume_bytes = (begins ? 0 : volume_bytes) + commit.bytes().size();
    return copied && commit.position() + 1 < range.next;
  };
  for (Position position = range.low; position < range.next;) {
    const Position before = position;
    position = TRY(reader.read(position, SIZE_MAX, copy));
    TRY_VOID(copied);
    if (position == before) return fail(Code::data_loss, "position {} of the journal cannot be read", position);
  }
  return range.next;
}

}  // namespace

Result<Position> backup_lmdb(const std::string& from, const std::string& to) {
  return fill_folder(to, [&](const std::string& partial) { return copy_volumes(from, partial); });
}

Result<Position> backup_through(JournalReader& reader, const std::string& to) {
  return fill_folder(to, [&](const std::string& partial) { return copy_commits(reader, partial); });
}

}  // namespace xundian
