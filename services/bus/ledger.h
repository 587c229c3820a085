// What a bus knows of its journal: where each partition stands, and how far each producer has come. It follows from the journal
// alone, batch by batch; live and on a start by the same words.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/journal.h"

namespace xundian::bus {

struct ProducerRecord {
  uint32_t session = 0;  // Of its last batch.
  uint64_t last_sequence = 0;
  Offset next_offset = 0;  // Behind the facts of its last batch.
};

struct Ledger {
  uint32_t epoch = 0;    // Of the last batch.
  uint32_t session = 0;  // The highest that any batch has.
  Heads heads;
  std::vector<Millis> times;  // For each partition: the time of its last batch.
  std::map<uint64_t, ProducerRecord> producers;

  explicit Ledger(uint32_t partitions) : heads(partitions), times(partitions) {}
  // A batch is in the journal.
  void note(const BatchHeader& header);
  // As the content of a control batch, which stands at the front of each volume and of each epoch; and back.
  std::string save() const;
  Result<void> load(std::string_view content);
};

// Reads the ledger off the journal. `volume_start` is where the volume begins that the last control batch is in.
Result<Ledger> recover(JournalReader& reader, Position volume_start, uint32_t partitions);

}  // namespace xundian::bus
