#include "common/bell.h"

#include <vector>

#include "common/error.h"
#include "common/wire.h"

namespace xundian {

namespace {

bool is_ring(const zmq::message_t& frame) {
  const std::string_view text = view_of(frame);
  return text.size() == 2 && text[0] == static_cast<char>(wire::v1::MESSAGE_TYPE_BELL);
}

}  // namespace

std::string bell_frame(BellTopic topic) { return type_frame(wire::v1::MESSAGE_TYPE_BELL) + static_cast<char>(topic); }

BellListener::BellListener(const std::string& endpoint, std::span<const Kind> kinds)
    : socket_(make_socket(zmq::socket_type::sub, 1 << 20)) {
  if (kinds.empty()) socket_.set(zmq::sockopt::subscribe, "");
  for (const BellTopic topic : kinds.empty() ? std::set<BellTopic>() : bell_topics_of(kinds))
    socket_.set(zmq::sockopt::subscribe, bell_frame(topic));
  const auto connected = connect_socket(socket_, endpoint);
  CHECK(connected, connected.error().message);
}

std::optional<wire::v1::Bell> BellListener::newest() {
  std::optional<zmq::message_t> newest;
  std::vector<zmq::message_t> frames;
  while (take_frames(socket_, frames))
    if (frames.size() == 2 && is_ring(frames[0])) newest = std::move(frames[1]);
  wire::v1::Bell bell;
  if (!newest || !parse_frame(*newest, bell)) return {};
  return bell;
}

}  // namespace xundian
