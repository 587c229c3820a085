#include "tests/simulation/bus_node.h"

#include <stdexcept>

namespace xundian::simulation {

void BusNode::start() {
  if (sequencer_) return;
  writer_.reset();
  auto writer = open_memory_writer(disk_, {1'024 + roll(dice_, 8'192)});
  if (!writer) throw std::runtime_error(writer.error().message);
  writer_ = std::move(*writer);
  reader_ = open_reader();
  bus::SequencerOptions options;
  options.home = "home";
  options.clock = clock_;
  options.partitions = partitions;
  options.queue_bytes_max = 4'096 + roll(dice_, 65'536);
  options.group_bytes = 512 + roll(dice_, 65'536);
  auto sequencer = bus::Sequencer::start(options, *writer_, *reader_);
  if (!sequencer && sequencer.error().message.find("disk") == std::string::npos && sequencer.error().code != Code::aborted)
    throw std::runtime_error("the bus does not start: " + sequencer.error().message);
  if (!sequencer) return;  // The disk failed once more; the next turn tries again.
  sequencer_ = std::move(*sequencer);
  check_ledger();
}

// Whatever happened: what was acknowledged is in the journal.
void BusNode::check_ledger() const {
  for (const auto& [producer, sequence] : acknowledged_) {
    const auto found = sequencer_->ledger().producers.find(producer);
    const uint64_t last = found == sequencer_->ledger().producers.end() ? 0 : found->second.last_sequence;
    if (last < sequence)
      throw std::runtime_error(fmt::format("sequence {} of {} was acknowledged; the journal has {}", sequence, producer, last));
  }
}

void BusNode::crash() {
  crashes_ += 1;
  sequencer_.reset();
}

void BusNode::suffer(Millis now) {
  if (sequencer_ && happens(dice_, weather_.bus_crash)) {
    crash();
    if (happens(dice_, 500)) disk_->cut_power();
  }
  if (happens(dice_, weather_.disk_fault)) {
    static constexpr DiskFault faults[] = {DiskFault::error_before, DiskFault::error_after, DiskFault::error_torn,
                                           DiskFault::power_cut};
    disk_->fail_append(faults[roll(dice_, 4)], 0, roll(dice_, 600));
  }
  if (happens(dice_, weather_.disk_full)) {
    disk_->set_capacity(disk_->bytes() + roll(dice_, 2'000));
    full_until_ = now + 50 + static_cast<Millis>(roll(dice_, 300));
  }
  if (full_until_ != 0 && now >= full_until_) {
    disk_->set_capacity(SIZE_MAX);
    full_until_ = 0;
  }
  if (happens(dice_, weather_.pause)) paused_until_ = now + static_cast<Millis>(roll(dice_, 800));
}

void BusNode::deliver(const Mail& mail) {
  if (sequencer_) sequencer_->take(mail.from, mail.type, bus::Message::of(mail.body));
}

void BusNode::turn(Millis now, Millis wall, const std::vector<std::string>& listeners) {
  if (!sequencer_ || now < paused_until_) return;
  sequencer_->beat(now);
  send_outputs(now, listeners);                   // What it says may be heard before it does anything else.
  if (!sequencer_->commit(wall)) return crash();  // As the process would end.
  send_outputs(now, listeners);
}

void BusNode::send_outputs(Millis now, const std::vector<std::string>& listeners) {
  for (bus::Output& output : sequencer_->outputs()) {
    if (output.type == wire::v1::MESSAGE_TYPE_ACK) {
      wire::v1::Ack ack;
      ack.ParseFromString(output.body);
      uint64_t& last = acknowledged_[ack.producer()];
      last = std::max(last, ack.last_sequence());
    }
    if (!output.to.empty()) {
      network_.send(now, {output.to, "bus", output.type, std::move(output.body)}, true);
      continue;
    }
    wire::v1::Bell bell;
    bell.ParseFromString(output.body);
    if (const auto range = reader_->range(); range && bell.next_position() > range->next)
      throw std::runtime_error(fmt::format("the bell says {}, the journal ends at {}", bell.next_position(), range->next));
    for (const std::string& listener : listeners) network_.ring(now, {listener, "bus", output.type, output.body, output.topic});
  }
}

}  // namespace xundian::simulation
