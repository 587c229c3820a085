// The total order of what sources say of one aspect of one thing.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace xundian {

// Milliseconds since 1970-01-01T00:00:00Z.
using Millis = int64_t;

// Compared as (as_of, status rank, source rank, revision, digest of the aspect). Sixteen bytes; the zero version is older than
// anything said.
struct Version {
  uint64_t rank = 0;    // as_of_ms:44 | status_rank:8 | source_rank:8 | revision:4
  uint64_t digest = 0;  // XXH3-64 of the aspect's bytes; decides between two that are equal in all else.
  auto operator<=>(const Version&) const = default;
  bool operator==(const Version&) const = default;
  // The question that folds ask of every aspect.
  [[gnu::always_inline]] constexpr bool operator>(const Version& held) const {
    return rank != held.rank ? rank > held.rank : digest > held.digest;
  }
};

struct VersionParts {
  Millis as_of_ms = 0;
  uint32_t status_rank = 0;
  uint32_t source_rank = 0;
  uint32_t revision = 0;
};

inline constexpr Millis as_of_ms_max = (Millis{1} << 44) - 1;  // The year 2527.

// Times before 1970 count as 1970-01-01T00:00:00.001Z, so that whatever is said is newer than nothing.
constexpr uint64_t make_rank(const VersionParts& parts) {
  const auto as_of = static_cast<uint64_t>(std::clamp(parts.as_of_ms, Millis{1}, as_of_ms_max));
  return as_of << 20 | uint64_t{std::min(parts.status_rank, 255u)} << 12 | uint64_t{std::min(parts.source_rank, 255u)} << 4 |
         std::min(parts.revision, 15u);
}

constexpr VersionParts rank_parts(uint64_t rank) {
  return {static_cast<Millis>(rank >> 20), static_cast<uint32_t>(rank >> 12 & 255), static_cast<uint32_t>(rank >> 4 & 255),
          static_cast<uint32_t>(rank & 15)};
}

}  // namespace xundian
