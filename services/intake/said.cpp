#include "services/intake/said.h"

namespace xundian::intake {

namespace {

// Whether a fact names no line twice; where it has very many it is not looked into.
bool has_plain_lines(const FactView& fact) {
  constexpr uint32_t looked_into = 64;
  if (fact.line_count() > looked_into) return false;
  for (uint32_t line = 1; line < fact.line_count(); ++line)
    for (uint32_t before = 0; before < line; ++before)
      if (part_of_line(fact.line_id(line)) == part_of_line(fact.line_id(before))) return false;
  return true;
}

}  // namespace

SaidParts::Whole SaidParts::take_whole(const FactView& fact, RowMemory& memory) {
  const uint32_t aspects = fact.aspects() & ~(1u << lines_aspect);
  const std::string_view stated = fact.stated();
  if (empty()) {
    if (!has_plain_lines(fact)) return Whole::mixed;
    aspects_ = aspects;
    count_ = fact.line_count();
    at_once_ = 1;
    bytes_ = reinterpret_cast<char*>(memory.make<uint64_t>(1 + stated.size() / sizeof(uint64_t)));
  } else {
    if (!at_once_ || aspects_ != aspects || count_ != fact.line_count()) return Whole::mixed;
    const char* const lines = bytes_ + bytes_at_once() - 2 * sizeof(uint64_t) * count_;
    for (uint32_t line = 0; line < count_; ++line)
      if (fact.line_id(line) != xundian::load<uint64_t>(lines + 2 * sizeof(uint64_t) * line)) return Whole::mixed;
    if (fact.rank() < rank()) return Whole::older;
    if (fact.rank() == rank())
      return stated == std::string_view(bytes_ + sizeof(uint64_t), stated.size()) ? Whole::same : Whole::mixed;
  }
  store(bytes_, fact.rank());
  stated.copy(bytes_ + sizeof(uint64_t), stated.size());
  return Whole::newer;
}

void SaidParts::part_by_part(RowMemory& memory) {
  if (!empty() && !at_once_) return;
  SaidParts parts;
  for_each([&](Part part, Version version) { parts.insert(memory, parts.place_of(part), {part, version}); });
  *this = parts;
}

void SaidParts::insert(RowMemory& memory, SaidPart* at, const SaidPart& said) {
  const auto index = static_cast<size_t>(at - begin());
  if (count_ == aspects_) {
    const uint32_t room = std::max(2 * aspects_, 4u);
    auto* const parts = memory.make<SaidPart>(room);
    std::uninitialized_copy_n(begin(), count_, parts);
    bytes_ = reinterpret_cast<char*>(parts);
    aspects_ = room;
  }
  std::move_backward(begin() + index, end(), end() + 1);
  begin()[index] = said;
  count_ = count_ + 1;
}

Version SaidParts::find(Part part) const {
  if (empty()) return {};
  if (!at_once_) {
    const SaidPart* const at = place_of(part);
    return at == end() || at->part != part ? Version{} : at->version;
  }
  Version found;
  for_each([&](Part held, const Version& version) {
    if (held == part) found = version;
  });
  return found;
}

void SaidParts::save(std::string& bytes) const {
  append(bytes, aspects_);
  append(bytes, static_cast<uint32_t>(count_ << 1 | at_once_));
  bytes.append(bytes_, at_once_ ? bytes_at_once() : count_ * sizeof(SaidPart));
}

bool SaidParts::load(ByteReader& bytes, RowMemory& memory) {
  *this = SaidParts();
  const auto aspects = bytes.take<uint32_t>();
  const auto count = bytes.take<uint32_t>();
  at_once_ = count & 1;
  count_ = count >> 1;
  aspects_ = at_once_ ? aspects & ~(1u << lines_aspect) : count_;
  const std::string_view held = bytes.take_bytes(at_once_ ? bytes_at_once() : count_ * sizeof(SaidPart));
  if (!bytes.ok()) {
    *this = SaidParts();
    return false;
  }
  bytes_ = reinterpret_cast<char*>(memory.make<uint64_t>(held.size() / sizeof(uint64_t)));
  held.copy(bytes_, held.size());
  return true;
}

}  // namespace xundian::intake
