// A batch: what a producer puts and the bus appends, as it lies on the wire and in the journal.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/fact_view.h"

namespace xundian {

inline constexpr uint32_t batch_magic = 0x31424458;  // "XDB1"
inline constexpr size_t batch_bytes_max = 6u << 20;  // Below the 8 MB that a socket takes.
inline constexpr size_t batch_facts_max = 65'535;    // Each may be a run of its own, and run_count holds no more.

enum BatchFlag : uint16_t {
  control_batch = 1,  // The bus's own record; no facts; its payload is not runs.
  fold_answer = 2,    // Said by a fold: `sequence` is the offset, plus one, of the last input that it answers.
};

// The producer fills it; the bus sets base, epoch, time_ms (under the wall clock) and header_crc, and changes nothing else.
// Behind it lie the scope ("tenant/group"), the runs, and the facts' frames, run after run.
struct BatchHeader {
  uint32_t magic = batch_magic;
  uint32_t header_crc = 0;   // crc32c of the header behind this field.
  uint32_t bytes = 0;        // Of the whole batch, this header included.
  uint32_t payload_crc = 0;  // crc32c of all that lies behind the header.
  Partition partition = 0;
  uint16_t flags = 0;
  uint16_t run_count = 0;
  uint16_t scope_bytes = 0;
  uint32_t count = 0;  // Facts.
  uint32_t epoch = 0;  // Counts the lives of the bus.
  Offset base = 0;     // Offset of the first fact.
  uint64_t producer = 0;
  uint64_t sequence = 0;  // Of an outside producer: dense, from 1.
  uint32_t session = 0;
  uint32_t reserved = 0;
  Millis time_ms = 0;  // When it was appended, monotone in a partition; under the facts clock the facts' own time counts.
  uint64_t group = 0;  // group_hash(scope); the partition follows from it.
};
static_assert(sizeof(BatchHeader) == 80 && std::is_trivially_copyable_v<BatchHeader>);

// Neighbouring facts of one kind. A kind may have several runs, where the order of the facts matters.
struct BatchRun {
  Kind kind = 0;
  uint16_t reserved = 0;
  uint32_t count = 0;
  uint32_t bytes = 0;
};
static_assert(sizeof(BatchRun) == 12);

uint64_t group_hash(std::string_view scope);
inline Partition partition_of(uint64_t group, uint32_t partitions) { return static_cast<Partition>(group % partitions); }
// A producer's id, from its name ("metrics/3").
uint64_t producer_id(std::string_view name);

// The checksum of headers, payloads and commits (Castagnoli, as iSCSI has it).
uint32_t crc32c(std::string_view bytes);

// A whole batch in memory that somebody else keeps.
class BatchView {
 public:
  BatchView() = default;
  // Checks magic, lengths, both crcs, that the runs add up, that their frames hold together and that group and scope agree. It
  // does not look into facts.
  static Result<BatchView> open(std::string_view bytes);
  // The same of bytes that were opened before they went into a journal, but for the frames: the crcs say that they are what they
  // were. A service need not look at facts that it does not fold.
  static Result<BatchView> reopen(std::string_view bytes);
  // For bytes that were checked before: lengths only.
  static BatchView trust(std::string_view bytes);

  const BatchHeader& header() const { return header_; }
  std::string_view bytes() const { return bytes_; }
  std::string_view scope() const { return bytes_.substr(sizeof(BatchHeader), header_.scope_bytes); }
  bool is_control() const { return header_.flags & control_batch; }
  bool is_answer() const { return header_.flags & fold_answer; }
  // All behind the scope; of a control batch, its content.
  std::string_view payload() const { return bytes_.substr(sizeof(BatchHeader) + header_.scope_bytes); }

  std::vector<BatchRun> runs() const;
  // Calls `visit(run, frames, offset)` for each run, with its bytes and the offset of its first fact. Fails where a run does not
  // fit; stops where `visit` fails.
  template <typename Visit>
  Result<void> for_each_run(Visit&& visit) const;
  // Calls `visit(frame, offset)` for each fact of the runs that `wants(kind)`. Fails where a frame does not hold together.
  template <typename Wants, typename Visit>
  Result<void> for_each(Wants&& wants, Visit&& visit) const;

 private:
  enum class Frames { looked_at, trusted };
  static Result<BatchView> open(std::string_view bytes, Frames frames);

  BatchHeader header_;
  std::string_view bytes_;
};

// Calls `visit(frame, offset)` for each fact of a run. Fails where a frame does not hold together.
template <typename Visit>
Result<void> for_each_frame(const BatchRun& run, std::string_view frames, Offset offset, Visit&& visit);

// Puts facts together into a batch.
class BatchBuilder {
 public:
  // Facts keep their order; neighbours of one kind share a run.
  Result<void> add(const v1::Fact& fact);
  // A frame made by append_frame.
  void add_frame(std::string_view frame);
  size_t count() const { return count_; }
  size_t bytes() const { return frames_.size(); }
  bool empty() const { return count_ == 0; }
  // The batch with both crcs; the builder is empty afterwards. `header` states producer, session, sequence, flags, time_ms.
  std::string finish(std::string_view scope, uint32_t partitions, BatchHeader header);

 private:
  std::vector<BatchRun> runs_;
  std::string frames_;
  size_t count_ = 0;
};

// A batch of the bus's own, without facts.
std::string make_control_batch(std::string_view content, BatchHeader header);

// Writes a changed header into a batch, with its crc.
void write_header(std::span<char> batch, BatchHeader header);

template <typename Visit>
Result<void> BatchView::for_each_run(Visit&& visit) const {
  if (is_control()) return {};
  const char* run_at = bytes_.data() + sizeof(BatchHeader) + header_.scope_bytes;
  std::string_view frames = bytes_.substr(sizeof(BatchHeader) + header_.scope_bytes + header_.run_count * sizeof(BatchRun));
  Offset offset = header_.base;
  for (uint32_t index = 0; index < header_.run_count; ++index) {
    const auto run = load<BatchRun>(run_at + index * sizeof(BatchRun));
    if (run.bytes > frames.size()) return fail(Code::data_loss, "a run of {} bytes in {}", run.bytes, frames.size());
    TRY_VOID(visit(run, frames.substr(0, run.bytes), offset));
    frames.remove_prefix(run.bytes);
    offset += run.count;
  }
  return {};
}

template <typename Visit>
Result<void> for_each_frame(const BatchRun& run, std::string_view frames, Offset offset, Visit&& visit) {
  for (uint32_t fact = 0; fact < run.count; ++fact) {
    const std::string_view frame = TRY(split_frame(frames));
    visit(frame, offset + fact);
  }
  return {};
}

template <typename Wants, typename Visit>
Result<void> BatchView::for_each(Wants&& wants, Visit&& visit) const {
  return for_each_run([&](const BatchRun& run, std::string_view frames, Offset offset) -> Result<void> {
    if (!wants(run.kind)) return {};
    return for_each_frame(run, frames, offset, visit);
  });
}

}  // namespace xundian
