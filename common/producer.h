// Puts facts into the journal through the bus, and knows when they are durable.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/batch.h"
#include "common/home.h"
#include "common/journal.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian {

// Speaks to one bus as one or more producers (a fold is one for each of its partitions). It never blocks: `send` queues, `turn`
// moves. After a silence, a refusal that asks for it, or a new epoch it says Hello again and sends what is not yet acknowledged.
class BusLink {
 public:
  struct Options {
    std::string name;                 // For the log.
    std::vector<uint64_t> producers;  // producer_id of each.
    bool folds = false;               // Sequences are input offsets, not dense.
  };
  BusLink(const std::string& put_endpoint, Options options);

  zmq::socket_t& socket() { return socket_; }
  // Reads what the bus said and sends what may be sent; call when the socket can be read and at least every 100 ms.
  // Fails for good when the session is fenced or a batch is refused as invalid.
  Result<void> turn(Millis now_steady_ms);

  bool welcomed() const { return welcome_.session() != 0; }
  const wire::v1::Welcome& welcome() const { return welcome_; }
  // The last sequence of producers[index] that is durable.
  uint64_t acknowledged(size_t index) const;
  // Queues a batch; its header's producer, session and (of an outside producer) sequence are set here.
  void send(size_t index, std::string batch);
  bool may_send() const;  // False while the credit is used up or a refusal asked to wait.
  size_t unacknowledged() const;
  // Offset behind the newest acknowledged fact, by partition.
  const std::map<Partition, Offset>& acknowledged_heads() const { return acknowledged_heads_; }
  void wake_at(size_t index, Partition partition, Millis at_ms);
  // Why the last batches were refused, for the log and for callers who wait; empty after an ack.
  const std::string& refusal() const { return refusal_; }

 private:
  struct Outgoing {
    std::string batch;
    uint64_t sequence = 0;
    Partition partition = 0;
  };
  struct Producer {
    uint64_t id = 0;
    uint64_t last_queued = 0;  // Of an outside producer.
    uint64_t last_acknowledged = 0;
    std::deque<Outgoing> queue;
    size_t sent = 0;  // So many at its front were sent in this session.
    size_t bytes_sent = 0;
  };
  void connect();
  void hello(Millis now);
  void ask(Millis now);
  bool is_waiting() const { return !welcomed() || batches_sent_ > 0 || asked_; }
  void flush(Millis now);
  void send_wake(size_t index, Partition partition, Millis at_ms);
  Result<void> take(wire::v1::MessageType type, const zmq::message_t& body, Millis now);
  Result<void> take_welcome(const wire::v1::Welcome& welcome);
  Result<void> take_welcome_for(size_t index, const wire::v1::Welcome& welcome);
  void take_ack(const wire::v1::Ack& ack);
  Result<void> take_nack(const wire::v1::Nack& nack, Millis now);
  Producer* find(uint64_t id);
  void forget_until(Producer& producer, uint64_t sequence);
  void send_again(Producer& producer, uint64_t from_sequence);
  void raise_head(Partition partition, Offset head);

  std::string endpoint_;
  Options options_;
  uint64_t instance_ = 0;
  uint64_t attempt_ = 0;
  zmq::socket_t socket_;
  wire::v1::Welcome welcome_;
  std::vector<Producer> producers_;
  std::map<std::pair<size_t, Partition>, Millis> wakes_;
  std::map<Partition, Offset> acknowledged_heads_;
  std::string refusal_;
  std::optional<Error> failed_;  // For good.
  size_t bytes_queued_ = 0;
  size_t batches_sent_ = 0;   // And neither acknowledged nor refused.
  bool hello_wanted_ = true;  // Without waiting for a silence.
  bool asked_ = false;        // Whether the bus still lives.
  Millis patience_ms_;
  Millis quiet_since_ = 0;  // When the bus was last heard; or, if nothing was outstanding then, when it was last spoken to.
  Millis now_ = 0;
  Millis wait_until_ = 0;
};

// Puts facts from outside and waits for them to be durable; for importers, webhooks and calls.
class Publisher {
 public:
  // `name` makes the producer's id; two at once under one name fence each other.
  Publisher(const Home& home, const std::string& name);
  ~Publisher();
  // Appends to the scope's open batch; sends batches as they fill. Blocks while the credit is used up.
  Result<void> put(const std::string& scope, const v1::Fact& fact);
  Result<void> put_frame(const std::string& scope, std::string_view frame);
  // Sends what is open and returns when all is durable: the offset behind the newest fact, by partition.
  Result<std::map<Partition, Offset>> flush(Millis timeout_ms = 60'000);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xundian
