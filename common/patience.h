// How long an answer may keep the loop that gives it.
#pragma once

#include <chrono>

namespace xundian {

// While it lives, what is answered in this thread has so long. Whoever adds up much asks now and then whether it is over, and
// ends early: its answer is thrown away then, and a child gives it beside the loop, where nobody waits.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds most) : until_(Clock::now() + most) { current_ = this; }
  ~Patience() { current_ = nullptr; }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  // Once it is, it stays so; false where nobody set a time.
  static bool is_over() {
    if (current_ == nullptr) return false;
    current_->was_over_ = current_->was_over_ || Clock::now() >= current_->until_;
    return current_->was_over_;
  }
  // Whether anybody was told that it is over.
  bool was_over() const { return was_over_; }

 private:
  using Clock = std::chrono::steady_clock;
  inline static thread_local Patience* current_ = nullptr;

  const Clock::time_point until_;
  bool was_over_ = false;
};

}  // namespace xundian
