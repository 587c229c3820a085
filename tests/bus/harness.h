// A sequencer on a disk in memory, and producers that say one thing at a time.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/journal_memory.h"
#include "services/bus/sequencer.h"

namespace xundian::bus {

// Two producers, and when they speak.
inline constexpr uint64_t alice = 11, bob = 22;
inline constexpr Millis noon = 1'700'000'000'000;

// A fact that says which one it is.
v1::Fact numbered_fact(uint64_t number);
// The number of such a fact.
uint64_t number_of(const FactView& fact);
// A scope whose group lies in the partition.
std::string scope_in(Partition partition, uint32_t partitions = 16);

struct PutOptions {
  Partition partition = 3;
  uint16_t flags = 0;
  int facts = 1;
  uint64_t first_number = 0;
  Millis time_ms = 0;
};

// One life of the bus after another, on one disk.
class Harness {
 public:
  explicit Harness(SequencerOptions options = {}, size_t volume_bytes = 256u << 20)
      : options_(std::move(options)), volume_bytes_(volume_bytes) {
    options_.home = "home";
    start();
  }
  // Ends the bus where it stands, and starts it again.
  void restart() {
    stop();
    start();
  }
  void stop();
  void start() { ASSERT_TRUE(try_start()) << problem_; }
  bool try_start();
  const std::string& problem() const { return problem_; }

  // Says Hello; the Welcome.
  wire::v1::Welcome hello(std::string_view connection, std::vector<uint64_t> producers, uint64_t instance = 0,
                          uint64_t attempt = 0);
  // A batch under the session that `welcome` gave.
  std::string batch(const wire::v1::Welcome& welcome, uint64_t producer, uint64_t sequence, const PutOptions& put = {}) const;
  void put(std::string_view connection, std::string batch);
  void put(std::string_view connection, const wire::v1::Welcome& welcome, uint64_t producer, uint64_t sequence,
           const PutOptions& put = {}) {
    this->put(connection, batch(welcome, producer, sequence, put));
  }
  void wake(std::string_view connection, uint64_t producer, Partition partition, Millis at_ms);

  // What was said since the last call, of one type.
  std::vector<wire::v1::Ack> acks() { return said<wire::v1::Ack>(wire::v1::MESSAGE_TYPE_ACK); }
  std::vector<wire::v1::Nack> nacks() { return said<wire::v1::Nack>(wire::v1::MESSAGE_TYPE_NACK); }
  std::vector<wire::v1::Bell> bells() { return said<wire::v1::Bell>(wire::v1::MESSAGE_TYPE_BELL); }
  void forget() {
    hear();
    heard_.clear();
  }
  // Everything said since it was last forgotten, in order.
  const std::vector<Output>& heard() {
    hear();
    return heard_;
  }

  // Each batch in the journal but control batches, as its header and the numbers of its facts.
  struct Record {
    BatchHeader header;
    std::vector<uint64_t> numbers;
    std::vector<Kind> kinds;
  };
  std::vector<Record> records();

  Sequencer& bus() { return *sequencer_; }
  MemoryDisk& disk() { return *disk_; }
  JournalWriter& writer() { return *writer_; }
  SequencerOptions& options() { return options_; }

 private:
  void hear() {
    for (Output& output : sequencer_->outputs()) heard_.push_back(std::move(output));
  }
  template <typename Said>
  std::vector<Said> said(wire::v1::MessageType type) {
    hear();
    std::vector<Said> found;
    std::erase_if(heard_, [&](const Output& output) {
      if (output.type != type) return false;
      EXPECT_TRUE(found.emplace_back().ParseFromString(output.body));
      return true;
    });
    return found;
  }

  SequencerOptions options_;
  size_t volume_bytes_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<Sequencer> sequencer_;
  std::vector<Output> heard_;
  std::string problem_;
};

// A test of one bus.
class HarnessTest : public ::testing::Test {
 protected:
  void commit(Millis now = noon) {
    const auto committed = harness_.bus().commit(now);
    ASSERT_TRUE(committed.has_value()) << committed.error().message;
  }
  Harness harness_;
};

}  // namespace xundian::bus
