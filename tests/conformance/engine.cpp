#include "tests/conformance/engine.h"

namespace xundian {

std::string make_batch(Partition partition, Offset base, uint32_t count, uint64_t seed, size_t fact_bytes) {
  constexpr uint32_t partitions_of_scopes = 1;  // The scope does not matter here; the header says the partition.
  BatchBuilder builder;
  for (uint32_t index = 0; index < count; ++index) {
    v1::Fact fact;
    fact.set_store("s" + std::to_string(seed));
    fact.set_key("k" + std::to_string(base + index));
    fact.set_as_of_ms(1 + static_cast<int64_t>(seed));
    fact.mutable_stock_level()->mutable_count()->set_on_hand_units(static_cast<int64_t>(seed * 31 + index));
    fact.set_source(std::string(fact_bytes, static_cast<char>('a' + seed % 26)));
    CHECK(builder.add(fact).has_value(), "the fact is good");
  }
  BatchHeader header;
  header.producer = 7;
  header.sequence = seed;
  header.time_ms = static_cast<Millis>(seed);
  std::string batch = builder.finish("t/g", partitions_of_scopes, header);
  header = BatchView::trust(batch).header();
  header.partition = partition;
  header.base = base;
  write_header(batch, header);
  return batch;
}

Result<Position> Appender::append(const std::vector<uint32_t>& counts, size_t fact_bytes) {
  const Heads before = heads;
  std::vector<std::string> batches;
  for (size_t index = 0; index < counts.size(); ++index) {
    if (counts[index] == 0) continue;
    batches.push_back(make_batch(static_cast<Partition>(index), heads[index], counts[index], seed++, fact_bytes));
    heads[index] += counts[index];
  }
  const std::vector<std::string_view> views(batches.begin(), batches.end());
  commits.push_back(make_commit(before, views));
  return writer_.append(before, views);
}

std::vector<std::string> read_all(JournalReader& reader, Position from, size_t bytes_max) {
  std::vector<std::string> commits;
  for (Position position = from;;) {
    const auto next = reader.read(position, bytes_max, [&](const CommitView& commit) {
      EXPECT_EQ(commit.position(), from + commits.size());
      commits.emplace_back(commit.bytes());
      return true;
    });
    EXPECT_TRUE(next) << next.error().message;
    if (!next || *next == position) return commits;
    position = *next;
    EXPECT_EQ(position, from + commits.size());
  }
}

}  // namespace xundian
