// Asking memory for what is looked at a little later.
#pragma once

namespace xundian {

// The line of memory that `at` lies in, to be read or written. A function that does nothing but __builtin_prefetch is to GCC one
// without effect, and its calls are left out; the empty assembler tells it otherwise.
[[gnu::always_inline]] inline void prefetch_line(const void* at) {
  __builtin_prefetch(at);
  asm volatile("" : : "r"(at));
}

}  // namespace xundian
