// The simulated bus: the sequencer that runs in production, on a disk that fails; and a ledger of what it acknowledged.
#pragma once

#include <memory>

#include "common/journal_memory.h"
#include "services/bus/sequencer.h"
#include "tests/simulation/network.h"

namespace xundian::simulation {

inline constexpr uint32_t partitions = 4;

class BusNode {
 public:
  BusNode(Dice& dice, const Weather& weather, Network& network, Clock clock)
      : dice_(dice), weather_(weather), network_(network), clock_(clock) {}

  // Starts it if it is down and the disk lets it; with other limits each time.
  void start();
  void crash();
  // What the weather does to it and to its disk.
  void suffer(Millis now);
  void deliver(const Mail& mail);
  // Commits, beats, and sends what is to be said; bells to all of `listeners`.
  void turn(Millis now, Millis wall, const std::vector<std::string>& listeners);

  const bus::Sequencer* sequencer() const { return sequencer_.get(); }
  void check_ledger() const;
  std::shared_ptr<MemoryDisk> disk() const { return disk_; }
  std::unique_ptr<JournalReader> open_reader() const { return std::move(*open_memory_reader(disk_)); }
  size_t crashes() const { return crashes_; }
  // By producer: the last sequence that was acknowledged to anybody.
  const std::map<uint64_t, uint64_t>& acknowledged() const { return acknowledged_; }

 private:
  void send_outputs(Millis now, const std::vector<std::string>& listeners);

  Dice& dice_;
  const Weather& weather_;
  Network& network_;
  Clock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<bus::Sequencer> sequencer_;
  std::map<uint64_t, uint64_t> acknowledged_;
  Millis full_until_ = 0, paused_until_ = 0;
  size_t crashes_ = 0;
};

}  // namespace xundian::simulation
