// What folding costs, one service at a time and without a process, a socket or a disk: the bench's workload through the very
// replica that a service runs, from commits in memory; each store has a budget of the month. `said` and `fingerprint` show
// whether two builds answer the same.
//   fold_bench [--facts N] [--hours N] [--repeat N] [--stores N] [--skus N] [SERVICE…]
//   fold_bench --growth [--json] [--facts N] [--repeat N] [SERVICE…]
//   fold_bench --memory [--json] [--stores N] [--skus N] [SERVICE…]
// --hours spreads the records' time, so that deadlines pass and conditions begin to hold while it runs. --skus are those of a
// store. SERVICE `bus`, only if named: what a batch costs on its way through the sequencer, without sockets and disk.
// --growth: what a fact costs as stores and SKUs become more. --memory: what a thing takes on the heap.
#include "tests/bench/fold_bench.h"

#include <malloc.h>
#include <time.h>

#include <charconv>
#include <cstdio>

#include "services/campaigns/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"
#include "tests/bench/fold_facts.h"
#include "tests/bench/process.h"

namespace xundian::bench {
namespace {

// What a snapshot costs: of a processor to make it, of time to load it.
struct Kept {
  double save_seconds = 0, load_seconds = 0, bytes = 0;
};
Kept keep(const ServiceDefinition& service, const Replica& replica) {
  Kept kept;
  const double begin = thread_seconds();
  const std::string bytes = replica.save(size_t{1} << 30);  // As the runner gives it room.
  kept.save_seconds = thread_seconds() - begin;
  kept.bytes = static_cast<double>(bytes.size());
  Replica again = make_replica(service);
  const int64_t began_ns = now_ns();  // Inventory has two threads at it.
  CHECK(again.load(ByteReader(bytes)), "what was saved is loaded");
  kept.load_seconds = static_cast<double>(now_ns() - began_ns) / 1e9;
  return kept;
}

// Folds it all, as often as asked, and prints the best round: other programs only ever add to it.
void print_fold(const ServiceDefinition& service, const std::vector<std::string>& commits, size_t repeat) {
  Folded best;
  Kept kept;
  std::string fingerprint;
  for (size_t round = 0; round < repeat; ++round) {
    Replica replica = make_replica(service);
    const Folded folded = fold(replica, commits);
    if (round == 0) fingerprint = replica.fingerprint().hex(), kept = keep(service, replica);
    if (round == 0 || folded.seconds < best.seconds) best = folded;
  }
  const auto ns_of_fact = [&](double seconds) { return seconds * 1e9 / static_cast<double>(best.facts); };
  fmt::print(
      "{:<10} {:8.0f} ns/fact (save {:4.0f}, load {:4.0f}, {:4.0f} bytes) {:6.0f} bytes/fact  facts={} answers={} said={:016x} "
      "fingerprint={}\n",
      service.name, best.ns_of_fact(), ns_of_fact(kept.save_seconds), ns_of_fact(kept.load_seconds),
      kept.bytes / static_cast<double>(best.facts), best.bytes_of_fact(), best.facts, best.answers, best.said, fingerprint);
  std::fflush(stdout);
}

void print_folds(const Asked& asked, Millis now) {
  const Workload workload = Workload::make(asked.facts, now, asked.shape);
  if (asked.names("bus")) print_bus(workload, now, asked.repeat);
  BatchBuilder builder;
  for (const v1::Fact& fact : store_facts(now, asked.shape.stores))
    CHECK(builder.add(fact).has_value(), "the stores are good facts");
  for (uint32_t store = 0; store < asked.shape.stores; ++store)
    CHECK(builder.add(budget_fact(store, static_cast<Day>(now / day_ms), now - day_ms)).has_value(), "a budget is a good fact");
  CommitMaker maker;
  std::vector<std::string> commits = {maker.next(builder, now)};
  for (std::string& commit : commits_of(workload, now, asked.hours, maker)) commits.push_back(std::move(commit));
  for (const ServiceDefinition& service : definitions(asked)) print_fold(service, commits, asked.repeat);
}

template <typename Number>
void read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(error == std::errc() && end == text.data() + text.size(), "a number follows the flag");
}

Asked read_arguments(int argc, char** argv) {
  Asked asked;
  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    const auto read_next = [&](auto& number) { read_number(++index < argc ? argv[index] : "", number); };
    if (word == "--facts")
      read_next(asked.facts);
    else if (word == "--hours")
      read_next(asked.hours);
    else if (word == "--repeat")
      read_next(asked.repeat);
    else if (word == "--stores")
      read_next(asked.shape.stores);
    else if (word == "--skus")
      read_next(asked.shape.skus_of_store);
    else if (word == "--growth")
      asked.growth = true;
    else if (word == "--memory")
      asked.memory = true;
    else if (word == "--json")
      asked.json = true;
    else
      asked.services.emplace_back(word);
  }
  const Shape& shape = asked.shape;
  CHECK(asked.repeat > 0 && shape.skus_of_store > 0, "there is something to measure");
  CHECK(shape.stores == 1 || (shape.stores > 0 && shape.stores % producers == 0), "stores are one or an even number");
  return asked;
}

}  // namespace

std::vector<ServiceDefinition> definitions(const Asked& asked) {
  std::vector<ServiceDefinition> all = {inventory::definition(), metrics::definition(), support::definition(),
                                        campaigns::definition()};
  std::erase_if(all, [&](const auto& service) { return !asked.services.empty() && !asked.names(service.name); });
  return all;
}

Replica make_replica(const ServiceDefinition& service) {
  return Replica(service, {.partitions = {partition_of(group_hash(scope), partitions)}, .skips = {}});
}

double thread_seconds() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

size_t heap_bytes() {
  const struct mallinfo2 held = mallinfo2();
  return held.uordblks + held.hblkhd;
}

std::string CommitMaker::next(BatchBuilder& builder, Millis time_ms) {
  Offset& head = heads_[partition_of(group_hash(scope), partitions)];
  const size_t count = builder.count();
  BatchHeader header;
  header.base = head;
  header.time_ms = time_ms;
  const std::string batch = builder.finish(scope, partitions, header);
  const std::string_view batches[] = {batch};
  std::string commit = make_commit(heads_, batches);
  head += count;
  return commit;
}

std::vector<std::string> commits_of(const Workload& workload, Millis now, size_t hours, CommitMaker& maker) {
  std::vector<std::string> commits;
  BatchBuilder builder;
  const size_t batches = workload.feeds[0].batches();
  for (size_t index = 0; index < batches; ++index)
    for (const Feed& feed : workload.feeds) {
      add_frames(builder, feed.frames(index));
      const Millis spread_ms = static_cast<Millis>(hours) * hour_ms * static_cast<Millis>(index) / static_cast<Millis>(batches);
      commits.push_back(maker.next(builder, now + static_cast<Millis>(index) + spread_ms));
    }
  return commits;
}

CommitView view_of_commit(const std::string& bytes) {
  const auto commit = CommitView::open(0, bytes);
  CHECK(commit.has_value(), "a commit that was just made is whole");
  return *commit;
}

Folded fold(Replica& replica, const std::vector<std::string>& commits) {
  Folded folded;
  const Partition partition = replica.partitions().front();
  const Offset first = replica.offset(partition);
  const size_t before = heap_bytes();
  for (const std::string& bytes : commits) {
    const CommitView commit = view_of_commit(bytes);
    const double begin = thread_seconds();
    const auto answers = fold_commit(replica, commit);
    folded.seconds += thread_seconds() - begin;
    folded.answers += answers.size();
    for (const Replica::Answer& answer : answers) folded.said = folded.said * 31 + hash64(answer.batch);
  }
  folded.bytes = static_cast<int64_t>(heap_bytes()) - static_cast<int64_t>(before);
  folded.facts = replica.offset(partition) - first;
  return folded;
}

std::vector<Replica::Answer> fold_commit(Replica& replica, const CommitView& commit) {
  CHECK(replica.take(commit, nullptr).has_value(), "the replica takes every commit");
  return replica.flush();
}

int run_fold_bench(int argc, char** argv) {
  const Asked asked = read_arguments(argc, argv);
  const Millis now = Millis{make_day(2026, 11, 11)} * day_ms + 4 * hour_ms;
  if (asked.growth)
    print_growth(asked, now);
  else if (asked.memory)
    print_memory(asked, now);
  else
    print_folds(asked, now);
  return 0;
}

}  // namespace xundian::bench

int main(int argc, char** argv) { return xundian::bench::run_fold_bench(argc, argv); }
