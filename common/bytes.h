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

// Says of bytes whether they are what they were, a piece at a time.
class ByteCheck {
 public:
  virtual ~ByteCheck() = default;
  // How many bytes from there on are right: `count`, and what lies behind them in the same piece; fewer if some are wrong.
  virtual size_t right_from(const char* from, size_t count) const = 0;
};

// Takes numbers and texts off a byte string from the front; after any failure `ok()` is false and all reads give zero.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  // Bytes that are checked when they are come to: what is read a moment later is near the processor then. Wrong ones are not
  // read, which is a failure. `check` outlives the reader.
  ByteReader(std::string_view bytes, const ByteCheck& check)
      : bytes_(bytes.data(), 0), unchecked_(bytes.size()), check_(&check) {}

  template <typename T>
  T take() {
    if (!has(sizeof(T))) return fail(), T{};
    const T value = load<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }

  std::string_view take_bytes(size_t count) {
    if (!has(count)) return fail(), std::string_view();
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  // A text as append_text wrote it.
  std::string_view take_text() { return take_bytes(take<uint32_t>()); }

  // So many bytes to be read apart, in another thread if need be.
  ByteReader take_part(size_t count) {
    if (left() < count) return fail(), *this;
    ByteReader part = *this;
    part.bytes_ = bytes_.substr(0, count);
    part.unchecked_ = count - part.bytes_.size();
    bytes_ = {bytes_.data() + count, bytes_.size() - part.bytes_.size()};
    unchecked_ -= part.unchecked_;
    return part;
  }

  bool ok() const { return ok_; }
  bool empty() const { return left() == 0; }
  // How many bytes are left; no count of things that follow can be more.
  size_t left() const { return bytes_.size() + unchecked_; }

 private:
  bool has(size_t count) { return bytes_.size() >= count || (unchecked_ > 0 && check_on(count)); }
  bool check_on(size_t count) {
    if (left() < count) return false;
    const size_t right = check_->right_from(bytes_.data() + bytes_.size(), count - bytes_.size());
    const size_t taken = right < unchecked_ ? right : unchecked_;
    bytes_ = {bytes_.data(), bytes_.size() + taken};
    unchecked_ -= taken;
    return bytes_.size() >= count;
  }
  void fail() {
    ok_ = false;
    bytes_ = {};
    unchecked_ = 0;
  }

  std::string_view bytes_;  // What may be read.
  size_t unchecked_ = 0;    // Bytes behind it.
  const ByteCheck* check_ = nullptr;
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
