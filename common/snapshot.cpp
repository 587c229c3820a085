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
#include <cstring>
#include <filesystem>
#include <thread>

#include "common/beside_loop.h"
#include "common/bytes.h"
#include "common/hash.h"
#include "common/mutant.h"

namespace xundian {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t magic = 0x32504e5344584eull;  // "NXDSNP2"
constexpr size_t kept = 3;
constexpr size_t written_at_once = 4u << 20, written_gently = 256u << 10;
// Each has its hash; what is read a moment later is still near the processor.
constexpr size_t piece_bytes = 256u << 10;
static_assert(written_at_once % piece_bytes == 0);
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

std::string_view piece_of(std::string_view state, size_t piece) { return state.substr(piece * piece_bytes, piece_bytes); }

size_t pieces_of(size_t state_bytes) { return (state_bytes + piece_bytes - 1) / piece_bytes; }

// By the hashes of a state's pieces, one after the other.
class PieceCheck final : public ByteCheck {
 public:
  PieceCheck(std::string_view state, std::string_view hashes) : state_(state), hashes_(hashes) {}

  size_t right_from(const char* from, size_t count) const override {
    const auto begin = static_cast<size_t>(from - state_.data());
    size_t end = begin;
    for (size_t piece = begin / piece_bytes; end < begin + count && is_right(piece); ++piece)
      end = std::min((piece + 1) * piece_bytes, state_.size());
    return end - begin;
  }
  bool is_whole() const {
    for (size_t piece = 0; piece < pieces_of(state_.size()); ++piece)
      if (!is_right(piece)) return false;
    return true;
  }

 private:
  bool is_right(size_t piece) const {
    return hash128_wide(piece_of(state_, piece)) == xundian::load<Key>(hashes_.data() + piece * sizeof(Key)) ||
           mutant("trust_snapshots");
  }

  std::string_view state_, hashes_;
};

struct Decoded {
  Snapshot snapshot;
  std::string_view hashes;  // Of the state's pieces.
};

// The file but for its state, which is checked when it is read.
Result<Decoded> decode(std::string_view bytes) {
  ByteReader reader(bytes);
  Decoded decoded;
  Snapshot& snapshot = decoded.snapshot;
  if (reader.take<uint64_t>() != magic) return fail(Code::data_loss, "it is no snapshot");
  snapshot.shape = reader.take<uint64_t>();
  snapshot.home = reader.take_text();
  for (uint32_t left = reader.take<uint32_t>(); left > 0 && reader.ok(); --left)
    snapshot.positions.push_back(reader.take<Position>());
  const auto state_bytes = reader.take<uint64_t>();
  const std::string_view header = bytes.substr(0, bytes.size() - reader.left());
  snapshot.state = reader.take_bytes(state_bytes);
  decoded.hashes = reader.take_bytes(pieces_of(snapshot.state.size()) * sizeof(Key));
  const Key hash = reader.take<Key>();
  if (!reader.ok()) return fail(Code::data_loss, "it is cut off");
  if (!reader.empty() || hash128({header, decoded.hashes}) != hash) return fail(Code::data_loss, "its hash is wrong");
  return decoded;
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

// Of memory that is not looked at any more; what it lies in is the next to be used.
void give_back(std::string_view bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t from = (begin + page - 1) / page * page, to = (begin + bytes.size()) / page * page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

enum class After { keep, give_back };

bool write_bytes(int file, std::string_view bytes, After after = After::keep) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), std::min(bytes.size(), written_at_once));
    if (written <= 0 || ::fdatasync(file) != 0) return false;  // In memory there is nothing to sync.
    if (after == After::give_back) give_back(bytes.substr(0, static_cast<size_t>(written)));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// What a snapshot's file holds: a header, the state, the hashes of its pieces, and the hash of header and hashes. Of a state that
// is needed no more memory is given back meanwhile, so that it lies there once.
bool write_image(int file, const Snapshot& snapshot, After after) {
  const std::string header = header_of(snapshot);
  if (!write_bytes(file, header)) return false;
  std::string hashes;
  for (std::string_view left = snapshot.state; !left.empty(); left.remove_prefix(std::min(left.size(), written_at_once))) {
    const std::string_view part = left.substr(0, written_at_once);
    for (size_t piece = 0; piece < pieces_of(part.size()); ++piece) append(hashes, hash128_wide(piece_of(part, piece)));
    if (!write_bytes(file, part, after)) return false;
  }
  std::string hash;
  append(hash, hash128({header, hashes}));
  return write_bytes(file, hashes) && write_bytes(file, hash);
}

// Little by little and with rests. Each piece is synced for good: what lies in a disk's own cache is written out by whoever syncs
// next, and that would be the journal. What it lay in is the next one's memory: a host that has taken free memory back stops a
// processor for tens of milliseconds when it is touched anew.
bool copy_gently(int image, int file, const std::stop_token& stop) {
  std::vector<char> piece(written_gently);
  for (off_t at = 0; !stop.stop_requested();) {
    const RestAfter rest(rest_of_pieces);
    const ssize_t bytes = ::pread(image, piece.data(), piece.size(), at);
    if (bytes <= 0) return bytes == 0;
    if (!write_bytes(file, {piece.data(), static_cast<size_t>(bytes)})) return false;
    ::posix_fadvise(file, at, bytes, POSIX_FADV_DONTNEED);
    ::fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, bytes);
    at += bytes;
  }
  return false;
}

void sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

// Puts the next snapshot beside the earlier ones; `write` writes what it holds.
Result<void> put_beside(const std::string& folder, const std::function<bool(int file)>& write) {
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
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::internal, "{}: {}", part.string(), std::strerror(errno));
  const bool whole = write(file) && ::ftruncate(file, ::lseek(file, 0, SEEK_CUR)) == 0 && ::fsync(file) == 0;
  const int why = errno;
  ::close(file);
  if (!whole) return fail(Code::internal, "{}: {}", part.string(), std::strerror(why));
  fs::rename(part, path, error);
  if (error) return fail(Code::internal, "{}: {}", path.string(), error.message());
  sync_folder(folder);
  for (size_t index = kept; index < earlier.size(); ++index) fs::remove(earlier[index], error);
  return {};
}

void close_file(int& file) {
  if (file >= 0) ::close(file);
  file = -1;
}

}  // namespace

Result<void> write_snapshot(const std::string& folder, const Snapshot& snapshot) {
  return put_beside(folder, [&](int file) { return write_image(file, snapshot, After::keep); });
}

SnapshotWriter::~SnapshotWriter() {
  if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
  if (thread_.joinable()) thread_.request_stop(), thread_.join();
  end(false);
}

bool SnapshotWriter::start(const std::function<Snapshot()>& make, const std::string& turns, bool in_calm) {
  if (child_ > 0 || thread_.joinable()) return false;
  turn_ = turns.empty() ? -1 : ::open(turns.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (turn_ >= 0 && ::flock(turn_, LOCK_EX | LOCK_NB) != 0) return close_file(turn_), false;
  image_ = ::memfd_create("snapshot", MFD_CLOEXEC);
  const pid_t parent = ::getpid();
  child_ = image_ < 0 ? -1 : ::fork();
  if (child_ < 0) return child_ = 0, end(false), false;
  if (child_ > 0) return true;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  // Whoever wakes takes the processor from such a one at once; from one that is merely nice after a slice of 3 ms. Under a load
  // there is no rest for it to run in, and the longer it lives, the more is copied.
  const sched_param none{};
  if (in_calm) ::sched_setscheduler(0, SCHED_IDLE, &none);
  ::_exit(write_image(image_, make(), After::give_back) ? 0 : 1);
}

// It is not waited for: one that runs only where a processor rests may take a moment to end.
bool SnapshotWriter::give_up() {
  if (child_ == 0 || given_up_) return false;
  ::kill(child_, SIGKILL);
  return given_up_ = true;
}

std::optional<bool> SnapshotWriter::ended(bool wait) {
  if (child_ > 0) {
    int status = 0;
    if (::waitpid(child_, &status, wait ? 0 : WNOHANG) == 0) return std::nullopt;
    child_ = 0;
    given_up_ = false;
    large_pages_.mend();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return end(false);
    written_ = pending;
    const NoSignals none;
    thread_ = std::jthread([this, image = std::exchange(image_, -1)](const std::stop_token& stop) mutable {
      ::setpriority(PRIO_PROCESS, 0, niceness);  // Of this thread alone.
      const auto put = put_beside(folder_, [&](int file) { return copy_gently(image, file, stop); });
      close_file(image);
      if (!put && !stop.stop_requested()) spdlog::warn("snapshot_not_written why=\"{}\"", put.error().message);
      written_ = put.has_value();
    });
  }
  if (!thread_.joinable() || (written_ == pending && !wait)) return std::nullopt;
  thread_.join();
  return end(written_ == 1);
}

std::optional<bool> SnapshotWriter::end(bool written) {
  close_file(image_);
  if (turn_ >= 0) ::flock(turn_, LOCK_UN);  // By hand, for another child of this process may hold it open.
  close_file(turn_);
  return written;
}

Result<std::optional<std::vector<Position>>> load_snapshot(const std::string& folder, const std::string& home, uint64_t shape,
                                                           const LoadSnapshot& load) {
  const auto pass_over = [](const fs::path& path, std::string_view why) {
    spdlog::warn("snapshot_passed_over file={} why=\"{}\"", path.filename().string(), why);
  };
  for (const fs::path& path : list(folder)) {
    const MappedFile file(path);
    auto decoded = decode(file.bytes());
    if (!decoded) {
      pass_over(path, decoded.error().message);
      continue;
    }
    Snapshot& snapshot = decoded->snapshot;
    if (snapshot.home != home || snapshot.shape != shape) {
      pass_over(path, "it is of another home or another shape");
      continue;
    }
    const PieceCheck check(snapshot.state, decoded->hashes);
    if (load(snapshot.positions, ByteReader(snapshot.state, check))) return std::optional(std::move(snapshot.positions));
    if (check.is_whole()) return fail(Code::data_loss, "{} is whole but cannot be loaded", path.string());
    pass_over(path, "its hash is wrong");
  }
  return std::optional<std::vector<Position>>();
}

}  // namespace xundian
