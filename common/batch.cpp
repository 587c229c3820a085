#include "common/batch.h"

#include <isa-l/crc.h>

#include <cstddef>

#include "common/mutant.h"

namespace xundian {

namespace {

constexpr size_t crc_from = 8;  // Behind magic and header_crc.

uint32_t header_crc_of(const BatchHeader& header) {
  return crc32c({reinterpret_cast<const char*>(&header) + crc_from, sizeof header - crc_from});
}

// Each run is whole frames of its kind. Once a batch is in the journal no fold gets past a frame that is not.
Result<void> check_frames(const BatchHeader& header, std::string_view payload) {
  std::string_view frames = payload.substr(header.run_count * sizeof(BatchRun));
  for (uint32_t index = 0, fact = 0; index < header.run_count; ++index) {
    const auto run = load<BatchRun>(payload.data() + index * sizeof(BatchRun));
    std::string_view rest = frames.substr(0, run.bytes);
    frames.remove_prefix(run.bytes);
    for (uint32_t left = run.count; left > 0; --left, ++fact) {
      const auto frame = split_frame(rest);
      if (!frame) return fail(Code::invalid_argument, "fact {}: {}", fact, frame.error().message);
      if (const auto kind = load<Kind>(frame->data() + offsetof(FactHead, kind)); kind != run.kind)
        return fail(Code::invalid_argument, "fact {} is of kind {} in a run of kind {}", fact, kind, run.kind);
    }
    if (!rest.empty()) return fail(Code::invalid_argument, "run {} has {} bytes behind its last fact", index, rest.size());
  }
  return {};
}

// Behind the scope, a batch of facts is its runs and their frames.
Result<void> check_runs(const BatchHeader& header, std::string_view payload) {
  if (payload.size() < header.run_count * sizeof(BatchRun))
    return fail(Code::invalid_argument, "{} runs do not fit into {} bytes", header.run_count, payload.size());
  uint64_t count = 0;
  uint64_t bytes = header.run_count * sizeof(BatchRun);
  for (uint32_t index = 0; index < header.run_count; ++index) {
    const auto run = load<BatchRun>(payload.data() + index * sizeof(BatchRun));
    count += run.count;
    bytes += run.bytes;
    if (uint64_t{run.count} * sizeof(FactHead) > run.bytes)
      return fail(Code::invalid_argument, "run {}: {} facts do not fit into {} bytes", index, run.count, run.bytes);
  }
  if (count != header.count)
    return fail(Code::invalid_argument, "the runs hold {} facts, the header says {}", count, header.count);
  if (bytes != payload.size()) return fail(Code::invalid_argument, "the runs hold {} bytes of {}", bytes, payload.size());
  return {};
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  auto* from = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));  // The library only reads it.
  return ~crc32_iscsi(from, static_cast<int>(bytes.size()), 0xffffffffu);
}

uint64_t group_hash(std::string_view scope) { return hash64(scope); }
uint64_t producer_id(std::string_view name) { return hash64(name); }

BatchView BatchView::trust(std::string_view bytes) {
  BatchView view;
  view.header_ = load<BatchHeader>(bytes.data());
  view.bytes_ = bytes.substr(0, view.header_.bytes);
  return view;
}

Result<BatchView> BatchView::open(std::string_view bytes) { return open(bytes, Frames::looked_at); }
Result<BatchView> BatchView::reopen(std::string_view bytes) { return open(bytes, Frames::trusted); }

Result<BatchView> BatchView::open(std::string_view bytes, Frames frames) {
  if (bytes.size() < sizeof(BatchHeader)) return fail(Code::invalid_argument, "{} bytes are too few for a batch", bytes.size());
  const auto header = load<BatchHeader>(bytes.data());
  if (header.magic != batch_magic) return fail(Code::invalid_argument, "this is no batch: it begins with {:08x}", header.magic);
  if (header.bytes < sizeof(BatchHeader) + header.scope_bytes || header.bytes > bytes.size() || header.bytes > batch_bytes_max)
    return fail(Code::invalid_argument, "a batch of {} bytes in {}", header.bytes, bytes.size());
  if (header.header_crc != header_crc_of(header)) return fail(Code::data_loss, "the crc of the header is wrong");
  const BatchView view = trust(bytes);
  if (header.payload_crc != crc32c(view.bytes_.substr(sizeof(BatchHeader))) && !mutant("skip_crc"))
    return fail(Code::data_loss, "the crc of the facts is wrong");
  if (view.is_control()) return view;
  if (header.count == 0 || header.count > batch_facts_max)
    return fail(Code::invalid_argument, "a batch of {} facts", header.count);
  if (header.group != group_hash(view.scope())) return fail(Code::invalid_argument, "group and scope disagree");
  TRY_VOID(check_runs(header, view.payload()));
  if (frames == Frames::looked_at) TRY_VOID(check_frames(header, view.payload()));
  return view;
}

std::vector<BatchRun> BatchView::runs() const {
  std::vector<BatchRun> runs(is_control() ? 0 : header_.run_count);
  if (!runs.empty()) std::memcpy(runs.data(), payload().data(), runs.size() * sizeof(BatchRun));
  return runs;
}

Result<void> BatchBuilder::add(const v1::Fact& fact) {
  const size_t before = frames_.size();
  TRY_VOID(append_frame(frames_, fact));
  const auto bytes = static_cast<uint32_t>(frames_.size() - before);
  const auto kind = static_cast<Kind>(fact.fact_case());
  if (runs_.empty() || runs_.back().kind != kind) runs_.push_back({kind, 0, 0, 0});
  runs_.back().count += 1;
  runs_.back().bytes += bytes;
  count_ += 1;
  return {};
}

void BatchBuilder::add_frame(std::string_view frame) {
  const Kind kind = load<FactHead>(frame.data()).kind;
  if (runs_.empty() || runs_.back().kind != kind) runs_.push_back({kind, 0, 0, 0});
  runs_.back().count += 1;
  runs_.back().bytes += static_cast<uint32_t>(frame.size());
  frames_.append(frame);
  count_ += 1;
}

std::string BatchBuilder::finish(std::string_view scope, uint32_t partitions, BatchHeader header) {
  header.group = group_hash(scope);
  header.partition = partition_of(header.group, partitions);
  header.scope_bytes = static_cast<uint16_t>(scope.size());
  header.run_count = static_cast<uint16_t>(runs_.size());
  header.count = static_cast<uint32_t>(count_);
  std::string batch;
  batch.reserve(sizeof header + scope.size() + runs_.size() * sizeof(BatchRun) + frames_.size());
  append(batch, header);
  batch.append(scope);
  for (const BatchRun& run : runs_) append(batch, run);
  batch.append(frames_);
  header.bytes = static_cast<uint32_t>(batch.size());
  header.payload_crc = crc32c(std::string_view(batch).substr(sizeof header));
  write_header(batch, header);
  runs_.clear();
  frames_.clear();
  count_ = 0;
  return batch;
}

std::string make_control_batch(std::string_view content, BatchHeader header) {
  header.flags |= control_batch;
  header.count = 0;
  header.run_count = 0;
  header.scope_bytes = 0;
  std::string batch;
  append(batch, header);
  batch.append(content);
  header.bytes = static_cast<uint32_t>(batch.size());
  header.payload_crc = crc32c(content);
  write_header(batch, header);
  return batch;
}

void write_header(std::span<char> batch, BatchHeader header) {
  header.header_crc = header_crc_of(header);
  store(batch.data(), header);
}

}  // namespace xundian
