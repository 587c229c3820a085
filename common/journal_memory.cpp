#include "common/journal_memory.h"

#include <unistd.h>

#include <algorithm>

#include "common/mutant.h"

namespace xundian {

void MemoryDisk::fail_append(DiskFault fault, uint64_t appends_before, size_t bytes_kept) {
  const std::lock_guard lock(mutex_);
  faults_[appends_ + appends_before] = {fault, bytes_kept};
}

void MemoryDisk::set_capacity(size_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void MemoryDisk::cut_power() {
  const std::lock_guard lock(mutex_);
  lose_power();
}

void MemoryDisk::lose_power() {
  commits_.resize(synced_ > low_ ? synced_ - low_ : 0);
  while (!volumes_.empty() && volumes_.back() > low_ + commits_.size()) volumes_.pop_back();
  life_ += 1;
  writer_life_.reset();
}

bool MemoryDisk::flip_bit(Position position, size_t byte, unsigned bit) {
  const std::lock_guard lock(mutex_);
  if (position < low_ || position - low_ >= commits_.size()) return false;
  Commit& commit = commits_[position - low_];
  if (byte >= commit->size() || bit > 7) return false;
  std::string changed = *commit;  // A reader may be looking at the old one.
  changed[byte] = static_cast<char>(changed[byte] ^ 1 << bit);
  commit = std::make_shared<const std::string>(std::move(changed));
  return true;
}

size_t MemoryDisk::bytes() const {
  const std::lock_guard lock(mutex_);
  return used();
}

uint64_t MemoryDisk::appends() const {
  const std::lock_guard lock(mutex_);
  return appends_;
}

size_t MemoryDisk::used() const {
  size_t bytes = torn_.size();
  for (const Commit& commit : commits_) bytes += commit->size();
  return bytes;
}

// What a writer does that finds the disk as a crash left it: a whole commit counts, the rest of one is cut off.
void MemoryDisk::recover() {
  const Position position = low_ + commits_.size();
  const auto commit = CommitView::open(position, torn_);
  if (commit && commit->for_each_batch(false, [](const BatchView&) {}))
    commits_.push_back(std::make_shared<const std::string>(torn_));
  synced_ = low_ + commits_.size();
  torn_.clear();
}

// Puts a commit on the disk, or does to it what was ordered.
Result<void> MemoryDisk::place(Commit commit) {
  const auto fault = faults_.extract(appends_++);
  if (fault && fault.mapped().what == DiskFault::error_before) return fail(Code::data_loss, "the disk gives EIO");
  if (fault && fault.mapped().what == DiskFault::not_yet) return fail(Code::unavailable, "the disk is to be asked again");
  if (used() + commit->size() > capacity_)
    return fail(Code::resource_exhausted, "the disk is full (ENOSPC); make room and restart");
  if (!fault || fault.mapped().what == DiskFault::error_after) {
    commits_.push_back(std::move(commit));
    if (!mutant("no_sync")) synced_ = low_ + commits_.size();
    if (fault) return fail(Code::data_loss, "the disk gives EIO");
    return {};
  }
  torn_ = commit->substr(0, fault.mapped().bytes_kept);
  if (fault.mapped().what == DiskFault::error_torn) return fail(Code::data_loss, "the disk gives EIO on sync");
  lose_power();
  return fail(Code::aborted, "the power was cut");
}

class MemoryWriter final : public JournalWriter {
 public:
  MemoryWriter(std::shared_ptr<MemoryDisk> disk, MemoryOptions options) : disk_(std::move(disk)), options_(options) {}
  ~MemoryWriter() override {
    const std::lock_guard lock(disk_->mutex_);
    if (opened_ && disk_->writer_life_ == life_) disk_->writer_life_.reset();
  }

  Result<void> open() {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->writer_life_)
      return fail(Code::failed_precondition, "the journal in memory is being written by process {}", getpid());
    disk_->recover();
    life_ = disk_->life_;
    disk_->writer_life_ = life_;
    opened_ = true;
    volume_start_ = disk_->volumes_.empty() ? disk_->low_ : disk_->volumes_.back();
    const Position next = disk_->low_ + disk_->commits_.size();
    for (Position position = volume_start_; position < next; ++position)
      volume_bytes_ += disk_->commits_[position - disk_->low_]->size();
    return {};
  }

  Result<Position> append(const Heads& before, std::span<const std::string_view> batches) override {
    if (broken_) return fail(Code::failed_precondition, "the journal failed before; open it again");
    // Made without the lock: it may read the journal.
    const bool fresh = volume_bytes_ == 0 || volume_bytes_ >= options_.volume_bytes;
    const std::string control = fresh && make_control_ ? make_control_() : std::string();
    std::vector<std::string_view> all(batches.begin(), batches.end());
    if (!control.empty()) all.insert(all.begin(), control);
    auto commit = std::make_shared<const std::string>(make_commit(before, all));

    const std::lock_guard lock(disk_->mutex_);
    if (disk_->life_ != life_) return fail(Code::aborted, "the power was cut");
    const Position position = disk_->low_ + disk_->commits_.size();
    if (fresh) {
      // A volume begins before its first commit does, and may be left empty.
      if (disk_->volumes_.empty() || disk_->volumes_.back() != position) disk_->volumes_.push_back(position);
      volume_start_ = position;
      volume_bytes_ = 0;
    }
    if (const auto placed = disk_->place(commit); !placed) {
      broken_ = placed.error().code != Code::unavailable;
      return tl::unexpected(placed.error());
    }
    volume_bytes_ += commit->size();
    return position;
  }

  Result<void> trim(Position position) override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->life_ != life_) return fail(Code::aborted, "the power was cut");
    // An empty volume does not tell the heads; then the one before it stays.
    const Position next = disk_->low_ + disk_->commits_.size();
    while (disk_->volumes_.size() > 1 && disk_->volumes_[1] <= position && disk_->volumes_[1] < next) {
      const auto count = static_cast<std::ptrdiff_t>(disk_->volumes_[1] - disk_->low_);
      disk_->commits_.erase(disk_->commits_.begin(), disk_->commits_.begin() + count);
      disk_->volumes_.pop_front();
      disk_->low_ = disk_->volumes_.front();
    }
    return {};
  }

  void on_new_volume(std::function<std::string()> make_control) override { make_control_ = std::move(make_control); }
  Position volume_start() const override { return volume_start_; }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  MemoryOptions options_;
  std::function<std::string()> make_control_;
  uint64_t life_ = 0;
  Position volume_start_ = 0;
  size_t volume_bytes_ = 0;
  bool opened_ = false;
  bool broken_ = false;
};

class MemoryReader final : public JournalReader {
 public:
  explicit MemoryReader(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    const std::lock_guard lock(disk_->mutex_);
    life_ = disk_->life_;
  }

  Result<Position> read(Position from, size_t bytes_max, const std::function<bool(const CommitView&)>& visit) override {
    size_t bytes = 0;
    Position position = from;
    for (bool more = true; more && (position == from || bytes < bytes_max);) {
      const auto commit = TRY(find(position));
      if (commit == nullptr) break;
      const auto view = CommitView::open(position, *commit);
      if (!view && position > from) break;  // What was visited counts; the next call says what is wrong.
      if (!view) return tl::unexpected(view.error());
      more = visit(*view);
      bytes += commit->size();
      position += 1;
    }
    return position;
  }

  Result<Range> range() override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->life_ != life_) return fail(Code::aborted, "the power was cut");
    return Range{disk_->low_, disk_->low_ + disk_->commits_.size()};
  }

 private:
  // Null: the end.
  Result<MemoryDisk::Commit> find(Position position) {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->life_ != life_) return fail(Code::aborted, "the power was cut");
    const Position next = disk_->low_ + disk_->commits_.size();
    if (position < disk_->low_)
      return fail(Code::out_of_range, "position {} was trimmed away; the lowest is {}", position, disk_->low_);
    if (position > next)
      return fail(Code::failed_precondition, "position {} lies behind the end of the journal, {}", position, next);
    return position == next ? nullptr : disk_->commits_[position - disk_->low_];
  }

  std::shared_ptr<MemoryDisk> disk_;
  uint64_t life_ = 0;
};

Result<std::unique_ptr<JournalWriter>> open_memory_writer(std::shared_ptr<MemoryDisk> disk, MemoryOptions options) {
  auto writer = std::make_unique<MemoryWriter>(std::move(disk), options);
  TRY_VOID(writer->open());
  return writer;
}

Result<std::unique_ptr<JournalReader>> open_memory_reader(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryReader>(std::move(disk));
}

}  // namespace xundian
