// A producer's side of the protocol, without a socket: what it says to a bus, and what it makes of the answers. BusLink brings
// the sockets; the simulation brings a network of its own.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/batch.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian {

// Speaks to one bus as one or more producers (a fold is one for each of its partitions). It never blocks: `send` queues, `turn`
// moves. After a silence, a refusal that asks for it, or a new epoch it says Hello again and sends what is not yet acknowledged.
class Link {
 public:
  struct Options {
    std::string name;                 // For the log.
    std::vector<uint64_t> producers;  // producer_id of each.
    bool folds = false;               // Sequences are input offsets, not dense.
    uint64_t instance = 0;            // A random number, of this life of the producer.
  };
  explicit Link(Options options);
  virtual ~Link() = default;

  // Takes what the bus said, as long as it listens. Fails for good when the session is fenced or a batch is refused as invalid.
  Result<void> take(wire::v1::MessageType type, std::string_view body, Millis now_steady_ms);
  bool listens() const { return !hello_wanted_; }  // Else it waits for the answer to its next Hello.
  // Sends what may be sent; call at least every 100 ms.
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
  // Asks for a Tick at that time, if not before; replaces what was asked. After each Tick it is to be asked for again.
  void wake_at(size_t index, Partition partition, Millis at_ms);
  // Why the last batches were refused, for the log and for callers who wait; empty after an ack.
  const std::string& refusal() const { return refusal_; }

 protected:
  // Makes a new connection to the bus: what the old one still carries must not reach this link.
  virtual void connect() = 0;
  // Hands a message to the connection; false if it does not take it now.
  virtual bool transmit(wire::v1::MessageType type, std::string_view body) = 0;
  virtual std::string bus_name() const = 0;  // For the log.

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
  void hello(Millis now);
  void ask(Millis now);
  bool is_waiting() const { return !welcomed() || batches_sent_ > 0 || asked_; }
  void flush(Millis now);
  void send_wake(size_t index, Partition partition, Millis at_ms);
  Result<void> take_message(wire::v1::MessageType type, std::string_view body, Millis now);
  Result<void> take_welcome(const wire::v1::Welcome& welcome);
  Result<void> take_welcome_for(size_t index, const wire::v1::Welcome& welcome);
  void take_ack(const wire::v1::Ack& ack);
  Result<void> take_nack(const wire::v1::Nack& nack, Millis now);
  Producer* find(uint64_t id);
  void forget_until(Producer& producer, uint64_t sequence);
  void send_again(Producer& producer, uint64_t from_sequence);
  void raise_head(Partition partition, Offset head);

  Options options_;
  uint64_t attempt_ = 0;
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

}  // namespace xundian
