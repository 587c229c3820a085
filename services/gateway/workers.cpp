#include "services/gateway/workers.h"

#include <utility>

namespace xundian::gateway {

Workers::Workers(size_t threads, size_t waiting_max) : waiting_max_(waiting_max) {
  for (size_t index = 0; index < threads; ++index) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    while (!resting_.empty()) wake_one();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::run(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stop_ || tasks_.size() >= waiting_max_) return false;
  tasks_.push_back(std::move(task));
  if (!resting_.empty()) wake_one();
  return true;
}

bool Workers::run_soon(std::function<void()> task) {
  const std::unique_lock alone(caller_, std::try_to_lock);
  if (!alone) return run(std::move(task));
  task();
  return true;
}

// Under the lock, for what rests lies in its thread, which may end.
void Workers::wake_one() {
  Resting* const last = resting_.back();
  resting_.pop_back();
  last->is_woken = true;
  last->wake.notify_one();
}

void Workers::loop() {
  Resting self;
  for (std::unique_lock lock(mutex_);;) {
    if (!tasks_.empty()) {
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // What it held is let go of without the lock, too.
      lock.lock();
    } else if (stop_) {
      return;
    } else {
      self.is_woken = false;
      resting_.push_back(&self);
      self.wake.wait(lock, [&] { return self.is_woken; });
    }
  }
}

}  // namespace xundian::gateway
