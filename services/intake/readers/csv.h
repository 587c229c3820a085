// Comma-separated text (RFC 4180, and what Excel and the platforms make of it), read in a stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "services/intake/readers/byte_source.h"
#include "services/intake/readers/encoding.h"
#include "services/intake/readers/row.h"

namespace xundian::intake {

inline constexpr size_t row_bytes_max = 1u << 20;
// So much may be read in vain, behind quotes that do not close, before the file is given up: each such line may cost a megabyte.
inline constexpr uint64_t vain_bytes_max = 256u << 20;

class CsvReader : public RowReader {
 public:
  // Takes a source of text; one whose first bytes are no text is an error.
  static Result<std::unique_ptr<CsvReader>> open(std::unique_ptr<ByteSource> source, std::string_view name);

  bool next(Row& row) override;
  void tear() override;
  std::string encoding() const override;
  uint64_t bytes_read() const override { return source_->consumed(); }
  char delimiter() const { return delimiter_; }

 private:
  explicit CsvReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  bool fill();
  void find_delimiter();
  // How the row at the front of the unread bytes ends.
  enum class Scan { whole, torn, too_long };
  Scan scan(Row& row);
  // Parses the row at `begin`; null if it does not end before `end`.
  const char* split(const char* begin, const char* end, Row& row);
  const char* quoted(const char* p, const char* end, bool escaped_id, Row& row);
  void give_up_line(Row& row, std::string fault);
  // Whether `bytes` more were read in vain and it is enough; then the rows end, with trouble.
  bool give_up_file(size_t bytes);
  void decode(Row& row, std::string_view bytes);

  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t at_ = 0;           // What was read up to here.
  size_t row_at_ = 0;       // Where the last row began.
  uint64_t line_ = 1;       // The line at at_.
  uint64_t row_line_ = 1;   // The line on which the last row began.
  uint64_t row_lines_ = 0;  // Line breaks in the row that was split.
  uint64_t vain_bytes_ = 0;
  bool ended_ = false;
  char delimiter_ = ',';
  bool utf8_mark_ = false, utf16_ = false;
  Encoding encoding_ = Encoding::ascii;
  std::unique_ptr<Gb18030> gb18030_;
  std::string scratch_;  // Cells that differ from the bytes in the buffer.
  std::string decoded_;
};

}  // namespace xundian::intake
