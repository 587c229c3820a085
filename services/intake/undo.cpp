#include "services/intake/undo.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "services/intake/restate.h"

namespace xundian::intake {

namespace {

constexpr size_t read_bytes = 4u << 20;
// What was said of a part.
struct Statement {
  Version version;  // That of its content, whatever rank it was lifted to.
  Version said;
  std::string bytes;
  Millis occurred_ms = 0;
};

// A part of a thing that the import spoke of.
struct PartHistory {
  Version held;                          // The newest of all.
  std::optional<uint64_t> content_rank;  // See IntakeFold::content_rank.
  std::string line_id;                   // Of a line.
  Millis occurred_ms = 0;                // Of the newest.
  Statement before;                      // The newest that counts once the import is undone.
  Statement any;                         // The newest that no undo said, whoever did.
};

struct ThingHistory {
  Kind kind = 0;
  uint64_t store_hash = 0;
  std::string store, key;
  std::map<Part, PartHistory> parts;
};

// Calls `visit` for all facts from outside in the scope.
Result<void> scan(JournalReader& journal, std::string_view scope, const std::function<void(const FactView&)>& visit) {
  const auto range = TRY(journal.range());
  Result<void> outcome;
  for (Position position = range.low; position < range.next;) {
    position = TRY(journal.read(position, read_bytes, [&](const CommitView& commit) {
      outcome = commit.for_each_batch(true, [&](const BatchView& batch) {
        if (batch.is_control() || batch.is_answer() || batch.scope() != scope || !outcome) return;
        outcome =
            batch.for_each(is_outside_kind, [&](std::string_view frame, Offset offset) { visit(FactView(frame, offset, 0)); });
      });
      return outcome.has_value();
    }));
    TRY_VOID(outcome);
  }
  return {};
}

class Planner {
 public:
  Planner(JournalReader& journal, std::string_view scope, uint64_t import_id)
      : journal_(journal), scope_(scope), import_(import_id) {}

  Result<UndoPlan> plan() {
    TRY_VOID(scan(journal_, scope_, [this](const FactView& fact) { note_import(fact); }));
    if (undone_.contains(import_)) return fail(Code::failed_precondition, "import {} was undone already", import_);
    if (things_.empty() && !known_) return fail(Code::not_found, "there is no import {} in {}", import_, scope_);
    TRY_VOID(scan(journal_, scope_, [this](const FactView& fact) { note_statement(fact); }));
    // In the order of kind, store and key, stores first.
    std::map<std::tuple<Kind, std::string_view, std::string_view>, const ThingHistory*> sorted;
    for (const auto& [key, thing] : things_)
      if (!thing.parts.empty())
        sorted.emplace(std::tuple(thing.kind, std::string_view(thing.store), std::string_view(thing.key)), &thing);
    for (const auto& [name, thing] : sorted) TRY_VOID(undo(*thing));
    return std::move(plan_);
  }

 private:
  // First reading: what the import spoke of, and which imports were undone.
  void note_import(const FactView& fact) {
    if (fact.kind() == v1::Fact::kImportState) {
      uint64_t id = 0;
      const std::string_view key = fact.key_text();
      std::from_chars(key.data(), key.data() + key.size(), id);
      known_ = known_ || id == import_;
      if (fact.states(undone_aspect)) undone_.insert(id);
      return;
    }
    if (fact.import_id() != import_) return;
    things_.emplace(fact.key(), ThingHistory());
    if (fact.store() != 0) stores_.insert(fact.store());
    plan_.occurred_ms = std::max(plan_.occurred_ms, fact.occurred_ms());
  }

  // Second reading: all that was said of those things.
  void note_statement(const FactView& fact) {
    if (fact.kind() == v1::Fact::kImportState) return;
    const bool by_undo = fact.source() == undo_source;
    const uint64_t import_id = fact.import_id();
    const bool counts = !by_undo && import_id != import_ && !undone_.contains(import_id);
    const bool is_store = fact.kind() == v1::Fact::kStoreState;
    if (counts && !is_store && stores_.contains(fact.store())) live_stores_.insert(fact.store());
    // A store that others speak of stays, whoever stated it; so what was said of it is looked at.
    if (is_store && stores_.contains(fact.store())) things_.emplace(fact.key(), ThingHistory());
    const auto found = things_.find(fact.key());
    if (found == things_.end()) return;
    ThingHistory& thing = found->second;
    if (thing.parts.empty()) {
      thing.kind = fact.kind();
      thing.store_hash = fact.store();
      thing.store = fact.store_id();
      thing.key = fact.key_text();
    }
    const auto lifted_from = content_rank(fact);
    for_each_content(fact.payload(), [&](Part part, std::string_view bytes) {
      PartHistory& history = thing.parts[part];
      const Version said{fact.rank(), hash64(bytes)};
      const Version version{lifted_from.value_or(said.rank), said.digest};
      if (said > history.held) {
        history.held = said;
        history.content_rank = lifted_from;
        history.occurred_ms = fact.occurred_ms();
        if (part & line_bit && history.line_id.empty()) history.line_id = line_id(bytes);
      }
      if (counts && version > history.before.version) history.before = {version, said, std::string(bytes), fact.occurred_ms()};
      if (is_store && !by_undo && version > history.any.version)
        history.any = {version, said, std::string(bytes), fact.occurred_ms()};
    });
  }

  static std::string line_id(std::string_view line) {
    FieldScan fields(line);
    while (fields.next())
      if (fields.field() == v1::OrderLine::kLineIdFieldNumber) return std::string(fields.bytes());
    return {};
  }

  const Statement& target(const ThingHistory& thing, const PartHistory& part) const {
    return thing.kind == v1::Fact::kStoreState && live_stores_.contains(thing.store_hash) ? part.any : part.before;
  }

  // Facts that undo one thing, told apart by their rank and by that of their content.
  using Facts = std::map<std::pair<uint64_t, uint64_t>, v1::Fact>;

  // States a part by a version above `above`.
  Result<void> say(Facts& facts, const ThingHistory& thing, Part part, uint64_t above, const Statement& stated,
                   uint64_t content) {
    const uint64_t rank = next_rank(above, true);
    if (rank == 0)
      return fail(Code::failed_precondition,
                  "{} of store {} was undone and imported again too often; state it with a newer time instead", thing.key,
                  thing.store.empty() ? "(none)" : thing.store);
    v1::Fact& fact = facts[{rank, content}];
    fact.set_occurred_ms(std::max(fact.occurred_ms(), stated.occurred_ms));
    if (fact.fact_case() == v1::Fact::FACT_NOT_SET) {
      make_state(fact, thing.kind);
      set_rank(fact, rank);
      fact.set_store(thing.store);
      fact.set_key(thing.key);
      fact.set_source(std::string(undo_source));
      fact.set_content_rank(content);
    }
    if (!add_part(fact, part, stated.bytes)) return fail(Code::data_loss, "what was said of {} cannot be read", thing.key);
    return {};
  }

  Result<void> undo(const ThingHistory& thing);
  Result<void> restore(Facts& facts, const ThingHistory& thing, Version withdrawn, Version withdrawn_before);

  JournalReader& journal_;
  std::string_view scope_;
  uint64_t import_;
  bool known_ = false;
  std::set<uint64_t> undone_;
  std::map<Key, ThingHistory> things_;
  std::set<uint64_t> stores_, live_stores_;
  UndoPlan plan_;
};

// Nothing of it stands any more: it is withdrawn. Else each part is brought to what counts now.
Result<void> Planner::undo(const ThingHistory& thing) {
  Version withdrawn, withdrawn_before;
  if (const auto found = thing.parts.find(withdrawn_aspect); found != thing.parts.end()) {
    withdrawn = found->second.held;
    withdrawn_before = target(thing, found->second).version;
  }
  bool stands = false, shows = false;
  uint64_t newest = 0;
  Statement end;
  for (const auto& [part, history] : thing.parts) {
    newest = std::max(newest, history.held.rank);
    end.occurred_ms = std::max(end.occurred_ms, history.occurred_ms);
    if (part == withdrawn_aspect) continue;
    stands = stands || target(thing, history).version > withdrawn_before;
    shows = shows || history.held > withdrawn;
  }
  Facts facts;
  if (stands) {
    TRY_VOID(restore(facts, thing, withdrawn, withdrawn_before));
    plan_.restored += facts.empty() ? 0 : 1;
  } else if (shows || (!is_undo(withdrawn.rank) && withdrawn != withdrawn_before)) {
    v1::Withdrawn reason;
    reason.set_reason("undo");
    end.bytes = reason.SerializeAsString();
    TRY_VOID(say(facts, thing, withdrawn_aspect, newest, end, withdrawn_before.rank));
    plan_.withdrawn += 1;
  }
  for (auto& [ranks, fact] : facts) plan_.facts.push_back(std::move(fact));
  return {};
}

Result<void> Planner::restore(Facts& facts, const ThingHistory& thing, Version withdrawn, Version withdrawn_before) {
  // The end that the import stated must not stand in the way of an earlier one that is said later: it says what stood before, and
  // what counts is said above it.
  if (const auto ended = thing.parts.find(withdrawn_aspect); ended != thing.parts.end()) {
    const PartHistory& history = ended->second;
    const bool as_before = history.held == target(thing, history).said ||
                           (is_undo(history.held.rank) && history.content_rank == withdrawn_before.rank);
    if (!as_before) {
      Statement end = target(thing, history);
      end.occurred_ms = history.occurred_ms;
      TRY_VOID(say(facts, thing, withdrawn_aspect, withdrawn.rank, end, withdrawn_before.rank));
      withdrawn = {next_rank(withdrawn.rank, true), UINT64_MAX};
    }
  }
  for (const auto& [part, history] : thing.parts) {
    if (part == withdrawn_aspect) continue;
    const Statement& before = target(thing, history);
    const bool shows = history.held > withdrawn;
    if (before.version > withdrawn_before) {
      const bool stands =
          history.held == before.said || (is_undo(history.held.rank) && history.content_rank == before.version.rank &&
                                          history.held.digest == before.version.digest);
      if (shows && stands) continue;
      TRY_VOID(say(facts, thing, part, std::max(history.held.rank, withdrawn.rank), before, before.version.rank));
      continue;
    }
    Statement nothing;
    nothing.occurred_ms = history.occurred_ms;
    if (part & line_bit) {
      v1::OrderLine line;
      line.set_line_id(history.line_id);
      line.set_withdrawn(true);
      nothing.bytes = line.SerializeAsString();
    }
    // What is older than the end of what stood before stays hidden.
    const uint64_t content = std::max(before.version.rank, withdrawn_before.rank);
    const bool empty = history.content_rank == content && history.held.digest == hash64(nothing.bytes);
    if (shows && !empty) TRY_VOID(say(facts, thing, part, history.held.rank, nothing, content));
  }
  return {};
}

}  // namespace

Result<UndoPlan> plan_undo(JournalReader& journal, std::string_view scope, uint64_t import_id) {
  return Planner(journal, scope, import_id).plan();
}

}  // namespace xundian::intake
