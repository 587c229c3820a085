// Rows of a table, whatever file they stand in; and what reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace xundian::intake {

struct Row {
  uint64_t line = 0;                    // Counts the lines of the file (of a workbook: the rows of the sheet) from 1.
  std::vector<std::string_view> cells;  // UTF-8; they hold until the next row is read.
  std::string fault;                    // Not empty: the row cannot be used, and why.
  bool spans_lines = false;             // A quoted line break stands in it.
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  // False at the end; then trouble() tells whether the file ended too early.
  virtual bool next(Row& row) = 0;
  // The last row, which spanned several lines, was none: reads on from its second line.
  virtual void tear() {}
  // Why the rows ended before the file's end, if they did.
  const std::optional<Error>& trouble() const { return trouble_; }
  // "utf-8", "utf-8-bom", "gb18030", "utf-16", "xlsx".
  virtual std::string encoding() const = 0;
  // Rows may leave out empty cells at their end.
  virtual bool short_rows() const { return false; }
  // What a date in digits counts from, in days since 1970-01-01: 1899-12-30 or, in some workbooks, 1904-01-01.
  virtual int32_t serial_epoch() const { return -25569; }
  // Bytes of the file on disk that were read.
  virtual uint64_t bytes_read() const = 0;

 protected:
  std::optional<Error> trouble_;
};

}  // namespace xundian::intake
