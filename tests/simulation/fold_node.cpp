#include "tests/simulation/fold_node.h"

#include <fmt/ranges.h>

#include <stdexcept>

#include "tests/simulation/echo.h"

namespace xundian::simulation {

FoldNode::FoldNode(ServiceDefinition definition, uint32_t instance, uint32_t instances, Dice& dice, const Weather& weather,
                   Network& network, const BusNode& bus, Clock clock, const Millis& now)
    : definition_(std::move(definition)),
      instance_(instance),
      instances_(instances),
      dice_(dice),
      weather_(weather),
      network_(network),
      bus_(bus),
      clock_(clock),
      now_(now) {
  start();
}

void FoldNode::restart(ServiceDefinition definition) {
  crashes_ += 1;
  replica_.reset();  // It refers to the definition.
  definition_ = std::move(definition);
  while (!snapshots_.empty() && happens(dice_, weather_.snapshot_loss)) snapshots_.pop_back();
  start();
}

void FoldNode::start() {
  own_.reset();
  reader_.reset();
  reader_ahead_.reset();
  note_crash(mark_, skips_);
  Replica::Options options;
  for (Partition partition = 0; partition < partitions; ++partition)
    if (partition % instances_ == instance_) options.partitions.push_back(partition);
  options.partitions_all = partitions;
  options.clock = clock_;
  options.skips = skips_;
  options.mark = &mark_;
  replica_ = std::make_unique<Replica>(definition_, options);
  position_ = asked_position_ = 0;
  if (!snapshots_.empty()) {
    if (!replica_->load(ByteReader(snapshots_.back().state))) throw std::runtime_error("a snapshot does not load");
    position_ = snapshots_.back().position;
  }
  Link::Options link{name(), {}, true, dice_() | 1};
  for (const Partition partition : options.partitions) link.producers.push_back(producer_id(replica_->producer_name(partition)));
  wakes_.assign(options.partitions.size(), never);
  link_ = std::make_unique<NetworkLink>(link, network_, now_);
}

void FoldNode::suffer() {
  if (happens(dice_, weather_.cut)) link_->cut();
  if (happens(dice_, weather_.pause)) paused_until_ = now_ + static_cast<Millis>(roll(dice_, 800));
}

// A process whose link has failed for good ends, and is started again.
void FoldNode::turn() {
  if (now_ < paused_until_) return;
  const auto turned = link_->turn(now_);
  if (!turned && turned.error().code == Code::aborted) return restart(definition_);
  if (!turned) throw std::runtime_error(turned.error().message);
  if (!reader_ && link_->welcomed()) get_ready();
  if (!reader_) return;
  known_end_ = std::max<Position>(known_end_, link_->welcome().next_position());
  if (position_ < known_end_ && link_->may_send()) fold_some();
  if (!reader_) return;
  ask_for_wakes();
  if (happens(dice_, 40)) keep_snapshot();
}

void FoldNode::get_ready() {
  const wire::v1::Welcome& welcome = link_->welcome();
  reader_ = bus_.open_reader();
  reader_ahead_ = bus_.open_reader();
  known_end_ = replay_end_ = welcome.next_position();
  std::map<uint64_t, Partition> producers;
  const std::vector<Partition>& served = replica_->partitions();
  for (size_t index = 0; index < served.size(); ++index) {
    replica_->set_answered(served[index], welcome.last_sequences(static_cast<int>(index)));
    producers[producer_id(replica_->producer_name(served[index]))] = served[index];
  }
  own_ = std::make_unique<OwnAnswers>(*reader_ahead_, position_, known_end_, producers);
}

void FoldNode::fold_some() {
  try {
    read_some();
  } catch (const Poisoned&) {
    return restart(definition_);
  }
  if (!reader_) return;
  if (own_ && replica_->caught_up()) own_.reset();
  for (Replica::Answer& answer : replica_->flush()) {
    const std::vector<Partition>& served = replica_->partitions();
    link_->send(static_cast<size_t>(std::find(served.begin(), served.end(), answer.partition) - served.begin()),
                std::move(answer.batch));
  }
}

void FoldNode::read_some() {
  Result<void> took;
  const auto next = reader_->read(position_, 1 + roll(dice_, 4'000), [&](const CommitView& commit) {
    if (commit.position() >= known_end_) return false;
    took = replica_->take(commit, own_.get());
    if (!took) return false;
    seen_[commit.position()] = crc32c(commit.bytes());
    position_ = commit.position() + 1;
    return true;
  });
  const bool power = (!took && took.error().code == Code::aborted) || (!next && next.error().code == Code::aborted);
  if (power) return restart(definition_);  // The machine went down with the disk.
  if (!took) throw std::runtime_error(took.error().message);
  if (!next) throw std::runtime_error(next.error().message);
}

void FoldNode::ask_for_wakes() {
  if (clock_ != Clock::wall || position_ < known_end_) return;
  for (size_t index = 0; index < wakes_.size(); ++index) {
    const Partition partition = replica_->partitions()[index];
    if (!replica_->asks_for_wake(partition, wakes_[index], position_ != asked_position_)) continue;
    wakes_[index] = replica_->next_wake(partition);
    link_->wake_at(index, partition, wakes_[index]);
  }
  asked_position_ = position_;
}

void FoldNode::keep_snapshot() {
  if (!replica_->may_save(link_->unacknowledged())) return;
  snapshots_.push_back({position_, replica_->save()});
  if (snapshots_.size() > 3) snapshots_.erase(snapshots_.begin());
}

bool FoldNode::deliver(const Mail& mail) {
  if (mail.type == wire::v1::MESSAGE_TYPE_BELL && mail.to == name()) {
    if (!bell_topics_of(definition_.kinds).contains(mail.topic)) return true;
    wire::v1::Bell bell;
    bell.ParseFromString(mail.body);
    known_end_ = std::max<Position>(known_end_, bell.next_position());
    return true;
  }
  if (mail.to != link_->connection()) return false;
  const auto took = link_->listens() ? link_->take(mail.type, mail.body, now_) : Result<void>();
  if (!took && took.error().code == Code::aborted)
    restart(definition_);
  else if (!took)
    throw std::runtime_error(took.error().message);
  return true;
}

bool FoldNode::rests(const Heads& heads, Millis wall) const {
  if (!reader_ || now_ < paused_until_ || link_->unacknowledged() > 0) return false;
  for (const Partition partition : replica_->partitions())
    if (replica_->offset(partition) < heads[partition] || (clock_ == Clock::wall && replica_->next_wake(partition) <= wall))
      return false;
  return true;
}

Millis FoldNode::next_wake() const {
  Millis first = never;
  for (const Partition partition : replica_->partitions()) first = std::min(first, replica_->next_wake(partition));
  return first;
}

std::string FoldNode::describe() const {
  std::string text = fmt::format("{} reads {} position {} of {} waiting {} refused \"{}\", offsets", name(), reader_ != nullptr,
                                 position_, known_end_, link_->unacknowledged(), link_->refusal());
  for (const Partition partition : replica_->partitions())
    text += fmt::format(" {} (wakes {})", replica_->offset(partition), replica_->next_wake(partition));
  return text;
}

}  // namespace xundian::simulation
