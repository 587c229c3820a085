// What folding costs, one service at a time and without a process, a socket or a disk: the bench's workload through the very
// replica that a service runs, from a journal in memory. `said` and `fingerprint` show whether two builds answer the same.
//   fold_bench [--facts N] [--hours N] [--repeat N] [SERVICE…]
// --hours spreads the records' time, so that deadlines pass and conditions begin to hold while it runs.
// SERVICE `bus`, only if named: what a batch costs on its way through the sequencer, without sockets and disk.
#include "tests/bench/fold_bench.h"

#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "common/journal_memory.h"
#include "services/campaigns/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"

namespace xundian::bench {
namespace {

constexpr size_t read_bytes = 1u << 20;

struct Asked {
  size_t facts = 400'000, hours = 0, repeat = 3;
  std::vector<std::string> services;
  bool names(std::string_view service) const { return std::find(services.begin(), services.end(), service) != services.end(); }
};

size_t heap_bytes() {
  const struct mallinfo2 held = mallinfo2();
  return held.uordblks + held.hblkhd;
}

std::vector<ServiceDefinition> definitions() {
  return {inventory::definition(), metrics::definition(), support::definition(), campaigns::definition()};
}

// The stores, then both producers in turn, a batch a commit.
std::shared_ptr<MemoryDisk> write_journal(const Asked& asked, const Workload& workload, Millis now) {
  auto disk = std::make_shared<MemoryDisk>();
  const auto writer = open_memory_writer(disk);
  CHECK(writer.has_value(), "the journal in memory opens");
  Heads heads(partitions, 0);
  const Partition partition = partition_of(group_hash(scope), partitions);
  const auto append = [&](BatchBuilder& builder, Millis time_ms) {
    const size_t count = builder.count();
    BatchHeader header;
    header.base = heads[partition];
    header.time_ms = time_ms;
    const std::string batch = builder.finish(scope, partitions, header);
    const std::string_view batches[] = {batch};
    CHECK((*writer)->append(heads, batches).has_value(), "the journal in memory takes a batch");
    heads[partition] += count;
  };
  BatchBuilder builder;
  for (const v1::Fact& fact : store_facts(now)) CHECK(builder.add(fact).has_value(), "the stores are good facts");
  append(builder, now);
  const size_t batches = workload.feeds[0].batches();
  for (size_t index = 0; index < batches; ++index)
    for (const Feed& feed : workload.feeds) {
      add_frames(builder, feed.frames(index));
      append(builder, now + static_cast<Millis>(index) +
                          static_cast<Millis>(asked.hours) * hour_ms * static_cast<Millis>(index) / static_cast<Millis>(batches));
    }
  return disk;
}

// Folds it all, as often as asked, and prints the best round: other programs only ever add to it.
void fold(const ServiceDefinition& service, const std::shared_ptr<MemoryDisk>& disk, size_t repeat) {
  double seconds = 1e9;
  size_t bytes = 0, answers = 0;
  uint64_t facts = 0, said = 0;
  std::string fingerprint;
  for (size_t round = 0; round < repeat; ++round) {
    const auto reader = open_memory_reader(disk);
    CHECK(reader.has_value(), "the journal in memory can be read");
    const Partition partition = partition_of(group_hash(scope), partitions);
    const size_t before = heap_bytes();
    Replica replica(service, {.partitions = {partition}, .skips = {}});
    double spent = 0;
    answers = 0;
    said = 0;
    for (Position at = 0, next = (*reader)->range()->next; at < next;) {
      const auto read = (*reader)->read(at, read_bytes, [&](const CommitView& commit) {
        const double begin = thread_seconds();
        const auto flushed = fold_commit(replica, commit);
        spent += thread_seconds() - begin;
        for (const Replica::Answer& answer : flushed) {
          ++answers;
          said = said * 31 + hash64(answer.batch);
        }
        return true;
      });
      CHECK(read.has_value(), "the journal in memory is whole");
      at = *read;
    }
    facts = replica.offset(partition);
    seconds = std::min(seconds, spent);
    bytes = heap_bytes() - before;
    if (round == 0) fingerprint = replica.fingerprint().hex();
  }
  const auto per_fact = [&](double amount) { return amount / static_cast<double>(facts); };
  fmt::print("{:<10} {:8.0f} ns/fact {:8.0f} bytes/fact  facts={} answers={} said={:016x} fingerprint={}\n", service.name,
             per_fact(seconds * 1e9), per_fact(static_cast<double>(bytes)), facts, answers, said, fingerprint);
  std::fflush(stdout);
}

Asked read_arguments(int argc, char** argv) {
  Asked asked;
  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    size_t* number = word == "--facts"    ? &asked.facts
                     : word == "--hours"  ? &asked.hours
                     : word == "--repeat" ? &asked.repeat
                                          : nullptr;
    if (number == nullptr) {
      asked.services.emplace_back(word);
      continue;
    }
    const std::string_view value = ++index < argc ? argv[index] : "";
    CHECK(std::from_chars(value.data(), value.data() + value.size(), *number).ec == std::errc(), "a number follows the flag");
  }
  return asked;
}

}  // namespace

double thread_seconds() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

std::vector<Replica::Answer> fold_commit(Replica& replica, const CommitView& commit) {
  CHECK(replica.take(commit, nullptr).has_value(), "the replica takes every commit");
  return replica.flush();
}

int run_fold_bench(int argc, char** argv) {
  const Asked asked = read_arguments(argc, argv);
  const Millis now = Millis{make_day(2026, 11, 11)} * day_ms + 4 * hour_ms;
  const Workload workload = Workload::make(asked.facts, now);
  if (asked.names("bus")) print_bus(workload, now, asked.repeat);
  const auto disk = write_journal(asked, workload, now);
  for (const ServiceDefinition& service : definitions())
    if (asked.services.empty() || asked.names(service.name)) fold(service, disk, asked.repeat);
  return 0;
}

}  // namespace xundian::bench

int main(int argc, char** argv) { return xundian::bench::run_fold_bench(argc, argv); }
