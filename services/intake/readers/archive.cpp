#include "services/intake/readers/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>

#include "services/intake/readers/encoding.h"

namespace xundian::intake {

namespace {

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

struct Totals {
  uint64_t packed = 0;    // Bytes of the whole archive.
  uint64_t inflated = 0;  // Of all members so far.
};

// The library does not always say why.
const char* why(archive* zip) {
  const char* text = archive_error_string(zip);
  return text != nullptr ? text : "unreadable";
}

Result<Archive> open_archive(const ArchiveInput& input) {
  Archive zip(archive_read_new(), &archive_read_free);
  archive_read_support_format_zip(zip.get());
  const int code = input.path.empty() ? archive_read_open_memory(zip.get(), input.bytes.data(), input.bytes.size())
                                      : archive_read_open_filename(zip.get(), input.path.c_str(), 1 << 16);
  if (code != ARCHIVE_OK)
    return fail(Code::invalid_argument, "{}: the zip cannot be read ({}); transfer the file again", input.name, why(zip.get()));
  return zip;
}

// Chinese Windows writes names in GBK.
ArchiveMember member_of(archive_entry* entry, size_t index) {
  const char* raw = archive_entry_pathname(entry);
  ArchiveMember member{raw != nullptr ? raw : "", {}};
  std::string utf8;
  if (!valid_utf8(member.name)) member.name = Gb18030().append_utf8(member.name, utf8) ? utf8 : "";
  if (member.name.empty()) member.name = fmt::format("member {}", index + 1);
  member.base = member.name.substr(member.name.find_last_of("/\\") + 1);
  return member;
}

class MemberSource : public ByteSource {
 public:
  MemberSource(archive* zip, std::string name, Totals& totals) : zip_(zip), name_(std::move(name)), totals_(totals) {}
  Result<size_t> read(char* to, size_t size) override {
    const la_ssize_t count = archive_read_data(zip_, to, size);
    if (count < 0) {
      return fail(Code::data_loss, "{}: this member of the zip is damaged or locked ({})", name_, why(zip_));
    }
    totals_.inflated += static_cast<uint64_t>(count);
    TRY_VOID(check_inflated(name_, totals_.packed, totals_.inflated));
    return static_cast<size_t>(count);
  }
  uint64_t consumed() const override { return static_cast<uint64_t>(std::max<la_int64_t>(archive_filter_bytes(zip_, -1), 0)); }

 private:
  archive* zip_;
  std::string name_;
  Totals& totals_;
};

uint64_t packed_bytes(const ArchiveInput& input) {
  if (input.path.empty()) return input.bytes.size();
  std::error_code ignored;
  return std::filesystem::file_size(input.path, ignored);
}

bool is_file(archive_entry* entry) { return archive_entry_filetype(entry) == AE_IFREG; }

}  // namespace

Result<std::vector<ArchiveMember>> list_members(const ArchiveInput& input) {
  std::vector<ArchiveMember> members;
  const Archive zip = TRY(open_archive(input));
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = archive_read_next_header(zip.get(), &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
    if (members.size() == archive_members_max)
      return fail(Code::resource_exhausted, "{}: holds more than {} files; unpack it and import them in parts", input.name,
                  archive_members_max);
    if (is_file(entry)) members.push_back(member_of(entry, members.size()));
  }
  if (code != ARCHIVE_EOF && members.empty())
    return fail(Code::invalid_argument, "{}: the zip is damaged ({}); transfer the file again", input.name, why(zip.get()));
  return members;
}

Result<void> read_members(const ArchiveInput& input, const std::function<bool(const ArchiveMember&)>& wanted,
                          const std::function<Result<void>(const ArchiveMember&, std::unique_ptr<ByteSource>)>& each,
                          const std::function<void(const ArchiveMember&, const std::string& why)>& spoilt) {
  Archive zip = TRY(open_archive(input));
  Totals totals{packed_bytes(input), 0};
  archive_entry* entry = nullptr;
  for (size_t index = 0;; ++index) {
    const int code = archive_read_next_header(zip.get(), &entry);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      spoilt({input.name, input.name},
             fmt::format("the zip is damaged behind member {} ({}); transfer the file again", index, why(zip.get())));
      return {};
    }
    if (index >= archive_members_max)
      return fail(Code::resource_exhausted, "{}: holds more than {} files; unpack it and import them in parts", input.name,
                  archive_members_max);
    if (!is_file(entry)) continue;
    const ArchiveMember member = member_of(entry, index);
    if (!wanted(member)) continue;
    if (archive_entry_is_encrypted(entry)) {
      spoilt(member, "this member of the zip is locked by a password; unpack it and import what is in it");
      continue;
    }
    if (archive_entry_size_is_set(entry))
      TRY_VOID(check_inflated(member.base, totals.packed, totals.inflated + static_cast<uint64_t>(archive_entry_size(entry))));
    TRY_VOID(each(member, std::make_unique<MemberSource>(zip.get(), fmt::format("{}/{}", input.name, member.base), totals)));
  }
}

}  // namespace xundian::intake
