#include "common/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "common/lmdb_volume.h"
#include "common/mutant.h"

namespace xundian {

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

Result<void> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return lmdb_failed(errno, fmt::format("opening {}", path));
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0 && !mutant("no_lock")) {
    if (errno != EWOULDBLOCK) return lmdb_failed(errno, fmt::format("locking {}", path));
    return fail(Code::failed_precondition, "the journal {} is being written by process {}; stop it first", folder, holder());
  }
  const std::string id = fmt::format("{}\n", getpid());
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    return lmdb_failed(errno, fmt::format("writing {}", path));
  return {};
}

std::string FolderLock::holder() const {
  char text[24] = {};
  const ssize_t bytes = pread(fd_, text, sizeof text, 0);
  pid_t id = 0;
  if (bytes <= 0 || std::from_chars(text, text + bytes, id).ec != std::errc()) return "(unknown)";
  return std::to_string(id);
}

namespace {

Result<void> check_local(const std::string& folder) {
  struct statfs disk {};
  if (statfs(folder.c_str(), &disk) != 0) return lmdb_failed(errno, fmt::format("looking at {}", folder));
  constexpr uint32_t nfs = 0x6969, smb = 0x517b, smb2 = 0xfe534d42, cifs = 0xff534d42, ceph = 0x00c36400, v9fs = 0x01021997;
  for (const uint32_t network : {nfs, smb, smb2, cifs, ceph, v9fs})
    if (static_cast<uint32_t>(disk.f_type) == network)
      return fail(Code::failed_precondition, "{} lies on a network disk; put the journal on a local one", folder);
  return {};
}

}  // namespace

Result<void> make_journal_folder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) == 0) {
    const auto parent = std::filesystem::path(folder).lexically_normal().parent_path();
    TRY_VOID(sync_folder(parent.empty() ? "." : parent.string()));
  } else if (errno != EEXIST) {
    return lmdb_failed(errno, fmt::format("making {}", folder));
  }
  return check_local(folder);
}

}  // namespace xundian
