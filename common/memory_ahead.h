// Memory that a service will grow into, taken from the system before it is needed. The first touch of a page costs the system's
// clearing it, and on a virtual machine the host's finding it: 4-10 µs for each 4 KB were seen, 5 ms at once for a large page,
// while a fact waits.
#pragma once

#include <cstddef>
#include <thread>

namespace xundian {

// Lets the heap grow by so much at a time, and touches what it has grown by in a thread that rests between. What is freed
// stays with the process. Make one before anything large is allocated; it holds for the main thread's memory.
class MemoryAhead {
 public:
  explicit MemoryAhead(size_t bytes);  // 0: all stays as the C library has it.

 private:
  std::jthread thread_;
};

}  // namespace xundian
