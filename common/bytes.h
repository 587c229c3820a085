// Little-endian numbers in byte strings.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace xundian {

static_assert(std::endian::native == std::endian::little, "records are little-endian and read in place");

// Reads a number that need not be aligned.
template <typename T>
requires std::is_trivially_copyable_v<T> T load(const char* from) {
  if constexpr (std::is_same_v<T, bool>) return *from != 0;  // Any byte may come, and a bool is 0 or 1.
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
requires std::is_trivially_copyable_v<T>
void store(char* to, const T& value) { std::memcpy(to, &value, sizeof value); }

template <typename T>
requires std::is_trivially_copyable_v<T>
void append(std::string& to, const T& value) { to.append(reinterpret_cast<const char*>(&value), sizeof value); }

// Takes numbers and texts off a byte string from the front; after any failure `ok()` is false and all reads give zero.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    if (bytes_.size() < sizeof(T)) {
      ok_ = false;
      bytes_ = {};
      return T{};
    }
    const T value = load<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }

  std::string_view take_bytes(size_t count) {
    if (bytes_.size() < count) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  // A text as append_text wrote it.
  std::string_view take_text() { return take_bytes(take<uint32_t>()); }

  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
  // How many bytes are left; no count of things that follow can be more.
  size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

// A signed number as one that is small where it is, whatever its sign, and back: protobuf's zigzag.
constexpr uint64_t zigzag(int64_t number) {
  return static_cast<uint64_t>(number) << 1 ^ (0 - (static_cast<uint64_t>(number) >> 63));
}
constexpr int64_t unzigzag(uint64_t folded) { return static_cast<int64_t>(folded >> 1 ^ (0 - (folded & 1))); }

// A text preceded by its length.
inline void append_text(std::string& to, std::string_view text) {
  append(to, static_cast<uint32_t>(text.size()));
  to.append(text);
}

}  // namespace xundian
