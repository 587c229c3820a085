#include "common/memory_ahead.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdlib>

#include "common/beside_loop.h"

namespace xundian {

namespace {

constexpr size_t step_bytes = 2u << 20;    // A large page.
constexpr int table_bytes_max = 32 << 20;  // What is larger is mapped by itself; the C library allows no more.
constexpr auto look = std::chrono::milliseconds(10);
constexpr int rest_of_steps = 3;  // As long as a step took, so often.

uintptr_t heap_end() { return reinterpret_cast<uintptr_t>(::sbrk(0)); }

// `from`: where the heap ended before it grew ahead. Each step holds the lock of all the process's memory, for which whoever maps
// or unmaps waits, so it is done at the priority of the others, and rests between: at the lowest a step that began would hold up
// the fold for as long as other processes want the processors.
void touch(const std::stop_token& stop, uintptr_t from) {
  for (uintptr_t next = from / step_bytes * step_bytes + step_bytes; !stop.stop_requested();) {
    if (heap_end() < next + step_bytes) {
      std::this_thread::sleep_for(look);
      continue;
    }
    const RestAfter rest(rest_of_steps);
    // What lies there is left as it is. Where the system does not know how, or has no memory left, nothing is lost but time.
    ::madvise(reinterpret_cast<void*>(next), step_bytes, MADV_POPULATE_WRITE);
    next += step_bytes;
  }
}

}  // namespace

MemoryAhead::MemoryAhead(size_t bytes) {
  if (bytes == 0) return;
  const uintptr_t end = heap_end();
  ::mallopt(M_MMAP_THRESHOLD, table_bytes_max);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::mallopt(M_TOP_PAD, static_cast<int>(std::min<size_t>(bytes, INT_MAX)));
  void* volatile grown = ::malloc(step_bytes);  // The heap grows now; volatile, or the compiler leaves the pair out.
  ::free(grown);
  const NoSignals none;
  thread_ = std::jthread([end](const std::stop_token& stop) { touch(stop, end); });
}

}  // namespace xundian
