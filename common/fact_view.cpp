#include "common/fact_view.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace xundian {

namespace {

constexpr uint32_t store_field = 4, key_field = 5, source_field = 8, import_field = 10;
constexpr uint32_t payload_field_first = 100;  // Fields below it are the envelope's.

std::string_view find_text(std::string_view body, uint32_t field) {
  FieldCursor at(body);
  while (const uint32_t tag = at.tag()) {
    if (tag == bytes_tag(field)) return at.bytes();
    at.skip(tag);
  }
  return {};
}

// Whether all from `at` on is the state message: what stands before it is its tag and length.
bool is_payload(std::string_view body, Kind kind, uint32_t at) {
  if (at == 0 || at > body.size()) return false;
  char before[16];
  const auto bytes = static_cast<size_t>(put_varint(put_varint(before, bytes_tag(kind)), body.size() - at) - before);
  return at >= bytes && body.substr(at - bytes, bytes) == std::string_view(before, bytes);
}

uint64_t line_id_hash(std::string_view line) { return hash64(find_text(line, v1::OrderLine::kLineIdFieldNumber)); }

// What the state message says, aspect by aspect.
struct Stated {
  uint32_t aspects = 0;
  uint64_t digests[32] = {};
  std::vector<std::pair<uint64_t, uint64_t>> lines;
};

Result<Stated> read_aspects(std::string_view payload) {
  Stated stated;
  FieldScan scan(payload);
  while (scan.next()) {
    const uint32_t field = scan.field();
    if (field == 0 || field > withdrawn_aspect) return fail(Code::invalid_argument, "aspect {} is out of range", field);
    stated.aspects |= 1u << field;
    if (field == lines_aspect)
      stated.lines.emplace_back(line_id_hash(scan.bytes()), hash64(scan.bytes()));
    else
      stated.digests[field] = hash64(scan.bytes());
  }
  if (!scan.ok()) return fail(Code::invalid_argument, "the state cannot be read");
  if (stated.aspects == 0) return fail(Code::invalid_argument, "the fact states no aspect");
  if (stated.lines.size() > UINT16_MAX) return fail(Code::invalid_argument, "{} lines are too many", stated.lines.size());
  return stated;
}

}  // namespace

uint64_t store_hash(std::string_view store) { return store.empty() ? 0 : hash64(store); }

Key thing_key(Kind kind, std::string_view store, std::string_view key) {
  thread_local std::string bytes;  // Kept: folds name things at every fact.
  bytes.clear();
  append(bytes, kind);
  append_text(bytes, store);
  bytes.append(key);
  return hash128(bytes);
}

FactView::FactView(std::string_view frame, Offset offset, Millis time_ms)
    : frame_(frame.data()), offset_(offset), time_ms_(time_ms) {
  lines_ = frame_ + sizeof(FactHead) + 8 * std::popcount(aspects() & ~(1u << lines_aspect));
  body_ = {lines_ + 16 * line_count(), field<uint32_t>(offsetof(FactHead, body_bytes))};
}

std::string_view FactView::payload() const {
  // A head that is wrong about it is not believed.
  const auto payload_at = field<uint32_t>(offsetof(FactHead, payload_at));
  if (is_payload(body_, kind(), payload_at)) return body_.substr(payload_at);
  FieldCursor at(body_);
  while (const uint32_t tag = at.tag()) {
    if (tag >= bytes_tag(payload_field_first) && (tag & 7) == 2) return at.bytes();
    at.skip(tag);
  }
  return {};
}

std::string_view FactView::store_id() const { return find_text(body_, store_field); }
std::string_view FactView::key_text() const { return find_text(body_, key_field); }
std::string_view FactView::source() const { return find_text(body_, source_field); }

uint64_t FactView::import_id() const {
  FieldCursor at(body_);
  while (const uint32_t tag = at.tag()) {
    if (tag == varint_tag(import_field)) return at.number();
    at.skip(tag);
  }
  return 0;
}

Result<void> append_frame(std::string& frames, const v1::Fact& fact) {
  if (fact.fact_case() == v1::Fact::FACT_NOT_SET) return fail(Code::invalid_argument, "the fact has no state");
  const size_t start = frames.size();
  std::string body;
  if (fact.tenant().empty() && fact.group().empty()) {
    body = fact.SerializeAsString();
  } else {
    v1::Fact bare = fact;
    bare.clear_tenant();
    bare.clear_group();
    body = bare.SerializeAsString();
  }
  std::string_view payload;
  FieldScan scan(body);
  while (scan.next())
    if (scan.field() >= payload_field_first) payload = scan.bytes();
  Stated stated;
  const auto kind = static_cast<Kind>(fact.fact_case());
  if (fact.fact_case() == v1::Fact::kTick || fact.fact_case() == v1::Fact::kHorizon)
    stated.aspects = 0;  // Neither is the state of a thing.
  else
    stated = TRY(read_aspects(payload));
  FactHead head;
  head.body_bytes = static_cast<uint32_t>(body.size());
  head.kind = kind;
  head.line_count = static_cast<uint16_t>(stated.lines.size());
  head.aspects = stated.aspects;
  if (const auto at = static_cast<uint32_t>(body.size() - payload.size()); is_payload(body, kind, at)) head.payload_at = at;
  head.store = store_hash(fact.store());
  head.key = thing_key(kind, fact.store(), fact.key());
  head.rank = make_rank({fact.as_of_ms(), fact.status_rank(), fact.source_rank(), fact.revision()});
  head.occurred_ms = fact.occurred_ms() != 0 ? fact.occurred_ms() : fact.as_of_ms();
  head.cause = fact.cause();
  append(frames, head);
  for (uint32_t aspect = 0; aspect < 32; ++aspect)
    if (aspect != lines_aspect && (stated.aspects >> aspect & 1)) append(frames, stated.digests[aspect]);
  for (const auto& [id, digest] : stated.lines) {
    append(frames, id);
    append(frames, digest);
  }
  frames.append(body);
  if (frames.size() - start > frame_bytes_max) {
    const size_t bytes = frames.size() - start;
    frames.resize(start);
    return fail(Code::invalid_argument, "a fact of {} bytes is larger than {}", bytes, frame_bytes_max);
  }
  return {};
}

Result<std::string_view> split_frame(std::string_view& frames) {
  if (frames.size() < sizeof(FactHead)) return fail(Code::data_loss, "{} bytes are too few for a fact", frames.size());
  const auto head = load<FactHead>(frames.data());
  const size_t length = sizeof(FactHead) + 8 * size_t(std::popcount(head.aspects & ~(1u << lines_aspect))) +
                        16 * size_t{head.line_count} + head.body_bytes;
  if (length > frames.size() || length > frame_bytes_max)
    return fail(Code::data_loss, "a fact of {} bytes in a run of {}", length, frames.size());
  const std::string_view frame = frames.substr(0, length);
  frames.remove_prefix(length);
  return frame;
}

char* put_varint(char* at, uint64_t value) {
  for (; value >= 128; value >>= 7) *at++ = static_cast<char>(value | 128);
  *at++ = static_cast<char>(value);
  return at;
}

LongVarint read_long_varint(const char* at, const char* end) {
  // Where eight bytes may be looked at, their sevens of bits are pushed together; nearly all numbers end within them, and what is
  // a hash ends with the tenth.
  uint64_t value = 0;
  uint32_t shift = 0;
  if (end - at >= 8) {
    const auto word = load<uint64_t>(at);
    const uint64_t ends = ~word & 0x8080808080808080;
    value = varint_of(word);
    if (ends != 0) return {at + std::countr_zero(ends) / 8 + 1, value};
    at += 8;
    shift = 56;
  }
  for (; shift < 64 && at != end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at++);
    value |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return {at, value};
  }
  return {};
}

const char* skip_field(const char* at, const char* end, uint32_t tag) {
  FieldCursor cursor({at, static_cast<size_t>(end - at)});
  switch (tag & 7) {
    case 0:
      cursor.number();
      break;
    case 1:
      cursor.take(sizeof(uint64_t));
      break;
    case 2:
      cursor.bytes();
      break;
    case 5:
      cursor.take(sizeof(uint32_t));
      break;
    default:
      return nullptr;
  }
  return cursor.ok() ? cursor.at() : nullptr;
}

}  // namespace xundian
