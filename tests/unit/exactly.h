// Bytes at whose end their memory ends.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>

namespace xundian {

// Exactly as long as the bytes, so that a sanitizer sees a read behind them.
inline std::unique_ptr<char[]> exactly(std::string_view bytes) {
  auto copy = std::make_unique<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return copy;
}

}  // namespace xundian
