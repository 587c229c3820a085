#include "tests/bus/harness.h"

#include <charconv>

namespace xundian::bus {

v1::Fact numbered_fact(uint64_t number) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(std::to_string(number));
  fact.set_as_of_ms(1000);
  fact.mutable_stock_level()->mutable_count()->set_sku("sku");
  return fact;
}

uint64_t number_of(const FactView& fact) {
  uint64_t number = UINT64_MAX;
  const std::string_view text = fact.key_text();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string scope_in(Partition partition, uint32_t partitions) {
  for (int number = 0;; ++number) {
    const std::string scope = fmt::format("t/{}", number);
    if (partition_of(group_hash(scope), partitions) == partition) return scope;
  }
}

void Harness::stop() {
  sequencer_.reset();
  reader_.reset();
  writer_.reset();
  heard_.clear();
}

bool Harness::try_start() {
  auto writer = open_memory_writer(disk_, {volume_bytes_});
  auto reader = open_memory_reader(disk_);
  EXPECT_TRUE(writer.has_value() && reader.has_value());
  writer_ = std::move(*writer);
  reader_ = std::move(*reader);
  auto started = Sequencer::start(options_, *writer_, *reader_);
  problem_ = started ? "" : started.error().message;
  if (started) sequencer_ = std::move(*started);
  return started.has_value();
}

wire::v1::Welcome Harness::hello(std::string_view connection, std::vector<uint64_t> producers, uint64_t instance,
                                 uint64_t attempt) {
  wire::v1::Hello hello;
  for (const uint64_t producer : producers) hello.add_producers(producer);
  hello.set_instance(instance);
  hello.set_attempt(attempt);
  sequencer_->take(connection, wire::v1::MESSAGE_TYPE_HELLO, Message::of(hello.SerializeAsString()));
  const auto welcomes = said<wire::v1::Welcome>(wire::v1::MESSAGE_TYPE_WELCOME);
  return welcomes.empty() ? wire::v1::Welcome() : welcomes.front();
}

std::string Harness::batch(const wire::v1::Welcome& welcome, uint64_t producer, uint64_t sequence, const PutOptions& put) const {
  BatchBuilder builder;
  for (int index = 0; index < put.facts; ++index) {
    const auto added = builder.add(numbered_fact(put.first_number + static_cast<uint64_t>(index)));
    EXPECT_TRUE(added.has_value());
  }
  BatchHeader header;
  header.flags = put.flags;
  header.epoch = welcome.epoch();
  header.session = welcome.session();
  header.producer = producer;
  header.sequence = sequence;
  header.time_ms = put.time_ms;
  return builder.finish(scope_in(put.partition, options_.partitions), options_.partitions, header);
}

void Harness::put(std::string_view connection, std::string batch) {
  sequencer_->take(connection, wire::v1::MESSAGE_TYPE_PUT, Message::of(std::move(batch)));
}

void Harness::wake(std::string_view connection, uint64_t producer, Partition partition, Millis at_ms) {
  wire::v1::Wake wake;
  wake.set_producer(producer);
  wake.set_partition(partition);
  wake.set_at_ms(at_ms);
  sequencer_->take(connection, wire::v1::MESSAGE_TYPE_WAKE, Message::of(wake.SerializeAsString()));
}

std::vector<Harness::Record> Harness::records() {
  std::vector<Record> records;
  auto reader = open_memory_reader(disk_);
  EXPECT_TRUE(reader.has_value());
  const auto take_batch = [&](const BatchView& batch) {
    if (batch.is_control()) return;
    Record& record = records.emplace_back();
    record.header = batch.header();
    const auto walked = batch.for_each([](Kind) { return true; },
                                       [&](std::string_view frame, Offset offset) {
                                         const FactView fact(frame, offset, record.header.time_ms);
                                         record.numbers.push_back(number_of(fact));
                                         record.kinds.push_back(fact.kind());
                                       });
    EXPECT_TRUE(walked.has_value());
  };
  const auto read = (*reader)->read(0, SIZE_MAX, [&](const CommitView& commit) {
    EXPECT_TRUE(commit.for_each_batch(false, take_batch).has_value());
    return true;
  });
  EXPECT_TRUE(read.has_value());
  return records;
}

}  // namespace xundian::bus
