// A batch on its way through the bus: put together as a producer does it, checked, given its offsets, appended to a journal in
// memory, acknowledged.
#include "common/journal_memory.h"
#include "tests/bench/fold_bench.h"

namespace xundian::bench {

namespace {

const std::string connection = "bench";

// A producer's header after its Hello; the caller counts the sequence.
BatchHeader say_hello(bus::Sequencer& sequencer, uint64_t producer) {
  wire::v1::Hello hello;
  hello.add_producers(producer);
  sequencer.take(connection, wire::v1::MESSAGE_TYPE_HELLO, bus::Message::of(hello.SerializeAsString()));
  wire::v1::Welcome welcome;
  for (const bus::Output& output : sequencer.outputs())
    if (output.type == wire::v1::MESSAGE_TYPE_WELCOME) welcome.ParseFromString(output.body);
  CHECK(welcome.session() != 0, "the bus welcomes a producer");
  BatchHeader header;
  header.epoch = welcome.epoch();
  header.session = welcome.session();
  header.producer = producer;
  return header;
}

}  // namespace

// One group commit for each megabyte, as on a busy bus.
void put_batch(bus::Sequencer& sequencer, BatchBuilder& builder, std::string_view frames, const BatchHeader& header) {
  add_frames(builder, frames);
  sequencer.take(connection, wire::v1::MESSAGE_TYPE_PUT, bus::Message::of(builder.finish(scope, partitions, header)));
  if (sequencer.queue_bytes() < bus::SequencerOptions().group_bytes) return;
  CHECK(sequencer.commit(header.time_ms).has_value(), "the journal in memory takes a group");
  sequencer.outputs();
}

void print_bus(const Workload& workload, Millis now, size_t repeat) {
  double seconds = 1e9;
  uint64_t facts = 0, refused = 0;
  Position commits = 0;
  for (size_t round = 0; round < repeat; ++round) {
    const auto disk = std::make_shared<MemoryDisk>();
    const auto writer = open_memory_writer(disk);
    const auto reader = open_memory_reader(disk);
    CHECK(writer && reader, "the journal in memory opens");
    const auto sequencer = bus::Sequencer::start({.home = "bench", .partitions = partitions}, **writer, **reader);
    CHECK(sequencer.has_value(), "the sequencer starts");
    BatchHeader header = say_hello(**sequencer, producer_id("bench"));
    header.time_ms = now;
    BatchBuilder builder;
    double spent = 0;
    for (size_t index = 0; index < workload.feeds[0].batches(); ++index)
      for (const Feed& feed : workload.feeds) {
        header.sequence += 1;
        const double begin = thread_seconds();
        put_batch(**sequencer, builder, feed.frames(index), header);
        spent += thread_seconds() - begin;
      }
    while ((*sequencer)->waits()) CHECK((*sequencer)->commit(now).has_value(), "the journal in memory takes a group");
    facts = (*sequencer)->ledger().heads[partition_of(group_hash(scope), partitions)];
    refused = (*sequencer)->refused();
    commits = (*sequencer)->next_position();
    seconds = std::min(seconds, spent);
  }
  CHECK(refused == 0, "the bus refuses nothing");
  fmt::print("{:<10} {:8.0f} ns/fact  facts={} commits={}\n", "bus", seconds * 1e9 / static_cast<double>(facts), facts, commits);
}

}  // namespace xundian::bench
