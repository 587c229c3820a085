#include "services/bus/ledger.h"

#include <algorithm>

namespace xundian::bus {

namespace {

constexpr uint32_t ledger_magic = 0x314c4458;  // "XDL1"
constexpr size_t read_bytes = 8u << 20;

// Reads from `from` to the end. `whole` becomes whether the ledger rests on all that was ever written.
Result<Ledger> read_from(JournalReader& reader, Position from, uint32_t partitions, bool& whole) {
  Ledger ledger(partitions);
  Result<void> outcome;
  whole = from == 0;
  const auto take_batch = [&](const BatchView& batch) {
    if (!outcome) return;
    if (!batch.is_control() && batch.header().partition >= partitions)
      outcome = fail(Code::data_loss, "a batch of partition {}, which there is not", batch.header().partition);
    else if (batch.is_control())
      outcome = ledger.load(batch.payload());
    else
      ledger.note(batch.header());
    whole = whole || batch.is_control();
  };
  const auto take_commit = [&](const CommitView& commit) {
    if (commit.partitions() != partitions)
      outcome = fail(Code::failed_precondition, "the journal was written for {} partitions, home.toml says {}; restore home.toml",
                     commit.partitions(), partitions);
    else if (whole && commit.heads_before() != ledger.heads)
      outcome = fail(Code::data_loss, "the commit at position {} does not follow the one before", commit.position());
    else if (const auto batches = commit.for_each_batch(false, take_batch); !batches)
      outcome = batches;
    if (!outcome && outcome.error().code == Code::data_loss)
      outcome = fail(Code::data_loss, "position {} of the journal: {}; run `xundian verify` and restore it from a backup",
                     commit.position(), outcome.error().message);
    return outcome.has_value();
  };
  for (Position position = from, last = from;; last = position) {
    position = TRY(reader.read(position, read_bytes, take_commit));
    TRY_VOID(outcome);
    if (position == last) return ledger;
  }
}

}  // namespace

void Ledger::note(const BatchHeader& header) {
  epoch = std::max(epoch, header.epoch);
  session = std::max(session, header.session);
  heads[header.partition] = header.base + header.count;
  times[header.partition] = header.time_ms;
  if (header.producer == 0) return;  // The bus itself.
  producers[header.producer] = {header.session, header.sequence, header.base + header.count};
}

std::string Ledger::save() const {
  std::string content;
  append(content, ledger_magic);
  append(content, epoch);
  append(content, session);
  append(content, static_cast<uint32_t>(heads.size()));
  for (const Offset head : heads) append(content, head);
  for (const Millis time : times) append(content, time);
  append(content, static_cast<uint32_t>(producers.size()));
  for (const auto& [id, producer] : producers) {
    append(content, id);
    append(content, producer.session);
    append(content, producer.last_sequence);
    append(content, producer.next_offset);
  }
  return content;
}

Result<void> Ledger::load(std::string_view content) {
  ByteReader reader(content);
  if (reader.take<uint32_t>() != ledger_magic) return fail(Code::data_loss, "a control batch that no bus wrote");
  epoch = reader.take<uint32_t>();
  session = reader.take<uint32_t>();
  const auto partitions = reader.take<uint32_t>();
  if (partitions != heads.size())
    return fail(Code::data_loss, "a control batch for {} partitions, not {}", partitions, heads.size());
  for (Offset& head : heads) head = reader.take<Offset>();
  for (Millis& time : times) time = reader.take<Millis>();
  producers.clear();
  for (auto left = reader.take<uint32_t>(); left > 0 && reader.ok(); --left) {
    ProducerRecord& producer = producers[reader.take<uint64_t>()];
    producer.session = reader.take<uint32_t>();
    producer.last_sequence = reader.take<uint64_t>();
    producer.next_offset = reader.take<Offset>();
  }
  if (!reader.ok() || !reader.empty())
    return fail(Code::data_loss, "a control batch of {} bytes does not hold together", content.size());
  return {};
}

Result<Ledger> recover(JournalReader& reader, Position volume_start, uint32_t partitions) {
  bool whole = false;
  Ledger ledger = TRY(read_from(reader, volume_start, partitions, whole));
  // A volume that was begun and holds nothing yet has no control batch; then the one before it has.
  const JournalReader::Range range = TRY(reader.range());
  if (whole || range.low == range.next) return ledger;
  ledger = TRY(read_from(reader, range.low, partitions, whole));
  if (!whole) return fail(Code::data_loss, "no control batch from position {} on; restore the journal from a backup", range.low);
  return ledger;
}

}  // namespace xundian::bus
