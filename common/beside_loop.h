// What threads beside a service's loop have in common.
#pragma once

#include <signal.h>

#include <chrono>
#include <thread>

namespace xundian {

// While it lives, this thread takes no signals, which are for the loop: whoever it starts takes none for good.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

// Where its scope ends, rests for so many times as long as that took.
class RestAfter {
 public:
  explicit RestAfter(int times) : times_(times) {}
  ~RestAfter() { std::this_thread::sleep_for(times_ * (std::chrono::steady_clock::now() - began_)); }
  RestAfter(const RestAfter&) = delete;
  RestAfter& operator=(const RestAfter&) = delete;

 private:
  const int times_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace xundian
