// Any text is a configuration, every key of which can be asked for in every way, or an error with a line.
#include "common/config.h"

#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

void ask_all(ConfigTable& table, int depth) {
  for (const std::string& key : table.keys()) {
    std::string text;
    std::vector<std::string> texts;
    int64_t number = 0, small = 0, duration = 0;
    double real = 0;
    bool flag = false;
    table.get(key, text);
    table.get(key, texts);
    table.get(key, number);
    if (table.get(key, small, -5, 5)) CHECK(small >= -5 && small <= 5, "a number is outside of what was asked for");
    table.get(key, real);
    table.get(key, flag);
    table.get_duration(key, duration);
    CHECK(table.line_of(key) >= 0, "a key has no line");
    if (depth > 4) continue;
    if (const auto inner = table.table(key)) ask_all(*inner, depth + 1);
    for (ConfigTable& one : table.tables(key)) ask_all(one, depth + 1);
  }
}

}  // namespace
}  // namespace xundian::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  auto table = ConfigTable::parse(fuzz::as_text(data, size), "fuzz.toml");
  if (!table) {
    CHECK(table.error().message.starts_with("fuzz.toml:"), "an error names no line");
    return 0;
  }
  fuzz::ask_all(*table, 0);
  const auto complaints = table->finish();
  CHECK(table->done().has_value() == complaints.empty(), "complaints are no error");
  (void)nearest(fuzz::as_text(data, size).substr(0, 64), table->keys());
  return 0;
}
