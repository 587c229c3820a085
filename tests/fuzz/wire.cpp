// The bus takes whatever arrives: nothing breaks, what it acknowledges lies in a journal that holds together, whoever folds the
// journal can walk over every fact in it, and a bus that starts again knows what the last one knew.
#include "common/journal_memory.h"
#include "services/bus/sequencer.h"
#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

constexpr uint32_t partitions = 4;

class Bus {
 public:
  explicit Bus(Clock clock) : clock_(clock), disk_(std::make_shared<MemoryDisk>()) { start(); }

  void start() {
    sequencer_.reset();
    writer_.reset();
    writer_ = std::move(open_memory_writer(disk_, {4'096}).value());
    reader_ = std::move(open_memory_reader(disk_).value());
    bus::SequencerOptions options;
    options.home = "home";
    options.clock = clock_;
    options.partitions = partitions;
    options.queue_bytes_max = 64u << 10;
    auto started = bus::Sequencer::start(options, *writer_, *reader_);
    CHECK(started.has_value(), started.error().message);
    sequencer_ = std::move(*started);
    CHECK(heads_.empty() || sequencer_->ledger().heads == heads_, "a bus that starts again has other heads");
  }

  void take(wire::v1::MessageType type, std::string body) { sequencer_->take("c", type, bus::Message::of(std::move(body))); }

  // A batch with everything right that the sender of a batch can know.
  void put(std::string body) {
    if (body.size() < sizeof(BatchHeader)) return;
    auto header = load<BatchHeader>(body.data());
    header.magic = batch_magic;
    header.bytes = static_cast<uint32_t>(body.size());
    header.scope_bytes = static_cast<uint16_t>(std::min<size_t>(header.scope_bytes, body.size() - sizeof header));
    header.group = group_hash(std::string_view(body).substr(sizeof header, header.scope_bytes));
    header.partition = partition_of(header.group, partitions);
    header.epoch = sequencer_->epoch();
    header.session = session_;
    header.producer = 1 + header.producer % 3;
    header.sequence %= 16;
    header.payload_crc = crc32c(std::string_view(body).substr(sizeof header));
    write_header(body, header);
    take(wire::v1::MESSAGE_TYPE_PUT, std::move(body));
  }

  void hello() {
    wire::v1::Hello hello;
    for (const uint64_t producer : {1, 2, 3}) hello.add_producers(producer);
    take(wire::v1::MESSAGE_TYPE_HELLO, hello.SerializeAsString());
  }

  void commit(Millis by) {
    now_ += by;
    CHECK(sequencer_->commit(now_).has_value(), "a commit to a sound disk failed");
    for (const bus::Output& output : sequencer_->outputs()) {
      wire::v1::Welcome welcome;
      if (output.type == wire::v1::MESSAGE_TYPE_WELCOME && welcome.ParseFromString(output.body) && welcome.session() != 0)
        session_ = welcome.session();
    }
    heads_ = sequencer_->ledger().heads;
  }

  void check() {
    commit(1);
    auto report = verify(*reader_);
    CHECK(report.has_value(), report.error().message);
    CHECK(report->bad.empty(), report->bad.front().why);
    uint64_t facts = 0;
    for (const Offset head : heads_) facts += head;
    CHECK(report->facts == facts, "the journal holds another number of facts than the heads say");
    start();
  }

 private:
  Clock clock_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<bus::Sequencer> sequencer_;
  Heads heads_;
  uint32_t session_ = 0;
  Millis now_ = 1'790'000'000'000;
};

}  // namespace
}  // namespace xundian::fuzz

// Steps: a byte that says which, and what it needs.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  ByteReader input(fuzz::as_text(data, size));
  fuzz::Bus bus(input.take<uint8_t>() % 2 == 0 ? Clock::wall : Clock::facts);
  for (int steps = 0; steps < 64 && !input.empty(); ++steps) {
    const auto step = input.take<uint8_t>() % 6;
    if (step == 0) bus.hello();
    if (step == 1) bus.commit(input.take<uint8_t>());
    if (step == 2) {
      const auto type = static_cast<wire::v1::MessageType>(input.take<uint8_t>() % 12);
      bus.take(type, std::string(input.take_bytes(input.take<uint16_t>())));
    }
    if (step == 3) bus.start();
    if (step >= 4) bus.put(std::string(input.take_bytes(input.take<uint16_t>())));
  }
  bus.check();
  return 0;
}
