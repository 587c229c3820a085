// A real HTTP receiver on a loopback port, that notes what it gets and answers as it is told.
#pragma once

#include <httplib.h>

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace xundian::tests {

class Receiver {
 public:
  struct Got {
    std::string id, timestamp, signature, body;
  };
  using Answer = std::function<void(size_t index, httplib::Response&)>;

  explicit Receiver(Answer answer) {
    server_.Post("/hook", [this, answer](const httplib::Request& request, httplib::Response& response) {
      size_t index = 0;
      {
        const std::lock_guard lock(mutex_);
        index = got_.size();
        got_.push_back({request.get_header_value("webhook-id"), request.get_header_value("webhook-timestamp"),
                        request.get_header_value("webhook-signature"), request.body});
      }
      answer(index, response);
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Receiver() {
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  std::vector<Got> got() {
    const std::lock_guard lock(mutex_);
    return got_;
  }

 private:
  httplib::Server server_;
  std::mutex mutex_;
  std::vector<Got> got_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace xundian::tests
