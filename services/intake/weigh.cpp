#include "services/intake/weigh.h"

#include <algorithm>

namespace xundian::intake {

namespace {

// What a format takes for granted of a store is as of the first millisecond there is, and yields to all that is known: also to
// what another format of its rank took for granted before, which differs in the day of that import alone.
bool is_default(const FactView& fact) {
  return fact.kind() == v1::Fact::kStoreState && rank_parts(fact.rank()).as_of_ms <= 1;
}

// The newest of a part, folded or coming, and the rank of its content if that is another.
struct Newest {
  Version version;
  std::optional<uint64_t> content_rank;
  Version content() const { return {content_rank.value_or(version.rank), version.digest}; }
};

// Whether something newer in content is held down by the revision of an undo, or of what was lifted since.
bool held_down(Version candidate, const Newest& held) {
  if (!held.content_rank || candidate > held.version) return false;
  return candidate > held.content();
}

// The rank of what holds the candidate down; 0 = nothing does. What is withdrawn as a whole holds down all its parts. `end`: when
// it was withdrawn in truth.
uint64_t rank_above(Version candidate, const Newest& held, const Newest& withdrawn, Version end) {
  uint64_t rank = held_down(candidate, held) ? held.version.rank : 0;
  const bool hidden = held.version <= withdrawn.version;
  if (candidate < end) return 0;
  if ((rank != 0 || hidden) && withdrawn.content_rank && candidate <= withdrawn.version &&
      candidate.rank > *withdrawn.content_rank)
    rank = std::max(rank, withdrawn.version.rank);
  return rank;
}

// All that is known of one thing, folded and coming.
class Knowledge {
 public:
  Knowledge(const IntakeFold* fold, const std::vector<Weigher::Coming>* coming, const Key& thing)
      : fold_(fold), coming_(coming), thing_(thing), withdrawn_(newest(withdrawn_aspect)) {}

  bool known() const { return coming_ != nullptr || (fold_ != nullptr && fold_->knows(thing_)); }
  const Newest& withdrawn() const { return withdrawn_; }
  // An undo withdrew it, and nothing stands again: to people it is as if it had never been.
  bool taken_away() const {
    const auto after = [this](const Weigher::Coming& part) { return part.version > withdrawn_.version; };
    const bool comes = coming_ != nullptr && std::any_of(coming_->begin(), coming_->end(), after);
    return withdrawn_.content_rank && !comes && !(fold_ != nullptr && fold_->stands_after(thing_, withdrawn_.version));
  }

  // What is coming of a part, if it is newer than what was folded.
  const Weigher::Coming* coming(Part part) const {
    if (coming_ == nullptr) return nullptr;
    const auto at = std::find_if(coming_->begin(), coming_->end(), [part](const auto& coming) { return coming.part == part; });
    if (at == coming_->end() || (fold_ != nullptr && at->version <= fold_->held(thing_, part))) return nullptr;
    return &*at;
  }

  Newest newest(Part part) const {
    if (const Weigher::Coming* comes = coming(part)) return {comes->version, comes->content_rank};
    if (fold_ == nullptr) return {};
    return {fold_->held(thing_, part), fold_->content_rank(thing_, part)};
  }

  // A withdrawal must end what older parts were lifted to, but nothing that is newer than itself. Given what holds it down
  // itself, the rank of all that it must be above; absent: there is no such place.
  std::optional<uint64_t> rank_over_lifted(Version end, uint64_t below) const {
    for_all_parts([&](const Newest& held) {
      if (held.content() < end && held.version > end) below = std::max(below, held.version.rank);
    });
    bool hides_newer = false;
    for_all_parts([&](const Newest& held) {
      const bool stands = held.version > withdrawn_.version;
      hides_newer = hides_newer || (stands && held.content() > end && held.version.rank <= next_rank(below, false));
    });
    return below != 0 && hides_newer ? std::nullopt : std::optional(below);
  }

 private:
  template <typename Visit>
  void for_all_parts(Visit&& visit) const {
    const auto see = [&](Part part) {
      if (part != withdrawn_aspect) visit(newest(part));
    };
    if (fold_ != nullptr) fold_->for_each_held(thing_, see);
    if (coming_ != nullptr)
      for (const Weigher::Coming& part : *coming_) see(part.part);
  }

  const IntakeFold* fold_;
  const std::vector<Weigher::Coming>* coming_;
  const Key thing_;
  Newest withdrawn_;
};

}  // namespace

void Weigher::remember(Scope& scope, const Key& thing, const Coming& coming) {
  std::vector<Coming>& all = scope.things[thing];
  const auto at = std::find_if(all.begin(), all.end(), [&coming](const Coming& other) { return other.part == coming.part; });
  if (at == all.end())
    all.push_back(coming);
  else
    *at = coming;
  scope.order.push_back({thing, coming.part, coming.version});
}

query::v1::WeighedFact Weigher::weigh(const IntakeFold* fold, std::string_view scope_name, const FactView& fact,
                                      uint64_t import_id, bool lift) {
  auto named = scopes_.find(scope_name);
  if (named == scopes_.end()) named = scopes_.emplace(scope_name, Scope()).first;
  Scope& scope = named->second;
  const auto coming = scope.things.find(fact.key());
  const Knowledge thing(fold, coming == scope.things.end() ? nullptr : &coming->second, fact.key());
  Version end = thing.withdrawn().content();
  if (fact.withdrawn()) end = std::max(end, fact.version(withdrawn_aspect));
  const auto own_content = content_rank(fact);  // What an undo says has the rank that it needs.
  query::v1::WeighedFact weighed;
  std::vector<Coming> newer;
  for_each_part(fact, [&](Part part, Version version) {
    const Newest held = thing.newest(part);
    uint64_t below = own_content ? 0 : rank_above(version, held, thing.withdrawn(), end);
    if (part == withdrawn_aspect && version > held.content() && !own_content) {
      const auto over = thing.rank_over_lifted(version, below);
      if (!over) return;
      below = *over;
    }
    const Coming* other = thing.coming(part);
    if (below != 0) {
      const uint64_t rank = next_rank(below, false);
      weighed.set_exhausted(weighed.exhausted() || rank == 0);
      query::v1::Lift& lifted = *weighed.add_lifts();
      lifted.set_part(part);
      lifted.set_rank(rank);
      newer.push_back({part, {rank, version.digest}, import_id, version.rank});
    } else if (version > held.version && !(is_default(fact) && !own_content && version.rank <= held.version.rank)) {
      weighed.set_say(true);
      newer.push_back({part, version, import_id, own_content});
    } else if (other != nullptr && other->import_id != import_id && version == held.version) {
      weighed.set_say(true);  // Another import says it now; should that fail, it is said all the same.
    }
  });
  using namespace query::v1;
  const bool anew = !thing.known() || thing.taken_away();
  weighed.set_verdict(newer.empty() ? VERDICT_UNCHANGED : anew ? VERDICT_NEW : VERDICT_UPDATED);
  if (weighed.exhausted() || (!weighed.lifts().empty() && !lift)) return weighed;
  for (const Coming& part : newer) remember(scope, fact.key(), part);
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
    std::vector<Coming>& all = found->second;
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
    absl::erase_if(scope.things, [import_id](auto& thing) {
      std::erase_if(thing.second, [import_id](const Coming& coming) { return coming.import_id == import_id; });
      return thing.second.empty();
    });
    std::erase_if(scope.order, [&scope](const Order& order) {
      const auto found = scope.things.find(order.thing);
      return found == scope.things.end() ||
             std::none_of(found->second.begin(), found->second.end(), [&order](const Coming& coming) {
               return coming.part == order.part && coming.version == order.version;
             });
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
