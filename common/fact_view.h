// A fact as it lies in a batch: read in place, decoded only as far as a fold asks.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/bytes.h"
#include "common/error.h"
#include "common/hash.h"
#include "common/version.h"
#include "xundian/facts/v1/fact.pb.h"

namespace xundian {

namespace v1 = facts::v1;

// A fact's kind: its field number in Fact's oneof. Fact::FactCase has the names (v1::Fact::kOrderState).
using Kind = uint16_t;
using Offset = uint64_t;    // Counts the facts of a partition.
using Position = uint64_t;  // Counts the group commits of a journal.
using Partition = uint16_t;

// The field number, in every state message, of `withdrawn`; and, in OrderState, of `lines`.
inline constexpr uint32_t withdrawn_aspect = 31;
inline constexpr uint32_t lines_aspect = 16;

// What stands before the bytes of a fact. Behind it: a digest (8 bytes) for each bit set in `aspects` but that of the lines, from
// the lowest; then for each line its id's hash and its digest (16 bytes); then `body_bytes` bytes, a serialized v1::Fact.
struct FactHead {
  uint32_t body_bytes = 0;
  Kind kind = 0;
  uint16_t line_count = 0;
  uint32_t aspects = 0;  // Bit n: the aspect whose field number is n is stated.
  uint32_t reserved = 0;
  uint64_t store = 0;  // hash64 of the store's id; 0 = no store.
  Key key;             // thing_key(kind, store id, key).
  uint64_t rank = 0;   // See Version.
  Millis occurred_ms = 0;
  uint64_t cause = 0;  // See Fact.cause.
};
static_assert(sizeof(FactHead) == 64 && std::is_trivially_copyable_v<FactHead>);

// The name of a thing, the same wherever it is computed.
Key thing_key(Kind kind, std::string_view store, std::string_view key);
uint64_t store_hash(std::string_view store);

// Points into bytes that somebody else keeps.
class FactView {
 public:
  FactView() = default;
  // `frame` is one whole frame, as split_frame gave it. `time_ms` is the time at which it is folded.
  FactView(std::string_view frame, Offset offset, Millis time_ms);

  const FactHead& head() const { return head_; }
  Kind kind() const { return head_.kind; }
  const Key& key() const { return head_.key; }
  uint64_t store() const { return head_.store; }
  Offset offset() const { return offset_; }
  // The record's time: monotone in a partition; what a fold calls now.
  Millis time_ms() const { return time_ms_; }
  // When it happened, by the source's word.
  Millis occurred_ms() const { return head_.occurred_ms; }

  bool states(uint32_t aspect) const { return head_.aspects >> aspect & 1; }
  bool withdrawn() const { return states(withdrawn_aspect); }
  // The version of a stated aspect; not of the lines.
  Version version(uint32_t aspect) const {
    const uint32_t lower = head_.aspects & ~(1u << lines_aspect) & ((1u << aspect) - 1);
    return {head_.rank, load<uint64_t>(digests_ + 8 * std::popcount(lower))};
  }
  uint32_t line_count() const { return head_.line_count; }
  uint64_t line_id(uint32_t index) const { return load<uint64_t>(lines_ + 16 * index); }
  Version line_version(uint32_t index) const { return {head_.rank, load<uint64_t>(lines_ + 16 * index + 8)}; }

  // The serialized v1::Fact.
  std::string_view body() const { return body_; }
  // The serialized state message inside it (an OrderState, …); empty if the body is broken.
  std::string_view payload() const;
  // Texts of the envelope, found by a scan of the body.
  std::string_view store_id() const;
  std::string_view key_text() const;
  std::string_view source() const;
  uint64_t import_id() const;

  // Decodes the state message. False: the bytes are not such a message.
  template <typename Message>
  bool parse(Message& message) const {
    const std::string_view bytes = payload();
    return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  }
  bool parse_fact(v1::Fact& fact) const { return fact.ParseFromArray(body_.data(), static_cast<int>(body_.size())); }

 private:
  FactHead head_;
  const char* digests_ = nullptr;
  const char* lines_ = nullptr;
  std::string_view body_;
  Offset offset_ = 0;
  Millis time_ms_ = 0;
};

// Appends the frame of a fact. Tenant and group are left out: the batch names them. Fails on a fact without a state, a state
// without an aspect, or one too large.
Result<void> append_frame(std::string& frames, const v1::Fact& fact);

// Takes the first whole frame off `frames`; fails if it does not hold together. It looks at lengths alone.
Result<std::string_view> split_frame(std::string_view& frames);

inline constexpr size_t frame_bytes_max = 4u << 20;

// A varint of any length, and where it ends; null: it is broken. A function of its own and of values alone, so that a scan stays
// in registers.
struct LongVarint {
  const char* end = nullptr;
  uint64_t value = 0;
};
LongVarint read_long_varint(const char* at, const char* end);

// Walks over the fields of a serialized message, without building it.
class FieldScan {
 public:
  explicit FieldScan(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  // Goes to the next field; false at the end or where the bytes are broken (then `ok()` is false).
  [[gnu::always_inline]] bool next() {
    if (at_ == end_) return false;
    uint64_t tag = 0;
    if (!take_varint(tag)) return false;
    if (tag < 8 || tag > UINT32_MAX) return ok_ = false;  // There is no field 0, and none beyond 2^29.
    field_ = static_cast<uint32_t>(tag >> 3);
    value_ = {};
    switch (tag & 7) {
      case 0:  // A varint.
        return take_varint(number_);
      case 1:
        return take_fixed<uint64_t>();
      case 2: {  // A length, and as many bytes.
        number_ = 0;
        uint64_t length = 0;
        if (!take_varint(length)) return false;
        if (length > static_cast<uint64_t>(end_ - at_)) return ok_ = false;
        value_ = {at_, static_cast<size_t>(length)};
        at_ += length;
        return true;
      }
      case 5:
        return take_fixed<uint32_t>();
      default:
        return ok_ = false;
    }
  }
  uint32_t field() const { return field_; }
  // A varint's, fixed64's or fixed32's value.
  uint64_t number() const { return number_; }
  // A sint64's value.
  int64_t zigzag() const { return static_cast<int64_t>(number_ >> 1) ^ -static_cast<int64_t>(number_ & 1); }
  // The bytes of a text or sub-message.
  std::string_view bytes() const { return value_; }
  bool ok() const { return ok_; }

 private:
  // Nearly all tags and lengths are of one byte.
  bool take_varint(uint64_t& value) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 128) {
      value = static_cast<uint8_t>(*at_++);
      return true;
    }
    const LongVarint number = read_long_varint(at_, end_);
    if (number.end == nullptr) return ok_ = false;
    at_ = number.end;
    value = number.value;
    return true;
  }
  template <typename Number>
  bool take_fixed() {
    if (static_cast<size_t>(end_ - at_) < sizeof(Number)) return ok_ = false;
    value_ = {at_, sizeof(Number)};
    number_ = load<Number>(at_);
    at_ += sizeof(Number);
    return true;
  }

  const char* at_;
  const char* end_;
  uint32_t field_ = 0;
  uint64_t number_ = 0;
  std::string_view value_;
  bool ok_ = true;
};

// Walks over a whole message; `take(scan)` sees each of its fields. False: the bytes are broken.
template <typename Take>
bool walk_fields(std::string_view message, Take&& take) {
  FieldScan scan(message);
  while (scan.next()) take(std::as_const(scan));
  return scan.ok();
}

}  // namespace xundian
