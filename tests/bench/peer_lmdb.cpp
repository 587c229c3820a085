// Bare LMDB: the batches that our bus would be sent, several to a value, one value a synced commit. No transport, no check, no
// fold.
#include <lmdb.h>

#include <filesystem>

#include "tests/bench/leg.h"
#include "tests/bench/process.h"

namespace xundian::bench {

namespace {

constexpr size_t volume_bytes = 256u << 20, large_commit_bytes = 1u << 20;
constexpr size_t small_commit_batches = 1'000 / facts_of_batch;

class Environment {
 public:
  explicit Environment(const std::string& folder) {
    std::filesystem::create_directory(folder);
    must(mdb_env_create(&env_));
    must(mdb_env_set_mapsize(env_, volume_bytes + volume_bytes / 4));
    must(mdb_env_open(env_, folder.c_str(), MDB_NOTLS, 0600));
    MDB_txn* transaction = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &transaction));
    must(mdb_dbi_open(transaction, nullptr, MDB_CREATE | MDB_INTEGERKEY, &dbi_));
    must(mdb_txn_commit(transaction));
  }
  ~Environment() { mdb_env_close(env_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  void commit(size_t number, std::string_view bytes) {
    MDB_txn* transaction = nullptr;
    MDB_val key{sizeof number, &number}, value{bytes.size(), nullptr};
    must(mdb_txn_begin(env_, nullptr, 0, &transaction));
    must(mdb_put(transaction, dbi_, &key, &value, MDB_APPEND | MDB_RESERVE));
    bytes.copy(static_cast<char*>(value.mv_data), bytes.size());
    must(mdb_txn_commit(transaction));
  }
  size_t entries() const {
    MDB_stat stat{};
    must(mdb_env_stat(env_, &stat));
    return stat.ms_entries;
  }

 private:
  static void must(int code) { CHECK(code == 0, mdb_strerror(code)); }
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

struct Written {
  double facts = 0, secs = 0;
  std::vector<float> commit_us;
};

// Appends commits that hold at least `commit_bytes` or `commit_batches`, whichever comes first, until the time or the feed is
// over.
Result<Written> append_all(const Feed& feed, double secs, size_t commit_bytes, size_t commit_batches) {
  TempFolder folder;
  Written written;
  size_t volume = 0, in_volume = 0, number = 0, entries = 0, batch = 0;
  auto environment = std::make_unique<Environment>(folder.path() + "/0");
  std::string value;
  BatchBuilder builder;
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(secs * 1e9);
  while (now_ns() < until && batch < feed.batches()) {
    if (interrupted()) return interrupted_error();
    value.clear();
    for (size_t taken = 0; taken < commit_batches && value.size() < commit_bytes && batch < feed.batches(); ++taken) {
      add_frames(builder, feed.frames(batch++));
      value += builder.finish(scope, 16, {});
    }
    if (in_volume + value.size() > volume_bytes) {
      entries += environment->entries();
      environment = std::make_unique<Environment>(folder.path() + "/" + std::to_string(++volume));
      in_volume = 0;
    }
    const int64_t before = now_ns();
    environment->commit(number++, value);
    written.commit_us.push_back(static_cast<float>(now_ns() - before) / 1000.0f);
    in_volume += value.size() + 8'192;
  }
  written.secs = static_cast<double>(now_ns() - began) / 1e9;
  written.facts = static_cast<double>(batch * facts_of_batch);
  entries += environment->entries();
  if (entries != number) return fail(Code::data_loss, "LMDB holds {} commits of {}", entries, number);
  return written;
}

}  // namespace

Result<Figures> run_lmdb_raw(const Plan& plan) {
  const Feed& feed = plan.workload->feeds[0];
  const Written large = TRY(append_all(feed, plan.secs / 2, large_commit_bytes, SIZE_MAX));
  const Written small = TRY(append_all(feed, plan.secs / 2, SIZE_MAX, small_commit_batches));
  Figures figures;
  figures.add("facts_per_s", large.facts / large.secs);
  figures.add("ack_p50_us", quantile(large.commit_us, 0.5));
  figures.add("ack_p99_us", quantile(large.commit_us, 0.99));
  figures.add("facts", large.facts);
  figures.add("secs", large.secs);
  figures.add("facts_per_s_by_1000", small.facts / small.secs);
  figures.add("ack_by_1000_p50_us", quantile(small.commit_us, 0.5));
  figures.add("ack_by_1000_p99_us", quantile(small.commit_us, 0.99));
  return figures;
}

}  // namespace xundian::bench
