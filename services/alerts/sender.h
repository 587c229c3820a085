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

// Whoever takes requests and says how each ended: a Sender, or a world that a test makes.
class Carrier {
 public:
  virtual ~Carrier() = default;
  // Begins a POST. It is refused at once, or ends in a later `turn`, under the number given here.
  virtual Result<void> start(uint64_t number, HttpRequest request) = 0;
  struct Ended {
    uint64_t number = 0;
    HttpOutcome outcome;
  };
  // Waits until something moves, also on `also_readable` (a file descriptor; -1 = none), at most `wait_ms`.
  virtual std::vector<Ended> turn(int wait_ms, int also_readable) = 0;
  // Ends a wait in another thread.
  virtual void wake() = 0;
};

// Not thread safe but for `wake`.
class Sender final : public Carrier {
 public:
  struct Options {
    Millis timeout_ms = 15'000;  // From the first byte to the last.
  };
  explicit Sender(Options options);
  ~Sender() override;
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  Result<void> start(uint64_t number, HttpRequest request) override;
  std::vector<Ended> turn(int wait_ms, int also_readable) override;
  void wake() override;

 private:
  struct Transfer;
  void* multi_;  // CURLM, which only sender.cpp knows.
  Options options_;
  std::map<uint64_t, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace xundian::alerts
