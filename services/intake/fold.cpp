#include <algorithm>
#include <charconv>

#include "services/intake/state.h"

namespace xundian::intake {

std::optional<uint64_t> content_rank(const FactView& fact) {
  if (revision_of(fact.head().rank) == 0) return std::nullopt;
  FieldScan scan(fact.body());
  while (scan.next())
    if (scan.field() == v1::Fact::kContentRankFieldNumber) return scan.number();
  return is_undo(fact.head().rank) ? std::optional<uint64_t>(0) : std::nullopt;
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

// Of each part the newest version is kept, so the state does not depend on the order of arrival.
void IntakeFold::fold(const FactView& fact, Outbox&) {
  Row<Said>& known = things_[fact.key()];
  const size_t sorted = known.size();
  if (sorted == 0) known.reserve(said_memory_, parts_of(fact));
  for_each_part(fact, [&](Part part, Version version) {
    const auto end = known.begin() + sorted;
    const auto at = std::lower_bound(known.begin(), end, part, [](const Said& said, Part wanted) { return said.part < wanted; });
    if (at == end || at->part != part) {
      known.push_back(said_memory_, {part, version});
      note_content(fact, part, false);
    } else if (at->version <= version) {
      note_content(fact, part, at->version == version);
      at->version = version;
    }
  });
  if (known.size() > sorted &&
      !std::is_sorted(known.begin(), known.end(), [](const Said& a, const Said& b) { return a.part <= b.part; })) {
    // A fact may name a line twice: the newest counts.
    std::sort(known.begin(), known.end(),
              [](const Said& a, const Said& b) { return a.part != b.part ? a.part < b.part : a.version > b.version; });
    known.cut(std::unique(known.begin(), known.end(), [](const Said& a, const Said& b) { return a.part == b.part; }));
  }
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
  const Row<Said>* known = things_.find(thing);
  if (known == nullptr) return {};
  const auto at =
      std::lower_bound(known->begin(), known->end(), part, [](const Said& said, Part wanted) { return said.part < wanted; });
  return at == known->end() || at->part != part ? Version{} : at->version;
}

bool IntakeFold::stands_after(const Key& thing, Version withdrawn) const {
  const Row<Said>* known = things_.find(thing);
  return known != nullptr &&
         std::any_of(known->begin(), known->end(), [withdrawn](const Said& said) { return said.version > withdrawn; });
}

std::optional<uint64_t> IntakeFold::content_rank(const Key& thing, Part part) const {
  if (content_ranks_.empty()) return std::nullopt;
  const auto found = content_ranks_.find({thing, part});
  return found == content_ranks_.end() ? std::nullopt : std::optional(found->second);
}

void IntakeFold::save(std::string& bytes) const {
  things_.save_keys(bytes);
  things_.for_each([&](const Key&, const Row<Said>& known) {
    append(bytes, static_cast<uint32_t>(known.size()));
    bytes.append(reinterpret_cast<const char*>(known.begin()), known.size() * sizeof(Said));
  });
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

bool IntakeFold::load(std::string_view bytes) {
  ByteReader reader(bytes);
  things_.clear();
  said_memory_.clear();
  content_ranks_.clear();
  imports_.clear();
  if (!things_.load_keys(reader)) return false;
  for (uint32_t index = 0; index < things_.size(); ++index) {
    const auto count = reader.take<uint32_t>();
    things_[index].assign(said_memory_, reader.take_bytes(size_t{count} * sizeof(Said)));
  }
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
  things_.for_each([&](const Key& key, const Row<Said>& known) {
    for (const Said& said : known) {
      std::string cell, value;
      append(cell, key);
      append(cell, said.part);
      append(value, said.version);
      append(value, content_rank(key, said.part).value_or(UINT64_MAX));
      sum.add(cell, value);
    }
  });
}

std::vector<Held> IntakeFold::held() const {
  return {{"things", things_.size(), things_.bytes() + said_memory_.bytes()},
          {"content ranks", content_ranks_.size(), tree_bytes(content_ranks_)},
          {"imports", imports_.size(), tree_bytes(imports_)}};
}

}  // namespace xundian::intake
