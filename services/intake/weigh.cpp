#include "services/intake/weigh.h"

#include <algorithm>

namespace xundian::intake {

namespace {

// What a format takes for granted of a store is as of the first millisecond there is, and yields to all that is known.
bool is_default(const FactView& fact) {
  return fact.kind() == v1::Fact::kStoreState && rank_parts(fact.head().rank).as_of_ms <= 1;
}

// The newest of a part, folded or coming, and the rank of its content if that is another.
struct Newest {
  Version version;
  std::optional<uint64_t> content_rank;
};

// Whether something newer in content is held down by the revision of an undo, or of what was lifted since.
bool held_down(Version candidate, const Newest& held) {
  if (!held.content_rank || candidate > held.version) return false;
  return candidate > Version{*held.content_rank, held.version.digest};
}

// The rank of what holds the candidate down; 0 = nothing does. What is withdrawn as a whole holds down all its parts.
uint64_t rank_above(Version candidate, const Newest& held, const Newest& withdrawn) {
  uint64_t rank = held_down(candidate, held) ? held.version.rank : 0;
  const bool hidden = held.version <= withdrawn.version;
  if ((rank != 0 || hidden) && withdrawn.content_rank && candidate <= withdrawn.version && candidate.rank > *withdrawn.content_rank)
    rank = std::max(rank, withdrawn.version.rank);
  return rank;
}

}  // namespace

const Weigher::Coming* Weigher::find(const Scope& scope, const Key& thing, Part part) {
  const auto found = scope.things.find(thing);
  if (found == scope.things.end()) return nullptr;
  for (const Coming& coming : found->second)
    if (coming.part == part) return &coming;
  return nullptr;
}

bool Weigher::comes(const Scope& scope, const Key& thing, Version after) {
  const auto found = scope.things.find(thing);
  return found != scope.things.end() &&
         std::any_of(found->second.begin(), found->second.end(), [after](const Coming& coming) { return coming.version > after; });
}

void Weigher::remember(Scope& scope, const Key& thing, const Coming& coming) {
  std::vector<Coming>& all = scope.things[thing];
  const auto at = std::find_if(all.begin(), all.end(), [&coming](const Coming& other) { return other.part == coming.part; });
  if (at == all.end())
    all.push_back(coming);
  else
    *at = coming;
  scope.order.push_back({thing, coming.part, coming.version});
}

query::v1::WeighedFact Weigher::weigh(const IntakeFold* fold, std::string_view scope_name, const FactView& fact, uint64_t import_id,
                                      bool lift) {
  auto named = scopes_.find(scope_name);
  if (named == scopes_.end()) named = scopes_.emplace(scope_name, Scope()).first;
  Scope& scope = named->second;
  const Key& thing = fact.key();
  const Coming* coming = nullptr;  // What `newest` gave, if it was coming.
  const auto newest = [&](Part part) {
    Newest held;
    if (fold) held = {fold->held(thing, part), fold->content_rank(thing, part)};
    coming = find(scope, thing, part);
    if (coming && coming->version <= held.version) coming = nullptr;
    if (coming) held = {coming->version, coming->content_rank};
    return held;
  };
  const Newest withdrawn = newest(withdrawn_aspect);
  const bool stands = (fold && fold->stands_after(thing, withdrawn.version)) || comes(scope, thing, withdrawn.version);
  const bool known = (fold && fold->knows(thing)) || scope.things.contains(thing);
  const bool taken_away = withdrawn.content_rank && !stands;  // By an undo: to people it is as if it had never been.
  query::v1::WeighedFact weighed;
  std::vector<Coming> newer;
  for_each_part(fact, [&](Part part, Version version) {
    const Newest held = newest(part);
    if (const uint64_t below = rank_above(version, held, withdrawn); below != 0) {
      const uint64_t rank = next_rank(below, false);
      weighed.set_exhausted(weighed.exhausted() || rank == 0);
      query::v1::Lift& lifted = *weighed.add_lifts();
      lifted.set_part(part);
      lifted.set_rank(rank);
      newer.push_back({part, {rank, version.digest}, import_id, version.rank});
    } else if (version > held.version && !(is_default(fact) && held.version != Version{})) {
      weighed.set_say(true);
      newer.push_back({part, version, import_id, content_rank(fact)});
    } else if (coming != nullptr && coming->import_id != import_id && version == held.version) {
      weighed.set_say(true);  // Another import says it now; should that fail, it is said all the same.
    }
  });
  using namespace query::v1;
  weighed.set_verdict(newer.empty() ? VERDICT_UNCHANGED : !known || taken_away ? VERDICT_NEW : VERDICT_UPDATED);
  if (weighed.exhausted() || (!weighed.lifts().empty() && !lift)) return weighed;
  for (const Coming& part : newer) remember(scope, thing, part);
  return weighed;
}

void Weigher::settle(const IntakeFold* fold, std::string_view scope_name) {
  const auto named = scopes_.find(scope_name);
  if (named == scopes_.end()) return;
  Scope& scope = named->second;
  for (; !scope.order.empty(); scope.order.pop_front()) {
    const Order& first = scope.order.front();
    const auto found = scope.things.find(first.thing);
    if (found == scope.things.end()) continue;
    std::vector<Coming>& all = found.value();
    const auto at = std::find_if(all.begin(), all.end(), [&first](const Coming& coming) { return coming.part == first.part; });
    if (at == all.end() || at->version != first.version) continue;  // Forgotten, or something newer is on its way behind it.
    if (fold == nullptr || fold->held(first.thing, first.part) < at->version) break;
    all.erase(at);
    if (all.empty()) scope.things.erase(found);
  }
  if (scope.order.empty()) scopes_.erase(named);
}

void Weigher::forget(uint64_t import_id) {
  for (auto& [name, scope] : scopes_) {
    for (auto at = scope.things.begin(); at != scope.things.end();) {
      std::vector<Coming>& all = at.value();
      std::erase_if(all, [import_id](const Coming& coming) { return coming.import_id == import_id; });
      at = all.empty() ? scope.things.erase(at) : std::next(at);
    }
    std::erase_if(scope.order, [&scope](const Order& order) {
      const Coming* coming = find(scope, order.thing, order.part);
      return coming == nullptr || coming->version != order.version;
    });
  }
  std::erase_if(scopes_, [](const auto& entry) { return entry.second.things.empty(); });
}

size_t Weigher::pending() const {
  size_t parts = 0;
  for (const auto& [name, scope] : scopes_)
    for (const auto& [thing, all] : scope.things) parts += all.size();
  return parts;
}

}  // namespace xundian::intake
