#include "common/journal_redis.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <thread>

#include "common/clock.h"
#include "common/folder_lock.h"
#include "common/journal_archive.h"
#include "common/log.h"
#include "common/mutant.h"

namespace xundian {

namespace {

constexpr Millis backoff_min_ms = 50;
constexpr Millis connect_backoff_max_ms = 1000, append_backoff_max_ms = 200;
constexpr int append_attempts = 2;               // In one call: a broken connection is mended at once, if it can be.
constexpr size_t archive_step_bytes = 4u << 20;  // In one turn, about.
constexpr unsigned archive_part_of_window = 4;   // So much of the window may wait for the archive.

// Tries that failed, and when the next is due.
class Backoff {
 public:
  explicit Backoff(Millis max_ms) : max_ms_(max_ms) {}
  bool due() const { return steady_ms() >= at_; }
  void failed() {
    wait_ = std::clamp(2 * wait_, backoff_min_ms, max_ms_);
    at_ = steady_ms() + wait_;
  }
  void done() { at_ = wait_ = 0; }

 private:
  const Millis max_ms_;
  Millis at_ = 0, wait_ = 0;
};

class RedisWriter final : public JournalWriter {
 public:
  RedisWriter(RedisOptions options, std::shared_ptr<StreamIndex> index)
      : options_(std::move(options)), index_(std::move(index)), owner_(options_) {}

  Result<void> open() {
    TRY_VOID(make_journal_folder(options_.folder));
    TRY_VOID(lock_.take(options_.folder));
    archive_ = TRY(Archive::open(options_.folder, options_.volume_bytes));
    for (const Millis until = steady_ms() + options_.patience_ms;;) {
      auto begun = begin();
      if (begun) return begun;
      if (owner_.wrong_settings()) return fail(Code::invalid_argument, "{}", begun.error().message);
      if (begun.error().code != Code::unavailable || steady_ms() >= until) return begun;
      std::this_thread::sleep_for(std::chrono::milliseconds(backoff_min_ms));
    }
  }

  Result<Position> append(const Heads& before, std::span<const std::string_view> batches) override {
    TRY_VOID(usable());
    if (!pending_) prepare(before, batches);
    if (!append_backoff_.due()) return unavailable();
    for (int attempt = 0; attempt < append_attempts; ++attempt) {
      auto appended = append_pending();
      if (appended) {
        append_backoff_.done();
        TRY_VOID(note_begun());
        return finish();
      }
      // Broken off in the middle: what became of it shows at once, or after a while.
      if (const auto noted = note(appended.error()); noted.error().code != Code::unavailable)
        return tl::unexpected(noted.error());
      if (owner_.owns()) break;
    }
    append_backoff_.failed();
    return unavailable();
  }

  Result<void> tidy() override {
    TRY_VOID(usable());
    TRY_VOID(note(be_ready()));
    if (steady_ms() >= check_at_) {
      check_at_ = steady_ms() + options_.check_ms;
      const auto checked = owner_.check_settings();
      // What was written while a setting was wrong is made safe by the mark of the next epoch.
      if (!checked) owner_.lose();
      TRY_VOID(note(checked));
    }
    TRY_VOID(note(archive_some()));
    if (pending_) return unavailable();
    return {};
  }

  Result<void> trim(Position position) override {
    TRY_VOID(usable());
    TRY_VOID(note(be_ready()));
    // With the commit that begins the unit being written, the archive has a volume of its own for it.
    const Position end = std::min(unit_start_ + 1, index_->committed());
    while (archive_->next() < end) TRY_VOID(note(archive_step(end)));
    TRY_VOID(archive_->trim(position));
    return note(trim_stream(archive_->first()));
  }

  void on_new_volume(std::function<std::string()> make_control) override { make_control_ = std::move(make_control); }
  Position volume_start() const override { return unit_start_; }

 private:
  // A commit on its way. It stays the same however often it is tried.
  struct Pending {
    Position position = 0;
    std::shared_ptr<const std::string> bytes;
    Position unit_start = 0;
    uint64_t unit_bytes = 0;
    StreamId id;           // Under which it was tried last.
    bool written = false;  // On the connection that lives.
  };

  Result<void> usable() const {
    if (getpid() != process_) return fail(Code::failed_precondition, "the journal was opened before a fork");
    if (!broken_.empty()) return fail(Code::failed_precondition, "the journal failed before ({}); open it again", broken_);
    return {};
  }
  tl::unexpected<Error> unavailable() const { return fail(Code::unavailable, "{}", trouble_); }

  // Keeps why something does not go on now, or never again.
  Result<void> note(const Result<void>& outcome) {
    if (outcome) return outcome;
    (outcome.error().code == Code::unavailable ? trouble_ : broken_) = outcome.error().message;
    return outcome;
  }
  Result<void> note(const Error& error) { return note(Result<void>(tl::unexpected(error))); }

  // ---- Opening

  // Says that there is a stream with something in it: if it is gone, that was lost. A home that was restored has its volumes
  // alone.
  std::string begun_path() const { return options_.folder + "/stream"; }

  Result<void> begin() {
    const bool may_make = access(begun_path().c_str(), F_OK) != 0;
    const auto taken = owner_.take(may_make);
    if (!taken && owner_.takes_no_writes() && owner_.link().connect()) {
      // Out of memory: what lies in the archive too can go.
      TRY_VOID(load(may_make));
      tight_ = true;
      TRY_VOID(trim_to_window());
    }
    TRY_VOID(taken);
    TRY_VOID(cut_torn_end());
    TRY_VOID(load(may_make));
    begun_ = !may_make;
    index_->set_committed(index_->next());
    check_at_ = steady_ms() + options_.check_ms;
    return {};
  }

  // What the stream holds has to join what the archive holds.
  Result<void> load(bool may_make) {
    if (const auto loaded = index_->load(owner_.link(), options_.key); !loaded) return owner_.passing(loaded.error());
    const auto last = read_last(owner_.link(), options_.key);
    if (!last) return owner_.passing(last.error());
    index_->set_archived(archive_->next());
    const bool empty = index_->next() == index_->first();
    if (empty && may_make) {
      index_->start_at(archive_->next());
      unit_start_ = archive_->next();
    } else if (empty || index_->first() > archive_->next() || index_->next() < archive_->next()) {
      return fail(Code::data_loss,
                  "the stream {} at {} has the positions {} to {}, the volumes in {} go to {}: acknowledged commits are missing; "
                  "point the bus at the Redis that has them, or restore a backup",
                  options_.key, options_.address.text(), index_->first(), index_->next(), options_.folder, archive_->next());
    } else {
      unit_start_ = last->unit_start;
      unit_bytes_ = last->unit_bytes;
    }
    unarchived_bytes_ = 0;
    for (Position position = archive_->next(); position < index_->next(); ++position)
      unarchived_bytes_ += index_->find(position)->bytes;
    return {};
  }

  // A last commit that is there in part was never acknowledged; it makes room for the next one.
  Result<void> cut_torn_end() {
    const auto last = read_last(owner_.link(), options_.key);
    if (!last) return owner_.passing(last.error());
    const Position acknowledged = std::max(archive_->next(), index_->committed());  // As far as this life of the bus can know.
    if (!last->commit || last->commit_whole) return {};
    if (last->commit->position < acknowledged && !mutant("cut_what_was_acknowledged")) return {};
    const std::string id = last->commit->text();
    if (const auto cut = owner_.link().ask({"XDEL", options_.key, id}); !cut) return owner_.passing(cut.error());
    spdlog::warn("torn_commit_cut stream={} position={} id={}", options_.key, last->commit->position, id);
    return owner_.wait_for_replicas();
  }

  // ---- Appending

  void prepare(const Heads& before, std::span<const std::string_view> batches) {
    Pending pending;
    pending.position = index_->next();
    const bool begins_unit = unit_bytes_ == 0 || unit_bytes_ >= options_.volume_bytes;
    std::vector<std::string_view> all(batches.begin(), batches.end());
    const std::string control = begins_unit && make_control_ ? make_control_() : std::string();
    if (!control.empty()) all.insert(all.begin(), control);
    pending.bytes = std::make_shared<const std::string>(make_commit(before, all));
    pending.unit_start = begins_unit ? pending.position : unit_start_;
    pending.unit_bytes = (begins_unit ? 0 : unit_bytes_) + pending.bytes->size();
    pending_ = std::move(pending);
  }

  // Connected, in an epoch of our own, and knowing what became of the commit that is on its way.
  Result<void> be_ready() {
    if (owner_.owns() && knows_end_) return {};
    if (!connect_backoff_.due()) return unavailable();
    knows_end_ = false;
    auto ready = owner_.take(!begun_);
    if (ready) ready = cut_torn_end();
    if (ready) ready = look_at_end();
    if (ready)
      connect_backoff_.done();
    else
      connect_backoff_.failed();
    return ready;
  }

  Result<void> look_at_end() {
    const auto last = read_last(owner_.link(), options_.key);
    if (!last) return owner_.passing(last.error());
    if (last->commit && !last->commit_whole)
      return fail(
          Code::data_loss,
          "the stream {} at {} holds position {} in part, which was acknowledged; point the bus at a Redis that has all of it, "
          "or restore a backup",
          options_.key, options_.address.text(), last->commit->position);
    const auto known = index_->next() > index_->first() ? index_->find(index_->next() - 1) : std::nullopt;
    const std::optional<StreamId> expected = known ? std::optional(known->id) : std::nullopt;
    if (pending_ && last->commit == pending_->id) {
      pending_->written = !mutant("append_again");  // And waited for: the epoch's mark lies behind it.
    } else if (last->commit == expected) {
      if (pending_) pending_->written = false;
    } else {
      return fail(Code::data_loss, "the stream {} at {} ends with {}, not with position {}: acknowledged commits are missing",
                  options_.key, options_.address.text(), last->commit ? last->commit->text() : "nothing", index_->next() - 1);
    }
    knows_end_ = true;
    return {};
  }

  Result<void> append_pending() {
    TRY_VOID(be_ready());
    if (pending_->written) return owner_.wait_for_replicas();
    pending_->id = {owner_.epoch(), pending_->position, false};
    const std::string id = pending_->id.text();
    const std::string unit = fmt::format("{} {}", pending_->unit_start, pending_->unit_bytes);
    const RedisWords commands[] = {{"XADD", options_.key, "NOMKSTREAM", id, "c", *pending_->bytes, "u", unit},
                                   owner_.wait_words()};
    const auto replies = owner_.link().ask_all({commands, options_.replicas > 0 ? 2u : 1u});
    if (const auto& added = replies[0]; !added) {
      if (added.error().code == Code::resource_exhausted) tight_ = true;
      if (added.error().code != Code::already_exists) return owner_.passing(added.error());
      owner_.lose();  // It is there already, or somebody else has begun an epoch: the end of the stream tells.
      return fail(Code::unavailable, "{}", added.error().message);
    }
    if ((*replies[0])->type == REDIS_REPLY_NIL)
      return fail(Code::data_loss, "the stream {} is gone from the Redis at {}", options_.key, options_.address.text());
    pending_->written = true;
    return options_.replicas > 0 ? owner_.judge_wait(replies[1]) : Result<void>();
  }

  Result<void> note_begun() {
    if (begun_) return {};
    if (!(std::ofstream(begun_path()) << options_.key << '\n').flush())
      return note(Error{Code::internal, fmt::format("{} cannot be written", begun_path())});
    TRY_VOID(note(sync_folder(options_.folder)));
    begun_ = true;
    return {};
  }

  Position finish() {
    const Pending& pending = *pending_;
    const Position position = pending.position;
    unit_start_ = pending.unit_start;
    unit_bytes_ = pending.unit_bytes;
    unarchived_bytes_ += pending.bytes->size();
    index_->push({pending.id, pending.bytes->size(), pending.unit_start == position, pending.bytes});
    index_->set_committed(position + 1);
    pending_.reset();
    return position;
  }

  // ---- Archiving

  Result<void> archive_some() {
    const bool wanted = tight_ || unarchived_bytes_ * archive_part_of_window >= options_.window_bytes;
    if (wanted && archive_->next() < index_->committed()) TRY_VOID(archive_step(index_->committed()));
    return trim_to_window();
  }

  Result<void> archive_step(Position end) {
    auto commits = read_commits(owner_.link(), options_.key, *index_, archive_->next(), end, archive_step_bytes);
    if (!commits) return owner_.passing(commits.error());
    std::vector<Archive::Item> items;
    Position position = archive_->next();
    size_t bytes = 0;
    for (const StreamIndex::Entry& entry : *commits) {
      // The last moment at which the stream's copy could be looked at.
      const CommitView commit = TRY(CommitView::open(position, *entry.commit));
      TRY_VOID(commit.for_each_batch(false, [](const BatchView&) {}));
      items.push_back({position, *entry.commit, entry.begins_unit});
      bytes += entry.bytes;
      position += 1;
    }
    TRY_VOID(archive_->append(items));
    index_->set_archived(position);
    unarchived_bytes_ -= std::min(unarchived_bytes_, bytes);
    return {};
  }

  // The last commit always stays: by it the end is known.
  Result<void> trim_to_window() {
    const Position end = std::min(archive_->next(), std::max(index_->next(), Position{1}) - 1);
    Position first = index_->first();
    size_t bytes = index_->bytes();
    for (; first < end && (tight_ || bytes > options_.window_bytes); ++first) bytes -= index_->find(first)->bytes;
    // All that could go has gone.
    if (archive_->next() >= index_->committed()) tight_ = false;
    return trim_stream(first);
  }

  Result<void> trim_stream(Position first) {
    if (first <= index_->first()) return {};
    const std::string id = index_->find(first)->id.text();
    if (const auto trimmed = owner_.link().ask({"XTRIM", options_.key, "MINID", id}); !trimmed)
      return owner_.passing(trimmed.error());
    while (index_->first() < first) index_->pop();
    return {};
  }

  const RedisOptions options_;
  const pid_t process_ = getpid();
  std::shared_ptr<StreamIndex> index_;
  FolderLock lock_;
  std::unique_ptr<Archive> archive_;
  StreamOwner owner_;
  std::optional<Pending> pending_;
  std::function<std::string()> make_control_;
  Position unit_start_ = 0;
  uint64_t unit_bytes_ = 0;
  size_t unarchived_bytes_ = 0;
  bool knows_end_ = true;
  bool begun_ = false;  // The file that says so is there.
  bool tight_ = false;  // Redis has no memory left: the window gives way.
  Backoff connect_backoff_{connect_backoff_max_ms}, append_backoff_{append_backoff_max_ms};
  Millis check_at_ = 0;
  std::string trouble_, broken_;
};

}  // namespace

Result<std::unique_ptr<JournalWriter>> open_redis_writer(RedisOptions options, std::shared_ptr<StreamIndex> index) {
  auto writer = std::make_unique<RedisWriter>(std::move(options), std::move(index));
  TRY_VOID(writer->open());
  return writer;
}

}  // namespace xundian
