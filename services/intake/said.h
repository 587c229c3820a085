// What was said of a thing: of each of its parts the newest version.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "common/bytes.h"
#include "common/fact_view.h"
#include "common/prefetch.h"
#include "common/row.h"

namespace xundian::intake {

// What has a version of its own in a thing: an aspect, by its number, or a line, by the hash of its id with the highest bit set.
using Part = uint64_t;
inline constexpr Part line_bit = Part{1} << 63;
inline constexpr Part part_of_line(uint64_t id_hash) { return id_hash | line_bit; }

// Calls `visit(part, version)` for all that a fact states.
template <typename Visit>
void for_each_part(const FactView& fact, Visit&& visit) {
  for (uint32_t aspect = 0; aspect <= withdrawn_aspect; ++aspect)
    if (aspect != lines_aspect && fact.states(aspect)) visit(Part{aspect}, fact.version(aspect));
  for (uint32_t line = 0; line < fact.line_count(); ++line) visit(part_of_line(fact.line_id(line)), fact.line_version(line));
}

struct SaidPart {
  Part part = 0;
  Version version;
};

// Of most things one fact says all there is, or each says all of it anew: then that fact's rank, digests and lines are kept as
// they lie in it. Otherwise each part is kept by itself, in the order of the parts.
class SaidParts {
 public:
  bool empty() const { return bytes_ == nullptr; }
  // Takes what is newer. Calls `note(part, is_same)` for each part of which the fact says something new, or the very version that
  // is held.
  template <typename Note>
  void take(const FactView& fact, RowMemory& memory, Note&& note) {
    if (const Whole is = take_whole(fact, memory); is != Whole::mixed) {
      if (is != Whole::older) for_each_part(fact, [&](Part part, Version) { note(part, is == Whole::same); });
      return;
    }
    part_by_part(memory);
    for_each_part(fact, [&](Part part, Version version) {
      SaidPart* const at = place_of(part);
      if (at == end() || at->part != part) {
        insert(memory, at, {part, version});
        note(part, false);
      } else if (at->version <= version) {
        note(part, at->version == version);
        at->version = version;
      }
    });
  }
  // Asks memory for it.
  void prefetch() const { prefetch_line(bytes_); }
  // Zero: nothing was said of the part.
  Version find(Part part) const;
  // Calls `visit(part, version)`.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (!at_once_) {
      for (const SaidPart* said = begin(); said != end(); ++said) visit(said->part, said->version);
      return;
    }
    const char* at = bytes_ + sizeof(uint64_t);
    const auto next = [&] { return xundian::load<uint64_t>(std::exchange(at, at + sizeof(uint64_t))); };
    for (uint32_t left = aspects_; left != 0; left &= left - 1) visit(Part(std::countr_zero(left)), Version{rank(), next()});
    for (uint32_t left = count_; left > 0; --left) {
      const Part part = part_of_line(next());
      visit(part, Version{rank(), next()});
    }
  }
  void save(std::string& bytes) const;
  // False: the bytes are broken.
  bool load(ByteReader& bytes, RowMemory& memory);

 private:
  // How a fact as a whole stands to what is held. Mixed: neither; nothing was taken.
  enum class Whole { newer, same, older, mixed };
  Whole take_whole(const FactView& fact, RowMemory& memory);
  // From now on each part is kept by itself.
  void part_by_part(RowMemory& memory);
  void insert(RowMemory& memory, SaidPart* at, const SaidPart& said);
  uint64_t rank() const { return xundian::load<uint64_t>(bytes_); }
  size_t bytes_at_once() const {
    return sizeof(uint64_t) * (1 + static_cast<size_t>(std::popcount(aspects_)) + 2 * size_t{count_});
  }
  SaidPart* begin() const { return reinterpret_cast<SaidPart*>(bytes_); }
  SaidPart* end() const { return begin() + count_; }
  SaidPart* place_of(Part part) const {
    return std::lower_bound(begin(), end(), part, [](const SaidPart& said, Part sought) { return said.part < sought; });
  }

  char* bytes_ = nullptr;  // All at once: the rank, a digest for each aspect, and of each line its id and digest. Else SaidParts.
  uint32_t aspects_ = 0;   // All at once: those that are stated, the lines left out. Else how many parts there is room for.
  uint32_t count_ : 31 = 0;  // All at once: the lines. Else the parts.
  uint32_t at_once_ : 1 = 0;
};
static_assert(sizeof(SaidParts) == 16);

}  // namespace xundian::intake
