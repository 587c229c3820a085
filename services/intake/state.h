// What intake knows: the version last said of every part of every thing, the stores, and the imports.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/ahead.h"
#include "common/service.h"
#include "common/stores.h"
#include "common/things.h"
#include "services/intake/said.h"

namespace xundian::intake {

class Jobs;

// The aspects of an ImportState.
inline constexpr uint32_t done_aspect = 1, undone_aspect = 2;

// Undos say odd revisions; what is said anew after an undo is lifted to the even one above.
inline constexpr uint64_t revision_max = 15;
inline constexpr uint64_t revision_of(uint64_t rank) { return rank & revision_max; }
inline constexpr bool is_undo(uint64_t rank) { return revision_of(rank) % 2 == 1; }
// The rank of the next undo, or of the next that is lifted; 0 = no revision is left.
inline constexpr uint64_t next_rank(uint64_t rank, bool undo) {
  const uint64_t revision = revision_of(rank) + (is_undo(rank) == undo ? 2 : 1);
  return revision > revision_max ? 0 : (rank & ~revision_max) | revision;
}
// Of what an undo restored and of what was lifted: the rank at which its content was first said (Fact.content_rank).
std::optional<uint64_t> content_rank(const FactView& fact);

// Facts from outside: all that intake weighs.
bool is_outside_kind(Kind kind);

struct ImportInfo {
  v1::ImportDone done;
  Version done_version, undone_version;
  bool undone() const { return undone_version != Version{}; }
};

class IntakeFold final : public Fold {
 public:
  void expect(const FactView& fact) override;
  void fold(const FactView& fact, Outbox& outbox) override;
  void save(std::string& bytes) const override;
  bool load(ByteReader bytes) override;
  std::vector<Held> held() const override;
  // Of every version; intake has no fingerprint to show, but tests compare states with it.
  void fingerprint(Fingerprint& sum) const override;

  bool knows(const Key& thing) const { return things_.find(thing) != nullptr; }
  // Something of it is newer than this.
  bool stands_after(const Key& thing, Version withdrawn) const;
  // The newest that was said; zero if nothing was.
  Version held(const Key& thing, Part part) const;
  // Calls `visit(part)` for all that was ever said of a thing.
  template <typename Visit>
  void for_each_held(const Key& thing, Visit&& visit) const {
    if (const SaidParts* known = things_.find(thing)) known->for_each([&](Part part, const Version&) { visit(part); });
  }
  // If an undo said what is held, or it was lifted: the rank at which its content was first said.
  std::optional<uint64_t> content_rank(const Key& thing, Part part) const;
  size_t things() const { return things_.size(); }
  const Stores& stores() const { return stores_; }
  const std::map<uint64_t, ImportInfo>& imports() const { return imports_; }

 private:
  void note_content(const FactView& fact, Part part, bool same);
  void fold_import(const FactView& fact);

  Ahead<Key> ahead_;  // Things that come next.
  RowMemory said_memory_;
  Things<SaidParts> things_;
  std::map<std::pair<Key, Part>, uint64_t> content_ranks_;  // Where what is held has another rank than its content.
  Stores stores_;
  std::map<uint64_t, ImportInfo> imports_;
};

// `jobs` runs imports and undos; without it (a tool, a test) those are refused.
ServiceDefinition definition(Jobs* jobs = nullptr);

}  // namespace xundian::intake
