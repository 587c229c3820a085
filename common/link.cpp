#include "common/link.h"

#include <algorithm>

#include "common/log.h"
#include "common/mutant.h"

namespace xundian {

namespace {

constexpr Millis patience_min_ms = 500;   // Of a silence while something is outstanding.
constexpr Millis patience_max_ms = 4000;  // A bus on a slow disk must not be asked for ever faster than it can answer.
constexpr Millis idle_ask_ms = 1000;      // A bus that was started again has forgotten who wants to be woken.

template <typename Message>
bool parse(std::string_view body, Message& message) {
  return message.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

}  // namespace

Link::Link(Options options) : options_(std::move(options)), patience_ms_(patience_min_ms) {
  for (const uint64_t id : options_.producers) producers_.emplace_back().id = id;
}

Result<void> Link::take(wire::v1::MessageType type, std::string_view body, Millis now_steady_ms) {
  if (failed_) return tl::unexpected(*failed_);
  now_ = quiet_since_ = now_steady_ms;
  auto taken = take_message(type, body, now_);
  if (!taken) failed_ = taken.error();
  return taken;
}

Result<void> Link::turn(Millis now_steady_ms) {
  if (failed_) return tl::unexpected(*failed_);
  now_ = now_steady_ms;
  if (hello_wanted_ || (is_waiting() && now_ - quiet_since_ >= patience_ms_)) {
    hello(now_);
  } else if (!is_waiting() && now_ - quiet_since_ >= idle_ask_ms && !wakes_.empty()) {
    ask(now_);
  }
  flush(now_);
  return {};
}

void Link::hello(Millis now) {
  if (!hello_wanted_) patience_ms_ = std::min(2 * patience_ms_, patience_max_ms);
  connect();  // What the old connection still carries reaches nobody, in either direction.
  welcome_.clear_session();
  for (Producer& producer : producers_)
    if (!mutant("no_resend")) send_again(producer, 0);
  wire::v1::Hello hello;
  for (const Producer& producer : producers_) hello.add_producers(producer.id);
  hello.set_name(options_.name);
  hello.set_instance(options_.instance);
  hello.set_attempt(++attempt_);
  transmit(wire::v1::MESSAGE_TYPE_HELLO, hello.SerializeAsString());
  quiet_since_ = now;
  hello_wanted_ = false;
  asked_ = false;
}

void Link::ask(Millis now) {
  wire::v1::Hello hello;
  hello.set_name(options_.name);
  transmit(wire::v1::MESSAGE_TYPE_HELLO, hello.SerializeAsString());
  quiet_since_ = now;
  asked_ = true;
}

uint64_t Link::acknowledged(size_t index) const { return producers_[index].last_acknowledged; }

bool Link::may_send() const { return welcomed() && !failed_ && now_ >= wait_until_ && bytes_queued_ < welcome_.credit_bytes(); }

size_t Link::unacknowledged() const {
  size_t batches = 0;
  for (const Producer& producer : producers_) batches += producer.queue.size();
  return batches;
}

void Link::send(size_t index, std::string batch) {
  Producer& producer = producers_[index];
  const auto header = load<BatchHeader>(batch.data());
  Outgoing outgoing{std::move(batch), header.sequence, header.partition};
  if (!options_.folds) {
    // Before the first Welcome nobody knows from where on to count; it numbers what waits.
    outgoing.sequence = ++producer.last_queued;
  } else if (outgoing.sequence <= producer.last_acknowledged) {
    return;  // A fold that comes back says again what is in the journal.
  }
  bytes_queued_ += outgoing.batch.size();
  producer.queue.push_back(std::move(outgoing));
}

void Link::flush(Millis now) {
  if (!welcomed() || now < wait_until_) return;
  for (Producer& producer : producers_) {
    while (producer.sent < producer.queue.size()) {
      Outgoing& next = producer.queue[producer.sent];
      const bool spent = producer.bytes_sent > 0 && producer.bytes_sent + next.batch.size() > welcome_.credit_bytes();
      if (spent && !mutant("ignore_credit")) break;
      auto header = load<BatchHeader>(next.batch.data());
      header.producer = producer.id;
      header.session = welcome_.session();
      header.epoch = welcome_.epoch();
      header.sequence = next.sequence;
      if (options_.folds) header.flags |= fold_answer;
      write_header(next.batch, header);
      if (!transmit(wire::v1::MESSAGE_TYPE_PUT, next.batch)) return;
      if (batches_sent_++ == 0) quiet_since_ = now;
      producer.sent += 1;
      producer.bytes_sent += next.batch.size();
    }
  }
}

void Link::wake_at(size_t index, Partition partition, Millis at_ms) {
  wakes_[{index, partition}] = at_ms;
  if (welcomed()) send_wake(index, partition, at_ms);
}

void Link::send_wake(size_t index, Partition partition, Millis at_ms) {
  wire::v1::Wake wake;
  wake.set_partition(partition);
  wake.set_at_ms(at_ms);
  wake.set_producer(producers_[index].id);
  // A queue that is full has a Hello coming, and the wakes with it.
  if (!transmit(wire::v1::MESSAGE_TYPE_WAKE, wake.SerializeAsString())) hello_wanted_ = true;
}

Result<void> Link::take_message(wire::v1::MessageType type, std::string_view body, Millis now) {
  wire::v1::Welcome welcome;
  wire::v1::Ack ack;
  wire::v1::Nack nack;
  if (type == wire::v1::MESSAGE_TYPE_WELCOME && parse(body, welcome)) return take_welcome(welcome);
  if (type == wire::v1::MESSAGE_TYPE_NACK && parse(body, nack)) return take_nack(nack, now);
  if (type == wire::v1::MESSAGE_TYPE_ACK && parse(body, ack)) take_ack(ack);
  return {};
}

Result<void> Link::take_welcome(const wire::v1::Welcome& welcome) {
  if (welcome_.epoch() != 0 && welcome.home() != welcome_.home())
    return fail(Code::failed_precondition, "{} is now the bus of home {}, no longer of {}; start again", bus_name(),
                welcome.home(), welcome_.home());
  if (welcome.session() == 0) {
    asked_ = false;
    if (welcome.epoch() != welcome_.epoch()) hello_wanted_ = true;
    return {};
  }
  if (static_cast<size_t>(welcome.last_sequences_size()) != producers_.size())
    return fail(Code::internal, "the bus at {} welcomes {} producers, not {}", bus_name(), welcome.last_sequences_size(),
                producers_.size());
  for (size_t index = 0; index < producers_.size(); ++index) TRY_VOID(take_welcome_for(index, welcome));
  welcome_ = welcome;
  spdlog::debug("bus_welcomed name={} epoch={} session={}", options_.name, welcome.epoch(), welcome.session());
  if (mutant("forgotten_wakes")) return {};
  for (const auto& [who, at_ms] : wakes_) send_wake(who.first, who.second, at_ms);
  return {};
}

// The journal knows better than we do what of this producer is in it.
Result<void> Link::take_welcome_for(size_t index, const wire::v1::Welcome& welcome) {
  Producer& producer = producers_[index];
  const uint64_t last = welcome.last_sequences(static_cast<int>(index));
  if (last < producer.last_acknowledged)
    return fail(Code::data_loss, "the bus at {} acknowledged sequence {} of {} and now has only {}; was the journal replaced?",
                bus_name(), producer.last_acknowledged, options_.name, last);
  if (!options_.folds && welcome_.epoch() == 0) {
    for (Outgoing& waiting : producer.queue) waiting.sequence += last;
    producer.last_queued += last;
  }
  if (!options_.folds && last > producer.last_queued)
    return fail(Code::aborted, "somebody else puts facts as {}: sequence {} is not ours", options_.name, last);
  for (const Outgoing& outgoing : producer.queue)
    if (outgoing.sequence <= last && outgoing.partition < welcome.heads_size())
      raise_head(outgoing.partition, welcome.heads(outgoing.partition));
  forget_until(producer, last);
  return {};
}

void Link::take_ack(const wire::v1::Ack& ack) {
  Producer* producer = find(ack.producer());
  if (producer == nullptr || ack.last_sequence() <= producer->last_acknowledged) return;
  for (const Outgoing& outgoing : producer->queue)
    if (outgoing.sequence == ack.last_sequence()) raise_head(outgoing.partition, ack.next_offset());
  forget_until(*producer, ack.last_sequence());
  patience_ms_ = patience_min_ms;
  refusal_.clear();
}

Result<void> Link::take_nack(const wire::v1::Nack& nack, Millis now) {
  Producer* producer = find(nack.producer());
  spdlog::debug("batch_refused name={} why={} sequence={} retry_after_ms={} text=\"{}\"", options_.name,
                wire::v1::Refusal_Name(nack.refusal()), nack.sequence(), nack.retry_after_ms(), nack.text());
  switch (nack.refusal()) {
    case wire::v1::REFUSAL_BUSY:
    case wire::v1::REFUSAL_DISK:
      refusal_ = nack.text();
      wait_until_ = now + std::max<Millis>(nack.retry_after_ms(), 1);
      if (producer != nullptr) send_again(*producer, nack.sequence());
      return {};
    case wire::v1::REFUSAL_GAP:
      if (producer != nullptr) send_again(*producer, nack.last_sequence() + 1);
      return {};
    case wire::v1::REFUSAL_HELLO:
      hello_wanted_ = true;
      return {};
    case wire::v1::REFUSAL_FENCED:
      return fail(Code::aborted, "somebody else puts facts as {}, and came later: {}", options_.name, nack.text());
    case wire::v1::REFUSAL_MOVED:
      return fail(Code::failed_precondition, "{} put a batch at the wrong bus: {}", options_.name, nack.text());
    default:
      return fail(Code::invalid_argument, "the bus refuses sequence {} of {}: {}", nack.sequence(), options_.name, nack.text());
  }
}

Link::Producer* Link::find(uint64_t id) {
  for (Producer& producer : producers_)
    if (producer.id == id) return &producer;
  return nullptr;
}

void Link::forget_until(Producer& producer, uint64_t sequence) {
  while (!producer.queue.empty() && producer.queue.front().sequence <= sequence) {
    const size_t bytes = producer.queue.front().batch.size();
    bytes_queued_ -= bytes;
    if (producer.sent > 0) {
      producer.sent -= 1;
      producer.bytes_sent -= bytes;
      batches_sent_ -= 1;
    }
    producer.queue.pop_front();
  }
  producer.last_acknowledged = std::max(producer.last_acknowledged, sequence);
}

void Link::send_again(Producer& producer, uint64_t from_sequence) {
  while (producer.sent > 0 && producer.queue[producer.sent - 1].sequence >= from_sequence) {
    producer.sent -= 1;
    producer.bytes_sent -= producer.queue[producer.sent].batch.size();
    batches_sent_ -= 1;
  }
}

void Link::raise_head(Partition partition, Offset head) {
  Offset& known = acknowledged_heads_[partition];
  known = std::max(known, head);
}

}  // namespace xundian
