// Hears the bell of a bus: how far its journal has come.
#pragma once

#include <optional>
#include <string>
#include <zmq.hpp>

#include "xundian/wire/v1/wire.pb.h"

namespace xundian {

// Rings are dropped when nobody listens in time; the bus rings once for each new listener and every 100 ms.
class BellListener {
 public:
  explicit BellListener(const std::string& endpoint);
  zmq::socket_t& socket() { return socket_; }
  // The newest ring of those that wait; nothing if none does.
  std::optional<wire::v1::Bell> newest();

 private:
  zmq::socket_t socket_;
};

}  // namespace xundian
