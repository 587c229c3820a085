#include <random>

#include "common/producer.h"
#include "common/wire.h"

namespace xundian {

namespace {

Link::Options with_instance(BusLink::Options options) {
  std::random_device device;
  options.instance = uint64_t{device()} << 32 | device() | 1;
  return options;
}

}  // namespace

BusLink::BusLink(const std::string& put_endpoint, Options options)
    : Link(with_instance(std::move(options))),
      endpoint_(put_endpoint),
      socket_(make_socket(zmq::socket_type::dealer, put_message_bytes_max)) {}

void BusLink::connect() {
  // A Hello waits in the socket until the bus is there (that is why ZMQ_IMMEDIATE stays 0); batches follow only the Welcome.
  socket_ = make_socket(zmq::socket_type::dealer, put_message_bytes_max);
  const auto connected = connect_socket(socket_, endpoint_);
  CHECK(connected, connected.error().message);
}

bool BusLink::transmit(wire::v1::MessageType type, std::string_view body) {
  return send_frames(socket_, {type_frame(type), body});
}

Result<void> BusLink::turn(Millis now_steady_ms) {
  std::vector<zmq::message_t> frames;
  while (listens() && take_frames(socket_, frames))
    if (frames.size() == 2) TRY_VOID(take(type_of(frames[0]), view_of(frames[1]), now_steady_ms));
  return Link::turn(now_steady_ms);
}

}  // namespace xundian
