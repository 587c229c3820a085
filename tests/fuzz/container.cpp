// Files by their first bytes: plain, gzip, zip. All are read within the limits, or refused.
#include "services/intake/readers/archive.h"
#include "services/intake/readers/byte_source.h"
#include "services/intake/readers/xlsx.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  using namespace xundian::intake;
  const fuzz::MemoryFile file(fuzz::as_text(data, size));
  auto opened = open_bytes(file.path(), "fuzz");
  if (!opened) return 0;
  CHECK(opened->bytes == size, "a file has another size than it has");
  if (opened->container != Container::zip) {
    const auto bytes = read_all(*opened->source);
    CHECK(!bytes || opened->container != Container::plain || bytes->size() == size, "a plain file is read in part");
    return 0;
  }
  const ArchiveInput input{file.path(), {}, "fuzz.zip"};
  const auto members = list_members(input);
  if (!members) return 0;
  CHECK(members->size() <= archive_members_max, "an archive has too many members");
  if (is_workbook(*members)) return (void)open_workbook(input), 0;
  uint64_t inflated = 0;
  const auto each = [&](const ArchiveMember&, std::unique_ptr<ByteSource> source) -> Result<void> {
    if (const auto bytes = read_all(*source)) inflated += bytes->size();
    return {};
  };
  (void)read_members(
      input, [](const ArchiveMember&) { return true; }, each, [](const ArchiveMember&, const std::string&) {});
  CHECK(inflated <= inflated_bytes_max, "an archive inflates to more than it may");
  return 0;
}
