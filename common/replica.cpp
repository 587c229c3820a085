#include "common/replica.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/mutant.h"

namespace xundian {

namespace {

constexpr size_t answer_bytes = 256u << 10;  // A batch of answers is closed when it has grown to this.
constexpr size_t read_ahead_bytes = 4u << 20;
constexpr uint32_t crashes_max = 3;
constexpr size_t expected = 8;  // Facts that a fold is told of before they come to it.

}  // namespace

bool note_crash(CrashMark& mark, Skips& skips) {
  if (std::exchange(mark.folding, 0) == 0) return false;
  const bool again = mark.crashes > 0 && mark.partition == mark.suspect_partition && mark.offset == mark.suspect_offset;
  mark.crashes = again ? mark.crashes + 1 : 1;
  mark.suspect_partition = mark.partition;
  mark.suspect_offset = mark.offset;
  if (mark.crashes < crashes_max || mutant("poison_never_skipped")) return false;
  return skips.emplace(static_cast<Partition>(mark.partition), mark.offset).second;
}

OwnAnswers::OwnAnswers(JournalReader& reader, Position from, Position end, std::map<uint64_t, Partition> producers)
    : reader_(reader), position_(from), end_(end), producers_(std::move(producers)) {}

void OwnAnswers::keep(const BatchView& batch) {
  const auto producer = producers_.find(batch.header().producer);
  if (!batch.is_answer() || producer == producers_.end()) return;
  Ahead& ahead = ahead_[producer->second];
  const auto kept = batch.for_each(
      [](Kind) { return true; },
      [&](std::string_view frame, Offset) { ahead.frames.emplace_back(load<FactHead>(frame.data()).cause, std::string(frame)); });
  CHECK(kept.has_value(), "a service's own answer cannot be read");
  ahead.sequence = batch.header().sequence;
}

Result<void> OwnAnswers::read_on() {
  Result<void> outcome;
  const auto next = reader_.read(position_, read_ahead_bytes, [&](const CommitView& commit) {
    if (commit.position() >= end_) return false;
    outcome = commit.for_each_batch(false, [&](const BatchView& batch) { keep(batch); });
    position_ = commit.position() + 1;
    return outcome.has_value();
  });
  if (!next) return tl::unexpected(next.error());
  return outcome;
}

Result<std::vector<std::string>> OwnAnswers::take(Partition partition, Offset input) {
  Ahead& ahead = ahead_[partition];
  while (ahead.sequence < input + 1 && position_ < end_) {
    const Position before = position_;
    TRY_VOID(read_on());
    if (position_ == before) return fail(Code::data_loss, "the journal ends at {}, before {}", position_, end_);
  }
  std::vector<std::string> frames;
  while (!ahead.frames.empty() && ahead.frames.front().first <= input + 1) {
    if (ahead.frames.front().first == input + 1) frames.push_back(std::move(ahead.frames.front().second));
    ahead.frames.pop_front();  // Older ones answer inputs that a snapshot holds.
  }
  return frames;
}

Replica::Replica(const ServiceDefinition& definition, Options options) : definition_(definition), options_(std::move(options)) {
  for (const Partition partition : options_.partitions) {
    states_[partition];
    producers_[producer_id(producer_name(partition))] = partition;
  }
}

std::string Replica::producer_name(Partition partition) const { return fmt::format("{}/{}", definition_.name, partition); }

void Replica::set_answered(Partition partition, uint64_t last_sequence) { states_.at(partition).answered = last_sequence; }

bool Replica::wants(Kind kind) const {
  return kind == v1::Fact::kTick ||
         std::find(definition_.kinds.begin(), definition_.kinds.end(), kind) != definition_.kinds.end();
}

Replica::Group& Replica::group_of(PartitionState& state, std::string_view scope) {
  const auto found = state.groups.find(scope);
  if (found != state.groups.end()) return found->second;
  Group& group = state.groups[std::string(scope)];
  group.fold = definition_.make_fold();
  group.fold->scope = scope;
  return group;
}

// A Tick of the bus concerns the partition: the group that has waited longest takes it. Others whose time has come too ask for
// one of their own, for what answers one input is of one group.
Replica::Group* Replica::taker_of(PartitionState& state, const BatchView& batch) {
  if (batch.header().producer != 0 || !batch.scope().empty()) return &group_of(state, batch.scope());
  const auto first = std::ranges::min_element(state.groups, {}, [](const auto& entry) { return entry.second.fold->next_wake(); });
  return first == state.groups.end() || mutant("tick_without_taker") ? nullptr : &first->second;
}

// What facts speak of lies anywhere in memory; asked for ahead, it has come when they are folded. Therefore a batch is folded
// once the inputs behind it are at hand, be they of many small batches; no later, while its bytes are still near.
Result<void> Replica::take(const CommitView& commit, OwnAnswers* own) {
  parts_.clear();
  inputs_.clear();
  told_ = gathered_ = 0;
  is_whole_ = false;
  Result<void> outcome;
  // Checked although the bus did: a bit that a disk lost since must stop a replay, not change a number.
  TRY_VOID(commit.for_each_batch(false, [&](const BatchView& batch) {
    if (outcome && !batch.is_control() && states_.contains(batch.header().partition)) outcome = gather(batch);
    while (outcome && !parts_.empty() && inputs_.size() >= parts_.front().to + expected) outcome = take_first_part(own);
  }));
  is_whole_ = true;
  while (outcome && !parts_.empty()) outcome = take_first_part(own);
  return outcome;
}

Result<void> Replica::gather(const BatchView& batch) {
  const PartitionState& state = states_.at(batch.header().partition);
  if (batch.header().base + batch.header().count <= state.offset) return {};  // A snapshot holds it.
  Part& part = parts_.emplace_back();
  part.batch = batch;
  part.is_ours = batch.is_answer() && producers_.contains(batch.header().producer);
  part.from = part.to = inputs_.size();
  if (part.is_ours) return {};
  const auto group = state.groups.find(batch.scope());
  Fold* const fold = group == state.groups.end() ? nullptr : group->second.fold.get();
  TRY_VOID(batch.for_each_run([&](const BatchRun& run, std::string_view frames, Offset offset) -> Result<void> {
    const bool wanted = wants(run.kind);
    if (offset == batch.header().base) part.begins_unwanted = !wanted;
    if (!wanted) return {};
    return for_each_frame(run, frames, offset, [&](std::string_view frame, Offset at) { inputs_.push_back({frame, at, fold}); });
  }));
  part.to = inputs_.size();
  gathered_ += part.to - part.from;
  return {};
}

Result<void> Replica::take_first_part(OwnAnswers* own) {
  const Part part = parts_.front();
  parts_.pop_front();
  TRY_VOID(take_part(part, own));
  if (part.to == 0) return {};  // It has none that are wanted.
  // Its inputs give way.
  inputs_.erase(inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(part.to));
  told_ -= std::min(told_, part.to);
  for (Part& later : parts_)
    for (size_t* place : {&later.from, &later.to}) *place -= part.to;
  return {};
}

Result<void> Replica::take_part(const Part& part, OwnAnswers* own) {
  const BatchHeader& header = part.batch.header();
  PartitionState& state = states_.at(header.partition);
  if (header.base != state.offset)
    return fail(Code::data_loss, "partition {}: the journal goes on at {}, the fold stands at {}", header.partition, header.base,
                state.offset);
  if (Group* const taker = part.is_ours ? nullptr : taker_of(state, part.batch); taker != nullptr) {
    Group& group = *taker;
    const bool wall = options_.clock == Clock::wall;
    if (wall) group.time_ms = std::max(group.time_ms, header.time_ms);
    // Any record brings time, even if the fold wants none of its facts. Then those that it begins with are looked at, too.
    if (wall && part.begins_unwanted && group.fold->next_wake() <= group.time_ms) TRY_VOID(take_time(part, state, group, own));
    for (size_t index = part.from; index < part.to; ++index) {
      tell_ahead_of(index, *group.fold);
      const auto& [frame, offset, told] = inputs_[index];
      if (!wall && !part.batch.is_answer())
        group.time_ms = std::max(group.time_ms, ::xundian::load<FactHead>(frame.data()).occurred_ms);
      TRY_VOID(take_input(header.partition, state, group, frame, offset, own));
    }
  }
  state.offset = header.base + header.count;
  return {};
}

Result<void> Replica::take_time(const Part& part, PartitionState& state, Group& group, OwnAnswers* own) {
  return part.batch.for_each_run([&](const BatchRun& run, std::string_view frames, Offset first) -> Result<void> {
    if (first != part.batch.header().base) return {};
    Result<void> outcome;
    TRY_VOID(for_each_frame(run, frames, first, [&](std::string_view frame, Offset offset) {
      if (outcome) outcome = take_input(part.batch.header().partition, state, group, frame, offset, own);
    }));
    return outcome;
  });
}

void Replica::tell_ahead_of(size_t index, Fold& folding) {
  for (; told_ < std::min(index + expected, inputs_.size()); ++told_)
    if (const auto& [frame, offset, fold] = inputs_[told_]; fold != nullptr) fold->expect(FactView(frame, offset, 0));
  if (is_whole_ && gathered_ > expected && index + expected > inputs_.size()) folding.expect(FactView());
}

// Wakes the fold, folds the input, and hands the fold what it says: from the journal if it was said before, else as it is said
// now.
Result<void> Replica::take_input(Partition partition, PartitionState& state, Group& group, std::string_view frame, Offset offset,
                                 OwnAnswers* own) {
  Fold& fold = *group.fold;
  const FactView fact(frame, offset, group.time_ms);
  outbox_.clear();
  if (fold.next_wake() <= group.time_ms) fold.wake(group.time_ms, outbox_);
  if (fact.kind() != v1::Fact::kTick && wants(fact.kind())) fold_marked(partition, fold, fact);
  if (!outbox_.rejected().empty()) say_skipped(fact, outbox_.rejected());
  const bool said_before = offset + 1 <= state.answered && !mutant("own_answers_not_from_log");
  std::vector<std::string> frames;
  if (said_before) {
    CHECK(own != nullptr, "own answers are needed and not at hand");
    frames = TRY(own->take(partition, offset));
  } else {
    frames = frames_of_outbox(partition, fact);
  }
  for (const std::string& said : frames) fold.said(FactView(said, offset, group.time_ms));
  if (!said_before && !frames.empty()) send(partition, state, fold, offset, frames);
  return {};
}

void Replica::fold_marked(Partition partition, Fold& fold, const FactView& fact) {
  if (options_.skips.contains({partition, fact.offset()})) {
    outbox_.reject(fmt::format("folding it ended {} three times", definition_.name));
    return;
  }
  CrashMark* mark = options_.mark;
  if (mark != nullptr) {
    mark->partition = partition;
    mark->offset = fact.offset();
    mark->folding = 1;
  }
  fold.fold(fact, outbox_);
  if (mark != nullptr) mark->folding = 0;
}

void Replica::say_skipped(const FactView& fact, const std::string& why) {
  skipped_ += 1;
  v1::Fact& finding = outbox_.add();
  const std::string entity = fmt::format("{}/{}", definition_.name, fact.offset());
  finding.set_store(std::string(fact.store_id()));
  finding.set_key("fact_skipped|" + entity);
  v1::FindingTerms& terms = *finding.mutable_finding()->mutable_terms();
  terms.set_rule("fact_skipped");
  terms.set_entity_kind("fact");
  terms.set_entity(entity);
  terms.set_holds(true);
  terms.set_value_micros(1'000'000);
  terms.set_judged_ms(fact.time_ms());
  terms.set_since_ms(fact.time_ms());
  terms.set_severity(v1::SEVERITY_HIGH);
  terms.set_owner("tech");
  terms.set_text_zh(fmt::format("{} 无法处理第 {} 条事实，已跳过：{}", definition_.name, fact.offset(), why));
  terms.set_text_en(fmt::format("{} cannot fold fact {} and skipped it: {}", definition_.name, fact.offset(), why));
  terms.set_next("look_at_fact");
}

std::vector<std::string> Replica::frames_of_outbox(Partition partition, const FactView& input) {
  std::vector<std::string> frames;
  for (v1::Fact& fact : outbox_.facts()) {
    fact.set_source(producer_name(partition));
    fact.set_cause(input.offset() + 1);
    if (fact.as_of_ms() == 0) fact.set_as_of_ms(std::max<Millis>(input.time_ms(), 1));
    if (fact.occurred_ms() == 0) fact.set_occurred_ms(fact.as_of_ms());
    const auto framed = append_frame(frames.emplace_back(), fact);
    CHECK(framed.has_value(), framed.error().message);
  }
  return frames;
}

// All that answers one input goes into one batch, so that a restart finds it whole or not at all.
void Replica::send(Partition partition, PartitionState& state, const Fold& fold, Offset offset,
                   const std::vector<std::string>& frames) {
  size_t bytes = 0;
  for (const std::string& frame : frames) bytes += frame.size();
  CHECK(bytes < batch_bytes_max / 2 && frames.size() < batch_facts_max / 2, "an answer is too large for a batch");
  if (!state.answers.empty() && (state.answers_scope != fold.scope || state.answers.bytes() + bytes > answer_bytes ||
                                 state.answers.count() + frames.size() > batch_facts_max / 2))
    close_batch(partition, state);
  state.answers_scope = fold.scope;
  state.answers_sequence = offset + 1;
  for (const std::string& frame : frames) state.answers.add_frame(frame);
}

void Replica::close_batch(Partition partition, PartitionState& state) {
  BatchHeader header;
  header.flags = fold_answer;
  header.producer = producer_id(producer_name(partition));
  header.sequence = state.answers_sequence;
  ready_.push_back(
      {partition, state.answers_sequence, state.answers.finish(state.answers_scope, options_.partitions_all, header)});
}

std::vector<Replica::Answer> Replica::flush() {
  for (auto& [partition, state] : states_)
    if (!state.answers.empty()) close_batch(partition, state);
  return std::exchange(ready_, {});
}

bool Replica::caught_up() const {
  return std::all_of(states_.begin(), states_.end(),
                     [](const auto& entry) { return entry.second.offset >= entry.second.answered; });
}

Offset Replica::offset(Partition partition) const { return states_.at(partition).offset; }

Millis Replica::time(Partition partition) const {
  Millis newest = 0;
  for (const auto& [scope, group] : states_.at(partition).groups) newest = std::max(newest, group.time_ms);
  return newest;
}

Millis Replica::next_wake(Partition partition) const {
  Millis first = never;
  for (const auto& [scope, group] : states_.at(partition).groups) first = std::min(first, group.fold->next_wake());
  return first;
}

bool Replica::asks_for_wake(Partition partition, Millis asked, bool folded) const {
  const Millis at = next_wake(partition);
  return at != asked || (folded && at <= time(partition));
}

std::vector<Fold*> Replica::folds(std::string_view tenant) const {
  std::vector<Fold*> folds;
  for (const auto& [partition, state] : states_)
    for (const auto& [scope, group] : state.groups)
      if (tenant.empty() || (scope.size() > tenant.size() && scope.starts_with(tenant) && scope[tenant.size()] == '/'))
        folds.push_back(group.fold.get());
  return folds;
}

Fingerprint Replica::fingerprint() const {
  Fingerprint sum;
  for (const Fold* fold : folds("")) fold->fingerprint(sum);
  return sum;
}

Result<std::string> Replica::answer(std::string_view method, std::string_view request, bool replayed) const {
  const size_t bar = method.find('|');
  const std::string_view tenant = bar == std::string_view::npos ? std::string_view() : method.substr(0, bar);
  if (bar != std::string_view::npos) method.remove_prefix(bar + 1);
  const bool present_only = std::ranges::find(definition_.present_only, method) != definition_.present_only.end();
  if (present_only && !replayed && !mutant("past_is_due"))
    return fail(Code::unavailable, "{} replays the journal and answers {} when it is done", definition_.name, method);
  return definition_.answer(folds(tenant), method, request);
}

bool Replica::may_save(size_t unacknowledged) const {
  return (unacknowledged == 0 || mutant("unsettled_snapshot")) && caught_up();
}

std::string Replica::save(size_t room_bytes) const {
  std::string bytes;
  try {
    bytes.reserve(room_bytes);
  } catch (const std::bad_alloc&) {  // A system that promises no more than it has; then it grows as it is filled.
  }
  append(bytes, skipped_);
  append(bytes, static_cast<uint32_t>(states_.size()));
  for (const auto& [partition, state] : states_) {
    append(bytes, partition);
    append(bytes, state.offset);
    append(bytes, static_cast<uint32_t>(state.groups.size()));
    for (const auto& [scope, group] : state.groups) {
      append_text(bytes, scope);
      append(bytes, group.time_ms);
      const size_t before = bytes.size();
      append(bytes, uint64_t{0});  // How many bytes follow; known when they do.
      group.fold->save(bytes);
      const uint64_t saved = bytes.size() - before - sizeof(uint64_t);
      ::xundian::store(bytes.data() + before, saved);
    }
  }
  return bytes;
}

bool Replica::load(ByteReader reader) {
  skipped_ = reader.take<uint64_t>();
  if (reader.take<uint32_t>() != states_.size()) return false;
  for (auto& [expected, state] : states_) {
    if (reader.take<Partition>() != expected) return false;
    state.offset = reader.take<Offset>();
    for (uint32_t left = reader.take<uint32_t>(); left > 0 && reader.ok(); --left) {
      Group& group = group_of(state, reader.take_text());
      group.time_ms = reader.take<Millis>();
      if (!group.fold->load(reader.take_part(reader.take<uint64_t>()))) return false;
    }
  }
  return reader.ok() && reader.empty();
}

}  // namespace xundian
