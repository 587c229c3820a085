#include "common/journal.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace xundian {

namespace {

constexpr uint32_t commit_magic = 0x31434458;  // "XDC1"
constexpr size_t crc_at = 4, crc_from = 8, partitions_at = 8, batch_bytes_at = 12, heads_at = 16;
constexpr size_t read_bytes = 4u << 20;

size_t head_bytes(size_t partitions) { return heads_at + partitions * sizeof(Offset); }

// The lengths that a batch states, made sure of as far as `rest` reaches.
Result<std::string_view> split_batch(std::string_view rest) {
  if (rest.size() < sizeof(BatchHeader)) return fail(Code::data_loss, "{} bytes are too few for a batch", rest.size());
  const auto header = load<BatchHeader>(rest.data());
  if (header.magic != batch_magic) return fail(Code::data_loss, "a batch begins with {:08x}", header.magic);
  if (header.bytes < sizeof(BatchHeader) + header.scope_bytes || header.bytes > rest.size())
    return fail(Code::data_loss, "a batch of {} bytes in {}", header.bytes, rest.size());
  return rest.substr(0, header.bytes);
}

// The heads before the commit at `position`.
Result<Heads> heads_at_position(JournalReader& reader, Position position) {
  Heads heads;
  TRY(reader.read(position, 1, [&](const CommitView& commit) {
    heads = commit.heads_before();
    return false;
  }));
  if (heads.empty()) return fail(Code::data_loss, "position {} of the journal cannot be read", position);
  return heads;
}

// The heads behind the commit at `position`.
Result<Heads> heads_behind_position(JournalReader& reader, Position position) {
  Heads heads;
  Result<void> walked;
  TRY(reader.read(position, 1, [&](const CommitView& commit) {
    heads = commit.heads_before();
    walked = commit.for_each_batch(true, [&](const BatchView& batch) {
      const BatchHeader& header = batch.header();
      if (header.partition < heads.size() && !batch.is_control()) heads[header.partition] = header.base + header.count;
    });
    return false;
  }));
  TRY_VOID(walked);
  if (heads.empty()) return fail(Code::data_loss, "position {} of the journal cannot be read", position);
  return heads;
}

// Whether all facts at or behind `offsets` lie behind `heads`. An offset that is not given counts as 0.
bool covers(const Heads& heads, const Heads& offsets) {
  for (size_t index = 0; index < heads.size(); ++index)
    if (heads[index] > (index < offsets.size() ? offsets[index] : 0)) return false;
  return true;
}

}  // namespace

size_t commit_bytes(const Heads& before, std::span<const std::string_view> batches) {
  size_t bytes = head_bytes(before.size());
  for (const std::string_view batch : batches) bytes += batch.size();
  return bytes;
}

void write_commit(char* to, const Heads& before, std::span<const std::string_view> batches) {
  const size_t head = head_bytes(before.size());
  store(to, commit_magic);
  store(to + partitions_at, static_cast<uint32_t>(before.size()));
  store(to + batch_bytes_at, static_cast<uint32_t>(commit_bytes(before, batches) - head));
  std::memcpy(to + heads_at, before.data(), before.size() * sizeof(Offset));
  store(to + crc_at, crc32c({to + crc_from, head - crc_from}));
  for (char* at = to + head; const std::string_view batch : batches) {
    std::memcpy(at, batch.data(), batch.size());
    at += batch.size();
  }
}

std::string make_commit(const Heads& before, std::span<const std::string_view> batches) {
  std::string bytes(commit_bytes(before, batches), '\0');
  write_commit(bytes.data(), before, batches);
  return bytes;
}

Result<CommitView> CommitView::open(Position position, std::string_view bytes) {
  if (bytes.size() < heads_at || load<uint32_t>(bytes.data()) != commit_magic)
    return fail(Code::data_loss, "position {} of the journal holds no commit", position);
  const auto partitions = load<uint32_t>(bytes.data() + partitions_at);
  if (partitions == 0 || partitions > 65'536 || head_bytes(partitions) > bytes.size())
    return fail(Code::data_loss, "the commit at position {} states {} partitions in {} bytes", position, partitions,
                bytes.size());
  const size_t head = head_bytes(partitions);
  if (load<uint32_t>(bytes.data() + crc_at) != crc32c(bytes.substr(crc_from, head - crc_from)))
    return fail(Code::data_loss, "the crc of the heads at position {} is wrong", position);
  if (load<uint32_t>(bytes.data() + batch_bytes_at) != bytes.size() - head)
    return fail(Code::data_loss, "the commit at position {} has another length than it states", position);
  CommitView view;
  view.position_ = position;
  view.bytes_ = bytes;
  view.partitions_ = partitions;
  return view;
}

Offset CommitView::head_before(Partition partition) const {
  CHECK(partition < partitions_, "no such partition");
  return load<Offset>(bytes_.data() + head_bytes(partition));
}

Heads CommitView::heads_before() const {
  Heads heads(partitions_);
  std::memcpy(heads.data(), bytes_.data() + heads_at, partitions_ * sizeof(Offset));
  return heads;
}

std::string_view CommitView::batches() const { return bytes_.substr(head_bytes(partitions_)); }

Result<void> CommitView::for_each_batch(bool trusted, const std::function<void(const BatchView&)>& visit) const {
  for (std::string_view rest = batches(); !rest.empty();) {
    auto batch = split_batch(rest).and_then(
        [&](std::string_view bytes) -> Result<BatchView> { return trusted ? BatchView::trust(bytes) : BatchView::reopen(bytes); });
    if (!batch)
      return fail(Code::data_loss, "position {}, byte {}: {}", position_, bytes_.size() - rest.size(), batch.error().message);
    visit(*batch);
    rest.remove_prefix(batch->bytes().size());
  }
  return {};
}

Result<Position> seek(JournalReader& reader, const Heads& offsets) {
  const JournalReader::Range range = TRY(reader.range());
  if (range.low == range.next) return range.next;
  if (covers(TRY(heads_behind_position(reader, range.next - 1)), offsets)) return range.next;
  // Below `bad` everything is unknown, at `bad` and behind it some fact is missed; at `good` none is.
  if (!covers(TRY(heads_at_position(reader, range.low)), offsets))
    return fail(Code::out_of_range, "the offsets lie before position {}, the lowest that the journal still has", range.low);
  Position good = range.low;
  Position bad = range.next;
  while (bad - good > 1) {
    const Position middle = good + (bad - good) / 2;
    (covers(TRY(heads_at_position(reader, middle)), offsets) ? good : bad) = middle;
  }
  return good;
}

Result<Heads> read_heads(JournalReader& reader, uint32_t partitions) {
  const JournalReader::Range range = TRY(reader.range());
  if (range.low == range.next) return Heads(partitions, 0);
  Heads heads = TRY(heads_behind_position(reader, range.next - 1));
  if (heads.size() != partitions)
    return fail(Code::failed_precondition, "the journal has {} partitions, not {}; set `partitions` in home.toml as it was",
                heads.size(), partitions);
  return heads;
}

namespace {

// Walks over a journal and notes what is wrong.
class Verifier {
 public:
  VerifyReport report;

  void commit(const CommitView& commit) {
    Heads heads = commit.heads_before();
    if (expected_ && expected_->size() != heads.size())
      bad(0, 0, fmt::format("position {} states {} partitions, not {}", commit.position(), heads.size(), expected_->size()));
    else if (expected_ && certain_)
      for (size_t index = 0; index < heads.size(); ++index)
        if (heads[index] != (*expected_)[index])
          bad(static_cast<Partition>(index), (*expected_)[index],
              fmt::format("position {} begins at offset {}", commit.position(), heads[index]));
    expected_ = std::move(heads);
    certain_ = true;
    for (std::string_view rest = commit.batches(); !rest.empty();) {
      auto opened = BatchView::open(rest);
      if (opened)
        batch(*opened, commit.position());
      else
        unreadable(rest, commit, opened.error().message);
      rest.remove_prefix(opened ? opened->bytes().size() : to_next_batch(rest));
    }
  }

  // What lies at `position` could not be read; what comes after it cannot be compared with what came before.
  void lost(Position position, const std::string& why) {
    bad(0, 0, fmt::format("position {}: {}", position, why));
    expected_.reset();
  }
  void forget() { expected_.reset(); }

 private:
  void bad(Partition partition, Offset offset, std::string why) { report.bad.push_back({partition, offset, std::move(why)}); }

  void batch(const BatchView& batch, Position position) {
    const BatchHeader& header = batch.header();
    report.records += 1;
    if (batch.is_control()) return;
    if (header.partition >= expected_->size())
      return bad(header.partition, header.base, fmt::format("position {}: there is no such partition", position));
    Offset& head = (*expected_)[header.partition];
    if (header.base != head && certain_)
      bad(header.partition, head, fmt::format("position {}: a batch begins at offset {}", position, header.base));
    head = header.base + header.count;
    uint64_t facts = 0;
    const auto walked = batch.for_each([](Kind) { return true; }, [&](std::string_view, Offset) { ++facts; });
    report.facts += facts;
    if (!walked) bad(header.partition, header.base + facts, fmt::format("position {}: {}", position, walked.error().message));
  }

  // The header may be what is broken; then it names a place that there is not, and that is all that can be said.
  void unreadable(std::string_view rest, const CommitView& commit, const std::string& why) {
    BatchHeader header;
    std::memcpy(&header, rest.data(), std::min(rest.size(), sizeof header));
    const Partition partition = header.partition < expected_->size() ? header.partition : Partition{0};
    const Offset offset = (*expected_)[partition];
    bad(partition, offset, fmt::format("position {}, byte {}: {}", commit.position(), commit.bytes().size() - rest.size(), why));
    report.records += 1;
    // How many facts it had is not certain; the heads of the next commit are.
    if (header.partition == partition && header.base == offset && header.count <= batch_facts_max)
      (*expected_)[partition] += header.count;
    certain_ = false;
  }

  // Where the next batch begins, by the length stated or by the look of it.
  static size_t to_next_batch(std::string_view rest) {
    const auto is_batch = [&](size_t at) { return at == rest.size() || BatchView::open(rest.substr(at)).has_value(); };
    if (const auto split = split_batch(rest); split && is_batch(split->size())) return split->size();
    std::string mark;
    append(mark, batch_magic);
    for (size_t at = rest.find(mark, 1); at != rest.npos; at = rest.find(mark, at + 1))
      if (is_batch(at)) return at;
    return rest.size();
  }

  std::optional<Heads> expected_;
  bool certain_ = true;  // Whether `expected_` can be held against what follows.
};

}  // namespace

Result<VerifyReport> verify(JournalReader& reader, const std::function<void(Position done, Position all)>& progress) {
  const JournalReader::Range range = TRY(reader.range());
  Verifier verifier;
  Position position = range.low;
  while (position < range.next) {
    Position expected = position;
    const auto next = reader.read(position, read_bytes, [&](const CommitView& commit) {
      if (commit.position() != expected) verifier.lost(expected, fmt::format("position {} follows", commit.position()));
      expected = commit.position() + 1;
      verifier.commit(commit);
      return expected < range.next;
    });
    if (next && *next > position) {
      position = *next;
    } else if (!next && next.error().code == Code::out_of_range) {
      position = TRY(reader.range()).low;  // Trimmed in the meantime.
      verifier.forget();
    } else if (!next && next.error().code == Code::unavailable) {
      return tl::unexpected(next.error());  // Nobody to ask; that says nothing of what is there.
    } else {
      // `expected` could not be read; all before it was visited.
      verifier.lost(expected, next ? "nothing is there" : next.error().message);
      position = expected + 1;
    }
    if (progress) progress(std::min(position, range.next) - range.low, range.next - range.low);
  }
  return std::move(verifier.report);
}

}  // namespace xundian
