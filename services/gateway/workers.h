// Threads for calls that wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace xundian::gateway {

// A few threads that carry out tasks in turn. Of those that rest, the one that began to rest last works next, for its memory is
// still near: where calls come one at a time, one thread carries them out.
class Workers {
 public:
  Workers(size_t threads, size_t waiting_max);
  ~Workers();  // What was taken on is carried out before.
  // False: too many wait.
  bool run(std::function<void()> task);
  // For what takes no longer than it takes to wake a thread for it: the caller carries it out himself, one of them at a time.
  bool run_soon(std::function<void()> task);

 private:
  struct Resting {
    std::condition_variable wake;
    bool is_woken = false;
  };
  void loop();
  void wake_one();

  const size_t waiting_max_;
  std::mutex caller_;  // Held by the caller who carries out his own task.
  std::mutex mutex_;
  std::vector<Resting*> resting_;
  std::deque<std::function<void()>> tasks_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace xundian::gateway
