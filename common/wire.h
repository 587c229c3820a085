// ZeroMQ as it is used here: the options of our sockets, and messages taken and sent without exceptions.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "common/error.h"
#include "common/version.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian {

// What a socket for batches and commits takes: below it lie batch_bytes_max and a group commit.
inline constexpr int64_t put_message_bytes_max = 8 << 20;
inline constexpr int64_t answer_message_bytes_max = 64 << 20;

// One context a process.
zmq::context_t& zmq_context();

// A socket with our options: it forgets what it could not send when it is closed, notices a dead peer, and, if it is a ROUTER,
// says so when a message has nowhere to go.
zmq::socket_t make_socket(zmq::socket_type type, int64_t message_bytes_max);

Result<void> bind_socket(zmq::socket_t& socket, const std::string& endpoint);
Result<void> connect_socket(zmq::socket_t& socket, const std::string& endpoint);

// Waits until one of the items is ready; false if none was in time or a signal came.
bool poll_sockets(std::span<zmq::pollitem_t> items, Millis timeout_ms);
bool poll_socket(zmq::socket_t& socket, Millis timeout_ms);

// Takes one waiting message with all its frames; false if there is none.
bool take_frames(zmq::socket_t& socket, std::vector<zmq::message_t>& frames);
// Sends one message; false if it was not taken: the peer is gone, or its queue is full.
bool send_frames(zmq::socket_t& socket, std::initializer_list<std::string_view> frames);

inline std::string_view view_of(const zmq::message_t& frame) { return {static_cast<const char*>(frame.data()), frame.size()}; }

// The frame that says what a message is.
inline std::string type_frame(wire::v1::MessageType type) { return std::string(1, static_cast<char>(type)); }
wire::v1::MessageType type_of(const zmq::message_t& frame);

template <typename Message>
bool parse_frame(const zmq::message_t& frame, Message& message) {
  return message.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
}

}  // namespace xundian
