// One table, from the search for its header to the last fact.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/intake/formats/books.h"
#include "services/intake/importer.h"

namespace xundian::intake {

struct TableSinks {
  std::function<void(v1::Fact&&)> say;
  std::function<void(const Reject&)> reject;
  std::function<void(uint64_t bytes_read, uint64_t rows)> progress;
};

class TableImport {
 public:
  // `name` is what reports call the table; `file_name` may tell when it was exported.
  TableImport(RowReader& reader, std::string name, std::string file_name, const ImportOptions& options,
              const std::vector<const Mapping*>& candidates, const TableSinks& sinks);
  ~TableImport();
  Result<FileReport> run();

 private:
  struct KeptRow {
    uint64_t line = 0;
    std::string fault;
    std::vector<std::string> cells;
  };
  struct Choice {
    const Mapping* mapping = nullptr;
    size_t row = 0;
    size_t score = 0;
  };

  Result<void> find_header();
  void offer(const Mapping& mapping, size_t row, const Header& header, Choice& best) const;
  tl::unexpected<Error> unknown_header() const;
  Result<void> bind_header(const std::vector<std::string_view>& cells);
  Result<void> open();
  Millis written_export_time(size_t header_row) const;
  void take(Row& row, bool live);
  bool is_header(const Row& row) const;
  bool is_total(const Row& row) const;
  // Why the row does not fit its header; empty = it does.
  std::string misfit(const Row& row) const;
  void import_row(const Row& row);
  Result<const std::string*> store_of();
  void reject_row(const Row& row, std::string column, const std::string& reason, bool aligned);
  Result<void> finish();

  RowReader& reader_;
  std::string name_, file_name_;
  const ImportOptions& options_;
  const std::vector<const Mapping*>& candidates_;
  const TableSinks& sinks_;

  std::vector<KeptRow> first_rows_;  // As far as the header may stand.
  const Mapping* mapping_ = nullptr;
  size_t header_row_ = 0;
  Header header_;
  std::string header_fault_;  // A second header that cannot be used: the rows below it cannot either.
  absl::flat_hash_set<std::string> known_names_;
  std::vector<BoundRecord> records_;
  std::vector<int> store_columns_, store_name_columns_;
  std::optional<TimeParser> times_;
  std::optional<RowView> view_;
  TableFrame frame_;
  std::map<RecordKind, std::unique_ptr<Book>> books_;
  absl::flat_hash_set<std::string> stores_;
  std::string store_, store_text_;  // The last row's store, and as the row wrote it.
  FileReport report_;
};

}  // namespace xundian::intake
