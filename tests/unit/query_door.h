// Where questions are asked, and who comes there without being a client of ours.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/query.h"

namespace xundian {

inline constexpr Millis long_ms = 10'000;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/xd.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string endpoint() const { return "ipc://" + path_ + "/query"; }
  std::string socket() const { return path_ + "/query"; }
  sockaddr_un address() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }

 private:
  std::string path_;
};

// Whoever comes to the door without being a client of ours.
class Stranger {
 public:
  explicit Stranger(const Folder& folder) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = folder.address();
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  bool says(std::string_view bytes) const {
    return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  void say(std::string_view bytes) const { EXPECT_TRUE(says(bytes)); }
  // Though a child of this process may hold the socket open.
  void leave() const { ::shutdown(socket_.get(), SHUT_RDWR); }
  // What comes until the other side ends it, or the time is over.
  std::string hear(size_t at_most = SIZE_MAX) const {
    std::string heard;
    pollfd readable{socket_.get(), POLLIN, 0};
    while (heard.size() < at_most && ::poll(&readable, 1, static_cast<int>(long_ms)) > 0) {
      char piece[4096];
      const ssize_t count = ::recv(socket_.get(), piece, std::min(sizeof piece, at_most - heard.size()), 0);
      if (count <= 0) return heard;
      heard.append(piece, static_cast<size_t>(count));
    }
    return heard;
  }
  bool is_cut_off() const {
    pollfd readable{socket_.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&readable, 1, static_cast<int>(long_ms)) == 1 && ::recv(socket_.get(), &byte, 1, 0) <= 0;
  }

 private:
  Descriptor socket_;
};

inline std::string question(std::string_view method, std::string_view request) {
  std::string frame;
  append(frame, static_cast<uint32_t>(4 + method.size() + request.size()));
  append_text(frame, method);
  frame.append(request);
  return frame;
}

}  // namespace xundian
