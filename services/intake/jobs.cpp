#include "services/intake/jobs.h"

#include <spdlog/spdlog.h>

#include <random>

#include "common/beside_loop.h"
#include "common/clock.h"

namespace xundian::intake {

namespace {

constexpr size_t waiting_max = 1'000, remembered_max = 1'000;

}  // namespace

// Times in milliseconds, then 20 random bits: unique for all that matters, and in the order of time.
uint64_t Jobs::next_id() {
  static std::random_device random;
  const uint64_t id = static_cast<uint64_t>(wall_ms()) << 20 | (random() & 0xfffff);
  last_id_ = std::max(last_id_ + 1, id);
  return last_id_;
}

Result<uint64_t> Jobs::start(const query::v1::StartImportRequest& request) {
  if (request.paths().empty()) return fail(Code::invalid_argument, "no file is named; name at least one");
  Task task;
  task.scope = request.scope();
  task.import = request;
  return add(std::move(task), request.request_id());
}

Result<uint64_t> Jobs::undo(const query::v1::UndoImportRequest& request) {
  if (request.import_id() == 0) return fail(Code::invalid_argument, "no import is named; `import` prints the id of each");
  Task task;
  task.scope = request.scope();
  task.undo_id = request.import_id();
  return add(std::move(task), {});
}

Result<uint64_t> Jobs::add(Task task, const std::string& request_id) {
  if (task.scope.empty()) task.scope = "default/default";
  const std::lock_guard lock(mutex_);
  if (const auto known = requests_.find(request_id); !request_id.empty() && known != requests_.end()) return known->second;
  if (stopping_) return fail(Code::unavailable, "intake is stopping");
  if (queue_.size() >= waiting_max)
    return fail(Code::resource_exhausted, "{} imports are waiting already; try later", queue_.size());
  if (!worker_.joinable()) {
    const NoSignals none;
    worker_ = std::thread([this] { work(); });
  }
  task.id = next_id();
  states_[task.id].set_phase("waiting");
  if (task.undo_id == 0) states_[task.id].set_import_id(task.id);
  if (!request_id.empty()) requests_[request_id] = task.id;
  // The oldest that have ended are forgotten.
  while (states_.size() > remembered_max && states_.begin()->second.done()) {
    std::erase_if(requests_, [this](const auto& entry) { return entry.second == states_.begin()->first; });
    states_.erase(states_.begin());
  }
  queue_.push_back(std::move(task));
  changed_.notify_all();
  return queue_.back().id;
}

std::optional<query::v1::GetImportResponse> Jobs::find(uint64_t job) const {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(job);
  return found == states_.end() ? std::nullopt : std::optional(found->second);
}

void Jobs::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Task task = std::move(queue_.front());
    queue_.pop_front();
    idle_ = false;
    lock.unlock();
    Watch watch;
    watch.stopping = [this] { return stopping_.load(); };
    watch.change = [this, &task](const auto& change) {
      const std::lock_guard held(mutex_);
      change(states_[task.id]);
    };
    const Millis began = steady_ms();
    const auto outcome = run_(task, watch);
    const char* what = task.undo_id == 0 ? "import" : "undo";
    if (outcome)
      spdlog::info("{}_done job={} took_ms={}", what, task.id, steady_ms() - began);
    else
      spdlog::warn("{}_failed job={} why=\"{}\"", what, task.id, outcome.error().message);
    lock.lock();
    query::v1::GetImportResponse& state = states_[task.id];
    state.set_done(true);
    state.set_phase("done");
    if (!outcome) {
      state.set_error(outcome.error().message);
      state.set_error_code(static_cast<uint32_t>(outcome.error().code));
    }
    idle_ = true;
    changed_.notify_all();
  }
}

bool Jobs::stop(Millis wait_ms) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  if (!worker_.joinable()) return true;
  if (!changed_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return idle_; })) return false;
  lock.unlock();
  worker_.join();
  return true;
}

}  // namespace xundian::intake
