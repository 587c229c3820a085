#include "common/large_pages.h"

#include <linux/mman.h>
#include <sys/mman.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "common/beside_loop.h"

namespace xundian {

namespace {

constexpr uintptr_t page_bytes = 2u << 20;
constexpr int rest_of_pages = 3;  // As long as one took, so often.

// The first large page from there on.
uintptr_t aligned(uintptr_t from) { return (from + page_bytes - 1) / page_bytes * page_bytes; }

struct Range {
  uintptr_t from = 0, to = 0;
};

// Parts of memory of which a quarter or more lies in small pages, and that are meant to lie in large ones or do in part.
std::vector<Range> broken_ranges() {
  std::vector<Range> broken;
  std::ifstream parts("/proc/self/smaps");
  Range part;
  uint64_t anonymous_kb = 0, large_kb = 0;
  for (std::string line; std::getline(parts, line);) {
    const char* const text = line.c_str();
    if (Range next; std::sscanf(text, "%" SCNxPTR "-%" SCNxPTR " ", &next.from, &next.to) == 2)
      part = next;
    else if (std::sscanf(text, "Anonymous: %" SCNu64, &anonymous_kb) == 1 ||
             std::sscanf(text, "AnonHugePages: %" SCNu64, &large_kb) == 1)
      continue;
    else if (line.starts_with("VmFlags:") && large_kb < anonymous_kb / 4 * 3 && (large_kb > 0 || line.find(" hg") != line.npos))
      broken.push_back(part);  // The last line of each.
  }
  return broken;
}

// Memory for a large page that the host has at hand. A new one may have to be fetched from it, and while one is filled nobody
// else gets any memory of this process: milliseconds, in which a fold would wait. What is fetched and given back comes next.
class Fetched {
 public:
  Fetched() : room_(::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (room_ == MAP_FAILED) return;
    page_ = reinterpret_cast<char*>(aligned(reinterpret_cast<uintptr_t>(room_)));
    ::madvise(page_, page_bytes, MADV_HUGEPAGE);
  }
  ~Fetched() {
    if (room_ != MAP_FAILED) ::munmap(room_, 2 * page_bytes);
  }
  Fetched(const Fetched&) = delete;
  Fetched& operator=(const Fetched&) = delete;

  void next() {
    if (page_ == nullptr) return;
    *const_cast<volatile char*>(page_) = 0;
    ::madvise(page_, page_bytes, MADV_DONTNEED);
  }

 private:
  void* const room_;
  char* page_ = nullptr;
};

// Each step holds the lock of all the process's memory, so it is done at the priority of the others.
void mend_ranges(const std::stop_token& stop) {
  Fetched fetched;
  for (const Range& range : broken_ranges())
    for (uintptr_t page = aligned(range.from); page + page_bytes <= range.to; page += page_bytes) {
      if (stop.stop_requested()) return;
      const RestAfter rest(rest_of_pages);
      fetched.next();
      if (::madvise(reinterpret_cast<void*>(page), page_bytes, MADV_COLLAPSE) != 0 && errno == ENOMEM) return;
    }
}

}  // namespace

void LargePages::mend() {
  if (asked_.fetch_add(1) > 0) return;
  const NoSignals none;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    for (int begun = asked_; !stop.stop_requested(); begun = asked_) {
      mend_ranges(stop);
      if (asked_.compare_exchange_strong(begun, 0)) return;
    }
  });
}

}  // namespace xundian
