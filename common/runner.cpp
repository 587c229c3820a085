#include "common/runner.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/clock.h"
#include "common/pull_reader.h"

namespace xundian {

namespace {

constexpr size_t slice_bytes = 1u << 20;  // Folded between two looks at the sockets.
constexpr Millis beat_ms = 100;
// A snapshot takes time and memory in proportion to what is known, so of the time that passes it may take one part in so many;
// before the first is written, a fact of it is held to take a microsecond.
constexpr Millis snapshot_rest = 20;
constexpr int64_t snapshot_facts_of_ms = 1000;
// While one is made, each page that is changed is copied first, and what is folded waits for it. So it waits for a calm: a
// time in which the loop used little of a processor. Once so many times the facts are behind, it comes all the same.
constexpr Millis calm_ms = 5'000, look_ms = 500;
constexpr int64_t calm_percent = 5;
constexpr uint64_t snapshot_pressing = 8;
// It is over, at the latest, when so many facts were folded since the last look, or since a snapshot was begun in it.
constexpr uint64_t calm_facts = 1'000;
// So long an answer may keep the loop; the report of a day over a thousand stores takes less.
constexpr Millis patience_ms = 15;

int64_t thread_cpu_us() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return int64_t{used.tv_sec} * 1'000'000 + used.tv_nsec / 1'000;
}

// Questions that take as long as there is to be known.
bool walks_over_all(std::string_view method, std::string_view request) {
  query::v1::GetStatusRequest status;
  return method == "GetFingerprint" ||
         (method == "GetStatus" && status.ParseFromArray(request.data(), static_cast<int>(request.size())) && status.memory());
}

// Of the process, in memory.
uint64_t resident_bytes() {
  uint64_t all_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Runner::Runner(const ServiceDefinition& definition, RunnerOptions options, Home home)
    : definition_(definition),
      options_(std::move(options)),
      home_(std::move(home)),
      name_(fmt::format("{}.{}", definition.name, options_.instance)),
      started_ms_(wall_ms()),
      snapshots_(home_.path("snapshots/" + name_)),
      snapshot_due_ms_(steady_ms() + snapshot_rest * (options_.snapshot_facts / snapshot_facts_of_ms)) {
  Replica::Options& replica = replica_options_;
  replica.partitions_all = home_.settings().partitions;
  replica.clock = home_.settings().clock;
  for (uint32_t partition = options_.instance; partition < replica.partitions_all; partition += options_.instances)
    replica.partitions.push_back(static_cast<Partition>(partition));
  replica.skips = read_skips_and_mark();
  replica.mark = mark_;
  replica_ = std::make_unique<Replica>(definition_, replica_options_);
  queries_ = std::make_unique<QueryServer>(
      home_.endpoint(name_ + ".query"),
      [this](std::string_view method, std::string_view request) { return answer(method, request); },
      QueryServer::Long{walks_over_all, patience_ms});
}

Runner::~Runner() {
  if (mark_ != nullptr) ::munmap(mark_, sizeof(CrashMark));
}

// The mark of the last life says whether it died while folding; an input that did that three times is put aside for this service.
Skips Runner::read_skips_and_mark() {
  namespace fs = std::filesystem;
  Skips skips;
  fs::create_directories(home_.path("skips"));
  const std::string skips_path = home_.path("skips/" + name_);
  std::ifstream in(skips_path);
  for (uint64_t partition = 0, offset = 0; in >> partition >> offset;) skips.emplace(static_cast<Partition>(partition), offset);
  const int file = ::open(home_.path("run/" + name_ + ".mark").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(CrashMark)) != 0) {
    spdlog::warn("crash_mark_unavailable service={}", name_);
    if (file >= 0) ::close(file);
    return skips;
  }
  void* mapped = ::mmap(nullptr, sizeof(CrashMark), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) return skips;
  mark_ = static_cast<CrashMark*>(mapped);
  const bool crashed = mark_->folding != 0;
  const bool skip = note_crash(*mark_, skips);
  if (crashed)
    spdlog::warn("fold_crashed service={} partition={} offset={} times={}", name_, mark_->partition, mark_->offset,
                 mark_->crashes);
  if (skip) {
    std::ofstream out(skips_path, std::ios::app);
    out << mark_->partition << ' ' << mark_->offset << '\n';
    out.flush();
    spdlog::error("fact_quarantined service={} partition={} offset={}", name_, mark_->partition, mark_->offset);
  }
  return skips;
}

Result<void> Runner::welcome_all(const std::function<bool()>& stop) {
  for (uint32_t index = 0; index < home_.settings().buses; ++index) {
    Bus bus;
    bus.index = index;
    BusLink::Options link;
    link.name = name_;
    link.folds = true;
    for (const Partition partition : replica_->partitions()) {
      if (home_.bus_of(partition) != index) continue;
      bus.partitions.push_back(partition);
      link.producers.push_back(producer_id(replica_->producer_name(partition)));
    }
    if (bus.partitions.empty()) continue;
    bus.sent.resize(bus.partitions.size(), 0);
    bus.wake.resize(bus.partitions.size(), never);
    bus.bell = std::make_unique<BellListener>(home_.endpoint(fmt::format("bus.{}.bell", index)), definition_.kinds);
    bus.link = std::make_unique<BusLink>(home_.endpoint(fmt::format("bus.{}.put", index)), std::move(link));
    buses_.push_back(std::move(bus));
  }
  for (Millis said = steady_ms(); !stop();) {
    bool all = true;
    for (Bus& bus : buses_) {
      TRY_VOID(bus.link->turn(steady_ms()));
      all = all && bus.link->welcomed();
    }
    if (all) return {};
    if (steady_ms() - said > 5'000) {
      spdlog::warn("bus_awaited service={}", name_);
      said = steady_ms();
    }
    poll(false);
    serve_queries();
  }
  return {};
}

Result<void> Runner::open_readers() {
  const auto load = [this](const std::vector<Position>& positions, ByteReader state) {
    if (positions.size() == buses_.size() && replica_->load(state)) return true;
    replica_ = std::make_unique<Replica>(definition_, replica_options_);  // Without what was loaded of it.
    return false;
  };
  auto loaded = load_snapshot(home_.path("snapshots/" + name_), home_.settings().id, definition_.shape, load);
  if (!loaded) return fail(loaded.error().code, "{}; remove snapshots/{}", loaded.error().message, name_);
  for (size_t index = 0; index < buses_.size(); ++index) {
    Bus& bus = buses_[index];
    for (auto* reader : {&bus.reader, &bus.reader_ahead}) {
      auto opened = open_home_reader(home_, bus.index, options_.pull);
      if (!opened) return tl::unexpected(opened.error());
      *reader = std::move(*opened);
    }
    const auto& welcome = bus.link->welcome();
    bus.known_end = bus.replay_end = welcome.next_position();
    bus.heads.assign(welcome.heads().begin(), welcome.heads().end());
    bus.position = *loaded ? (**loaded)[index] : 0;
    std::map<uint64_t, Partition> producers;
    for (size_t producer = 0; producer < bus.partitions.size(); ++producer) {
      const Partition partition = bus.partitions[producer];
      replica_->set_answered(partition, welcome.last_sequences(static_cast<int>(producer)));
      producers[producer_id(replica_->producer_name(partition))] = partition;
      bus.sent[producer] = welcome.last_sequences(static_cast<int>(producer));
    }
    bus.own = std::make_unique<OwnAnswers>(*bus.reader_ahead, bus.position, bus.known_end, std::move(producers));
  }
  spdlog::info("replay_started service={} snapshot={}", name_, loaded->has_value());
  return {};
}

Result<void> Runner::run(const std::function<bool()>& stop) {
  TRY_VOID(welcome_all(stop));
  if (stop()) return {};
  TRY_VOID(open_readers());
  while (!stop()) {
    bool more = false;
    serve_queries();  // Somebody waits for them; nobody waits for a fact that is folded a moment later.
    for (Bus& bus : buses_) more = TRY(turn(bus)) || more;
    note_work();
    snapshot_if_due();
    poll(more);
  }
  // What was said is acknowledged within moments; then the state is kept, so that the next start is quick.
  for (const Millis until = steady_ms() + 2'000; unacknowledged() > 0 && steady_ms() < until;) {
    for (Bus& bus : buses_) TRY_VOID(bus.link->turn(steady_ms()));
    poll(false);
  }
  snapshot_at_the_end();
  return {};
}

Result<bool> Runner::turn(Bus& bus) {
  TRY_VOID(bus.link->turn(steady_ms()));
  if (const auto bell = bus.bell->newest(); bell && bell->home() == home_.settings().id) {
    bus.known_end = std::max(bus.known_end, bell->next_position());
    bus.heads.assign(bell->heads().begin(), bell->heads().end());
  }
  if (bus.link->welcome().next_position() > bus.known_end) bus.known_end = bus.link->welcome().next_position();
  if (bus.position < bus.known_end && bus.link->may_send()) TRY_VOID(fold_some(bus));
  ask_for_wakes(bus);
  TRY_VOID(bus.link->turn(steady_ms()));  // What was said goes out before the loop rests.
  return bus.position < bus.known_end && bus.link->may_send();
}

Result<void> Runner::fold_some(Bus& bus) {
  Result<void> outcome;
  const auto next = bus.reader->read(bus.position, slice_bytes, [&](const CommitView& commit) {
    if (commit.position() >= bus.known_end) return false;  // It may not be durable yet.
    outcome = replica_->take(commit, bus.own.get());
    if (!outcome) return false;
    bus.position = commit.position() + 1;
    folded_ += commit.bytes().size() / 256;
    return !snapshots_.has_child();  // It may have to be given up.
  });
  if (!outcome) return outcome;
  if (!next && next.error().code == Code::unavailable) return {};  // Read through a bus that is being started again.
  if (!next) return tl::unexpected(next.error());
  if (bus.own && replica_->caught_up()) {
    bool all = true;
    for (const Bus& other : buses_) all = all && other.position >= other.link->welcome().next_position();
    if (all) spdlog::info("replay_finished service={} took_ms={}", name_, wall_ms() - started_ms_);
    for (Bus& other : buses_) other.own.reset();
  }
  send_answers();
  return {};
}

void Runner::send_answers() {
  for (Replica::Answer& answer : replica_->flush()) {
    for (Bus& bus : buses_) {
      const auto at = std::find(bus.partitions.begin(), bus.partitions.end(), answer.partition);
      if (at == bus.partitions.end()) continue;
      const auto index = static_cast<size_t>(at - bus.partitions.begin());
      bus.sent[index] = answer.sequence;
      bus.link->send(index, std::move(answer.batch));
      break;
    }
  }
}

// Under the facts clock time comes with the facts alone.
void Runner::ask_for_wakes(Bus& bus) {
  if (home_.settings().clock != Clock::wall || bus.position < bus.known_end) return;
  for (size_t index = 0; index < bus.partitions.size(); ++index) {
    if (!replica_->asks_for_wake(bus.partitions[index], bus.wake[index], bus.position != bus.asked_position)) continue;
    const Millis at = bus.wake[index] = replica_->next_wake(bus.partitions[index]);
    bus.link->wake_at(index, bus.partitions[index], at);
  }
  bus.asked_position = bus.position;
}

void Runner::poll(bool more) {
  std::vector<zmq::pollitem_t> items = {{nullptr, queries_->descriptor(), ZMQ_POLLIN, 0}};
  for (Bus& bus : buses_) {
    items.push_back({bus.link->socket().handle(), 0, ZMQ_POLLIN, 0});
    items.push_back({bus.bell->socket().handle(), 0, ZMQ_POLLIN, 0});
  }
  try {
    zmq::poll(items, std::chrono::milliseconds(more ? 0 : beat_ms));
  } catch (const zmq::error_t& error) {  // A signal; the loop looks at it.
    if (error.num() != EINTR) throw;
  }
}

void Runner::serve_queries() {
  const Millis until = steady_ms() + 2;
  while (queries_->serve_one() && steady_ms() < until) {
  }
}

// What was in the journal when this life was welcomed has been folded.
bool Runner::replayed() const {
  return std::ranges::all_of(buses_, [](const Bus& bus) { return bus.reader && bus.position >= bus.replay_end; });
}

size_t Runner::unacknowledged() const {
  size_t batches = 0;
  for (const Bus& bus : buses_) batches += bus.link->unacknowledged();
  return batches;
}

Snapshot Runner::make_snapshot() const {
  // What is held takes more room than what is written of it.
  const auto state = std::make_shared<const std::string>(replica_->save(resident_bytes()));
  Snapshot snapshot{home_.settings().id, definition_.shape, {}, *state, state};
  for (const Bus& bus : buses_) snapshot.positions.push_back(bus.position);
  return snapshot;
}

void Runner::note_snapshot(bool written) {
  if (std::exchange(given_up_, false)) return;  // That was said.
  const Millis took_ms = steady_ms() - snapshot_began_ms_;
  snapshot_due_ms_ = steady_ms() + snapshot_rest * took_ms;
  if (written)
    spdlog::info("snapshot_written service={} took_ms={}", name_, took_ms);
  else
    spdlog::warn("snapshot_failed service={}; the earlier ones stay", name_);
}

// Whether the loop had much to do lately.
void Runner::note_work() {
  const Millis now = steady_ms();
  if (now - looked_ms_ < look_ms) return;
  const int64_t used_us = thread_cpu_us();
  if ((used_us - used_us_) * 100 > (now - looked_ms_) * 1'000 * calm_percent) busy_ms_ = now;
  looked_ms_ = now;
  used_us_ = used_us;
  looked_folded_ = folded_;
}

// One that runs only where a processor rests lives long beside a load.
void Runner::give_up_snapshot_beside_load() {
  if (!snapshot_in_calm_ || folded_ - folded_at_snapshot_ <= calm_facts || !snapshots_.give_up()) return;
  spdlog::info("snapshot_given_up service={} why=\"a load has come\"", name_);
  folded_at_snapshot_ = folded_before_;
  given_up_ = true;
  busy_ms_ = steady_ms();
}

void Runner::snapshot_if_due() {
  give_up_snapshot_beside_load();
  if (const auto written = snapshots_.ended()) note_snapshot(*written);
  const uint64_t behind = folded_ - folded_at_snapshot_, enough = static_cast<uint64_t>(options_.snapshot_facts);
  if (behind < enough || steady_ms() < snapshot_due_ms_) return;
  const bool in_calm = steady_ms() - busy_ms_ >= calm_ms && folded_ - looked_folded_ <= calm_facts;
  if (!in_calm && behind / snapshot_pressing < enough) return;
  // It counts only once everything said up to its offset is acknowledged.
  if (!replica_->may_save(unacknowledged())) return;
  // Those of a home take turns: together they would take the disk and the processors from all who fold.
  if (!snapshots_.start([this] { return make_snapshot(); }, home_.path("snapshots"), in_calm)) return;
  snapshot_began_ms_ = steady_ms();
  snapshot_in_calm_ = in_calm;
  folded_before_ = std::exchange(folded_at_snapshot_, folded_);
}

void Runner::snapshot_at_the_end() {
  if (const auto written = snapshots_.ended(true)) note_snapshot(*written);
  if (folded_ == folded_at_snapshot_ || !replica_->may_save(unacknowledged())) return;
  snapshot_began_ms_ = steady_ms();
  const auto written = write_snapshot(home_.path("snapshots/" + name_), make_snapshot());
  if (!written) spdlog::warn("snapshot_not_written why=\"{}\"", written.error().message);
  note_snapshot(written.has_value());
}

Result<std::string> Runner::answer(std::string_view method, std::string_view request) {
  if (method == "GetStatus") {
    query::v1::GetStatusRequest asked;
    if (!asked.ParseFromArray(request.data(), static_cast<int>(request.size())))
      return fail(Code::invalid_argument, "the request cannot be read");
    query::v1::GetStatusResponse told = status();
    if (asked.memory()) add_memory(told);
    return told.SerializeAsString();
  }
  if (method == "GetFingerprint") {
    query::v1::GetFingerprintResponse response;
    if (definition_.has_fingerprint) response.set_fingerprint(replica_->fingerprint().hex());
    add_partitions(*response.mutable_partitions());
    return response.SerializeAsString();
  }
  return replica_->answer(method, request, replayed());
}

void Runner::add_partitions(google::protobuf::RepeatedPtrField<query::v1::PartitionStatus>& partitions) const {
  for (const Bus& bus : buses_) {
    for (size_t index = 0; index < bus.partitions.size(); ++index) {
      query::v1::PartitionStatus& entry = *partitions.Add();
      const Partition partition = bus.partitions[index];
      entry.set_partition(partition);
      entry.set_offset(replica_->offset(partition));
      const uint64_t acknowledged = bus.link->acknowledged(index);
      entry.set_settled_offset(acknowledged >= bus.sent[index] ? entry.offset() : std::min(entry.offset(), acknowledged));
      entry.set_time_ms(replica_->time(partition));
    }
  }
}

void Runner::add_memory(query::v1::GetStatusResponse& status) const {
  std::map<std::string_view, query::v1::HeldMemory*> sums;
  for (const Fold* fold : replica_->folds(""))
    for (const Held& held : fold->held()) {
      query::v1::HeldMemory*& sum = sums[held.name];
      if (sum == nullptr) sum = status.add_memory();
      sum->set_name(std::string(held.name));
      sum->set_count(sum->count() + held.count);
      sum->set_bytes(sum->bytes() + held.bytes);
    }
  status.set_resident_bytes(resident_bytes());
}

query::v1::GetStatusResponse Runner::status() const {
  query::v1::GetStatusResponse status;
  status.set_name(definition_.name);
  status.set_instance(options_.instance);
  status.set_started_ms(started_ms_);
  status.set_skipped(replica_->skipped());
  status.set_pid(static_cast<uint32_t>(process_));  // Of the service, though a child tells it.
  add_partitions(*status.mutable_partitions());
  uint64_t lag = 0;
  bool welcomed = !buses_.empty();
  for (const Bus& bus : buses_) {
    welcomed = welcomed && bus.link->welcomed() && bus.reader;
    for (const Partition partition : bus.partitions)
      if (partition < bus.heads.size() && bus.heads[partition] > replica_->offset(partition))
        lag += bus.heads[partition] - replica_->offset(partition);
    if (!bus.link->refusal().empty()) status.set_problem(bus.link->refusal());
  }
  status.set_lag_facts(lag);
  status.set_healthy(welcomed);
  if (!welcomed) status.set_problem("waits for the bus");
  return status;
}

}  // namespace xundian
