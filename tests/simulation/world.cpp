#include "tests/simulation/world.h"

#include <fmt/ranges.h>

#include <stdexcept>

#include "common/time.h"
#include "services/alerts/state.h"
#include "services/campaigns/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"

namespace xundian::simulation {

namespace {

constexpr uint32_t partitions = 4;
constexpr Millis start_of_facts = 1'790'000'000'000;
constexpr Millis patience_ms = 300;

struct Mail {
  std::string to;    // "bus", or a node's name.
  std::string from;
  wire::v1::MessageType type = wire::v1::MESSAGE_TYPE_UNSPECIFIED;
  std::string body;
};

class Network {
 public:
  Network(Dice& dice, const Weather& weather) : dice_(dice), weather_(weather) {}
  // On a connection mail keeps its order, and is lost only with the connection.
  void send(Millis now, Mail mail) {
    Millis& last = last_[mail.from + ">" + mail.to];
    last = std::max(last, now + delay());
    mails_.emplace(last, std::move(mail));
  }
  // A bell may be lost, come twice, or come late.
  void ring(Millis now, const Mail& mail) {
    if (roll(dice_, 1'000) < weather_.drop) return;
    if (roll(dice_, 1'000) < weather_.repeat) mails_.emplace(now + delay(), mail);
    mails_.emplace(now + delay(), mail);
  }
  // What is under way on a connection is lost.
  void cut(const std::string& connection) {
    std::erase_if(mails_, [&](const auto& mail) { return mail.second.from == connection || mail.second.to == connection; });
  }
  std::optional<Mail> take(Millis now) {
    if (mails_.empty() || mails_.begin()->first > now) return std::nullopt;
    Mail mail = std::move(mails_.begin()->second);
    mails_.erase(mails_.begin());
    return mail;
  }

 private:
  Millis delay() { return weather_.delay_ms == 0 ? 1 : 1 + static_cast<Millis>(roll(dice_, static_cast<uint64_t>(weather_.delay_ms))); }
  Dice& dice_;
  const Weather& weather_;
  std::multimap<Millis, Mail> mails_;
  std::map<std::string, Millis> last_;
};

// A producer's side of the protocol, for folds and for outside producers alike.
class Link {
 public:
  Link(std::string name, std::vector<uint64_t> producers, uint64_t instance, bool folds)
      : name_(std::move(name)), producers_(std::move(producers)), folds_(folds), instance_(instance), connection_(instance), last_(producers_.size(), 0) {}

  bool welcomed() const { return welcome_.session() != 0; }
  const wire::v1::Welcome& welcome() const { return welcome_; }
  bool settled() const { return queue_.empty(); }
  void queue(size_t producer, std::string batch) { queue_.push_back({producer, std::move(batch), false}); }

  // Where the bus's answers go; another one after each cut.
  std::string connection() const { return fmt::format("{}#{}", name_, connection_); }
  void cut(Network& network) {
    network.cut(connection());
    connection_ += 1;
  }

  void turn(Millis now, Network& network) {
    if (!welcomed() || (!queue_.empty() && now - heard_ > patience_ms)) {
      if (now - asked_ < patience_ms) return;
      asked_ = heard_ = now;
      for (Outgoing& out : queue_) out.sent = false;
      wire::v1::Hello hello;
      for (const uint64_t producer : producers_) hello.add_producers(producer);
      hello.set_name(name_);
      hello.set_instance(instance_);
      hello.set_attempt(++attempt_);
      welcome_.Clear();
      network.send(now, {"bus", connection(), wire::v1::MESSAGE_TYPE_HELLO, hello.SerializeAsString()});
      return;
    }
    for (Outgoing& out : queue_) {
      if (out.sent) continue;
      out.sent = true;
      auto header = load<BatchHeader>(out.batch.data());
      header.session = welcome_.session();
      header.epoch = welcome_.epoch();
      header.producer = producers_[out.producer];
      write_header(out.batch, header);
      network.send(now, {"bus", connection(), wire::v1::MESSAGE_TYPE_PUT, out.batch});
    }
  }

  // True on a Welcome.
  bool take(const Mail& mail, Millis now) {
    heard_ = now;
    if (mail.type == wire::v1::MESSAGE_TYPE_WELCOME) {
      wire::v1::Welcome welcome;
      welcome.ParseFromString(mail.body);
      if (welcome.last_sequences_size() != static_cast<int>(producers_.size())) return false;
      welcome_ = welcome;
      for (size_t index = 0; index < producers_.size(); ++index) acknowledge(index, welcome.last_sequences(static_cast<int>(index)));
      for (Outgoing& out : queue_) out.sent = false;
      return true;
    }
    if (mail.type == wire::v1::MESSAGE_TYPE_ACK) {
      wire::v1::Ack ack;
      ack.ParseFromString(mail.body);
      for (size_t index = 0; index < producers_.size(); ++index)
        if (producers_[index] == ack.producer()) acknowledge(index, ack.last_sequence());
    }
    if (mail.type == wire::v1::MESSAGE_TYPE_NACK) {
      wire::v1::Nack nack;
      nack.ParseFromString(mail.body);
      if (nack.refusal() == wire::v1::REFUSAL_INVALID) throw std::runtime_error(name_ + " was refused: " + nack.text());
      refused_ = nack.text();
      welcome_.Clear();
    }
    return false;
  }
  uint64_t acknowledged(size_t producer) const { return last_[producer]; }
  std::string describe() const { return fmt::format("session {} waiting {} refused \"{}\"", welcome_.session(), queue_.size(), refused_); }

 private:
  struct Outgoing {
    size_t producer = 0;
    std::string batch;
    bool sent = false;
  };
  void acknowledge(size_t producer, uint64_t sequence) {
    last_[producer] = std::max(last_[producer], sequence);
    std::erase_if(queue_, [&](const Outgoing& out) { return out.producer == producer && load<BatchHeader>(out.batch.data()).sequence <= sequence; });
  }
  std::string name_;
  std::vector<uint64_t> producers_;
  bool folds_;
  uint64_t instance_;
  uint64_t attempt_ = 0;
  uint64_t connection_ = 0;
  wire::v1::Welcome welcome_;
  std::vector<uint64_t> last_;
  std::deque<Outgoing> queue_;
  std::string refused_;
  Millis asked_ = -patience_ms, heard_ = 0;
};

class World {
 public:
  World(uint64_t seed, const Weather& weather) : weather_(weather), dice_(seed * 7 + 1), network_(dice_, weather_), disk_(std::make_shared<MemoryDisk>()) {
    Dice fact_dice(seed);  // The facts are the same in every weather.
    for (int group = 0; group < 2; ++group) {
      Producer producer;
      producer.name = fmt::format("producer{}", group);
      producer.scope = fmt::format("tenant/group{}", group);
      producer.facts = make_facts(fact_dice, 150, start_of_facts);
      producers_.push_back(std::move(producer));
    }
    for (const ServiceDefinition& definition : {metrics::definition(), campaigns::definition(), inventory::definition(), support::definition(), alerts::definition()}) {
      Node node;
      node.definition = std::make_shared<ServiceDefinition>(definition);
      nodes_.push_back(std::move(node));
    }
    start_bus();
    for (Producer& producer : producers_) start(producer);
    for (Node& node : nodes_) start(node);
  }

  Outcome run() {
    for (; !done(); now_ += 1 + static_cast<Millis>(roll(dice_, 10))) {
      if (now_ > 2'000'000) throw std::runtime_error("the world does not come to rest: " + describe());
      break_things();
      for (Producer& producer : producers_) turn(producer);
      for (Node& node : nodes_) turn(node);
      while (const auto mail = network_.take(now_)) deliver(*mail);
      turn_bus();
    }
    return outcome();
  }

 private:
  struct Producer {
    std::string name, scope;
    std::vector<v1::Fact> facts;
    std::unique_ptr<Link> link;
    size_t queued = 0;  // Batches.
  };
  struct Node {
    std::shared_ptr<ServiceDefinition> definition;
    std::unique_ptr<Replica> replica;
    std::unique_ptr<Link> link;
    std::unique_ptr<JournalReader> reader, reader_ahead;
    std::unique_ptr<OwnAnswers> own;
    Position position = 0, known_end = 0;
    bool ready = false;
    std::string snapshot;
    Position snapshot_position = 0;
  };
  static constexpr size_t facts_a_batch = 7;

  void start_bus() {
    sequencer_.reset();
    writer_.reset();
    bus_reader_.reset();
    auto writer = open_memory_writer(disk_, {4'096});
    if (!writer) throw std::runtime_error(writer.error().message);
    writer_ = std::move(*writer);
    bus_reader_ = std::move(*open_memory_reader(disk_));
    bus::SequencerOptions options;
    options.home = "home";
    options.clock = Clock::facts;
    options.partitions = partitions;
    auto sequencer = bus::Sequencer::start(options, *writer_, *bus_reader_);
    if (!sequencer) return;  // The disk failed once more; the next turn tries again.
    sequencer_ = std::move(*sequencer);
  }

  void start(Producer& producer) {
    producer.link = std::make_unique<Link>(producer.name, std::vector<uint64_t>{producer_id(producer.name)}, dice_(), false);
    producer.queued = SIZE_MAX;  // Known when it is welcomed.
  }

  void start(Node& node) {
    Replica::Options options;
    for (Partition partition = 0; partition < partitions; ++partition) options.partitions.push_back(partition);
    options.partitions_all = partitions;
    options.clock = Clock::facts;
    node.replica = std::make_unique<Replica>(*node.definition, options);
    node.position = 0;
    if (!node.snapshot.empty()) {
      if (!node.replica->load(node.snapshot)) throw std::runtime_error("a snapshot does not load");
      node.position = node.snapshot_position;
    }
    std::vector<uint64_t> ids;
    for (Partition partition = 0; partition < partitions; ++partition) ids.push_back(producer_id(node.replica->producer_name(partition)));
    node.link = std::make_unique<Link>(node.definition->name, ids, dice_(), true);
    node.reader.reset();
    node.ready = false;
  }

  bool happens(unsigned permille) { return roll(dice_, 1'000) < permille; }

  void break_things() {
    if (sequencer_ && happens(weather_.bus_crash)) {
      crashes_ += 1;
      sequencer_.reset();
      if (happens(500)) disk_->cut_power();
    }
    if (happens(weather_.disk_fault)) {
      static constexpr DiskFault faults[] = {DiskFault::error_before, DiskFault::error_after, DiskFault::error_torn, DiskFault::power_cut};
      disk_->fail_append(faults[roll(dice_, 4)], 0, roll(dice_, 600));
    }
    if (!sequencer_) start_bus();
    for (Producer& producer : producers_) {
      if (happens(weather_.producer_crash)) crashes_ += 1, start(producer);
      if (happens(weather_.cut)) producer.link->cut(network_);
    }
    for (Node& node : nodes_) {
      if (happens(weather_.fold_crash)) crashes_ += 1, start(node);
      if (happens(weather_.cut)) node.link->cut(network_);
    }
  }

  void turn(Producer& producer) {
    producer.link->turn(now_, network_);
    if (!producer.link->welcomed()) return;
    const size_t batches = (producer.facts.size() + facts_a_batch - 1) / facts_a_batch;
    if (producer.queued == SIZE_MAX) producer.queued = producer.link->acknowledged(0);  // Batch n has sequence n: it goes on there.
    while (producer.queued < batches && producer.queued < producer.link->acknowledged(0) + 3) {
      BatchBuilder builder;
      for (size_t index = producer.queued * facts_a_batch; index < std::min(producer.facts.size(), (producer.queued + 1) * facts_a_batch); ++index)
        if (!builder.add(producer.facts[index])) throw std::runtime_error("a fact cannot be framed");
      BatchHeader header;
      header.sequence = ++producer.queued;
      producer.link->queue(0, builder.finish(producer.scope, partitions, header));
    }
  }

  void turn(Node& node) {
    node.link->turn(now_, network_);
    if (!node.ready && node.link->welcomed()) get_ready(node);
    if (!node.ready) return;
    const auto next = node.reader->read(node.position, 1 + roll(dice_, 2'000), [&](const CommitView& commit) {
      if (commit.position() >= node.known_end) return false;
      const auto took = node.replica->take(commit, node.own.get());
      if (!took) throw std::runtime_error(took.error().message);
      node.position = commit.position() + 1;
      return true;
    });
    if (!next) reopen(node);  // The power was cut.
    for (Replica::Answer& answer : node.replica->flush()) node.link->queue(answer.partition, std::move(answer.batch));
    if (happens(weather_.fold_crash * 4) && node.link->settled() && node.replica->caught_up()) {
      node.snapshot = node.replica->save();
      node.snapshot_position = node.position;
    }
  }

  void reopen(Node& node) {
    node.reader = std::move(*open_memory_reader(disk_));
    if (!node.own) return;
    start(node);  // Its own answers are read through a reader that is dead too.
  }

  void get_ready(Node& node) {
    const wire::v1::Welcome& welcome = node.link->welcome();
    node.reader = std::move(*open_memory_reader(disk_));
    node.reader_ahead = std::move(*open_memory_reader(disk_));
    node.known_end = welcome.next_position();
    std::map<uint64_t, Partition> producers;
    for (Partition partition = 0; partition < partitions; ++partition) {
      node.replica->set_answered(partition, welcome.last_sequences(partition));
      producers[producer_id(node.replica->producer_name(partition))] = partition;
    }
    node.own = std::make_unique<OwnAnswers>(*node.reader_ahead, node.position, node.known_end, producers);
    node.ready = true;
  }

  void deliver(const Mail& mail) {
    if (mail.to == "bus") {
      if (sequencer_) sequencer_->take(mail.from, mail.type, bus::Message::of(mail.body));
      return;
    }
    for (Producer& producer : producers_)
      if (producer.link->connection() == mail.to) producer.link->take(mail, now_);
    for (Node& node : nodes_) {
      if (mail.type == wire::v1::MESSAGE_TYPE_BELL && node.definition->name == mail.to) hear(node, mail);
      if (node.link->connection() == mail.to) {
        if (node.link->take(mail, now_) && node.ready) node.known_end = std::max<Position>(node.known_end, node.link->welcome().next_position());
      }
    }
  }

  void hear(Node& node, const Mail& mail) {
    wire::v1::Bell bell;
    bell.ParseFromString(mail.body);
    node.known_end = std::max<Position>(node.known_end, bell.next_position());
  }

  void turn_bus() {
    if (!sequencer_) return;
    if (now_ - rung_ > 100) {
      sequencer_->ring();
      rung_ = now_;
    }
    const auto committed = sequencer_->commit(now_);
    if (!committed) {  // As the process would.
      crashes_ += 1;
      sequencer_.reset();
      return;
    }
    for (bus::Output& output : sequencer_->outputs()) {
      if (!output.to.empty()) {
        network_.send(now_, {output.to, "bus", output.type, std::move(output.body)});
        continue;
      }
      for (const Node& node : nodes_) network_.ring(now_, {node.definition->name, "bus", output.type, output.body});
    }
  }

  bool done() {
    if (!sequencer_) return false;
    for (const Producer& producer : producers_)
      if (producer.queued == SIZE_MAX || producer.queued * facts_a_batch < producer.facts.size() || !producer.link->settled()) return false;
    for (const Node& node : nodes_) {
      if (!node.ready || !node.link->settled()) return false;
      for (Partition partition = 0; partition < partitions; ++partition)
        if (node.replica->offset(partition) < sequencer_->ledger().heads[partition]) return false;
    }
    return true;
  }

  std::string describe() const {
    std::string text = sequencer_ ? fmt::format("heads {}", fmt::join(sequencer_->ledger().heads, " ")) : "no bus";
    for (const Producer& producer : producers_) text += fmt::format("; {} queued {} {}", producer.name, producer.queued, producer.link->describe());
    for (const Node& node : nodes_) {
      text += fmt::format("; {} ready {} position {} of {} {}, offsets", node.definition->name, node.ready, node.position, node.known_end, node.link->describe());
      for (Partition partition = 0; partition < partitions; ++partition) text += fmt::format(" {}", node.replica->offset(partition));
    }
    return text;
  }

  Outcome outcome() {
    Outcome outcome;
    for (const Node& node : nodes_)
      if (node.definition->has_fingerprint) outcome.fingerprints[node.definition->name] = node.replica->fingerprint().hex();
    const auto reader = std::move(*open_memory_reader(disk_));
    Position position = 0;
    const Position end = reader->range().value().next;
    while (position < end) {
      const auto next = reader->read(position, 1u << 20, [&](const CommitView& commit) {
        const auto walked = commit.for_each_batch(false, [&](const BatchView& batch) { note(batch, outcome); });
        if (!walked) throw std::runtime_error(walked.error().message);
        return true;
      });
      if (!next) throw std::runtime_error(next.error().message);
      position = *next;
    }
    outcome.crashes = crashes_;
    return outcome;
  }

  static void note(const BatchView& batch, Outcome& outcome) {
    if (batch.is_control()) return;
    if (!batch.is_answer()) outcome.outside_facts += batch.header().count;
    const auto walked = batch.for_each([](Kind) { return true; }, [&](std::string_view frame, Offset offset) {
      v1::Fact fact;
      if (!FactView(frame, offset, 0).parse_fact(fact)) throw std::runtime_error("a fact cannot be read");
      if (fact.has_finding()) {
        fact.mutable_finding();
        outcome.findings[std::string(batch.scope()) + " " + fact.source()].push_back(
            fmt::format("{} {} holds={} value={} at={}", fact.store(), fact.key(), fact.finding().terms().holds(), fact.finding().terms().value_micros(), fact.finding().terms().judged_ms()));
      }
      if (fact.has_alert_state())
        outcome.alerts[std::string(batch.scope()) + " " + fact.key()] = fmt::format("episode={} condition={}", fact.alert_state().terms().episode(), v1::Condition_Name(fact.alert_state().terms().condition()));
    });
    if (!walked) throw std::runtime_error(walked.error().message);
  }

  Weather weather_;
  Dice dice_;
  Network network_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> bus_reader_;
  std::unique_ptr<bus::Sequencer> sequencer_;
  std::vector<Producer> producers_;
  std::vector<Node> nodes_;
  Millis now_ = 0, rung_ = 0;
  size_t crashes_ = 0;
};

}  // namespace

Outcome run(uint64_t seed, const Weather& weather) { return World(seed, weather).run(); }

}  // namespace xundian::simulation
