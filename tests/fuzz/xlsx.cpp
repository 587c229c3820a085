// The parts of a workbook, whatever stands in them, become rows or a reason why not, and not more than such a file may become.
#include "services/intake/readers/xlsx.h"

#include <archive.h>
#include <archive_entry.h>

#include "tests/fuzz/fuzz.h"

namespace xundian::fuzz {
namespace {

// Stored, so that what is between the parts is right and the fuzzer's bytes reach the reader.
std::string zip_of(std::initializer_list<std::pair<const char*, std::string_view>> parts) {
  std::string bytes(64 << 10, '\0');
  for (const auto& [name, text] : parts) bytes.resize(bytes.size() + text.size());
  size_t used = 0;
  archive* zip = archive_write_new();
  archive_write_set_format_zip(zip);
  archive_write_zip_set_compression_store(zip);
  CHECK(archive_write_open_memory(zip, bytes.data(), bytes.size(), &used) == ARCHIVE_OK, "no zip can be written");
  for (const auto& [name, text] : parts) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(zip, entry);
    archive_write_data(zip, text.data(), text.size());
    archive_entry_free(entry);
  }
  archive_write_free(zip);
  bytes.resize(used);
  return bytes;
}

}  // namespace
}  // namespace xundian::fuzz

// The workbook, its relations, the shared texts and a sheet, with a zero byte between them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  std::string_view rest = fuzz::as_text(data, size);
  const std::string_view book = fuzz::take_until(rest, '\0'), relations = fuzz::take_until(rest, '\0'),
                         strings = fuzz::take_until(rest, '\0');
  const std::string bytes = fuzz::zip_of({{"xl/workbook.xml", book},
                                          {"xl/_rels/workbook.xml.rels", relations},
                                          {"xl/sharedStrings.xml", strings},
                                          {"xl/worksheets/sheet1.xml", rest}});
  auto sheets = intake::open_workbook({{}, bytes, "fuzz.xlsx"});
  if (!sheets) return 0;
  for (const intake::Sheet& sheet : *sheets) {
    intake::Row row;
    uint64_t bytes_all = 0;
    for (size_t rows = 0; sheet.rows->next(row); ++rows) {
      CHECK(rows <= size, "there are more rows than bytes");
      for (const std::string_view cell : row.cells) bytes_all += cell.size();
    }
    CHECK(bytes_all <= intake::inflated_bytes_max, "the cells of a sheet come to more than they may");
  }
  return 0;
}
