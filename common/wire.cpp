#include "common/wire.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "common/mutant.h"

namespace {

constexpr int descriptors_kept = 16;  // For the journal, the log and what else a process must be able to open at any time.

bool is_local(int listener) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(listener, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

bool is_among_the_last(int fd) {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(fd) + descriptors_kept >= limit.rlim_cur;
}

}  // namespace

// Stands before the system's own, for libzmq: 4.3.4 ends the process when a local listener finds no descriptor left
// (ipc_listener.cpp asserts all errors but a few). Who comes when few are left is turned away and comes again; whoever is in
// stays.
extern "C" __attribute__((visibility("default"))) int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  const auto fd = static_cast<int>(syscall(SYS_accept4, listener, address, length, flags));
  if (!is_local(listener) || xundian::mutant("accept_the_last")) return fd;
  if (fd >= 0 && is_among_the_last(fd)) {
    close(fd);
    errno = ECONNABORTED;
    return -1;
  }
  if (fd < 0 && errno == EMFILE) errno = ENFILE;
  return fd;
}

namespace xundian {

zmq::context_t& zmq_context() {
  // Never ended: ending it waits for every socket of the process, and all that matters is in the journal.
  static auto* context = new zmq::context_t(1);
  return *context;
}

zmq::socket_t make_socket(zmq::socket_type type, int64_t message_bytes_max) {
  zmq::socket_t socket(zmq_context(), type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, 1000);
  socket.set(zmq::sockopt::rcvhwm, 1000);
  socket.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  // No heartbeats of ZMTP: a reader that is busy for longer than their timeout while its pipe is full ends its whole process by
  // an assertion of libzmq (issues 3937, 4767). Whether the other side lives is seen by the bell's beat and by what is answered.
  socket.set(zmq::sockopt::handshake_ivl, 5000);
  socket.set(zmq::sockopt::reconnect_ivl, 50);
  socket.set(zmq::sockopt::reconnect_ivl_max, 500);
  if (type == zmq::socket_type::router) socket.set(zmq::sockopt::router_mandatory, true);
  return socket;
}

Result<void> bind_socket(zmq::socket_t& socket, const std::string& endpoint) {
  try {
    socket.bind(endpoint);
  } catch (const zmq::error_t& error) {
    return fail(Code::failed_precondition, "{} cannot be bound: {}", endpoint, error.what());
  }
  return {};
}

Result<void> connect_socket(zmq::socket_t& socket, const std::string& endpoint) {
  try {
    socket.connect(endpoint);
  } catch (const zmq::error_t& error) {
    return fail(Code::failed_precondition, "{} cannot be connected to: {}", endpoint, error.what());
  }
  return {};
}

bool poll_sockets(std::span<zmq::pollitem_t> items, Millis timeout_ms) {
  const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), static_cast<long>(timeout_ms));
  CHECK(ready >= 0 || errno == EINTR, zmq_strerror(errno));
  return ready > 0;
}

bool poll_socket(zmq::socket_t& socket, Millis timeout_ms) {
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  return poll_sockets({&item, 1}, timeout_ms);
}

bool take_frames(zmq::socket_t& socket, std::vector<zmq::message_t>& frames) {
  frames.clear();
  do {
    zmq::message_t frame;
    int taken = -1;
    // The frames behind the first are there when the first is; only a signal comes between.
    do taken = zmq_msg_recv(frame.handle(), socket.handle(), frames.empty() ? ZMQ_DONTWAIT : 0);
    while (taken < 0 && errno == EINTR);
    if (taken < 0) {
      CHECK(errno == EAGAIN, zmq_strerror(errno));
      return false;
    }
    frames.push_back(std::move(frame));
  } while (frames.back().more());
  return true;
}

bool send_frames(zmq::socket_t& socket, std::initializer_list<std::string_view> frames) {
  size_t index = 0;
  for (const std::string_view frame : frames) {
    const int flags = ZMQ_DONTWAIT | (++index < frames.size() ? ZMQ_SNDMORE : 0);
    int sent = -1;
    do sent = zmq_send(socket.handle(), frame.data(), frame.size(), flags);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) continue;
    CHECK(errno == EAGAIN || errno == EHOSTUNREACH, zmq_strerror(errno));
    return false;  // Only the first frame of a message can be refused.
  }
  return true;
}

wire::v1::MessageType type_of(const zmq::message_t& frame) {
  const int value = frame.size() == 1 ? *static_cast<const unsigned char*>(frame.data()) : 0;
  return wire::v1::MessageType_IsValid(value) ? static_cast<wire::v1::MessageType>(value) : wire::v1::MESSAGE_TYPE_UNSPECIFIED;
}

}  // namespace xundian
