#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "common/folder_lock.h"
#include "common/journal.h"
#include "common/lmdb_volume.h"
#include "common/mutant.h"

namespace xundian {

namespace {

constexpr size_t pinned_bytes_max = 4u << 20;  // A read transaction visits no more, so that it holds few pages back for long.
constexpr size_t map_reserve_bytes = 256u << 10;

class LmdbWriter final : public JournalWriter {
 public:
  LmdbWriter(std::string folder, LmdbOptions options) : folder_(std::move(folder)), options_(options) {}

  Result<void> open() {
    TRY_VOID(make_journal_folder(folder_));
    TRY_VOID(lock_.take(folder_));
    sweep_volumes(folder_);
    volumes_ = TRY(list_volumes(folder_));
    if (volumes_.empty()) return {};
    volume_ = TRY(Volume::open(folder_, volumes_.back()));
    next_ = TRY(volume_->next());
    is_empty_ = next_ == volume_->first();
    // Made by a writer that ended before it could use it; it may be too small for what comes.
    if (is_empty_ && (volumes_.size() > 1 || next_ == 0)) {
      volume_.reset();
      TRY_VOID(remove_volume(folder_, next_));
      volumes_.pop_back();
      return next_ == 0 ? Result<void>() : reopen_last();
    }
    return {};
  }

  Result<Position> append(const Heads& before, std::span<const std::string_view> batches) override {
    if (getpid() != process_) return fail(Code::failed_precondition, "the journal was opened before a fork");
    if (!broken_.empty()) return fail(Code::failed_precondition, "the journal failed before ({}); open it again", broken_);
    auto position = append_durably(before, batches);
    if (!position) broken_ = position.error().message;
    return position;
  }

  Result<void> trim(Position position) override {
    const std::lock_guard lock(volumes_mutex_);
    // The volume being written stays, and while it is empty the one before it too, which tells the heads.
    while (volumes_.size() > 1 && volumes_[1] <= position && !(volumes_.size() == 2 && is_empty_)) {
      TRY_VOID(remove_volume(folder_, volumes_.front()));
      volumes_.erase(volumes_.begin());
    }
    return {};
  }

  void on_new_volume(std::function<std::string()> make_control) override { make_control_ = std::move(make_control); }
  Position volume_start() const override { return volume_ ? volume_->first() : next_; }

 private:
  Result<void> reopen_last() {
    volume_ = TRY(Volume::open(folder_, volumes_.back()));
    is_empty_ = false;
    const Position next = TRY(volume_->next());
    if (next != next_)
      return fail(Code::data_loss, "the volume {} ends at position {}, not {}; verify the journal",
                  volume_path(folder_, volumes_.back()), next, next_);
    return {};
  }

  Result<Position> append_durably(const Heads& before, std::span<const std::string_view> batches) {
    check_readers();
    if (volume_ && (is_empty_ || volume_->used_bytes() < options_.volume_bytes)) {
      const int code = is_empty_ ? put_first(before, batches) : put(before, batches);
      if (code == MDB_SUCCESS) return done();
      // What does not fit was not written; it begins a new volume.
      if (code != MDB_MAP_FULL || is_empty_) return lmdb_failed(code, fmt::format("appending to the journal {}", folder_));
    }
    TRY_VOID(begin_volume(commit_bytes(before, batches)));
    if (const int code = put_first(before, batches); code != MDB_SUCCESS)
      return lmdb_failed(code, fmt::format("appending to the journal {}", folder_));
    return done();
  }

  Position done() {
    is_empty_ = false;
    return next_++;
  }

  Result<void> begin_volume(size_t bytes) {
    control_ = make_control_ ? make_control_() : std::string();
    const size_t room = std::max(options_.volume_bytes, bytes + control_.size());
    volume_.reset();
    TRY_VOID(make_volume(folder_, next_, room + room / 4 + map_reserve_bytes));
    volume_ = TRY(Volume::open(folder_, next_));
    const std::lock_guard lock(volumes_mutex_);
    is_empty_ = true;
    volumes_.push_back(next_);
    return {};
  }

  // The first commit of a volume begins with the control batch.
  int put_first(const Heads& before, std::span<const std::string_view> batches) {
    if (control_.empty() && make_control_) control_ = make_control_();
    std::vector<std::string_view> all(batches.begin(), batches.end());
    if (!control_.empty()) all.insert(all.begin(), control_);
    const int code = put(before, all);
    control_.clear();
    return code;
  }

  int put(const Heads& before, std::span<const std::string_view> batches) {
    MDB_txn* transaction = nullptr;
    int code = mdb_txn_begin(volume_->env(), nullptr, 0, &transaction);
    if (code != MDB_SUCCESS) return code;
    Position position = next_;
    MDB_val key{sizeof position, &position};
    MDB_val value{commit_bytes(before, batches), nullptr};
    code = mdb_put(transaction, volume_->dbi(), &key, &value, MDB_APPEND | MDB_RESERVE);
    if (code != MDB_SUCCESS) {
      mdb_txn_abort(transaction);
      return code;
    }
    write_commit(static_cast<char*>(value.mv_data), before, batches);
    code = mdb_txn_commit(transaction);
    return mutant("ignore_write_errors") ? MDB_SUCCESS : code;
  }

  // The slot of a reader that was killed holds pages back until somebody looks.
  void check_readers() {
    const auto now = std::chrono::steady_clock::now();
    if (!volume_ || now - checked_ < std::chrono::seconds(1)) return;
    checked_ = now;
    int dead = 0;
    mdb_reader_check(volume_->env(), &dead);
  }

  std::string folder_;
  LmdbOptions options_;
  pid_t process_ = getpid();
  FolderLock lock_;
  std::unique_ptr<Volume> volume_;
  Position next_ = 0;
  std::atomic<bool> is_empty_ = true;  // The volume.
  std::function<std::string()> make_control_;
  std::string control_;
  std::string broken_;  // Why it must not be used any longer.
  std::chrono::steady_clock::time_point checked_;
  std::mutex volumes_mutex_;  // trim may run on a thread of its own.
  std::vector<Position> volumes_;
};

// The volumes of a folder, looked for again when the folder has changed.
class VolumeList {
 public:
  explicit VolumeList(std::string folder) : folder_(std::move(folder)) {}

  // True if it looked.
  Result<bool> refresh() {
    struct stat folder {};
    if (stat(folder_.c_str(), &folder) != 0) return lmdb_failed(errno, fmt::format("looking for the journal in {}", folder_));
    const int64_t changed = nanoseconds(folder.st_mtim);
    if (settled_ && changed == changed_) return false;
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    volumes_ = TRY(list_volumes(folder_));
    changed_ = changed;
    // File times are coarse: a change just after an earlier one may bear the same time.
    settled_ = nanoseconds(now) - changed > 50'000'000;
    return true;
  }
  void forget() { settled_ = false; }
  const std::vector<Position>& get() const { return volumes_; }

 private:
  static int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

  std::string folder_;
  std::vector<Position> volumes_;
  int64_t changed_ = 0;
  bool settled_ = false;
};

class LmdbReader final : public JournalReader {
 public:
  explicit LmdbReader(std::string folder) : folder_(std::move(folder)), list_(folder_) {}

  Result<void> open() { return refresh(); }

  Result<Position> read(Position from, size_t bytes_max, const std::function<bool(const CommitView&)>& visit) override {
    Reading reading{from, from, bytes_max, visit};
    for (;;) {
      const auto more = read_some(reading);
      if (!more && reading.position == from) return tl::unexpected(more.error());
      // What was visited counts; the next call says what is wrong.
      if (!more || !*more) return reading.position;
    }
  }

  Result<Range> range() override {
    for (int attempt = 0;; ++attempt) {
      TRY_VOID(refresh());
      if (list_.get().empty()) return Range{};
      const auto used = use(list_.get().back());
      if (used) return Range{list_.get().front(), TRY(volume_->next())};
      if (used.error().code != Code::not_found || attempt == attempts_max) return tl::unexpected(used.error());
      list_.forget();
    }
  }

 private:
  static constexpr int attempts_max = 3;  // As often may a volume go between looking for it and opening it.

  struct Reading {
    Position from;
    Position position;
    size_t bytes_left;
    const std::function<bool(const CommitView&)>& visit;
    int attempts = 0;
  };

  Result<void> refresh() {
    if (getpid() != process_) return fail(Code::failed_precondition, "the journal was opened before a fork");
    if (TRY(list_.refresh()) && volume_ && !volume_->is_there()) volume_.reset();
    return {};
  }

  Result<void> use(Position first) {
    if (volume_ && volume_->first() == first) return {};
    volume_.reset();
    volume_ = TRY(Volume::open(folder_, first));
    return {};
  }

  // Visits commits of one volume, in one transaction. False: that is all there is, or all that is wanted.
  Result<bool> read_some(Reading& reading) {
    TRY_VOID(refresh());
    const std::vector<Position>& volumes = list_.get();
    const auto behind = std::upper_bound(volumes.begin(), volumes.end(), reading.position);
    if (behind == volumes.begin()) {
      if (volumes.empty() && reading.position == 0) return false;
      if (volumes.empty())
        return fail(Code::failed_precondition, "position {} lies behind the end of the journal, 0", reading.position);
      return fail(Code::out_of_range, "position {} was trimmed away; the lowest is {}", reading.position, volumes.front());
    }
    // Listed before the transaction begins: a volume with another behind it is complete.
    const bool is_last = behind == volumes.end();
    if (const auto used = use(*(behind - 1)); !used) {
      if (used.error().code != Code::not_found || ++reading.attempts > attempts_max) return tl::unexpected(used.error());
      list_.forget();
      return true;
    }
    const Position before = reading.position;
    const bool ended = TRY(visit_volume(reading));
    if (reading.bytes_left == 0) return false;
    if (!ended) return true;
    if (is_last) return false;
    if (reading.position == before)
      return fail(Code::data_loss, "position {} of the journal is missing; verify it and restore it from a backup", before);
    return true;
  }

  // True: the end of the volume was reached.
  Result<bool> visit_volume(Reading& reading) {
    VolumeCursor cursor(*volume_);
    size_t pinned = 0;
    bool found = TRY(cursor.find(reading.position));
    if (!found) {
      const Position next = TRY(cursor.find_last()) ? cursor.position() + 1 : volume_->first();
      if (reading.position > next)
        return fail(Code::failed_precondition, "position {} lies behind the end of the journal, {}", reading.position, next);
      return true;
    }
    while (found) {
      if (cursor.position() != reading.position)
        return fail(Code::data_loss, "position {} of the journal is missing; verify it and restore it from a backup",
                    reading.position);
      const CommitView commit = TRY(CommitView::open(reading.position, cursor.bytes()));
      const bool wants_more = reading.visit(commit);
      reading.position += 1;
      pinned += commit.bytes().size();
      reading.bytes_left = wants_more ? reading.bytes_left - std::min(reading.bytes_left, commit.bytes().size()) : 0;
      if (reading.bytes_left == 0 || pinned >= pinned_bytes_max) return false;
      found = TRY(cursor.step());
    }
    return true;
  }

  std::string folder_;
  pid_t process_ = getpid();
  VolumeList list_;
  std::unique_ptr<Volume> volume_;
};

}  // namespace

Result<std::unique_ptr<JournalWriter>> open_lmdb_writer(const std::string& folder, LmdbOptions options) {
  auto writer = std::make_unique<LmdbWriter>(folder, options);
  TRY_VOID(writer->open());
  return writer;
}

Result<std::unique_ptr<JournalReader>> open_lmdb_reader(const std::string& folder) {
  auto reader = std::make_unique<LmdbReader>(folder);
  TRY_VOID(reader->open());
  return reader;
}

}  // namespace xundian
