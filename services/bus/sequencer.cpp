#include "services/bus/sequencer.h"

#include <algorithm>
#include <utility>

#include "common/mutant.h"

namespace xundian::bus {

namespace {

constexpr size_t credit_bytes_min = 1u << 20;
constexpr size_t credit_bytes_max = 8u << 20;
constexpr uint32_t retry_disk_ms = 1000;
constexpr uint32_t retry_trouble_ms = 250;
constexpr uint32_t retry_busy_ms_min = 5, retry_busy_ms_max = 5000;
constexpr int producers_max = 65'536;  // In one Hello.

// Only a few hold on to as much as they may at a time; when many do, the queue's limit holds.
uint64_t credit_of(size_t queue_bytes_max) {
  if (mutant("boundless_credit")) return UINT32_MAX;
  return std::clamp(queue_bytes_max / 8, std::min(credit_bytes_min, queue_bytes_max), credit_bytes_max);
}

}  // namespace

Sequencer::Sequencer(SequencerOptions options, JournalWriter& writer, Ledger ledger)
    : options_(std::move(options)), writer_(writer), ledger_(std::move(ledger)), wakes_(options_.partitions) {}

Result<std::unique_ptr<Sequencer>> Sequencer::start(SequencerOptions options, JournalWriter& writer, JournalReader& reader) {
  Ledger ledger = TRY(recover(reader, writer.volume_start(), options.partitions));
  std::unique_ptr<Sequencer> sequencer(new Sequencer(std::move(options), writer, std::move(ledger)));
  writer.on_new_volume([raw = sequencer.get()] { return raw->control_batch(); });
  const JournalReader::Range range = TRY(reader.range());
  TRY_VOID(sequencer->open_epoch(range.next));
  return sequencer;
}

// The record of a life of the bus. It also proves, before anybody is welcomed, that the disk takes something.
Result<void> Sequencer::open_epoch(Position next_position) {
  epoch_ = ++ledger_.epoch;
  next_session_ = ledger_.session + 1;
  const std::string record = control_batch();
  const std::string_view batches[] = {record};
  auto position = writer_.append(ledger_.heads, batches);
  while (!position && position.error().code == Code::unavailable && options_.wait())
    position = writer_.append(ledger_.heads, batches);
  if (!position) return tl::unexpected(position.error());
  if (*position != next_position)
    return fail(Code::data_loss, "the journal wrote position {} where {} was due; run `xundian verify`", *position,
                next_position);
  next_position_ = *position + 1;
  return {};
}

std::string Sequencer::control_batch() const {
  BatchHeader header;
  header.epoch = epoch_;
  return make_control_batch(ledger_.save(), header);
}

void Sequencer::take(std::string_view connection, wire::v1::MessageType type, Message message) {
  const int size = static_cast<int>(message.bytes.size());
  wire::v1::Hello hello_message;
  wire::v1::Wake wake_message;
  if (type == wire::v1::MESSAGE_TYPE_PUT)
    put(connection, std::move(message));
  else if (type == wire::v1::MESSAGE_TYPE_HELLO && hello_message.ParseFromArray(message.bytes.data(), size))
    hello(connection, hello_message);
  else if (type == wire::v1::MESSAGE_TYPE_WAKE && wake_message.ParseFromArray(message.bytes.data(), size))
    wake(connection, wake_message);
  else
    refuse(connection, {},
           {wire::v1::REFUSAL_INVALID, fmt::format("a message of type {} cannot be read", static_cast<int>(type)), 0});
}

// ---- Sessions

void Sequencer::hello(std::string_view connection, const wire::v1::Hello& hello) {
  if (hello.producers_size() > producers_max || std::ranges::find(hello.producers(), 0u) != hello.producers().end())
    return refuse(connection, {}, {wire::v1::REFUSAL_INVALID, "a Hello of producers that cannot be", 0});
  if (is_overtaken(hello)) return;
  wire::v1::Welcome welcome;
  if (hello.producers_size() > 0) welcome.set_session(next_session_++);
  for (const uint64_t producer : hello.producers()) {
    // What waits was put under an older session and has not been acknowledged: its sender sends it again.
    queue_.drop(producer);
    const uint64_t last = last_sequence(producer);
    sessions_[producer] = {welcome.session(), std::string(connection), hello.instance(), hello.attempt(), last, {}};
    welcome.add_last_sequences(last);
  }
  welcome.set_home(options_.home);
  welcome.set_epoch(epoch_);
  welcome.set_credit_bytes(credit_of(options_.queue_bytes_max));
  for (const Offset head : ledger_.heads) welcome.add_heads(head);
  welcome.set_next_position(next_position_);
  welcome.set_clock(options_.clock == Clock::wall ? wire::v1::CLOCK_WALL : wire::v1::CLOCK_FACTS);
  send(connection, wire::v1::MESSAGE_TYPE_WELCOME, welcome);
}

// Hellos of one instance come over connections of their own, and so in any order; the one it said last counts.
bool Sequencer::is_overtaken(const wire::v1::Hello& hello) const {
  return hello.instance() != 0 && std::ranges::any_of(hello.producers(), [&](uint64_t producer) {
           const auto found = sessions_.find(producer);
           return found != sessions_.end() && found->second.instance == hello.instance() &&
                  found->second.attempt > hello.attempt();
         });
}

uint64_t Sequencer::last_sequence(uint64_t producer) const {
  const auto found = ledger_.producers.find(producer);
  return found == ledger_.producers.end() ? 0 : found->second.last_sequence;
}

// ---- Puts

void Sequencer::put(std::string_view connection, Message message) {
  if (message.bytes.size() < sizeof(BatchHeader))
    return refuse(connection, {}, {wire::v1::REFUSAL_INVALID, fmt::format("{} bytes are no batch", message.bytes.size()), 0});
  const auto header = load<BatchHeader>(message.bytes.data());
  if (const auto why = check_session(connection, header)) return refuse(connection, header, *why);
  Session& session = sessions_.at(header.producer);
  if (const auto why = check_batch(message.view())) {
    session.refused = 0;  // What would follow it would leave a hole; only another Hello helps.
    return refuse(connection, header, *why);
  }
  if (header.sequence <= session.last_queued && !mutant("no_dedup")) {
    // Of what still waits, the acknowledgement comes with its commit.
    if (const auto known = ledger_.producers.find(header.producer);
        known != ledger_.producers.end() && header.sequence <= known->second.last_sequence)
      acknowledge(session.connection, header.producer, known->second.last_sequence, known->second.next_offset);
    return;
  }
  auto why = check_sequence(session, header);
  if (why && session.refused) return;  // Follows one whose sender has been told to send again from there.
  if (!why) why = check_room(header);
  if (why) {
    session.refused = header.sequence;
    return refuse(connection, header, *why);
  }
  session.refused.reset();
  session.last_queued = header.sequence;
  queue_.push({std::move(message), header.producer, header.sequence});
  if (mutant("ack_before_write")) acknowledge(session.connection, header.producer, header.sequence, 0);
  if (mutant("publish_before_ack")) ring(next_position_ + 1, bell_for_all);
}

std::optional<Sequencer::Why> Sequencer::check_session(std::string_view connection, const BatchHeader& header) const {
  const auto found = sessions_.find(header.producer);
  if (found == sessions_.end()) {
    const auto known = ledger_.producers.find(header.producer);
    if (known != ledger_.producers.end() && header.session < known->second.session)
      return Why{wire::v1::REFUSAL_FENCED, fmt::format("session {} ended when {} began", header.session, known->second.session),
                 0};
    return Why{wire::v1::REFUSAL_HELLO, "no Hello was said in this epoch", 0};
  }
  if (mutant("no_session_check")) return {};
  const Session& session = found->second;
  if (header.epoch != epoch_ || header.session < session.number)
    return Why{wire::v1::REFUSAL_FENCED, fmt::format("session {} ended when {} began", header.session, session.number), 0};
  // On one connection nothing is lost from the middle; over two, a batch may be, and a fold's numbers would not show it.
  if (header.session > session.number || session.connection != connection)
    return Why{wire::v1::REFUSAL_HELLO, fmt::format("session {} does not hold on this connection", header.session), 0};
  return {};
}

std::optional<Sequencer::Why> Sequencer::check_batch(std::string_view bytes) const {
  const auto invalid = [](std::string text) { return Why{wire::v1::REFUSAL_INVALID, std::move(text), 0}; };
  const auto batch = BatchView::open(bytes);
  if (!batch) return invalid(batch.error().message);
  const BatchHeader& header = batch->header();
  if (batch->is_control()) return invalid("a control batch is the bus's own");
  if (header.bytes != bytes.size())
    return invalid(fmt::format("a batch of {} bytes in a message of {}", header.bytes, bytes.size()));
  if (header.sequence == 0) return invalid("sequences begin with 1");
  if (header.partition >= options_.partitions || header.partition != partition_of(header.group, options_.partitions))
    return invalid(fmt::format("{} belongs to partition {} of {}, not to {}", batch->scope(),
                               partition_of(header.group, options_.partitions), options_.partitions, header.partition));
  if (header.partition % options_.buses != options_.bus)
    return Why{wire::v1::REFUSAL_MOVED,
               fmt::format("partition {} is kept by bus {}, this is {}", header.partition, header.partition % options_.buses,
                           options_.bus),
               0};
  return {};
}

std::optional<Sequencer::Why> Sequencer::check_sequence(const Session& session, const BatchHeader& header) const {
  const bool follows = header.flags & fold_answer ? !session.refused || header.sequence <= *session.refused
                                                  : header.sequence == session.last_queued + 1;
  if (follows || mutant("ignore_gaps") || (mutant("no_dedup") && header.sequence <= session.last_queued)) return {};
  return Why{wire::v1::REFUSAL_GAP, fmt::format("sequence {} does not follow {}", header.sequence, session.last_queued), 0};
}

std::optional<Sequencer::Why> Sequencer::check_room(const BatchHeader& header) const {
  if (held_ || !trouble_.empty())
    return Why{wire::v1::REFUSAL_BUSY, fmt::format("the journal takes nothing now: {}", trouble_), retry_trouble_ms};
  Disk disk = disk_;  // As it will be when what waits is written.
  disk.free_bytes -= std::min<uint64_t>(disk.free_bytes, queue_.bytes());
  if (disk.used() >= disk_refuse_above && !(header.flags & fold_answer) && !mutant("no_disk_limit"))
    return Why{wire::v1::REFUSAL_DISK,
               fmt::format("the journal's disk is {:.0f} % full; make room, it goes on by itself below {:.0f} %",
                           100 * disk.used(), 100 * disk_refuse_above),
               retry_disk_ms};
  // The last eighth is for those of whom nothing waits: many who put much do not shut out who puts little.
  const size_t room = queue_.holds(header.producer) ? options_.queue_bytes_max / 8 * 7 : options_.queue_bytes_max;
  if (queue_.bytes() + header.bytes <= room || queue_.empty() || mutant("take_all")) return {};
  const double drained_ms = static_cast<double>(queue_.bytes()) / bytes_per_ms_;
  return Why{wire::v1::REFUSAL_BUSY, fmt::format("{} bytes wait for the disk", queue_.bytes()),
             static_cast<uint32_t>(std::clamp<double>(drained_ms, retry_busy_ms_min, retry_busy_ms_max))};
}

void Sequencer::refuse(std::string_view connection, const BatchHeader& header, const Why& why) {
  refused_ += 1;
  wire::v1::Nack nack;
  nack.set_producer(header.producer);
  nack.set_refusal(why.refusal);
  nack.set_last_sequence(last_sequence(header.producer));
  nack.set_retry_after_ms(why.retry_after_ms);
  nack.set_text(why.text);
  nack.set_sequence(header.sequence);
  send(connection, wire::v1::MESSAGE_TYPE_NACK, nack);
}

void Sequencer::acknowledge(const std::string& connection, uint64_t producer, uint64_t sequence, Offset next_offset) {
  wire::v1::Ack ack;
  ack.set_producer(producer);
  ack.set_epoch(epoch_);
  ack.set_last_sequence(sequence);
  ack.set_next_offset(next_offset);
  send(connection, wire::v1::MESSAGE_TYPE_ACK, ack);
}

void Sequencer::send(std::string_view to, wire::v1::MessageType type, const google::protobuf::MessageLite& message) {
  outputs_.push_back({std::string(to), bell_for_all, type, message.SerializeAsString()});
}

void Sequencer::measured(const Committed& committed, int64_t microseconds) {
  const double rate = static_cast<double>(committed.bytes) * 1000 / static_cast<double>(std::max<int64_t>(microseconds, 1));
  bytes_per_ms_ = std::max(1.0, 0.9 * bytes_per_ms_ + 0.1 * rate);
}

}  // namespace xundian::bus
