#include "tests/bench/machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr size_t syncs = 200, sync_bytes = 4096;
constexpr int64_t held_up_ns = 10'000'000;
constexpr double held_bytes_of_second = 1.2e9;  // About what a leg comes to take for each second of its facts.

// What stands behind `name` in a file of lines like "model name : Xeon".
std::string line_of(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

double kilobytes_of(std::string_view name) { return std::strtod(line_of("/proc/meminfo", name).c_str(), nullptr) * 1024; }

// The type of the longest mount point above a path.
std::string filesystem_of(const std::string& path) {
  std::ifstream mounts("/proc/mounts");
  std::string type;
  size_t longest = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, kind;
    words >> device >> point >> kind;
    const bool above = point == "/" || path == point || path.starts_with(point + "/");
    if (!above || point.size() < longest) continue;
    longest = point.size();
    type = kind;
  }
  return type;
}

// Memory that is in use as long as this lives, large pages where there are any.
class HeldMemory {
 public:
  explicit HeldMemory(double bytes) : bytes_(static_cast<size_t>(std::min(free_memory_bytes() / 3, bytes))) {
    if (at_ == MAP_FAILED) return;
    ::madvise(at_, bytes_, MADV_HUGEPAGE);
    ::madvise(at_, bytes_, MADV_POPULATE_WRITE);
  }
  ~HeldMemory() {
    if (at_ != MAP_FAILED) ::munmap(at_, bytes_);
  }
  HeldMemory(const HeldMemory&) = delete;
  HeldMemory& operator=(const HeldMemory&) = delete;

 private:
  const size_t bytes_;
  void* const at_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
};

// Small blocks that are appended to a file.
class SyncedBlocks {
 public:
  ~SyncedBlocks() { close(file_); }
  // Appends one and syncs it; how long both took.
  int64_t append_ns() {
    const int64_t before = now_ns();
    CHECK(write(file_, block_.data(), block_.size()) == static_cast<ssize_t>(block_.size()) && fdatasync(file_) == 0,
          "the disk takes it");
    return now_ns() - before;
  }

 private:
  TempFolder folder_;
  const int file_ = open((folder_.path() + "/block").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::string block_ = std::string(sync_bytes, 'x');
};

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.cpus = std::thread::hardware_concurrency();
  machine.model = line_of("/proc/cpuinfo", "model name");
  utsname name{};
  uname(&name);
  machine.kernel = fmt::format("{} {}", name.sysname, name.release);
  machine.memory_gb = kilobytes_of("MemTotal") / 1e9;
  TempFolder folder;
  machine.filesystem = filesystem_of(folder.path());
  return machine;
}

void measure_disk(std::vector<float>& sync_us) {
  SyncedBlocks blocks;
  for (size_t count = 0; count < syncs; ++count) sync_us.push_back(static_cast<float>(blocks.append_ns()) / 1000.0f);
}

void settle(double secs) {
  const HeldMemory memory(secs * held_bytes_of_second);
  SyncedBlocks blocks;
  const auto calm_ns = static_cast<int64_t>(secs * 1e9);
  const int64_t until = now_ns() + 6 * calm_ns;
  for (int64_t held_up = now_ns(); now_ns() < std::min(held_up + calm_ns, until) && !interrupted();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (blocks.append_ns() > held_up_ns) held_up = now_ns();
  }
}

int64_t memory_ahead_mb() {
  constexpr double mb = 1 << 20;
  return std::min<int64_t>(static_cast<int64_t>(kilobytes_of("MemTotal") / mb / 50), 512);
}

double free_memory_bytes() { return kilobytes_of("MemAvailable"); }

}  // namespace xundian::bench
