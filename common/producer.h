// Puts facts into the journal through the bus, and knows when they are durable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <zmq.hpp>

#include "common/home.h"
#include "common/journal.h"
#include "common/link.h"

namespace xundian {

// A link over ZeroMQ.
class BusLink : public Link {
 public:
  BusLink(const std::string& put_endpoint, Options options);

  zmq::socket_t& socket() { return socket_; }
  // Reads what the bus said and sends what may be sent; call when the socket can be read and at least every 100 ms.
  Result<void> turn(Millis now_steady_ms);

 private:
  void connect() override;
  bool transmit(wire::v1::MessageType type, std::string_view body) override;
  std::string bus_name() const override { return endpoint_; }

  std::string endpoint_;
  zmq::socket_t socket_;
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
