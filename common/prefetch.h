// Asking memory for what is looked at a little later.
#pragma once

#include <cstddef>

namespace xundian {

// The line of memory that `at` lies in, to be read or written. A function that does nothing but __builtin_prefetch is to GCC one
// without effect, and its calls are left out; the empty assembler tells it otherwise.
[[gnu::always_inline]] inline void prefetch_line(const void* at) {
  __builtin_prefetch(at);
  asm volatile("" : : "r"(at));
}

// All lines of memory that it lies in.
template <typename Thing>
[[gnu::always_inline]] inline void prefetch_whole(const Thing* thing) {
  constexpr size_t line_bytes = 64;
  const char* const at = reinterpret_cast<const char*>(thing);
  for (size_t offset = 0; offset < sizeof(Thing); offset += line_bytes) prefetch_line(at + offset);
  if constexpr (alignof(Thing) % line_bytes != 0) prefetch_line(at + sizeof(Thing) - 1);
}

}  // namespace xundian
