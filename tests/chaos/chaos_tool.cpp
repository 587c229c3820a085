// What the chaos tests need in C++: a producer that keeps a ledger of what was acknowledged, and a reader that knows what every
// fact must be. One program, so that a test can kill either as a process of its own.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <sstream>

#include "common/clock.h"
#include "common/log.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "common/wire.h"
#include "services/bus/config.h"

namespace xundian::chaos {

namespace {

using Options = std::map<std::string, std::string>;

std::string text_of(const Options& options, const std::string& name, const std::string& otherwise = "") {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}

uint64_t number_of(const Options& options, const std::string& name, uint64_t otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
}

// Some scope whose group lies in that partition.
std::string scope_in(Partition partition, uint32_t partitions) {
  for (int number = 0;; ++number)
    if (std::string scope = fmt::format("chaos/{}", number); partition_of(group_hash(scope), partitions) == partition)
      return scope;
}

// The fact that says its own number, always with the same bytes.
std::string numbered_frame(uint64_t number, size_t bytes) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(fmt::format("{}", number));
  fact.set_as_of_ms(1000);
  fact.set_source("chaos");
  fact.mutable_stock_level()->mutable_count()->set_sku(fmt::format("{:x>{}}", number, bytes));
  std::string frame;
  const auto added = append_frame(frame, fact);
  CHECK(added, added.error().message);
  return frame;
}

// Outlives the producer; chaos.py reads it by these offsets.
struct Ledger {
  std::atomic<uint64_t> acknowledged;  // Batches; written the moment the acknowledgement came.
  std::atomic<uint64_t> offered;       // Batches given to the link.
  std::atomic<uint64_t> refusals;      // How often a refusal began to hold.
  std::atomic<uint64_t> waits_us_max;  // The longest time between two acknowledgements.
  std::atomic<uint64_t> pause;         // Set by the driver: offer nothing.
  char refusal[216];
  std::atomic<uint64_t> latency[480];  // Acknowledgements by time, sixteen buckets an octave of microseconds.
};
static_assert(sizeof(Ledger) == 4096);

Ledger* map_ledger(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ftruncate(fd, sizeof(Ledger)) == 0, "the ledger cannot be made");
  void* map = mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  CHECK(map != MAP_FAILED, "the ledger cannot be mapped");
  return static_cast<Ledger*>(map);
}

std::atomic<bool> stop{false};

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Producer {
 public:
  Producer(const Home& home, const Options& options)
      : partitions_(home.settings().partitions),
        facts_(number_of(options, "facts", 10)),
        bytes_(number_of(options, "bytes", 100)),
        window_(number_of(options, "window", 20)),
        until_(number_of(options, "until", UINT64_MAX)),
        pause_us_(number_of(options, "every-us", 0)),
        ledger_(map_ledger(text_of(options, "ledger"))),
        scope_(scope_in(static_cast<Partition>(number_of(options, "partition", 1)), partitions_)),
        link_(home.endpoint("bus.0.put"), {text_of(options, "name"), {producer_id(text_of(options, "name"))}, false}) {}

  // Until all is acknowledged that is wanted; after a SIGTERM, that was offered.
  Result<void> run() {
    while (!link_.welcomed() && !stop) {
      TRY_VOID(turn());
      poll_socket(link_.socket(), 50);
    }
    // The journal says how far this producer came; from there the source is replayed.
    next_ = done_ = link_.welcome().last_sequences_size() > 0 ? link_.welcome().last_sequences(0) : 0;
    for (;;) {
      while (may_offer() && now_us() >= offer_at_us_) offer();
      TRY_VOID(turn());
      if (next_ == done_ && (stop || next_ >= until_)) return {};
      poll_socket(link_.socket(), !may_offer() ? 20 : now_us() < offer_at_us_ ? 1 : 0);
    }
  }

 private:
  bool may_offer() const {
    return !stop && ledger_->pause == 0 && next_ < until_ && next_ - done_ < window_ && link_.may_send();
  }

  void offer() {
    BatchBuilder builder;
    for (uint64_t number = next_ * facts_; number < (next_ + 1) * facts_; ++number)
      builder.add_frame(numbered_frame(number, bytes_));
    link_.send(0, builder.finish(scope_, partitions_, {}));
    next_ += 1;
    sent_us_.push_back(now_us());
    offer_at_us_ = std::max(offer_at_us_ + pause_us_, now_us() - 10 * pause_us_);
    ledger_->offered = next_;
  }

  Result<void> turn() {
    const auto turned = link_.turn(steady_ms());
    const uint64_t acknowledged = link_.welcomed() || next_ > 0 ? link_.acknowledged(0) : 0;
    if (acknowledged > ledger_->acknowledged) ledger_->acknowledged = acknowledged;
    const int64_t now = now_us();
    if (acknowledged > done_ && !sent_us_.empty()) {
      if (acknowledged_us_ != 0)
        ledger_->waits_us_max = std::max<uint64_t>(ledger_->waits_us_max, static_cast<uint64_t>(now - acknowledged_us_));
      acknowledged_us_ = now;
      for (; done_ < acknowledged && !sent_us_.empty(); ++done_) {
        const double octaves = std::log2(static_cast<double>(std::max<int64_t>(now - sent_us_.front(), 1)));
        ledger_->latency[std::min<size_t>(static_cast<size_t>(octaves * 16), 479)] += 1;
        sent_us_.pop_front();
      }
    }
    if (link_.refusal() != refusal_) {
      refusal_ = link_.refusal();
      if (!refusal_.empty()) {
        ledger_->refusals += 1;
        std::snprintf(ledger_->refusal, sizeof ledger_->refusal, "%s", refusal_.c_str());
      }
    }
    return turned;
  }

  uint32_t partitions_;
  uint64_t facts_;
  size_t bytes_;
  uint64_t window_, until_;
  int64_t pause_us_;
  Ledger* ledger_;
  std::string scope_;
  BusLink link_;
  uint64_t next_ = 0, done_ = 0;  // Batches offered; acknowledged.
  std::deque<int64_t> sent_us_;
  int64_t offer_at_us_ = 0, acknowledged_us_ = 0;
  std::string refusal_;
};

int produce(const Options& options) {
  start_log(text_of(options, "name"));
  signal(SIGTERM, [](int) { stop = true; });
  const auto home = Home::open(text_of(options, "home"), 20'000);
  if (!home) {
    fmt::print(stderr, "{}\n", home.error().message);
    return 2;
  }
  const auto done = Producer(*home, options).run();
  if (done) return 0;
  fmt::print(stderr, "produce: {}\n", done.error().message);
  return 3;
}

// What a partition holds of numbered facts.
struct Found {
  uint64_t facts = 0;
  uint64_t wrong = 0;     // Not the fact that must stand there, or not whole.
  uint64_t backward = 0;  // Batches older than the one before.
  Millis time_ms = 0;
};

Result<void> read_all(JournalReader& reader, std::map<Partition, Found>& found, size_t bytes) {
  const auto take = [&](const BatchView& batch) {
    if (batch.is_control() || batch.is_answer()) return;
    Found& in = found[batch.header().partition];
    if (batch.header().time_ms < in.time_ms) in.backward += 1;
    in.time_ms = batch.header().time_ms;
    if (batch.scope().starts_with("chaos/") == false) return;
    const auto walked = batch.for_each([](Kind) { return true; },
                                       [&](std::string_view frame, Offset) {
                                         in.wrong += frame == numbered_frame(in.facts, bytes) ? 0 : 1;
                                         in.facts += 1;
                                       });
    if (!walked) in.wrong += 1;
  };
  // As far as it goes now: who writes meanwhile may be faster.
  const Position end = TRY(reader.range()).next;
  for (Position position = 0; position < end;) {
    Result<void> whole;
    const Position next = TRY(reader.read(position, 8u << 20, [&](const CommitView& commit) {
      whole = commit.for_each_batch(false, take);
      return whole.has_value();
    }));
    if (!whole) return whole;
    if (next == position) return fail(Code::data_loss, "the journal said that it goes to {} and ends at {}", end, position);
    position = next;
  }
  return {};
}

// As it stands on the disk or in Redis; a journal in Redis that is being written is read through its bus.
Result<std::unique_ptr<JournalReader>> open_journal(const Home& home, bool ask_bus) {
  if (ask_bus) return open_home_reader(home, 0);
  if (home.settings().engine == Engine::lmdb) return open_lmdb_reader(home.journal_folder(0));
  return open_redis_reader(bus::Config{}.redis_options(home, 0));
}

int check(const Options& options) {
  const auto home = Home::open(text_of(options, "home"), 0);
  std::map<Partition, Found> found;
  Result<void> done = home ? Result<void>() : tl::unexpected(home.error());
  if (done) {
    auto reader = open_journal(*home, options.contains("bus"));
    done = reader ? read_all(**reader, found, number_of(options, "bytes", 100)) : tl::unexpected(reader.error());
  }
  std::string partitions;
  for (const auto& [partition, in] : found)
    partitions += fmt::format("{}\"{}\": {{\"facts\": {}, \"wrong\": {}, \"backward\": {}}}", partitions.empty() ? "" : ", ",
                              partition, in.facts, in.wrong, in.backward);
  fmt::print("{{\"whole\": {}, \"partitions\": {{{}}}}}\n", done.has_value(), partitions);
  if (!done) fmt::print(stderr, "{}\n", done.error().message);
  return done ? 0 : 1;
}

// Where in which file a byte of a mapped volume lies: "path offset".
std::string place_of(const char* byte) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0, end = 0, offset = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx", &begin, &end, &offset) != 3) continue;
    const auto at = reinterpret_cast<uint64_t>(byte);
    if (at >= begin && at < end) return fmt::format("{} {}", line.substr(line.find('/')), at - begin + offset);
  }
  return "";
}

// Lists the commits: file, offset in it, length.
int extents(const Options& options) {
  const auto home = Home::open(text_of(options, "home"), 0);
  if (!home) return 2;
  auto reader = open_lmdb_reader(home->journal_folder(0));
  if (!reader) return 1;
  for (Position position = 0;;) {
    const auto next = (*reader)->read(position, SIZE_MAX, [&](const CommitView& commit) {
      fmt::print("{} {}\n", place_of(commit.bytes().data()), commit.bytes().size());
      return true;
    });
    if (!next) return 1;
    if (*next == position) return 0;
    position = *next;
  }
}

}  // namespace

}  // namespace xundian::chaos

int main(int argc, char** argv) {
  using namespace xundian::chaos;
  const std::string command = argc > 1 ? argv[1] : "";
  Options options;
  for (int index = 2; index + 1 < argc; index += 2) options[std::string(argv[index]).substr(2)] = argv[index + 1];
  if (command == "produce") return produce(options);
  if (command == "check") return check(options);
  if (command == "extents") return extents(options);
  fmt::print(stderr, "usage: chaos_tool produce|check|extents --home DIR [--NAME VALUE …]\n");
  return 2;
}
