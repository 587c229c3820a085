#include "services/gateway/position.h"

#include "common/bytes.h"
#include "common/hash.h"
#include "services/gateway/base64.h"

namespace xundian::gateway {

namespace {

constexpr uint8_t layout = 1;

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 128; value >>= 7) to += static_cast<char>(value | 128);
  to += static_cast<char>(value);
}

bool take_varint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return true;
  }
  return false;
}

}  // namespace

// Layout: u8 layout | u64 hash of the home | varint for each partition | u32 hash of all before.
std::string encode_position(std::string_view home, const Heads& heads) {
  std::string bytes;
  append(bytes, layout);
  append(bytes, hash64(home));
  for (const Offset head : heads) append_varint(bytes, head);
  append(bytes, static_cast<uint32_t>(hash64(bytes)));
  return to_base64(bytes);
}

Result<Heads> decode_position(std::string_view text, std::string_view home, uint32_t partitions) {
  const auto bad = [] {
    return fail(Code::invalid_argument, "the position is none that a stream gave; begin with \"now\" or \"beginning\"");
  };
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() < 13) return bad();
  std::string_view rest(*bytes);
  const auto check = load<uint32_t>(rest.data() + rest.size() - 4);
  rest.remove_suffix(4);
  if (check != static_cast<uint32_t>(hash64(rest)) || static_cast<uint8_t>(rest[0]) != layout) return bad();
  if (load<uint64_t>(rest.data() + 1) != hash64(home))
    return fail(Code::failed_precondition, "the position is another home's; begin with \"now\" or \"beginning\"");
  rest.remove_prefix(9);
  Heads heads(partitions);
  for (Offset& head : heads)
    if (!take_varint(rest, head)) return bad();
  if (!rest.empty()) return bad();
  return heads;
}

}  // namespace xundian::gateway
