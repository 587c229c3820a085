// Sends requests into the world, many at a time, and says how each ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/alerts/webhook.h"

namespace xundian::alerts {

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "name: value"
  std::string body;
  bool allow_private = false;
};

// Not thread safe but for `wake`.
class Sender {
 public:
  struct Options {
    Millis timeout_ms = 15'000;  // From the first byte to the last.
  };
  explicit Sender(Options options);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Begins a POST. It is refused at once, or ends in a later `turn`, under the number given here.
  Result<void> start(uint64_t number, HttpRequest request);
  struct Ended {
    uint64_t number = 0;
    HttpOutcome outcome;
  };
  // Waits until something moves, also on `also_readable` (a file descriptor; -1 = none), at most `wait_ms`.
  std::vector<Ended> turn(int wait_ms, int also_readable = -1);
  size_t in_flight() const { return transfers_.size(); }
  // Ends a wait in another thread.
  void wake();

 private:
  struct Transfer;
  void* multi_;  // CURLM, which only sender.cpp knows.
  Options options_;
  std::map<uint64_t, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace xundian::alerts
