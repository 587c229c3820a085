// Errors as values: Result<T>, Error, TRY, and CHECK for what must never happen.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace xundian {

// The numbers are gRPC's status codes, so that mapping one to the other is a cast.
enum class Code : int {
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// What went wrong: a sentence that says what, where and what to do.
struct Error {
  Code code = Code::unknown;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

// Makes the error side of a Result: `return fail(Code::not_found, "no store {}", id);`.
template <typename... Args>
tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

// Ends the process, saying where an invariant was broken. A restart recovers from the journal.
[[noreturn]] void check_failed(const char* expression, const char* file, int line, std::string_view message);

}  // namespace xundian

// The value of a Result, or return its error from the function.
#define TRY(expression)                                                                      \
  (__extension__({                                                                           \
    auto try_result = (expression);                                                          \
    if (!try_result) return tl::unexpected<::xundian::Error>(std::move(try_result.error())); \
    std::move(*try_result);                                                                  \
  }))

// The same for a Result<void>.
#define TRY_VOID(expression)                                                                           \
  do {                                                                                                 \
    auto try_void_result = (expression);                                                               \
    if (!try_void_result) return tl::unexpected<::xundian::Error>(std::move(try_void_result.error())); \
  } while (false)

// An invariant; holds in release builds too.
#define CHECK(expression, message)                                                        \
  do {                                                                                    \
    if (!(expression)) ::xundian::check_failed(#expression, __FILE__, __LINE__, message); \
  } while (false)
