// Members of a zip file, read within limits. Their names are shown, never used as paths.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/intake/readers/byte_source.h"

namespace xundian::intake {

inline constexpr size_t archive_members_max = 1000;

// A zip on disk, or in memory where it was a member itself.
struct ArchiveInput {
  std::string path;
  std::string bytes;  // Used where path is empty.
  std::string name;   // For messages.
};

struct ArchiveMember {
  std::string name;  // UTF-8, all of it.
  std::string base;  // The last part of it.
};

// The members that are files, in the order of the archive. Fails on one that is no zip or has too many members.
Result<std::vector<ArchiveMember>> list_members(const ArchiveInput& input);

// Reads the members whose name `wanted` likes, one after the other. A member that is damaged or locked is told to `spoilt`, and
// the others go on; `each` fails only for what ends the whole import.
Result<void> read_members(const ArchiveInput& input, const std::function<bool(const ArchiveMember&)>& wanted,
                          const std::function<Result<void>(const ArchiveMember&, std::unique_ptr<ByteSource>)>& each,
                          const std::function<void(const ArchiveMember&, const std::string& why)>& spoilt);

}  // namespace xundian::intake
