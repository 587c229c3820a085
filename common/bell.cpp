#include "common/bell.h"

#include <vector>

#include "common/error.h"
#include "common/wire.h"

namespace xundian {

BellListener::BellListener(const std::string& endpoint) : socket_(make_socket(zmq::socket_type::sub, 1 << 20)) {
  socket_.set(zmq::sockopt::subscribe, "");
  const auto connected = connect_socket(socket_, endpoint);
  CHECK(connected, connected.error().message);
}

std::optional<wire::v1::Bell> BellListener::newest() {
  std::optional<zmq::message_t> newest;
  std::vector<zmq::message_t> frames;
  while (take_frames(socket_, frames))
    if (frames.size() == 2 && type_of(frames[0]) == wire::v1::MESSAGE_TYPE_BELL) newest = std::move(frames[1]);
  wire::v1::Bell bell;
  if (!newest || !parse_frame(*newest, bell)) return {};
  return bell;
}

}  // namespace xundian
