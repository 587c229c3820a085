// Hashes that may be stored: XXH3, the same on every machine and in every release.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace xundian {

uint64_t hash64(std::string_view bytes);

// 128 bits that name a thing.
struct Key {
  uint64_t low = 0;
  uint64_t high = 0;
  auto operator<=>(const Key&) const = default;
  bool operator==(const Key&) const = default;
};

Key hash128(std::string_view bytes);
// The same as of all pieces in one.
Key hash128(std::initializer_list<std::string_view> pieces);

// The same as hash128, by the widest instructions that this processor has: nearly three times as fast for what is large and near.
Key hash128_wide(std::string_view bytes);

// 32 hexadecimal digits, the higher half first.
std::string to_hex(const Key& key);
// Back; absent: the text is not what to_hex gives of any key.
std::optional<Key> from_hex(std::string_view text);

// For hash tables: a Key is already well mixed.
struct KeyHash {
  size_t operator()(const Key& key) const { return static_cast<size_t>(key.low); }
};

__extension__ typedef unsigned __int128 uint128;

// The sum mod 2^128 of hashes over (cell, value): the same set of cells gives the same sum in any order.
class Fingerprint {
 public:
  void add(std::string_view cell, std::string_view value);
  void add(const Fingerprint& other);
  std::string hex() const;

 private:
  uint128 sum_ = 0;
};

}  // namespace xundian
