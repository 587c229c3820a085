#include "services/gateway/journal_tail.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "common/clock.h"
#include "common/log.h"
#include "common/pull_reader.h"
#include "common/query.h"

namespace xundian::gateway {

namespace {

constexpr size_t queue_max = 1'024;  // Facts that wait for a stream's reader.
// What is read in a turn for all places at which streams stand, and for each of them.
constexpr size_t turn_bytes = 4u << 20, piece_bytes_min = 64u << 10, piece_bytes_max = 1u << 20;
constexpr auto idle = std::chrono::milliseconds(200);

}  // namespace

std::optional<TailItem> TailStream::pop(Millis timeout_ms) {
  std::unique_lock lock(mutex_);
  filled_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return !queue_.empty() || error_; });
  if (queue_.empty()) return std::nullopt;
  TailItem item = std::move(queue_.front());
  queue_.pop_front();
  popped_ = item.heads;
  const bool was_full = queue_.size() + 1 == queue_max;
  lock.unlock();
  if (was_full) nudge_();
  return item;
}

std::optional<Error> TailStream::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::optional<Heads> TailStream::heads() const {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty()) return popped_;
  if (heads_.empty()) return std::nullopt;
  return heads_;
}

uint64_t TailStream::ask_end() {
  uint64_t ticket;
  {
    const std::lock_guard lock(mutex_);
    ticket = ++asked_;
  }
  nudge_();
  return ticket;
}

bool TailStream::has_reached(uint64_t ticket) const {
  const std::lock_guard lock(mutex_);
  return reached_ >= ticket && queue_.empty();
}

bool TailStream::has_room() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() < queue_max;
}

void TailStream::end(const Error& why) {
  const std::lock_guard lock(mutex_);
  error_ = why;
  filled_.notify_all();
}

JournalTail::JournalTail(const Home& home, Opener open_reader)
    : home_(home), open_reader_(std::move(open_reader)), event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(event_fd_ >= 0, "no eventfd");
  if (!open_reader_) open_reader_ = [this](uint32_t bus) { return open_home_reader(home_, bus); };
  readers_.resize(home_.settings().buses);
  for (uint32_t bus = 0; bus < home_.settings().buses; ++bus)
    bells_.push_back(std::make_unique<BellListener>(home_.endpoint(fmt::format("bus.{}.bell", bus))));
  thread_ = std::thread([this] { loop(); });
}

JournalTail::~JournalTail() {
  stop();
  thread_.join();
  ::close(event_fd_);
}

void JournalTail::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  nudge();
}

std::shared_ptr<TailStream> JournalTail::open(std::set<Kind> kinds, TailStream::Start start, Heads heads) {
  auto stream = std::make_shared<TailStream>();
  stream->kinds_ = std::move(kinds);
  stream->start_ = start;
  stream->heads_ = std::move(heads);
  if (start == TailStream::Start::beginning) stream->heads_.assign(home_.settings().partitions, 0);
  stream->cursors_.resize(home_.settings().buses);
  stream->nudge_ = [this] { nudge(); };
  {
    const std::lock_guard lock(mutex_);
    if (stop_)
      stream->error_ = Error{Code::unavailable, "the gateway is closing; connect again"};
    else
      streams_.push_back(stream);
  }
  nudge();
  return stream;
}

void JournalTail::nudge() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);  // Full means: it will wake anyhow.
}

std::vector<std::shared_ptr<TailStream>> JournalTail::live_streams() {
  std::vector<std::shared_ptr<TailStream>> live;
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [&](const std::weak_ptr<TailStream>& weak) {
    auto stream = weak.lock();
    if (!stream) return true;
    live.push_back(std::move(stream));
    return false;
  });
  return live;
}

void JournalTail::loop() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) break;
    }
    if (!turn()) wait_for_bell();
  }
  for (const auto& stream : live_streams()) stream->end({Code::unavailable, "the gateway is closing; connect again"});
}

// Moves the streams on by a piece of each bus's journal. False: all are at the end, or have no room.
bool JournalTail::turn() {
  auto streams = live_streams();
  std::erase_if(streams, [](const auto& stream) { return stream->error().has_value(); });
  if (streams.empty()) return false;
  std::vector<uint64_t> asked;
  for (const auto& stream : streams) {
    const std::lock_guard lock(stream->mutex_);
    asked.push_back(stream->asked_);
  }
  bool moved = false;
  for (uint32_t bus = 0; bus < readers_.size(); ++bus) {
    for (const auto& stream : streams) stream->cursors_[bus].at_end = false;
    if (!readers_[bus]) {
      auto reader = open_reader_(bus);
      if (!reader) continue;  // The bus has not made it yet.
      readers_[bus] = std::move(*reader);
    }
    moved |= advance(bus, streams);
  }
  // Each for itself: who waits for the end does not wait until others are there.
  for (size_t index = 0; index < streams.size(); ++index) {
    const auto& cursors = streams[index]->cursors_;
    if (!std::all_of(cursors.begin(), cursors.end(), [](const auto& cursor) { return cursor.at_end; })) continue;
    const std::lock_guard lock(streams[index]->mutex_);
    streams[index]->reached_ = asked[index];
  }
  return moved;
}

// Finds where a new stream begins in a bus's journal.
Result<void> JournalTail::place(uint32_t bus, TailStream& stream) {
  JournalReader& reader = *readers_[bus];
  TailStream::Cursor& cursor = stream.cursors_[bus];
  if (stream.start_ == TailStream::Start::beginning) {
    cursor.position = TRY(reader.range()).low;
  } else {
    Heads heads = stream.heads_;
    if (stream.start_ == TailStream::Start::now) {
      const Heads now = TRY(read_heads(reader, home_.settings().partitions));
      const std::lock_guard lock(stream.mutex_);
      stream.heads_.resize(now.size());
      for (Partition partition = 0; partition < now.size(); ++partition)
        if (home_.bus_of(partition) == bus) stream.heads_[partition] = now[partition];
      heads = stream.heads_;
    }
    // Another bus's partitions say nothing about this one's journal.
    const Heads here = TRY(read_heads(reader, home_.settings().partitions));
    for (Partition partition = 0; partition < heads.size(); ++partition)
      if (home_.bus_of(partition) != bus) heads[partition] = here[partition];
    cursor.position = TRY(seek(reader, heads));
  }
  cursor.placed = true;
  return {};
}

// Reads a piece for each place at which streams stand, the foremost first: who is up to date does not wait for who walks through
// the past.
bool JournalTail::advance(uint32_t bus, const std::vector<std::shared_ptr<TailStream>>& streams) {
  const auto range = readers_[bus]->range();
  if (!range) {
    drop_reader(bus, range.error());
    return false;
  }
  std::map<Position, std::vector<TailStream*>, std::greater<>> places;
  for (const auto& stream : streams) {
    const TailStream::Cursor& cursor = stream->cursors_[bus];
    if (!cursor.placed) {
      const auto placed = place(bus, *stream);
      if (!placed && placed.error().code == Code::out_of_range) {
        stream->end(placed.error());  // What it asks for was trimmed away.
        continue;
      }
      if (!placed) {
        drop_reader(bus, placed.error());
        return false;
      }
    }
    if (cursor.position < range->next && stream->has_room()) places[cursor.position].push_back(stream.get());
  }
  const size_t bytes_max = std::clamp(turn_bytes / std::max<size_t>(places.size(), 1), piece_bytes_min, piece_bytes_max);
  bool moved = false;
  std::optional<Error> unreadable;
  for (auto& [from, here] : places) {
    const auto read = read_piece(bus, from, bytes_max, here);
    moved |= read.has_value();
    if (!read) unreadable = read.error();  // There; elsewhere it may be whole.
  }
  for (const auto& stream : streams) {
    TailStream::Cursor& cursor = stream->cursors_[bus];
    cursor.at_end = cursor.placed && cursor.position >= range->next;
  }
  if (unreadable) drop_reader(bus, *unreadable);
  return moved;
}

// Moves streams that stand at one place on from there.
Result<void> JournalTail::read_piece(uint32_t bus, Position from, size_t bytes_max, std::vector<TailStream*>& here) {
  const auto read = readers_[bus]->read(from, bytes_max, [&](const CommitView& commit) {
    take_commit(bus, commit, here);
    // A stream that is full stays where it is; the others go on.
    std::erase_if(here, [](const TailStream* stream) { return !stream->has_room(); });
    return !here.empty();
  });
  if (read) return {};
  if (read.error().code != Code::out_of_range) return tl::unexpected(read.error());
  for (TailStream* stream : here)  // What they ask for was trimmed away.
    if (stream->cursors_[bus].position == from) stream->end(read.error());
  return {};
}

void JournalTail::take_commit(uint32_t bus, const CommitView& commit, const std::vector<TailStream*>& here) {
  const auto wanted = [&](Kind kind) {
    return std::any_of(here.begin(), here.end(), [&](const TailStream* stream) { return stream->kinds_.contains(kind); });
  };
  const auto checked = commit.for_each_batch(false, [&](const BatchView& batch) {
    const BatchHeader& header = batch.header();
    const auto visited = batch.for_each(wanted, [&](std::string_view frame, Offset offset) {
      const FactView view(frame, offset, header.time_ms);
      TailItem item;
      if (!view.parse_fact(item.fact)) return;  // A service that folds it quarantines it; here it is passed over.
      item.scope = batch.scope();
      item.partition = header.partition;
      item.offset = offset;
      item.time_ms = header.time_ms;
      item.rank = view.rank();
      for (TailStream* stream : here) {
        const std::lock_guard lock(stream->mutex_);
        if (offset < stream->heads_[header.partition]) continue;
        stream->heads_[header.partition] = offset + 1;
        if (!stream->kinds_.contains(view.kind())) continue;
        stream->queue_.push_back(item);
        stream->queue_.back().heads = stream->heads_;
        stream->filled_.notify_one();
      }
    });
    if (!visited)
      spdlog::error("batch_unreadable partition={} base={} why=\"{}\"", header.partition, header.base, visited.error().message);
    if (batch.is_control()) return;
    for (TailStream* stream : here) {
      const std::lock_guard lock(stream->mutex_);
      stream->heads_[header.partition] = std::max(stream->heads_[header.partition], header.base + header.count);
    }
  });
  if (!checked) spdlog::error("commit_unreadable position={} why=\"{}\"", commit.position(), checked.error().message);
  for (TailStream* stream : here) stream->cursors_[bus].position = commit.position() + 1;
}

// The journal could not be read; it is opened anew.
void JournalTail::drop_reader(uint32_t bus, const Error& why) {
  spdlog::warn("journal_unreadable bus={} why=\"{}\"", bus, why.message);
  readers_[bus].reset();
}

void JournalTail::wait_for_bell() {
  std::vector<zmq::pollitem_t> items{{nullptr, event_fd_, ZMQ_POLLIN, 0}};
  for (const auto& bell : bells_) items.push_back({bell->socket().handle(), 0, ZMQ_POLLIN, 0});
  try {
    zmq::poll(items, idle);
    for (const auto& bell : bells_) bell->newest();  // What it says is looked up in the journal itself.
  } catch (const zmq::error_t& error) {
    spdlog::warn("bell_unheard why=\"{}\"", error.what());
  }
  uint64_t nudges = 0;
  [[maybe_unused]] const auto taken = ::read(event_fd_, &nudges, sizeof nudges);
}

}  // namespace xundian::gateway
