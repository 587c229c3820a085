// A commit of a journal is whatever lies on the disk: it is opened and walked, or refused with a reason. What was found whole is
// walked the same way when it is trusted.
#include "common/journal.h"
#include "common/order_scan.h"
#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

// The lengths stay as they are; the crcs are made right, so that what lies behind them is reached.
std::string mended(std::string_view bytes) {
  std::string commit(bytes);
  if (commit.size() < 16) return commit;
  const auto partitions = load<uint32_t>(commit.data() + 8);
  const size_t head = 16 + 8 * size_t{partitions};
  if (head > commit.size()) return commit;
  store(commit.data() + 4, crc32c({commit.data() + 8, head - 8}));
  for (size_t at = head; at + sizeof(BatchHeader) <= commit.size();) {
    auto header = load<BatchHeader>(commit.data() + at);
    if (header.bytes < sizeof header + header.scope_bytes || header.bytes > commit.size() - at) break;
    const std::string_view batch(commit.data() + at, header.bytes);
    header.group = group_hash(batch.substr(sizeof header, header.scope_bytes));
    header.payload_crc = crc32c(batch.substr(sizeof header));
    write_header({commit.data() + at, header.bytes}, header);
    at += header.bytes;
  }
  return commit;
}

uint64_t look_at(const FactView& fact) {
  uint64_t seen = fact.kind() + fact.payload().size() + fact.store_id().size() + fact.key_text().size() + fact.source().size() +
                  fact.import_id();
  for (uint32_t aspect = 0; aspect < 32; ++aspect)
    if (aspect != lines_aspect && fact.states(aspect)) seen += fact.version(aspect).digest;
  for (uint32_t line = 0; line < fact.line_count(); ++line) seen += fact.line_id(line) + fact.line_version(line).digest;
  OrderScan scan;
  seen += scan.scan(fact);
  return seen;
}

// What a walk came across; absent where it ended in an error.
std::optional<uint64_t> walk(const CommitView& commit, bool trusted) {
  uint64_t seen = 0;
  bool whole = true;
  const auto walked = commit.for_each_batch(trusted, [&](const BatchView& batch) {
    seen += batch.runs().size() + batch.scope().size() + batch.payload().size();
    const auto facts = batch.for_each(
        [](Kind) { return true; }, [&](std::string_view frame, Offset offset) { seen += look_at(FactView(frame, offset, 0)); });
    whole = whole && facts.has_value();
  });
  return walked && whole ? std::optional(seen) : std::nullopt;
}

}  // namespace
}  // namespace xundian::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  std::string_view bytes = fuzz::as_text(data, size);
  if (bytes.empty()) return 0;
  const bool mend = bytes.front() % 2 == 0;
  bytes.remove_prefix(1);
  const std::string owned = mend ? fuzz::mended(bytes) : std::string(bytes);
  const auto commit = CommitView::open(7, owned);
  if (!commit) return 0;
  CHECK(commit->heads_before().size() == commit->partitions(), "a commit has other heads than it says");
  if (const auto seen = fuzz::walk(*commit, false))
    CHECK(fuzz::walk(*commit, true) == seen, "a whole commit is read otherwise when it is trusted");
  return 0;
}
