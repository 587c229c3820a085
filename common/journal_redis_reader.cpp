#include <algorithm>

#include "common/journal_redis.h"

namespace xundian {

namespace {

class RedisReader final : public JournalReader {
 public:
  RedisReader(RedisOptions options, std::shared_ptr<StreamIndex> index)
      : options_(std::move(options)), index_(std::move(index)), link_(options_.address, options_.timeout_ms) {}

  Result<void> open(bool alone) {
    archive_ = TRY(open_lmdb_reader(options_.folder));
    if (!alone) return {};
    TRY_VOID(link_.connect());
    TRY_VOID(index_->load(link_, options_.key));
    index_->set_archived(TRY(archive_->range()).next);
    if (index_->next() == index_->first()) index_->start_at(index_->archived());
    index_->set_committed(index_->next());
    return {};
  }

  Result<Position> read(Position from, size_t bytes_max, const std::function<bool(const CommitView&)>& visit) override {
    const Position end = index_->committed();
    if (from > end) return fail(Code::failed_precondition, "position {} lies behind the end of the journal, {}", from, end);
    Reading reading{from, end, bytes_max, visit};
    while (reading.position < end && reading.bytes_left > 0) {
      const auto some = read_some(reading);
      if (some) continue;
      // What was visited counts; the next call says what is wrong.
      if (reading.position > from) break;
      return tl::unexpected(some.error());
    }
    return reading.position;
  }

  Result<Range> range() override {
    const Range archived = TRY(archive_->range());
    return Range{archived.next > archived.low ? archived.low : index_->first(), index_->committed()};
  }

 private:
  static constexpr int attempts_max = 3;

  struct Reading {
    Position position;
    const Position end;
    size_t bytes_left;
    const std::function<bool(const CommitView&)>& visit;
    int attempts = 0;
  };

  void take(Reading& reading, const CommitView& commit) {
    const bool wants_more = reading.visit(commit);
    reading.position += 1;
    reading.bytes_left = wants_more ? reading.bytes_left - std::min(reading.bytes_left, commit.bytes().size()) : 0;
  }

  Result<void> read_some(Reading& reading) {
    const auto entry = index_->find(reading.position);
    if (!entry || (!entry->commit && reading.position < index_->archived())) return read_archive(reading);
    if (!entry->commit && !link_.connected()) TRY_VOID(link_.connect());
    auto commits = read_commits(link_, options_.key, *index_, reading.position, reading.end, reading.bytes_left);
    if (!commits && commits.error().code == Code::out_of_range && ++reading.attempts < attempts_max) return {};  // Archived now.
    if (!commits && commits.error().code == Code::unknown && ++reading.attempts < attempts_max) return {};
    if (!commits) return tl::unexpected(commits.error());
    for (const StreamIndex::Entry& found : *commits) {
      take(reading, TRY(CommitView::open(reading.position, *found.commit)));
      if (reading.bytes_left == 0) break;
    }
    return {};
  }

  Result<void> read_archive(Reading& reading) {
    const Position from = reading.position;
    const auto read = archive_->read(from, reading.bytes_left, [&](const CommitView& commit) {
      take(reading, commit);
      return reading.bytes_left > 0 && reading.position < reading.end;
    });
    if (!read) return tl::unexpected(read.error());
    if (reading.position == from && ++reading.attempts >= attempts_max)
      return fail(Code::data_loss, "position {} is neither in the stream {} nor in the volumes of {}; restore a backup", from,
                  options_.key, options_.folder);
    return {};
  }

  const RedisOptions options_;
  std::shared_ptr<StreamIndex> index_;
  std::unique_ptr<JournalReader> archive_;
  RedisLink link_;
};

}  // namespace

Result<std::unique_ptr<JournalReader>> open_redis_reader(RedisOptions options, std::shared_ptr<StreamIndex> index) {
  auto reader = std::make_unique<RedisReader>(std::move(options), std::move(index));
  TRY_VOID(reader->open(false));
  return reader;
}

Result<std::unique_ptr<JournalReader>> open_redis_reader(RedisOptions options) {
  auto reader = std::make_unique<RedisReader>(std::move(options), std::make_shared<StreamIndex>());
  TRY_VOID(reader->open(true));
  return reader;
}

}  // namespace xundian
