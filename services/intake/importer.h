// The door of Xundian: reads a file that a platform exported and says the facts that stand in it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "xundian/facts/v1/fact.pb.h"

namespace xundian::intake {

namespace v1 = facts::v1;

struct ImportOptions {
  std::string format;        // "taobao.order_list"; empty = by the columns.
  std::string mapping_path;  // A mapping of one's own; empty = those that are built in.
  std::string store;         // Empty = as the file says.
  // The buyer's hash, made of the platform and the platform's own buyer id.
  std::function<uint64_t(std::string_view platform, std::string_view buyer)> buyer;
  uint32_t buyer_key_id = 0;
  uint64_t import_id = 0;
  std::string name;  // The file's name as its sender knows it; empty = the last part of the path.
};

// A row that could not be used, or a place where a file is damaged.
struct Reject {
  std::string file;
  uint64_t line = 0;
  std::string column;  // Empty = the whole row.
  std::string reason;
  std::string row;  // As CSV, personal columns masked.
};

struct FileReport {
  std::string file, format, encoding;
  uint64_t rows = 0;  // Below the header.
  uint64_t facts = 0;
  uint64_t rejected = 0;
  uint64_t skipped = 0;   // Rows that are read and say no fact: totals, and what the mapping leaves out.
  bool complete = false;  // The mapping says: what is not in the file is no longer there.
};

struct Progress {
  uint64_t bytes_done = 0, bytes_all = 0, rows = 0;
};

// Reads one file; a zip or a workbook may hold several tables, with one report each. Says every fact, first the StoreState of
// each store that the file speaks of. A file that cannot be used at all is an error that says why and what to do; then what was
// said before is to be dropped.
Result<std::vector<FileReport>> import_file(const std::string& path, const ImportOptions& options,
                                            const std::function<void(v1::Fact&&)>& say,
                                            const std::function<void(const Reject&)>& reject,
                                            const std::function<void(const Progress&)>& progress);

// The formats that are built in, in the order of their names.
std::vector<std::string> known_formats();

}  // namespace xundian::intake
