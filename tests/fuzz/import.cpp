// A mapping and a table, both any text: facts that can be put, or reasons. Without a mapping those that are built in are asked.
#include "common/fact_view.h"
#include "common/hash.h"
#include "services/intake/importer.h"
#include "tests/fuzz/fuzz.h"

// The mapping, a zero byte, and the table.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  using namespace xundian::intake;
  std::string_view table = fuzz::as_text(data, size);
  const std::string_view mapping = fuzz::take_until(table, '\0');
  const fuzz::MemoryFile mapping_file(mapping), table_file(table);
  ImportOptions options;
  if (!mapping.empty()) options.mapping_path = mapping_file.path();
  options.buyer = [](std::string_view, std::string_view buyer) { return hash64(buyer); };
  options.name = "fuzz.csv";
  options.import_id = 7;
  uint64_t said = 0, rejected = 0;
  const auto say = [&](v1::Fact&& fact) {
    std::string frame;
    const auto framed = append_frame(frame, fact);
    CHECK(framed.has_value(), framed.error().message);
    v1::Fact again;
    CHECK(FactView(frame, 0, 0).parse_fact(again), "a fact that was imported cannot be read");
    ++said;
  };
  const auto reports = import_file(
      table_file.path(), options, say, [&](const Reject&) { ++rejected; }, [](const Progress&) {});
  if (!reports) return 0;
  uint64_t facts = 0;
  for (const FileReport& report : *reports) facts += report.facts;
  CHECK(facts == said, "the report counts other facts than were said");
  return 0;
}
