#include "common/hash.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>

#include "common/bytes.h"

namespace xundian {

uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Key hash128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

Key hash128(std::initializer_list<std::string_view> pieces) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (const std::string_view piece : pieces) XXH3_128bits_update(&state, piece.data(), piece.size());
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return {hash.low64, hash.high64};
}

std::string to_hex(const Key& key) { return fmt::format("{:016x}{:016x}", key.high, key.low); }

std::optional<Key> from_hex(std::string_view text) {
  Key key;
  if (text.size() != 32) return std::nullopt;
  std::from_chars(text.data(), text.data() + 16, key.high, 16);
  std::from_chars(text.data() + 16, text.data() + 32, key.low, 16);
  return to_hex(key) == text ? std::optional(key) : std::nullopt;
}

void Fingerprint::add(std::string_view cell, std::string_view value) {
  std::string bytes;
  bytes.reserve(cell.size() + value.size() + sizeof(uint32_t));
  append_text(bytes, cell);
  bytes.append(value);
  const Key hash = hash128(bytes);
  sum_ += (static_cast<uint128>(hash.high) << 64) | hash.low;
}

void Fingerprint::add(const Fingerprint& other) { sum_ += other.sum_; }

std::string Fingerprint::hex() const { return to_hex({static_cast<uint64_t>(sum_), static_cast<uint64_t>(sum_ >> 64)}); }

}  // namespace xundian
