#include <charconv>

#include "services/intake/state.h"

namespace xundian::intake {

std::optional<uint64_t> content_rank(const FactView& fact) {
  if (revision_of(fact.rank()) == 0) return std::nullopt;
  FieldScan scan(fact.body());
  while (scan.next())
    if (scan.field() == v1::Fact::kContentRankFieldNumber) return scan.number();
  return is_undo(fact.rank()) ? std::optional<uint64_t>(0) : std::nullopt;
}

bool is_outside_kind(Kind kind) {
  switch (kind) {
    case v1::Fact::FACT_NOT_SET:
    case v1::Fact::kFinding:
    case v1::Fact::kAlertState:
    case v1::Fact::kDelivery:
    case v1::Fact::kTick:
    case v1::Fact::kHorizon:
      return false;
    default:
      return true;
  }
}

// Memory is asked for a thing's place in the directory, some facts later for the thing, and then for what was said of it.
void IntakeFold::expect(const FactView& fact) {
  const Key& key = ahead_.add(fact) = fact.key();
  if (key != Key()) things_.prefetch(key);
  const auto told_before = [this](size_t calls) {
    const Key* const earlier = ahead_.before_last(calls);
    return earlier == nullptr || *earlier == Key() ? nullptr : earlier;
  };
  if (const Key* earlier = told_before(3)) things_.prefetch_thing(*earlier);
  if (const Key* earlier = told_before(6))
    if (const SaidParts* said = std::as_const(things_).find(*earlier)) said->prefetch();
}

// Of each part the newest version is kept, so the state does not depend on the order of arrival.
void IntakeFold::fold(const FactView& fact, Outbox&) {
  SaidParts& said = things_[fact.key()];
  if (content_ranks_.empty() && !xundian::intake::content_rank(fact))
    said.take(fact, said_memory_, [](Part, bool) {});  // Nearly always: no undo has said anything yet.
  else
    said.take(fact, said_memory_, [&](Part part, bool is_same) { note_content(fact, part, is_same); });
  if (fact.kind() == v1::Fact::kStoreState) stores_.fold(fact);
  if (fact.kind() == v1::Fact::kImportState) fold_import(fact);
}

// `same`: the very version was held already; whichever comes first, the greater rank stays.
void IntakeFold::note_content(const FactView& fact, Part part, bool same) {
  const auto rank = xundian::intake::content_rank(fact);
  if (!same && !content_ranks_.empty()) content_ranks_.erase({fact.key(), part});
  if (!rank) return;
  uint64_t& noted = content_ranks_[{fact.key(), part}];
  noted = std::max(noted, *rank);
}

void IntakeFold::fold_import(const FactView& fact) {
  v1::ImportState state;
  uint64_t id = 0;
  const std::string_view key = fact.key_text();
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || !fact.parse(state)) return;
  ImportInfo& info = imports_[id];
  if (fact.states(done_aspect) && fact.version(done_aspect) > info.done_version) {
    info.done_version = fact.version(done_aspect);
    info.done = state.done();
  }
  if (fact.states(undone_aspect)) info.undone_version = std::max(info.undone_version, fact.version(undone_aspect));
}

Version IntakeFold::held(const Key& thing, Part part) const {
  const SaidParts* const known = things_.find(thing);
  return known == nullptr ? Version{} : known->find(part);
}

bool IntakeFold::stands_after(const Key& thing, Version withdrawn) const {
  bool stands = false;
  if (const SaidParts* const known = things_.find(thing))
    known->for_each([&](Part, const Version& version) { stands = stands || version > withdrawn; });
  return stands;
}

std::optional<uint64_t> IntakeFold::content_rank(const Key& thing, Part part) const {
  if (content_ranks_.empty()) return std::nullopt;
  const auto found = content_ranks_.find({thing, part});
  return found == content_ranks_.end() ? std::nullopt : std::optional(found->second);
}

void IntakeFold::save(std::string& bytes) const {
  things_.save_keys(bytes);
  things_.for_each([&](const Key&, const SaidParts& known) { known.save(bytes); });
  append(bytes, static_cast<uint64_t>(content_ranks_.size()));
  for (const auto& [part, rank] : content_ranks_) {
    append(bytes, part.first);
    append(bytes, part.second);
    append(bytes, rank);
  }
  append(bytes, static_cast<uint64_t>(imports_.size()));
  for (const auto& [id, info] : imports_) {
    append(bytes, id);
    append(bytes, info.done_version);
    append(bytes, info.undone_version);
    append_text(bytes, info.done.SerializeAsString());
  }
  stores_.save(bytes);
}

bool IntakeFold::load(ByteReader reader) {
  things_.clear();
  said_memory_.clear();
  content_ranks_.clear();
  imports_.clear();
  if (!things_.load_keys(reader)) return false;
  for (uint32_t index = 0; index < things_.size(); ++index)
    if (!things_[index].load(reader, said_memory_)) return false;
  for (uint64_t left = reader.take<uint64_t>(); left > 0 && reader.ok(); --left) {
    const Key key = reader.take<Key>();
    const Part part = reader.take<Part>();
    content_ranks_[{key, part}] = reader.take<uint64_t>();
  }
  for (uint64_t left = reader.take<uint64_t>(); left > 0 && reader.ok(); --left) {
    ImportInfo& info = imports_[reader.take<uint64_t>()];
    info.done_version = reader.take<Version>();
    info.undone_version = reader.take<Version>();
    const std::string_view done = reader.take_text();
    if (!info.done.ParseFromArray(done.data(), static_cast<int>(done.size()))) return false;
  }
  return stores_.load(reader) && reader.ok() && reader.empty();
}

void IntakeFold::fingerprint(Fingerprint& sum) const {
  things_.for_each([&](const Key& key, const SaidParts& known) {
    known.for_each([&](Part part, const Version& version) {
      std::string cell, value;
      append(cell, key);
      append(cell, part);
      append(value, version);
      append(value, content_rank(key, part).value_or(UINT64_MAX));
      sum.add(cell, value);
    });
  });
}

std::vector<Held> IntakeFold::held() const {
  return {{"things", things_.size(), things_.bytes() + said_memory_.bytes()},
          {"content ranks", content_ranks_.size(), tree_bytes(content_ranks_)},
          {"imports", imports_.size(), tree_bytes(imports_)}};
}

}  // namespace xundian::intake
