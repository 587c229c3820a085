// A fact as it lies in a batch: read in place, decoded only as far as a fold asks.
#pragma once

#include <bit>
#include <cstddef>
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
  uint32_t aspects = 0;     // Bit n: the aspect whose field number is n is stated.
  uint32_t payload_at = 0;  // Where in the body the state message begins, if it reaches to its end; 0: to be looked for.
  uint64_t store = 0;       // hash64 of the store's id; 0 = no store.
  Key key;                  // thing_key(kind, store id, key).
  uint64_t rank = 0;        // See Version.
  Millis occurred_ms = 0;
  uint64_t cause = 0;  // See Fact.cause.
};
static_assert(sizeof(FactHead) == 64 && std::is_trivially_copyable_v<FactHead>);

// The name of a thing, the same wherever it is computed.
Key thing_key(Kind kind, std::string_view store, std::string_view key);
uint64_t store_hash(std::string_view store);

// Points into bytes that somebody else keeps. Each field of the head is read where it lies: out of a copy that was just made a
// processor reads a key of sixteen bytes only once all that was written before has reached its memory, some 50 ns.
class FactView {
 public:
  FactView() = default;
  // `frame` is one whole frame, as split_frame gave it. `time_ms` is the time at which it is folded.
  FactView(std::string_view frame, Offset offset, Millis time_ms);

  Kind kind() const { return field<Kind>(offsetof(FactHead, kind)); }
  Key key() const { return field<Key>(offsetof(FactHead, key)); }
  uint64_t store() const { return field<uint64_t>(offsetof(FactHead, store)); }
  // Of all that it states, see Version.
  uint64_t rank() const { return field<uint64_t>(offsetof(FactHead, rank)); }
  // Bit n: the aspect whose field number is n is stated.
  uint32_t aspects() const { return field<uint32_t>(offsetof(FactHead, aspects)); }
  Offset offset() const { return offset_; }
  // The record's time: monotone in a partition; what a fold calls now.
  Millis time_ms() const { return time_ms_; }
  // When it happened, by the source's word.
  Millis occurred_ms() const { return field<Millis>(offsetof(FactHead, occurred_ms)); }
  // The offset of the fact that it answers, and one; see Fact.cause.
  uint64_t cause() const { return field<uint64_t>(offsetof(FactHead, cause)); }

  bool states(uint32_t aspect) const { return aspects() >> aspect & 1; }
  bool withdrawn() const { return states(withdrawn_aspect); }
  // The version of a stated aspect; not of the lines.
  Version version(uint32_t aspect) const {
    const uint32_t lower = aspects() & ~(1u << lines_aspect) & ((1u << aspect) - 1);
    return {rank(), load<uint64_t>(frame_ + sizeof(FactHead) + 8 * std::popcount(lower))};
  }
  uint32_t line_count() const { return field<uint16_t>(offsetof(FactHead, line_count)); }
  uint64_t line_id(uint32_t index) const { return load<uint64_t>(lines_ + 16 * index); }
  Version line_version(uint32_t index) const { return {rank(), load<uint64_t>(lines_ + 16 * index + 8)}; }

  // The digests of its aspects and the ids and digests of its lines, as they lie behind the head.
  std::string_view stated() const {
    const char* const digests = frame_ + sizeof(FactHead);
    return {digests, static_cast<size_t>(lines_ - digests) + 16 * size_t{line_count()}};
  }
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
  template <typename Field>
  Field field(size_t at) const {
    return load<Field>(frame_ + at);
  }

  static constexpr char no_frame[sizeof(FactHead)] = {};

  const char* frame_ = no_frame;
  const char* lines_ = no_frame;
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

// A varint of any length, and where it ends; null: it is broken. Functions of their own and of values alone, so that a scan stays
// in registers.
struct LongVarint {
  const char* end = nullptr;
  uint64_t value = 0;
};
LongVarint read_long_varint(const char* at, const char* end);
// Writes one, and gives where it ends.
char* put_varint(char* at, uint64_t value);
inline constexpr size_t varint_bytes_max = 10;

// The sevens of bits of eight bytes that hold a varint, pushed together; what stands behind it is left out.
inline uint64_t varint_of(uint64_t word) {
  const uint64_t ends = ~word & 0x8080808080808080;
  word &= (ends ^ (ends - 1)) & 0x7f7f7f7f7f7f7f7f;  // All, if none ends.
  word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
  word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
  return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
}
// Behind the value of a field; null: it is broken.
const char* skip_field(const char* at, const char* end, uint32_t tag);

// A field's tag on the wire: its number and how its value lies there.
constexpr uint32_t varint_tag(uint32_t field) { return field << 3; }
constexpr uint32_t fixed64_tag(uint32_t field) { return field << 3 | 1; }
constexpr uint32_t bytes_tag(uint32_t field) { return field << 3 | 2; }

// Reads a serialized message tag by tag, without building it. After each tag its value is taken, or skipped; a field of another
// wire type than is asked for has another tag, and is skipped as the parser does. Once the bytes are found broken all that is
// taken is zero and there is no further tag.
class FieldCursor {
 public:
  explicit FieldCursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()), begin_(bytes.data()) {}
  // The next field's; 0: the message ends, or is broken (then `ok()` is false).
  [[gnu::always_inline]] uint32_t tag() {
    if (at_ == end_) return 0;
    const uint64_t tag = number();
    if (tag >= 8 && tag <= UINT32_MAX) return static_cast<uint32_t>(tag);
    fail_here();  // There is no field 0, and none beyond 2^29.
    return 0;
  }
  // A varint's value.
  [[gnu::always_inline]] uint64_t number() {
    // Nearly all tags and lengths are of one byte, and the others of two.
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 128) return static_cast<uint8_t>(*at_++);
    if (end_ - at_ >= 2 && static_cast<uint8_t>(at_[1]) < 128) {
      at_ += 2;
      return (static_cast<uint8_t>(at_[-2]) & 127u) | uint32_t{static_cast<uint8_t>(at_[-1])} << 7;
    }
    const LongVarint read = read_long_varint(at_, end_);
    if (read.end == nullptr) return fail_here();
    at_ = read.end;
    return read.value;
  }
  // The same where it may be of any length, as times and amounts are: without a jump that hangs on the length, for no processor
  // guesses it.
  [[gnu::always_inline]] uint64_t long_number() {
    const auto left = static_cast<size_t>(end_ - at_);
    if (end_ - begin_ < 8 || left == 0) return number();
    const uint64_t missing = left < 8 ? 8 - left : 0;  // Of the eight bytes; what stands before them is pushed out.
    const uint64_t word = load<uint64_t>(at_ - missing) >> 8 * missing;
    const uint64_t ends = ~word & 0x8080808080808080;
    const size_t length = static_cast<size_t>(std::countr_zero(ends)) / 8 + 1;
    if (ends == 0 || length > left) return number();
    at_ += length;
    return varint_of(word);
  }
  Millis millis() { return static_cast<Millis>(long_number()); }
  int64_t integer() { return static_cast<int64_t>(long_number()); }
  // A sint64's value.
  int64_t zigzag() { return unzigzag(long_number()); }
  template <typename Number>
  Number fixed() {
    const std::string_view raw = take(sizeof(Number));
    return raw.empty() ? Number() : load<Number>(raw.data());
  }
  // The bytes of a text or sub-message.
  [[gnu::always_inline]] std::string_view bytes() { return take(number()); }
  // As many bytes as they lie.
  [[gnu::always_inline]] std::string_view take(uint64_t length) {
    if (length > static_cast<uint64_t>(end_ - at_)) return fail_here(), std::string_view();
    at_ += length;
    return {at_ - length, static_cast<size_t>(length)};
  }
  // Passes over the value of a field.
  [[gnu::always_inline]] void skip(uint32_t tag) {
    if ((tag & 7) == 2) {  // As nearly all are.
      bytes();
      return;
    }
    at_ = skip_field(at_, end_, tag);
    if (at_ == nullptr) fail_here();
  }
  // Whether this tag, of one byte, comes next; it is passed over if it does.
  [[gnu::always_inline]] bool follows(uint32_t tag) {
    if (at_ == end_ || static_cast<uint8_t>(*at_) != tag) return false;
    at_ += 1;
    return true;
  }
  bool ok() const { return ok_; }
  // Where it stands.
  const char* at() const { return at_; }

 private:
  uint64_t fail_here() {
    at_ = end_;
    ok_ = false;
    return 0;
  }

  const char* at_;
  const char* end_;
  const char* begin_;
  bool ok_ = true;
};

// A field that a scan wants: `take(cursor)` takes its value.
template <uint32_t wanted, typename Take>
struct ScannedField {
  static_assert(wanted < 128, "its tag is of one byte");
  static constexpr uint32_t tag = wanted;
  Take take;
};
template <uint32_t tag, typename Take>
constexpr ScannedField<tag, Take> scanned(Take take) {
  return {take};
}

// What becomes of a field that a scan does not want.
enum class Unwanted { passed_over, refused };

// Reads a message of which these fields are wanted. Serializers write fields in the order of their numbers, so each is looked for
// once behind the one before, by a jump that nearly always goes the same way; what stands elsewhere comes after. False: the bytes
// are broken, or a field is refused.
template <Unwanted unwanted = Unwanted::passed_over, typename... Field>
[[gnu::always_inline]] inline bool scan_fields(std::string_view message, const Field&... fields) {
  FieldCursor at(message);
  ((at.follows(Field::tag) ? void(fields.take(at)) : void()), ...);
  while (const uint32_t tag = at.tag()) {
    if (((tag == Field::tag && (fields.take(at), true)) || ...)) continue;
    if (unwanted == Unwanted::refused) return false;
    at.skip(tag);
  }
  return at.ok();
}

// Walks over the fields of a serialized message, whatever they are.
class FieldScan {
 public:
  explicit FieldScan(std::string_view bytes) : cursor_(bytes) {}
  // Goes to the next field; false at the end or where the bytes are broken (then `ok()` is false).
  bool next() {
    const uint32_t tag = cursor_.tag();
    if (tag == 0) return false;
    field_ = tag >> 3;
    number_ = 0;
    value_ = {};
    switch (tag & 7) {
      case 0:
        number_ = cursor_.number();
        return ok();
      case 1:
        return take_fixed<uint64_t>();
      case 2:
        value_ = cursor_.bytes();
        return ok();
      case 5:
        return take_fixed<uint32_t>();
      default:
        cursor_.skip(tag);
        return false;
    }
  }
  uint32_t field() const { return field_; }
  // A varint's, fixed64's or fixed32's value.
  uint64_t number() const { return number_; }
  // The bytes of a text or sub-message; of a fixed number, as they lie.
  std::string_view bytes() const { return value_; }
  bool ok() const { return cursor_.ok(); }

 private:
  template <typename Number>
  bool take_fixed() {
    value_ = cursor_.take(sizeof(Number));
    if (ok()) number_ = load<Number>(value_.data());
    return ok();
  }

  FieldCursor cursor_;
  uint32_t field_ = 0;
  uint64_t number_ = 0;
  std::string_view value_;
};

}  // namespace xundian
