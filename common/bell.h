// Hears the bell of a bus: how far its journal has come.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <zmq.hpp>

#include "common/bell_topic.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian {

// The first frame of a ring.
std::string bell_frame(BellTopic topic);

// Rings are dropped when nobody listens in time; the bus rings once for each new listener and every 100 ms.
class BellListener {
 public:
  // Hears what concerns one of the kinds, Ticks, and what is for all; no kinds: every ring.
  explicit BellListener(const std::string& endpoint, std::span<const Kind> kinds = {});
  zmq::socket_t& socket() { return socket_; }
  // The newest ring of those that wait; nothing if none does.
  std::optional<wire::v1::Bell> newest();

 private:
  zmq::socket_t socket_;
};

}  // namespace xundian
