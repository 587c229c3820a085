#include "common/snapshot.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "common/bytes.h"
#include "common/hash.h"
#include "common/mutant.h"

namespace xundian {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t magic = 0x31504e5344584eull;  // "NXDSNP1"
constexpr size_t kept = 3;
constexpr size_t written_at_once = 4u << 20, written_gently = 256u << 10;
constexpr int rest_of_pieces = 2;  // As long as a piece took, so often.
constexpr int niceness = 19;

std::vector<fs::path> list(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".snapshot") files.push_back(entry.path());
  std::sort(files.rbegin(), files.rend());  // Names count up; the newest first.
  return files;
}

// What comes before the state.
std::string header_of(const Snapshot& snapshot) {
  std::string bytes;
  append(bytes, magic);
  append(bytes, snapshot.shape);
  append_text(bytes, snapshot.home);
  append(bytes, static_cast<uint32_t>(snapshot.positions.size()));
  for (const Position position : snapshot.positions) append(bytes, position);
  append(bytes, static_cast<uint64_t>(snapshot.state.size()));
  return bytes;
}

Result<Snapshot> decode(std::string_view bytes) {
  if (bytes.size() < sizeof(Key)) return fail(Code::data_loss, "it is empty");
  const std::string_view content = bytes.substr(0, bytes.size() - sizeof(Key));
  if (hash128(content) != load<Key>(content.data() + content.size()) && !mutant("trust_snapshots"))
    return fail(Code::data_loss, "its hash is wrong");
  ByteReader reader(content);
  Snapshot snapshot;
  if (reader.take<uint64_t>() != magic) return fail(Code::data_loss, "it is no snapshot");
  snapshot.shape = reader.take<uint64_t>();
  snapshot.home = reader.take_text();
  for (uint32_t left = reader.take<uint32_t>(); left > 0 && reader.ok(); --left)
    snapshot.positions.push_back(reader.take<Position>());
  snapshot.state = reader.take_bytes(reader.take<uint64_t>());
  if (!reader.ok()) return fail(Code::data_loss, "it is cut off");
  return snapshot;
}

// A file as memory; empty if it cannot be read. Snapshots are never written to again, only replaced.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file >= 0 && ::fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
      const auto size = static_cast<size_t>(about.st_size);
      void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
      if (mapped != MAP_FAILED) bytes_ = {static_cast<const char*>(mapped), size};
    }
    if (file >= 0) ::close(file);
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Little by little and, `gently`, with rests. Each piece is synced for good: what lies in a disk's own cache is written out by
// whoever syncs next, and that would be the journal.
bool write_bytes(int file, std::string_view bytes, bool gently) {
  while (!bytes.empty()) {
    const auto began = std::chrono::steady_clock::now();
    const ssize_t written = ::write(file, bytes.data(), std::min(bytes.size(), gently ? written_gently : written_at_once));
    if (written <= 0 || ::fdatasync(file) != 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
    if (gently) std::this_thread::sleep_for(rest_of_pieces * (std::chrono::steady_clock::now() - began));
  }
  return true;
}

// Over what the file holds.
Result<void> write_synced(const fs::path& path, std::initializer_list<std::string_view> pieces, bool gently) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::internal, "{}: {}", path.string(), std::strerror(errno));
  bool whole = true;
  off_t bytes = 0;
  for (const std::string_view piece : pieces) {
    whole = whole && write_bytes(file, piece, gently);
    bytes += static_cast<off_t>(piece.size());
  }
  whole = whole && ::ftruncate(file, bytes) == 0 && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!whole) return fail(Code::internal, "{}: {}", path.string(), std::strerror(error));
  return {};
}

void sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

}  // namespace

Result<void> write_snapshot(const std::string& folder, const Snapshot& snapshot, bool gently) {
  std::error_code error;
  fs::create_directories(folder, error);
  std::vector<fs::path> earlier = list(folder);
  const uint64_t number = earlier.empty() ? 1 : std::strtoull(earlier.front().stem().c_str(), nullptr, 16) + 1;
  const fs::path path = fs::path(folder) / fmt::format("{:016x}.snapshot", number);
  const bool in_place = mutant("non_atomic_snapshot") && !earlier.empty();
  const fs::path part = in_place ? earlier.front() : fs::path(folder) / "part";
  // The oldest becomes the next one's file: to remove a large one holds up the journal's syncs, where a file system tells the
  // disk of each block that it gives back, and disks work at it for seconds.
  if (earlier.size() >= kept && !in_place) fs::rename(earlier[kept - 1], part, error);
  const std::string header = header_of(snapshot);
  std::string hash;
  append(hash, hash128({header, snapshot.state}));
  TRY_VOID(write_synced(part, {header, snapshot.state, hash}, gently));
  fs::rename(part, path, error);
  if (error) return fail(Code::internal, "{}: {}", path.string(), error.message());
  sync_folder(folder);
  for (size_t index = kept; index < earlier.size(); ++index) fs::remove(earlier[index], error);
  return {};
}

SnapshotChild::~SnapshotChild() {
  if (child_ > 0) ::kill(child_, SIGKILL);
  ended(true);
}

bool SnapshotChild::start(const std::function<Result<void>()>& write, const std::string& turns, bool in_calm) {
  if (child_ > 0) return false;
  // The child has the lock from its parent, and the kernel gives it back when the child has ended.
  const int turn = turns.empty() ? -1 : ::open(turns.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (turn >= 0 && ::flock(turn, LOCK_EX | LOCK_NB) != 0) return ::close(turn), false;
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ != 0) {
    if (turn >= 0) ::close(turn);
    return child_ > 0;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Two must never write at once.
  if (::getppid() != parent) ::_exit(1);
  ::setpriority(PRIO_PROCESS, 0, niceness);
  // Whoever wakes takes the processor from such a one at once; from one that is merely nice after a slice of 3 ms.
  const sched_param none{};
  if (in_calm) ::sched_setscheduler(0, SCHED_IDLE, &none);
  ::_exit(write() ? 0 : 1);
}

std::optional<bool> SnapshotChild::ended(bool wait) {
  int status = 0;
  if (child_ <= 0 || ::waitpid(child_, &status, wait ? 0 : WNOHANG) == 0) return std::nullopt;
  child_ = 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::optional<Snapshot> read_snapshot(const std::string& folder, const std::string& home, uint64_t shape) {
  for (const fs::path& path : list(folder)) {
    const auto file = std::make_shared<const MappedFile>(path);
    auto snapshot = decode(file->bytes());
    if (snapshot && snapshot->home == home && snapshot->shape == shape) {
      snapshot->file = file;
      return std::move(*snapshot);
    }
    spdlog::warn("snapshot_passed_over file={} why=\"{}\"", path.filename().string(),
                 snapshot ? "it is of another home or another shape" : snapshot.error().message);
  }
  return std::nullopt;
}

}  // namespace xundian
