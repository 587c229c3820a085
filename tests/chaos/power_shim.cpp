// A disk that may lose power, put under a process by LD_PRELOAD. It notes every write below a folder, with what stood there
// before, until an fdatasync or fsync of that file, or until a write through O_DSYNC returns; and every name made or changed
// until its folder is synced. After the process was killed, power.py lets a part of what is noted survive and takes the rest
// back. It also fails, cuts short, slows down and kills where its driver says. Deleting a name is taken as durable at once; a
// link counts as a name made. What stdio writes is not seen.
#include "tests/chaos/power_shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace xundian::chaos {

namespace {

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

struct Watched {
  uint64_t file = 0;  // 0: this descriptor is not watched.
  bool folder = false;
  bool durable = false;  // O_DSYNC
};
constexpr int descriptors_max = 1024;

struct Shim {
  std::recursive_mutex mutex;
  std::string folder;
  Control* control = nullptr;
  Watched descriptors[descriptors_max];

  Shim() {
    const char* path = std::getenv("CHAOS_POWER");
    const char* below = std::getenv("CHAOS_FOLDER");
    if (path == nullptr || below == nullptr) return;
    folder = below;
    const int fd = real<int(const char*, int, ...)>("open")(path, O_RDWR | O_CLOEXEC);
    struct stat file {};
    if (fd < 0 || fstat(fd, &file) != 0) _exit(99);
    void* map = mmap(nullptr, static_cast<size_t>(file.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    real<int(int)>("close")(fd);
    if (map == MAP_FAILED || static_cast<Control*>(map)->magic != control_magic) _exit(99);
    control = static_cast<Control*>(map);
  }

  bool watches(const std::string& path) const {
    return control != nullptr && path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
  }
  Watched* find(int fd) {
    if (control == nullptr || fd < 0 || fd >= descriptors_max || descriptors[fd].file == 0) return nullptr;
    return &descriptors[fd];
  }

  static void die() {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  // Who asks for a fault may be late: the count that was wanted has passed meanwhile.
  static bool is_due(uint64_t count, uint64_t wanted) { return wanted != 0 && count >= wanted; }
  // Before an operation; true: the process dies when it is done.
  bool begin() {
    control->operations += 1;
    const bool now = is_due(control->operations, control->kill_at);
    if (now) control->kill_at = 0;
    if (now && control->kill_after == 0) die();
    return now;
  }

  char* records() { return reinterpret_cast<char*>(control) + records_at; }
  // Room for a record behind the last one. A kill may come between any two steps: it counts once it is whole (`keep`).
  Record* add(RecordType type, uint64_t file, size_t content_bytes) {
    const uint64_t size = (sizeof(Record) + content_bytes + 7) / 8 * 8;
    if (records_at + control->used + size > control->capacity) {
      control->overflow = 1;
      die();
    }
    auto* record = reinterpret_cast<Record*>(records() + control->used);
    *record = {static_cast<uint32_t>(size), type, file, 0, 0, 0};
    return record;
  }
  void keep(const Record* record) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    control->used += record->size;
  }
  // What is durable is forgotten; behind the last record that is not, the room is free again.
  void forget(uint64_t file, bool names) {
    uint64_t kept = 0;
    for (uint64_t at = 0; at < control->used;) {
      auto* record = reinterpret_cast<Record*>(records() + at);
      at += record->size;
      if (record->file == file && (record->type != RecordType::write) == names) record->type = RecordType::forgotten;
      if (record->type != RecordType::forgotten) kept = at;
    }
    control->used = kept;
  }

  void note_write(int fd, uint64_t file, uint64_t offset, uint64_t length) {
    struct stat now {};
    fstat(fd, &now);
    Record* record = add(RecordType::write, file, length);
    record->offset = offset;
    record->length = length;
    record->before = static_cast<uint64_t>(now.st_size);
    char* content = reinterpret_cast<char*>(record + 1);
    std::memset(content, 0, length);
    // The descriptor may be for writing alone.
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    const int reading = real<int(const char*, int, ...)>("open")(self.c_str(), O_RDONLY | O_CLOEXEC);
    if (reading < 0) die();
    [[maybe_unused]] const ssize_t got = pread(reading, content, length, static_cast<off_t>(offset));
    real<int(int)>("close")(reading);
    keep(record);
  }
  // `to` is empty where a name is made.
  void note_name(RecordType type, const std::string& path, const std::string& to) {
    const std::string& name = to.empty() ? path : to;
    const std::string parent = name.substr(0, name.rfind('/'));
    struct stat folder_file {};
    if (stat(parent.c_str(), &folder_file) != 0) return;
    const size_t bytes = path.size() + 1, to_bytes = to.empty() ? 0 : to.size() + 1;
    Record* record = add(type, folder_file.st_ino, bytes + to_bytes);
    char* content = reinterpret_cast<char*>(record + 1);
    std::memcpy(content, path.c_str(), bytes);
    std::memcpy(content + bytes, to.c_str(), to_bytes);
    keep(record);
  }

  // How much of a write may be done; -1: nothing, errno says why.
  ssize_t allowed(size_t length) {
    control->writes += 1;
    if (is_due(control->writes, control->short_write_at) && length > 1) {
      control->short_write_at = 0;
      control->injected += 1;
      return static_cast<ssize_t>(length / 2);
    }
    if (control->space != 0 && control->bytes + length > control->space) {
      control->injected += 1;
      const uint64_t left = control->space > control->bytes ? control->space - control->bytes : 0;
      if (left > 0) return static_cast<ssize_t>(left);
      errno = ENOSPC;
      return -1;
    }
    return static_cast<ssize_t>(length);
  }
};

Shim& shim() {
  static Shim* const only = new Shim;  // Never destroyed: threads may outlive main.
  return *only;
}

template <typename Write>
ssize_t write_watched(int fd, off_t offset, size_t length, Write&& write) {
  Shim& s = shim();
  const std::lock_guard lock(s.mutex);
  const Watched watched = s.descriptors[fd];
  const bool dies = s.begin();
  const ssize_t may = s.allowed(length);
  if (may < 0) return -1;
  s.note_write(fd, watched.file, static_cast<uint64_t>(offset), static_cast<uint64_t>(may));
  const ssize_t done = write(static_cast<size_t>(may));
  if (done > 0) s.control->bytes += static_cast<uint64_t>(done);
  if (dies) Shim::die();
  if (done >= 0 && watched.durable && (s.control->swallow_sync & swallow_durable_writes) == 0) s.forget(watched.file, false);
  return done;
}

int sync_watched(int fd, const char* name) {
  Shim& s = shim();
  const auto sync = real<int(int)>(name);
  const std::lock_guard lock(s.mutex);
  const Watched watched = s.descriptors[fd];
  const bool dies = s.begin();
  s.control->syncs += 1;
  if (s.control->sync_delay_us != 0) usleep(static_cast<useconds_t>(s.control->sync_delay_us));
  if (Shim::is_due(s.control->syncs, s.control->fail_sync_at)) {
    s.control->fail_sync_at = 0;
    s.control->injected += 1;
    errno = EIO;
    return -1;
  }
  int code = 0;
  if ((s.control->swallow_sync & swallow_syncs) == 0) {
    code = sync(fd);
    if (code == 0) s.forget(watched.file, watched.folder);
  }
  if (dies) Shim::die();
  return code;
}

// As seen from the root.
std::string whole_path(const char* path) {
  char here[PATH_MAX];
  if (path == nullptr) return "";
  return path[0] == '/' || getcwd(here, sizeof here) == nullptr ? path : std::string(here) + "/" + path;
}

int open_watched(const char* name, const char* path, int flags, mode_t mode) {
  Shim& s = shim();
  const auto open_real = real<int(const char*, int, ...)>(name);
  const std::string whole = whole_path(path);
  if (!s.watches(whole)) return open_real(path, flags, mode);
  const std::lock_guard lock(s.mutex);
  const bool makes = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  const bool dies = makes && s.begin();
  const int fd = open_real(path, flags, mode);
  struct stat file {};
  if (fd < 0 || fd >= descriptors_max || fstat(fd, &file) != 0) return fd;
  if (S_ISREG(file.st_mode) || S_ISDIR(file.st_mode))
    s.descriptors[fd] = {file.st_ino, S_ISDIR(file.st_mode), (flags & O_DSYNC) != 0};
  if (makes) s.note_name(RecordType::create, whole, "");
  if (dies) Shim::die();
  return fd;
}

template <typename Change>
int change_name(RecordType type, const char* path, const char* to, Change&& change) {
  Shim& s = shim();
  const std::string whole = whole_path(path);
  if (!s.watches(whole)) return change();
  const std::lock_guard lock(s.mutex);
  const bool dies = s.begin();
  const int code = change();
  if (code == 0) s.note_name(type, whole, whole_path(to));
  if (dies) Shim::die();
  return code;
}

}  // namespace

}  // namespace xundian::chaos

using namespace xundian::chaos;

extern "C" {

#define XUNDIAN_OPEN(name)                                                \
  int name(const char* path, int flags, ...) {                            \
    va_list arguments;                                                    \
    va_start(arguments, flags);                                           \
    const mode_t mode = static_cast<mode_t>(va_arg(arguments, unsigned)); \
    va_end(arguments);                                                    \
    return open_watched(#name, path, flags, mode);                        \
  }
XUNDIAN_OPEN(open)
XUNDIAN_OPEN(open64)
#undef XUNDIAN_OPEN

int close(int fd) {
  Shim& s = shim();
  const std::lock_guard lock(s.mutex);
  if (Watched* watched = s.find(fd)) *watched = {};
  return real<int(int)>("close")(fd);
}

ssize_t pwrite(int fd, const void* bytes, size_t length, off_t offset) {
  const auto write_real = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (shim().find(fd) == nullptr) return write_real(fd, bytes, length, offset);
  return write_watched(fd, offset, length, [&](size_t may) { return write_real(fd, bytes, may, offset); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t length, off_t offset) { return pwrite(fd, bytes, length, offset); }

ssize_t write(int fd, const void* bytes, size_t length) {
  const auto write_real = real<ssize_t(int, const void*, size_t)>("write");
  if (shim().find(fd) == nullptr) return write_real(fd, bytes, length);
  struct stat now {};
  const bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0 && fstat(fd, &now) == 0;
  return write_watched(fd, appends ? now.st_size : lseek(fd, 0, SEEK_CUR), length,
                       [&](size_t may) { return write_real(fd, bytes, may); });
}

ssize_t writev(int fd, const iovec* parts, int count) {
  if (shim().find(fd) == nullptr) return real<ssize_t(int, const iovec*, int)>("writev")(fd, parts, count);
  std::string bytes;
  for (int part = 0; part < count; ++part) bytes.append(static_cast<const char*>(parts[part].iov_base), parts[part].iov_len);
  return write(fd, bytes.data(), bytes.size());
}

ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  if (shim().find(fd) == nullptr) return real<ssize_t(int, const iovec*, int, off_t)>("pwritev")(fd, parts, count, offset);
  std::string bytes;
  for (int part = 0; part < count; ++part) bytes.append(static_cast<const char*>(parts[part].iov_base), parts[part].iov_len);
  return pwrite(fd, bytes.data(), bytes.size(), offset);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }

int fdatasync(int fd) { return shim().find(fd) == nullptr ? real<int(int)>("fdatasync")(fd) : sync_watched(fd, "fdatasync"); }
int fsync(int fd) { return shim().find(fd) == nullptr ? real<int(int)>("fsync")(fd) : sync_watched(fd, "fsync"); }

int mkdir(const char* path, mode_t mode) {
  return change_name(RecordType::create, path, nullptr, [&] { return real<int(const char*, mode_t)>("mkdir")(path, mode); });
}
int rename(const char* from, const char* to) {
  return change_name(RecordType::rename, from, to, [&] { return real<int(const char*, const char*)>("rename")(from, to); });
}
int link(const char* from, const char* to) {
  return change_name(RecordType::create, to, nullptr, [&] { return real<int(const char*, const char*)>("link")(from, to); });
}

}  // extern "C"
