// The half of the sequencer that writes: groups, Ticks, acknowledgements, the bell.
#include <algorithm>
#include <bitset>
#include <limits>

#include "common/mutant.h"
#include "services/bus/sequencer.h"

namespace xundian::bus {

namespace {

constexpr Millis beat_ms = 100;
// Each ring wakes who listens to it. So many come as they may; under load they come together, once in so long, and at once only
// for what somebody may wait for: what a service says, on which an alert's way goes on, and news, which come in few facts at a
// time.
constexpr Millis ring_rest_ms = 5, news_rest_ms = 2;
constexpr int64_t rings_kept = 8;
constexpr uint32_t news_facts_max = 8;
// What is of few topics is rung for to those who fold them; the others, who need to know only where the journal stands, come
// later, out of their way.
constexpr size_t topics_at_once = 2;
constexpr Millis others_after_ms = 5;

using Topics = std::bitset<std::numeric_limits<BellTopic>::max() + 1>;

void add_topics(std::string_view batch, Topics& topics) {
  const auto header = load<BatchHeader>(batch.data());
  const char* run = batch.data() + sizeof(BatchHeader) + header.scope_bytes;
  for (uint32_t left = header.run_count; left > 0; --left, run += sizeof(BatchRun))
    topics.set(bell_topic_of(load<BatchRun>(run).kind));
}

// A Tick concerns a whole partition; its scope is therefore no group's.
std::string tick_batch(Partition partition, uint32_t partitions, Millis time) {
  v1::Fact fact;
  fact.set_as_of_ms(time);
  fact.set_occurred_ms(time);
  fact.set_source("bus");
  fact.mutable_tick()->set_time_ms(time);
  BatchBuilder builder;
  const auto added = builder.add(fact);
  CHECK(added, added.error().message);
  std::string batch = builder.finish("", partitions, {});
  auto header = load<BatchHeader>(batch.data());
  header.partition = partition;
  write_header(batch, header);
  return batch;
}

}  // namespace

Result<Committed> Sequencer::commit(Millis now) {
  const bool again = held_ != nullptr;
  std::unique_ptr<Group> group = again ? std::move(held_) : make_group(now);
  if (group == nullptr) return Committed{};
  const auto position = writer_.append(ledger_.heads, group->batches);
  if (!position && position.error().code == Code::unavailable) {
    trouble_ = position.error().message;
    held_ = std::move(group);
    return Committed{};
  }
  if (!position) return tl::unexpected(position.error());
  trouble_.clear();
  next_position_ = *position + 1;
  for (const BatchHeader& header : group->headers) ledger_.note(header);
  if (again) settle_sessions(*group);
  acknowledge(*group);
  ring_for(*group);
  return Committed{group->batches.size(), group->bytes};
}

// Null: nothing waits and nothing is due.
std::unique_ptr<Group> Sequencer::make_group(Millis now) {
  auto group = std::make_unique<Group>();
  group->heads = ledger_.heads;
  gather(*group);
  for (const Waiting& waiting : group->puts) group->headers.push_back(place(*group, waiting.message.bytes, now));
  add_ticks(*group, now);
  if (group->headers.empty()) return nullptr;
  for (const Waiting& waiting : group->puts) group->batches.push_back(waiting.message.view());
  for (const std::string& tick : group->ticks) group->batches.push_back(tick);
  return group;
}

// While it was held its producers may have begun new sessions, which knew nothing of it.
void Sequencer::settle_sessions(const Group& group) {
  for (const Waiting& waiting : group.puts) {
    Session& session = sessions_.at(waiting.producer);
    session.last_queued = std::max(session.last_queued, waiting.sequence);
    if (session.refused && *session.refused <= waiting.sequence) session.refused.reset();
  }
}

void Sequencer::gather(Group& group) {
  while (!queue_.empty()) {
    const size_t bytes = queue_.front().message.bytes.size();
    if (!group.puts.empty() && group.bytes + bytes > options_.group_bytes) return;
    group.bytes += bytes;
    group.puts.push_back(queue_.pop());
  }
}

// A batch gets its offsets, the epoch and the time.
BatchHeader Sequencer::place(Group& group, std::span<char> batch, Millis now) const {
  auto header = load<BatchHeader>(batch.data());
  header.base = group.heads[header.partition];
  header.epoch = epoch_;
  // The clock may step back; a partition's time does not.
  if (options_.clock == Clock::wall)
    header.time_ms = mutant("time_steps_back") ? now : std::max(now, ledger_.times[header.partition]);
  write_header(batch, header);
  group.heads[header.partition] += header.count;
  return header;
}

// One Tick for each partition where somebody waits for a time that has come. A record may bring it too, but only to its own
// group, and whose time it is that is waited for, only the one who waits knows.
void Sequencer::add_ticks(Group& group, Millis now) {
  if (options_.clock != Clock::wall || mutant("lost_tick")) return;
  for (Partition partition = 0; partition < wakes_.size(); ++partition) {
    const Millis time = std::max(now, ledger_.times[partition]);
    const bool due = std::ranges::any_of(wakes_[partition], [&](const auto& wake) { return wake.second <= time; });
    if (!due) continue;
    std::erase_if(wakes_[partition], [&](const auto& wake) { return wake.second <= time; });
    group.ticks.push_back(tick_batch(partition, options_.partitions, time));
    group.headers.push_back(place(group, group.ticks.back(), now));
    group.bytes += group.ticks.back().size();
  }
}

// For each producer one acknowledgement for each partition it put into, so that it learns all the heads; cumulative all the same.
void Sequencer::acknowledge(const Group& group) {
  std::map<std::pair<uint64_t, Partition>, size_t> last;
  for (size_t index = 0; index < group.puts.size(); ++index)
    last[{group.headers[index].producer, group.headers[index].partition}] = index;
  for (size_t index = 0; index < group.puts.size(); ++index) {
    const BatchHeader& header = group.headers[index];
    if (last.at({header.producer, header.partition}) != index) continue;
    acknowledge(sessions_.at(header.producer).connection, header.producer, header.sequence, header.base + header.count);
  }
}

void Sequencer::ring_for(const Group& group) {
  const bool calm = rings_.left > 0;
  bool rings_now = calm;
  Topics topics;
  for (size_t index = 0; index < group.batches.size(); ++index) {
    const BatchHeader& header = group.headers[index];
    const bool is_news = news_rings_.left > 0 && header.count <= news_facts_max;
    if (calm || is_news || (header.flags & fold_answer) != 0) add_topics(group.batches[index], topics);
    rings_now = rings_now || is_news;
  }
  if (rings_now) news_rings_.take();
  if (rings_now && topics.count() > topics_at_once) return ring();
  for (size_t topic = 0; topic < topics.size(); ++topic)
    if (topics[topic]) ring(next_position_, static_cast<BellTopic>(topic));
  if (rings_now) rings_.take();
  ring_can_wait_ = calm && (ring_can_wait_ || !ring_owed_);
  ring_owed_ = true;
}

void Sequencer::Rings::rest(Millis now_steady_ms, Millis rest_ms) {
  const int64_t rested = (now_steady_ms - rested_at) / rest_ms;
  if (rested <= 0) return;
  left = std::min(left + rested, rings_kept);
  rested_at = now_steady_ms;
}

void Sequencer::ring(Position next_position, BellTopic topic) {
  wire::v1::Bell bell;
  bell.set_home(options_.home);
  bell.set_epoch(epoch_);
  bell.set_next_position(next_position);
  for (const Offset head : ledger_.heads) bell.add_heads(head);
  outputs_.push_back({"", topic, wire::v1::MESSAGE_TYPE_BELL, bell.SerializeAsString()});
  if (topic != bell_for_all) return;
  rung_ = true;
  ring_owed_ = false;
  owed_since_ = 0;
  rings_.take();
}

Millis Sequencer::beat(Millis now_steady_ms) {
  rings_.rest(now_steady_ms, ring_rest_ms);
  news_rings_.rest(now_steady_ms, news_rest_ms);
  if (ring_owed_ && ring_can_wait_ && owed_since_ == 0) owed_since_ = now_steady_ms;
  if (ring_owed_ && (ring_can_wait_ ? now_steady_ms - owed_since_ >= others_after_ms : rings_.left > 0)) ring();
  if (!rung_ && now_steady_ms - rung_at_ >= beat_ms && !mutant("no_head_beat")) ring();
  if (std::exchange(rung_, false)) rung_at_ = now_steady_ms;
  if (!ring_owed_) return rung_at_ + beat_ms;
  return ring_can_wait_ ? owed_since_ + others_after_ms : rings_.rested_at + ring_rest_ms;
}

// ---- Wakes

void Sequencer::wake(std::string_view connection, const wire::v1::Wake& wake) {
  if (options_.clock != Clock::wall) return;  // Time comes from the facts then, and from their producers' Ticks.
  const auto session = sessions_.find(wake.producer());
  if (session == sessions_.end() || session->second.connection != connection || wake.partition() >= options_.partitions) return;
  const auto partition = static_cast<Partition>(wake.partition());
  wakes_[partition].erase(wake.producer());
  if (wake.at_ms() == std::numeric_limits<Millis>::max()) return;
  wakes_[partition][wake.producer()] = wake.at_ms();
}

Millis Sequencer::next_tick() const {
  Millis next = std::numeric_limits<Millis>::max();
  for (const auto& wakes : wakes_)
    for (const auto& [producer, at_ms] : wakes) next = std::min(next, at_ms);
  return next;
}

}  // namespace xundian::bus
