// The jobs of intake: imports and undos, run one after the other by a thread of their own, and watched from the loop's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/error.h"
#include "common/version.h"
#include "xundian/query/v1/intake.pb.h"

namespace xundian::intake {

struct Task {
  uint64_t id = 0;  // Of the job; an import has the same.
  std::string scope;
  query::v1::StartImportRequest import;
  uint64_t undo_id = 0;  // The import to take back; 0 = the task is an import.
};

// How a running task shows how far it is, and learns that it should end.
struct Watch {
  std::function<void(const std::function<void(query::v1::GetImportResponse&)>&)> change;
  std::function<bool()> stopping;
  void phase(const char* name) const {
    change([name](query::v1::GetImportResponse& state) { state.set_phase(name); });
  }
};

class Jobs {
 public:
  using Run = std::function<Result<void>(const Task& task, const Watch& watch)>;
  explicit Jobs(Run run) : run_(std::move(run)) {}
  ~Jobs() { stop(); }

  // Queue a task and give the job's id. They return at once.
  Result<uint64_t> start(const query::v1::StartImportRequest& request);
  Result<uint64_t> undo(const query::v1::UndoImportRequest& request);
  std::optional<query::v1::GetImportResponse> find(uint64_t job) const;
  // Takes no more tasks, asks the running one to end, and waits for that up to `wait_ms`; true if it has. What it acknowledged is
  // in the journal, so a process may end without waiting on.
  bool stop(Millis wait_ms = 60'000);

 private:
  Result<uint64_t> add(Task task, const std::string& request_id);
  uint64_t next_id();
  void work();

  Run run_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_;
  std::map<uint64_t, query::v1::GetImportResponse> states_;  // The newest thousand, by id.
  std::map<std::string, uint64_t> requests_;
  uint64_t last_id_ = 0;
  bool idle_ = true;
  std::atomic<bool> stopping_ = false;
  std::thread worker_;
};

}  // namespace xundian::intake
