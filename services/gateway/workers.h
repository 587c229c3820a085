// Threads for calls that wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace xundian::gateway {

// A few threads that carry out tasks in turn.
class Workers {
 public:
  Workers(size_t threads, size_t waiting_max);
  ~Workers();
  // False: too many wait.
  bool run(std::function<void()> task);

 private:
  void loop();

  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace xundian::gateway
