// The load of redis_failover_test.py, and its witness.
//   redis_load HOME            puts 0, 1, 2 … until its input ends; says "acked N" (all below N are) and "read N HASH" (of the
//   first N
//                              that a reader was shown)
//   redis_load HOME check N…   says how many the journal holds, then the hash of the first N for each; fails if they are not 0,
//   1, 2 …
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "common/clock.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "common/wire.h"

namespace xundian {
namespace {

constexpr size_t under_way_max = 20;
constexpr Millis answer_ms = 200;  // A bus that is gone is asked again soon.

v1::Fact numbered_fact(uint64_t number) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(std::to_string(number));
  fact.set_as_of_ms(1000);
  fact.mutable_stock_level()->mutable_count()->set_sku("sku");
  return fact;
}

// Follows the journal through the bus and hashes the numbers in it, in their order.
class Witness {
 public:
  explicit Witness(const Home& home) : reader_(open_pull_reader(home.endpoint("bus.0.fetch"), {answer_ms, 1}).value()) {}

  // Reads what there is; false if the bus did not answer, or nothing was new.
  bool read(const std::function<void(uint64_t count, uint64_t hash)>& each) {
    const auto take_fact = [&](std::string_view frame, Offset) {
      const std::string_view text = FactView(frame, 0, 0).key_text();
      uint64_t number = UINT64_MAX;
      std::from_chars(text.data(), text.data() + text.size(), number);
      in_order_ = in_order_ && number == count_;
      hash_ = (hash_ ^ number) * 1'099'511'628'211u;
      ++count_;
      each(count_, hash_);
    };
    const auto take_batch = [&](const BatchView& batch) {
      const auto walked = batch.for_each([](Kind) { return true; }, take_fact);
      CHECK(walked, walked.error().message);
    };
    const Position before = position_;
    const auto read = reader_->read(position_, 1u << 20, [&](const CommitView& commit) {
      const auto walked = commit.for_each_batch(false, take_batch);
      CHECK(walked, walked.error().message);
      position_ = commit.position() + 1;
      return true;
    });
    return read && position_ > before;
  }
  uint64_t count() const { return count_; }
  bool in_order() const { return in_order_; }

 private:
  std::unique_ptr<JournalReader> reader_;
  Position position_ = 0;
  uint64_t count_ = 0, hash_ = 14'695'981'039'346'656'037u;
  bool in_order_ = true;
};

int load(const Home& home) {
  std::atomic<bool> stop = false;
  std::mutex printing;
  const auto print = [&](const std::string& line) {
    const std::lock_guard lock(printing);
    fmt::print("{}\n", line);
    std::fflush(stdout);
  };
  std::thread reading([&] {
    for (Witness witness(home); !stop;) {
      std::string line;
      const bool more = witness.read([&](uint64_t count, uint64_t hash) { line = fmt::format("read {} {:016x}", count, hash); });
      if (!line.empty()) print(line);
      if (!more) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // The bus has others to serve too.
    }
  });
  BusLink link(home.endpoint("bus.0.put"), {"load", {producer_id("load/1")}});
  int status = 0;
  for (uint64_t said = 0, acknowledged = 0; !stop || link.unacknowledged() > 0;) {
    pollfd ended{STDIN_FILENO, POLLIN, 0};
    if (!stop && ::poll(&ended, 1, 0) > 0) stop = true;
    for (; !stop && link.may_send() && link.unacknowledged() < under_way_max; ++said) {
      BatchBuilder builder;
      CHECK(builder.add(numbered_fact(said)).has_value(), "the fact is good");
      link.send(0, builder.finish("t/g", home.settings().partitions, {}));
    }
    if (const auto turned = link.turn(steady_ms()); !turned) {
      print("failed " + turned.error().message);
      status = 1;
      break;
    }
    if (link.acknowledged(0) > acknowledged) print(fmt::format("acked {}", acknowledged = link.acknowledged(0)));
    poll_socket(link.socket(), 5);
  }
  stop = true;
  reading.join();
  return status;
}

int check(const Home& home, int count, char** wanted) {
  std::map<uint64_t, uint64_t> hashes;
  Witness witness(home);
  while (witness.read([&](uint64_t so_many, uint64_t hash) { hashes[so_many] = hash; })) {
  }
  fmt::print("{}\n", witness.count());
  for (int index = 0; index < count; ++index) fmt::print("{:016x}\n", hashes[std::strtoull(wanted[index], nullptr, 10)]);
  return witness.in_order() ? 0 : 1;
}

}  // namespace
}  // namespace xundian

int main(int argc, char** argv) {
  using namespace xundian;
  if (argc < 2) return 2;
  const auto home = Home::open(argv[1]);
  CHECK(home.has_value(), home.error().message);
  return argc > 2 && std::strcmp(argv[2], "check") == 0 ? check(*home, argc - 3, argv + 3) : load(*home);
}
