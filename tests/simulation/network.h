// The simulated network: connections that keep their order and break, bells that may do anything, and a link over it.
#pragma once

#include <map>
#include <string>

#include "common/bell_topic.h"
#include "common/link.h"
#include "tests/simulation/facts.h"
#include "tests/simulation/weather.h"

namespace xundian::simulation {

struct Mail {
  std::string to;    // "bus", a connection, or the name of who listens to bells.
  std::string from;  // The connection.
  wire::v1::MessageType type = wire::v1::MESSAGE_TYPE_UNSPECIFIED;
  std::string body;
  BellTopic topic = bell_for_all;  // Of a ring.
};

class Network {
 public:
  Network(Dice& dice, const Weather& weather) : dice_(dice), weather_(weather) {}
  // `dense`: its sender numbers what it sends, so that the bus notices what is missing and what is out of order.
  void send(Millis now, Mail mail, bool dense);
  // A bell may be lost, come twice, late, and out of order.
  void ring(Millis now, const Mail& mail);
  // Of what is under way on a connection only the front still arrives.
  void cut(const std::string& connection, Millis now);
  std::optional<Mail> take(Millis now);
  bool empty() const { return mails_.empty(); }

 private:
  Millis delay() {
    return weather_.delay_ms == 0 ? 1 : 1 + static_cast<Millis>(roll(dice_, static_cast<uint64_t>(weather_.delay_ms)));
  }

  Dice& dice_;
  const Weather& weather_;
  std::multimap<Millis, Mail> mails_;
  std::map<std::string, Millis> last_;  // By connection and direction: when the newest arrives.
};

// The producers' side that runs in production, on the simulated network.
class NetworkLink final : public Link {
 public:
  NetworkLink(Options options, Network& network, const Millis& now)
      : Link(options),
        name_(options.name + "#" + std::to_string(options.instance)),
        dense_(!options.folds),
        network_(network),
        now_(now) {}

  // Where the bus's answers go.
  std::string connection() const { return name_ + "#" + std::to_string(connections_); }
  // The connection breaks and is made anew beneath the link, which is not told.
  void cut() {
    network_.cut(connection(), now_);
    connections_ += 1;
  }

 private:
  void connect() override { cut(); }
  bool transmit(wire::v1::MessageType type, std::string_view body) override {
    network_.send(now_, {"bus", connection(), type, std::string(body)}, dense_);
    return true;
  }
  std::string bus_name() const override { return "the simulated bus"; }

  std::string name_;
  bool dense_;
  Network& network_;
  const Millis& now_;
  uint64_t connections_ = 0;
};

}  // namespace xundian::simulation
