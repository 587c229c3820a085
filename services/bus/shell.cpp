#include "services/bus/shell.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "common/bell.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutant.h"
#include "common/wire.h"
#include "services/bus/fetch.h"

namespace xundian::bus {

namespace {

constexpr size_t turn_bytes = 2u << 20;  // Taken off the socket between two commits; a little more than one commit writes.
constexpr int turn_messages = 2000;
constexpr Millis look_at_least_ms = 100;
constexpr Millis disk_ms = 1000;
constexpr Millis held_ms = 20;  // Between two looks whether a journal that took nothing takes it now.
constexpr Millis start_patience_ms = 10'000;

int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The message as the sequencer wants it; the bytes stay where ZeroMQ put them.
Message to_message(zmq::message_t&& frame) {
  auto kept = std::make_shared<zmq::message_t>(std::move(frame));
  const std::span<char> bytes(static_cast<char*>(kept->data()), kept->size());
  return {std::move(kept), bytes};
}

}  // namespace

Shell::Shell(const Home& home, uint32_t bus, int signals)
    : home_(home),
      bus_(bus),
      signals_(signals),
      journal_folder_(home.journal_folder(bus)),
      journal_size_(journal_folder_),
      put_(make_socket(zmq::socket_type::router, put_message_bytes_max)),
      fetch_(make_socket(zmq::socket_type::router, 64 << 10)),
      bell_(make_socket(zmq::socket_type::xpub, 64 << 10)),
      started_ms_(wall_ms()) {}

Result<std::unique_ptr<Shell>> Shell::open(const Home& home, const Config& config, uint32_t bus, int signals) {
  const int64_t began = steady_us();
  std::unique_ptr<Shell> shell(new Shell(home, bus, signals));
  TRY_VOID(shell->open_journal(config));
  SequencerOptions options;
  options.home = home.settings().id;
  options.clock = home.settings().clock;
  options.partitions = home.settings().partitions;
  options.bus = bus;
  options.buses = home.settings().buses;
  options.queue_bytes_max = config.credit_bytes;
  options.wait = [until = steady_ms() + start_patience_ms] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return steady_ms() < until;
  };
  shell->sequencer_ = TRY(Sequencer::start(options, *shell->writer_, *shell->reader_));
  shell->look_at_disk();
  TRY_VOID(shell->bind());
  const Ledger& ledger = shell->sequencer_->ledger();
  uint64_t facts = 0;
  for (const Offset head : ledger.heads) facts += head;
  spdlog::info("bus_started bus={} home={} epoch={} clock={} position={} facts={} producers={} recovery_ms={:.1f}", bus,
               home.settings().id, shell->sequencer_->epoch(), options.clock == Clock::wall ? "wall" : "facts",
               shell->sequencer_->next_position(), facts, ledger.producers.size(),
               static_cast<double>(steady_us() - began) / 1000);
  return shell;
}

Result<void> Shell::open_journal(const Config& config) {
  if (home_.settings().engine == Engine::lmdb) {
    writer_ = TRY(open_lmdb_writer(journal_folder_, {config.volume_bytes}));
    reader_ = TRY(open_lmdb_reader(journal_folder_));
    return {};
  }
  const RedisOptions options = config.redis_options(home_, bus_);
  const auto index = std::make_shared<StreamIndex>();
  writer_ = TRY(open_redis_writer(options, index));
  reader_ = TRY(open_redis_reader(options, index));
  spdlog::info("redis_taken bus={} at={} replicas={} low={} next={}", bus_, options.address.text(), options.replicas,
               TRY(reader_->range()).low, index->next());
  return {};
}

// After the journal is ours: binding a socket takes it away from whoever had it.
Result<void> Shell::bind() {
  const auto endpoint = [&](const char* name) { return home_.endpoint(fmt::format("bus.{}.{}", bus_, name)); };
  put_.set(zmq::sockopt::rcvhwm, 256);  // For each producer, before the sequencer counts what it takes in.
  fetch_.set(zmq::sockopt::sndhwm, 8);  // Who asks without reading the answers gets no more of them.
  bell_.set(zmq::sockopt::xpub_verbose, true);
  TRY_VOID(bind_socket(fetch_, endpoint("fetch")));
  TRY_VOID(bind_socket(bell_, endpoint("bell")));
  query_ = std::make_unique<QueryServer>(endpoint("query"),
                                         [this](std::string_view method, std::string_view) { return answer(method); });
  return bind_socket(put_, endpoint("put"));
}

Result<void> Shell::run() {
  zmq::pollitem_t items[] = {{put_.handle(), 0, ZMQ_POLLIN, 0},
                             {fetch_.handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, query_->descriptor(), ZMQ_POLLIN, 0},
                             {bell_.handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, signals_, ZMQ_POLLIN, 0}};
  const auto readable = [&](size_t index) { return (items[index].revents & ZMQ_POLLIN) != 0; };
  for (bool stopping = false; !stopping;) {
    for (auto& item : items) item.revents = 0;
    poll_sockets(items, wait_ms());
    stopping = readable(4);
    if (readable(0)) take_puts();
    if (mutant("ack_before_write") || mutant("publish_before_ack")) send_outputs();
    TRY_VOID(commit());
    TRY_VOID(tidy());
    if (readable(1)) take_fetch();
    if (readable(2)) query_->serve_one();
    if (readable(3)) take_listeners();
    next_beat_ = sequencer_->beat(steady_ms());
    if (steady_ms() - disk_seen_at_ >= disk_ms) look_at_disk();
    send_outputs();
  }
  // What was taken is written and acknowledged; what is held was acknowledged to nobody, and may stay so.
  while (sequencer_->waits() && !sequencer_->holds()) TRY_VOID(commit());
  spdlog::info("bus_stopped bus={} position={}", bus_, sequencer_->next_position());
  return {};
}

Millis Shell::wait_ms() const {
  if (sequencer_->holds()) return held_ms;
  if (sequencer_->waits()) return 0;
  const Millis beat = next_beat_ - steady_ms();
  const Millis tick = std::min<Millis>(sequencer_->next_tick(), wall_ms() + look_at_least_ms) - wall_ms();
  return std::max<Millis>(std::min(beat, tick), 0);
}

void Shell::take_puts() {
  std::vector<zmq::message_t> frames;  // Who, what, the message.
  size_t bytes = 0;
  for (int count = 0; count < turn_messages && bytes < turn_bytes && take_frames(put_, frames); ++count) {
    if (frames.size() != 3) continue;  // No speech of ours; there is nothing to be said to it.
    bytes += frames[2].size();
    sequencer_->take(view_of(frames[0]), type_of(frames[1]), to_message(std::move(frames[2])));
  }
}

void Shell::take_fetch() {
  std::vector<zmq::message_t> frames;
  wire::v1::Fetch question;
  if (!take_frames(fetch_, frames) || frames.size() != 3) return;
  if (type_of(frames[1]) != wire::v1::MESSAGE_TYPE_FETCH || !parse_frame(frames[2], question)) return;
  const std::string fetched = answer_fetch(*reader_, question, sequencer_->epoch()).SerializeAsString();
  send_frames(fetch_, {view_of(frames[0]), type_frame(wire::v1::MESSAGE_TYPE_FETCHED), fetched});
}

void Shell::take_listeners() {
  std::vector<zmq::message_t> frames;
  bool came = false;
  while (take_frames(bell_, frames)) came = came || (!frames[0].empty() && view_of(frames[0])[0] == 1);
  if (came) sequencer_->ring();
}

Result<void> Shell::commit() {
  const int64_t began = steady_us();
  const Committed committed = TRY(sequencer_->commit(wall_ms()));
  if (committed.batches > 0) {
    const int64_t took = steady_us() - began;
    sequencer_->measured(committed, took);
    look_at_disk();  // A small disk may fill between two beats.
    commit_times_.add(took);
  }
  send_outputs();
  return {};
}

// The journal's own housekeeping; and what it says of itself is what producers are told.
Result<void> Shell::tidy() {
  auto tidied = writer_->tidy();
  if (!tidied && tidied.error().code != Code::unavailable) return tidied;
  if (!sequencer_->holds()) sequencer_->set_trouble(tidied ? std::string() : tidied.error().message);
  if (sequencer_->trouble() == trouble_told_) return {};
  trouble_told_ = sequencer_->trouble();
  if (trouble_told_.empty())
    spdlog::info("journal_takes_again bus={} position={}", bus_, sequencer_->next_position());
  else
    spdlog::warn("journal_takes_nothing bus={} why=\"{}\"", bus_, trouble_told_);
  return {};
}

void Shell::send_outputs() {
  for (const Output& output : sequencer_->outputs()) {
    if (output.to.empty()) {
      send_frames(bell_, {bell_frame(output.topic), output.body});
    } else {
      // Whoever is gone, or does not read, misses it and says Hello again.
      send_frames(put_, {output.to, type_frame(output.type), output.body});
    }
  }
}

void Shell::look_at_disk() {
  disk_seen_at_ = steady_ms();
  struct statvfs disk;
  if (statvfs(journal_folder_.c_str(), &disk) != 0) return;
  disk_ = {static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize, static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize};
  sequencer_->set_disk(disk_);
  const bool warn = disk_.used() >= disk_warn_above;
  if (warn && !disk_warned_)
    spdlog::warn("disk_filling folder={} used_percent={:.0f} refuse_above_percent={:.0f}", journal_folder_, 100 * disk_.used(),
                 100 * disk_refuse_above);
  disk_warned_ = warn;
}

Result<std::string> Shell::answer(std::string_view method) {
  if (method != "GetBusStatus") return fail(Code::unimplemented, "a bus answers GetBusStatus, not {}", method);
  return status().SerializeAsString();
}

// Every call that states a fact asks for it, and nothing is committed meanwhile.
query::v1::GetBusStatusResponse Shell::status() {
  const Millis now = steady_ms();
  query::v1::GetBusStatusResponse response;
  response.set_engine(name_of(home_.settings().engine));
  response.set_home(home_.settings().id);
  response.set_epoch(sequencer_->epoch());
  uint64_t facts = 0;
  for (const Offset head : sequencer_->ledger().heads) {
    response.add_heads(head);
    facts += head;
  }
  response.set_facts(facts);
  response.set_bytes(journal_size_.bytes(now));
  const CommitTimes::Percentiles took = commit_times_.percentiles(now);
  response.set_sync_p50_us(took.p50_us);
  response.set_sync_p99_us(took.p99_us);
  response.set_started_ms(started_ms_);
  response.set_clock(home_.settings().clock == Clock::wall ? "wall" : "facts");
  response.set_disk_free_bytes(disk_.free_bytes);
  response.set_disk_bytes(disk_.total_bytes);
  response.set_refused(sequencer_->refused());
  response.set_pid(static_cast<uint32_t>(getpid()));
  return response;
}

}  // namespace xundian::bus
