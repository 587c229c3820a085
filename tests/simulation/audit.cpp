// What must hold in a world that rests, whatever happened in it.
#include <fmt/ranges.h>

#include <set>
#include <stdexcept>

#include "services/alerts/state.h"
#include "tests/simulation/world.h"

namespace xundian::simulation {

namespace {

[[noreturn]] void wrong(const std::string& what) { throw std::runtime_error(what); }

class Audit {
 public:
  explicit Audit(const World& world) : world_(world), reader_(world.bus().open_reader()), end_(reader_->range().value().next) {}

  Outcome run() {
    world_.bus().check_ledger();
    read_journal();
    check_producers();
    check_readers();
    check_notices();
    replay();
    outcome_.crashes = world_.crashes();
    return std::move(outcome_);
  }

 private:
  void each_commit(JournalReader& reader, const std::function<void(const CommitView&)>& visit) const {
    for (Position position = 0; position < end_;) {
      const auto next = reader.read(position, 1u << 20, [&](const CommitView& commit) {
        visit(commit);
        return true;
      });
      if (!next) wrong(next.error().message);
      position = *next;
    }
  }

  void read_journal() {
    each_commit(*reader_, [&](const CommitView& commit) {
      crcs_[commit.position()] = crc32c(commit.bytes());
      const auto walked = commit.for_each_batch(false, [&](const BatchView& batch) {
        if (!batch.is_control()) note(batch);
      });
      if (!walked) wrong(walked.error().message);
    });
  }

  // Offsets without a hole, times that never step back.
  void note(const BatchView& batch) {
    const BatchHeader& header = batch.header();
    if (header.base != heads_[header.partition])
      wrong(fmt::format("partition {} goes on at {}, not at {}", header.partition, header.base, heads_[header.partition]));
    heads_[header.partition] += header.count;
    if (world_.place().wall_clock && header.time_ms < times_[header.partition])
      wrong(fmt::format("time steps back in partition {}", header.partition));
    times_[header.partition] = header.time_ms;
    if (header.producer != 0) last_[header.producer] = header.sequence;
    if (!batch.is_answer()) said_[header.producer].push_back(hash64(batch.bytes().substr(sizeof(BatchHeader))));
    const auto walked = batch.for_each([](Kind) { return true; },
                                       [&](std::string_view frame, Offset offset) { note(batch, FactView(frame, offset, 0)); });
    if (!walked) wrong(walked.error().message);
  }

  void note(const BatchView& batch, const FactView& view) {
    const std::string scope(batch.scope());
    if (!batch.is_answer() && batch.header().producer != 0 && view.kind() != v1::Fact::kDelivery) outcome_.outside_facts += 1;
    if (view.kind() == v1::Fact::kSubscriberState) subscribed_[scope] = view.offset();
    if (view.kind() != v1::Fact::kFinding && view.kind() != v1::Fact::kAlertState) return;
    v1::Fact fact;
    if (!view.parse_fact(fact)) wrong("a fact cannot be read");
    if (fact.has_finding()) {
      const v1::FindingTerms& terms = fact.finding().terms();
      if (terms.rule() == "fact_skipped") return;  // It names an offset, which is chance.
      outcome_.findings[scope + " " + fact.source()].push_back(fmt::format(
          "{} {} holds={} value={} at={}", fact.store(), fact.key(), terms.holds(), terms.value_micros(), terms.judged_ms()));
    } else {
      const v1::AlertTerms& terms = fact.alert_state().terms();
      const auto subscribed = subscribed_.find(scope);
      // What was said to an input from before the subscriber is nothing to it, wherever it stands.
      if (terms.notify() && subscribed != subscribed_.end() && view.cause() > subscribed->second + 1)
        due_.insert(receiver_url(scope) + " " + alerts::notice_id(terms.alert(), terms.change()));
      if (terms.finding().rule() == "fact_skipped") return;
      outcome_.alerts[scope + " " + fact.key()] =
          fmt::format("episode={} condition={}", terms.episode(), v1::Condition_Name(terms.condition()));
    }
  }

  // All that a producer had to say is there, once and in its order.
  void check_producers() const {
    for (const auto& producer : world_.producers()) {
      std::vector<uint64_t> expected;
      for (const std::string& batch : producer->batches())
        expected.push_back(hash64(std::string_view(batch).substr(sizeof(BatchHeader))));
      const auto found = said_.find(producer->id());
      if (found == said_.end() || found->second != expected)
        wrong(fmt::format("{} said {} batches, the journal has {}, or in another order", producer->name(), expected.size(),
                          found == said_.end() ? 0 : found->second.size()));
    }
  }

  // Nobody ever read what is not in the journal now.
  void check_readers() const {
    const auto check = [&](const std::map<Position, uint32_t>& seen) {
      for (const auto& [position, crc] : seen)
        if (const auto found = crcs_.find(position); found == crcs_.end() || found->second != crc)
          wrong(fmt::format("position {} was read and is gone", position));
    };
    for (const auto& node : world_.nodes()) check(node->seen());
    for (const auto& seen : world_.seen_before()) check(seen);
  }

  // Every notice that was due was taken, and none that was not.
  void check_notices() {
    std::set<std::string> taken;
    for (const auto& [id, notice] : world_.receiver().notices()) {
      outcome_.deliveries += notice.accepted;
      outcome_.repeats += notice.accepted > 1 ? notice.accepted - 1 : 0;
      if (notice.accepted > 0) taken.insert(id);
    }
    if (taken != due_)
      wrong(fmt::format("{} notices were due, {} others were delivered: due {} taken {}", due_.size(), taken.size(),
                        fmt::join(due_, " "), fmt::join(taken, " ")));
  }

  // The folds stand where a replay of the whole journal puts them, and the replay has nothing more to say.
  void replay() {
    for (const ServiceDefinition& definition : services(0)) {
      Fingerprint live;
      std::map<std::string, std::string> alerts;
      ServiceDefinition build = definition;
      Skips skips;
      for (const auto& node : world_.nodes()) {
        if (node->definition().name != definition.name) continue;
        for (const Fold* fold : node->replica().folds("")) {
          fold->fingerprint(live);
          if (definition.name == "alerts") fold->save(alerts[fold->scope]);
        }
        build = node->definition();
        skips = node->skips();
      }
      if (definition.name != "echo") outcome_.fingerprints[definition.name] = live.hex();
      check_replay(build, skips, live, alerts);
    }
  }

  void check_replay(const ServiceDefinition& definition, const Skips& skips, const Fingerprint& live,
                    const std::map<std::string, std::string>& alerts) const {
    Replica::Options options;
    for (Partition partition = 0; partition < partitions; ++partition) options.partitions.push_back(partition);
    options.partitions_all = partitions;
    options.clock = world_.place().wall_clock ? Clock::wall : Clock::facts;
    options.skips = skips;
    Replica replica(definition, options);
    std::map<uint64_t, Partition> producers;
    for (Partition partition = 0; partition < partitions; ++partition) {
      const uint64_t id = producer_id(replica.producer_name(partition));
      producers[id] = partition;
      const auto last = last_.find(id);
      replica.set_answered(partition, last == last_.end() ? 0 : last->second);
    }
    const auto reader = world_.bus().open_reader(), reader_ahead = world_.bus().open_reader();
    OwnAnswers own(*reader_ahead, 0, end_, producers);
    each_commit(*reader, [&](const CommitView& commit) {
      if (const auto took = replica.take(commit, &own); !took) wrong(took.error().message);
    });
    if (!replica.flush().empty()) wrong(definition.name + " says something in a replay that it did not say live");
    if (replica.fingerprint().hex() != live.hex()) wrong(definition.name + " stands elsewhere than a replay puts it");
    for (const auto& [scope, saved] : alerts)
      for (const Fold* fold : replica.folds(""))
        if (std::string again; fold->scope == scope) {
          fold->save(again);
          if (again != saved) wrong("the alerts of " + scope + " stand elsewhere than a replay puts them");
        }
  }

  const World& world_;
  std::unique_ptr<JournalReader> reader_;
  Position end_;
  Outcome outcome_;
  std::map<Position, uint32_t> crcs_;
  std::vector<Offset> heads_ = std::vector<Offset>(partitions);
  std::vector<Millis> times_ = std::vector<Millis>(partitions);
  std::map<uint64_t, uint64_t> last_;               // By producer: its last sequence.
  std::map<uint64_t, std::vector<uint64_t>> said_;  // By outside producer: its batches.
  std::map<std::string, Offset> subscribed_;        // By scope.
  std::set<std::string> due_;                       // Notices.
};

}  // namespace

Outcome audit(const World& world) { return Audit(world).run(); }

}  // namespace xundian::simulation
