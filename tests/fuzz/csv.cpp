// Any bytes are rows or a reason why not; a cell is never longer than its file made it.
#include "services/intake/readers/csv.h"

#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

class TextSource : public intake::ByteSource {
 public:
  TextSource(std::string_view text, size_t piece) : text_(text), piece_(piece) {}
  Result<size_t> read(char* to, size_t size) override {
    const size_t count = text_.substr(at_).copy(to, std::min(size, piece_));
    at_ += count;
    return count;
  }
  uint64_t consumed() const override { return at_; }

 private:
  std::string_view text_;
  size_t piece_, at_ = 0;
};

}  // namespace
}  // namespace xundian::fuzz

// The first byte says in what pieces the source comes, and whether rows over several lines are torn.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  if (size == 0) return 0;
  const std::string_view text = fuzz::as_text(data + 1, size - 1);
  const size_t piece = *data % 4 == 0 ? 1 + *data / 4 : SIZE_MAX;
  const bool tears = *data % 2 == 1;
  const auto reader = intake::CsvReader::open(std::make_unique<fuzz::TextSource>(text, piece), "fuzz.csv");
  if (!reader) return 0;
  intake::Row row;
  uint64_t line = 0;
  for (size_t rows = 0; (*reader)->next(row); ++rows) {
    CHECK(rows <= size, "there are more rows than bytes");
    CHECK(row.line >= line, "lines count backwards");
    line = row.line;
    size_t bytes = 0;
    for (const std::string_view cell : row.cells)
      bytes += cell.size() + (cell.empty() ? 0 : static_cast<size_t>(cell.back() & 1));
    CHECK(bytes <= 8 * size + 8, "a row is longer than its file");
    if (tears && row.spans_lines) (*reader)->tear();
  }
  CHECK(!(*reader)->encoding().empty(), "a text has no encoding");
  return 0;
}
