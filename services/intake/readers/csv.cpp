#include "services/intake/readers/csv.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace xundian::intake {

namespace {

constexpr size_t chunk_bytes = 1u << 18;

}  // namespace

Result<std::unique_ptr<CsvReader>> CsvReader::open(std::unique_ptr<ByteSource> source, std::string_view name) {
  std::unique_ptr<CsvReader> reader(new CsvReader(std::move(source)));
  reader->fill();
  if (reader->trouble_ && reader->buffer_.empty()) return tl::unexpected<Error>(*reader->trouble_);
  const std::string_view head(reader->buffer_.data(), std::min<size_t>(reader->buffer_.size(), 4096));
  if (head.empty()) return fail(Code::invalid_argument, "{}: the file is empty; export it again", name);
  if (const std::string what = refuse_content(head); !what.empty())
    return fail(Code::invalid_argument, "{}: this is not a table but {}", name, what);
  if (const std::string_view order = guess_utf16(head); !order.empty()) {
    const bool marked = head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff");
    std::string read(reader->buffer_, marked ? 2 : 0);
    reader->buffer_.clear();
    reader->source_ = utf16_source(std::move(reader->source_), std::move(read), order == "be");
    reader->utf16_ = true;
    reader->fill();
  } else if (head.starts_with("\xef\xbb\xbf")) {
    reader->at_ = 3;
    reader->utf8_mark_ = true;
    reader->encoding_ = Encoding::utf8;
  }
  reader->find_delimiter();
  return reader;
}

// Reads more behind the unread bytes; false at the end of the file.
bool CsvReader::fill() {
  if (ended_) return false;
  const size_t keep_from = std::min(row_at_, at_);
  buffer_.erase(0, keep_from);
  at_ -= keep_from;
  row_at_ -= keep_from;
  const size_t before = buffer_.size();
  buffer_.resize(before + chunk_bytes);
  auto count = source_->read(buffer_.data() + before, chunk_bytes);
  buffer_.resize(before + (count ? *count : 0));
  if (!count) trouble_ = count.error();
  ended_ = !count || *count == 0;
  return !ended_;
}

// The candidate that stands equally often in most of the first lines.
void CsvReader::find_delimiter() {
  static constexpr std::array candidates = {',', '\t', ';'};
  std::array<std::vector<int>, candidates.size()> counts;
  std::array<int, candidates.size()> line{};
  bool in_quotes = false;
  for (size_t index = at_; index < buffer_.size() && counts[0].size() < 30; ++index) {
    const char c = buffer_[index];
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes) continue;
    for (size_t which = 0; which < candidates.size(); ++which) line[which] += c == candidates[which];
    if (c != '\n' && index + 1 != buffer_.size()) continue;
    for (size_t which = 0; which < candidates.size(); ++which) counts[which].push_back(std::exchange(line[which], 0));
  }
  int64_t best = 0;
  for (size_t which = 0; which < candidates.size(); ++which)
    for (const int count : counts[which]) {
      const int64_t score = int64_t{count} * std::count(counts[which].begin(), counts[which].end(), count);
      if (score > best) best = score, delimiter_ = candidates[which];
    }
}

bool CsvReader::next(Row& row) {
  for (;;) {
    row.cells.clear();
    row.fault.clear();
    if (at_ == buffer_.size() && !fill()) return false;
    row_at_ = at_;
    row_line_ = line_;
    const Scan how = scan(row);
    row.line = row_line_;
    row.spans_lines = row_lines_ > 1;
    if (how == Scan::too_long) {
      if (give_up_file(buffer_.size() - row_at_)) return false;
      give_up_line(row, "a quote opened on this line is not closed, or the row is longer than 1 MB");
      return true;
    }
    // Behind a torn file's last line break there is half a row.
    if (how == Scan::torn && trouble_) {
      at_ = buffer_.size();
      return false;
    }
    if (how == Scan::torn) {
      if (give_up_file(buffer_.size() - row_at_)) return false;
      give_up_line(row, "a quote opened on this line is not closed before the end of the file");
      return true;
    }
    if (row.cells.size() == 1 && row.cells[0].empty()) continue;
    decode(row, std::string_view(buffer_).substr(row_at_, at_ - row_at_));
    return true;
  }
}

CsvReader::Scan CsvReader::scan(Row& row) {
  for (;;) {
    const char* begin = buffer_.data() + at_;
    const char* end = buffer_.data() + buffer_.size();
    const char* behind = split(begin, end, row);
    if (behind != nullptr) {
      at_ = static_cast<size_t>(behind - buffer_.data());
      line_ += row_lines_;
      return Scan::whole;
    }
    if (static_cast<size_t>(end - begin) > row_bytes_max) return Scan::too_long;
    if (!fill()) return Scan::torn;
  }
}

// What stands between two quotes, behind the opening one; null if the closing one is not there.
const char* CsvReader::quoted(const char* p, const char* end, bool escaped_id, Row& row) {
  const char* from = p;
  const size_t scratch_from = scratch_.size();
  bool copied = false;
  for (;;) {
    const char* quote = static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(end - p)));
    if (quote == nullptr || (quote + 1 == end && !ended_)) return nullptr;
    const char* behind = quote + 1;
    const bool closes = behind == end || *behind == delimiter_ || *behind == '\n' || *behind == '\r';
    if (closes) {
      if (copied) scratch_.append(from, quote);
      row.cells.push_back(copied ? std::string_view(scratch_).substr(scratch_from)
                                 : std::string_view(from, static_cast<size_t>(quote - from)));
      const auto breaks = std::count(from, quote, '\n');
      row_lines_ += static_cast<uint64_t>(breaks);
      return behind;
    }
    // Two quotes stand for one; a quote amid the text, as careless writers leave it, for itself.
    copied = true;
    scratch_.append(from, behind);
    row_lines_ += static_cast<uint64_t>(std::count(from, behind, '\n'));
    p = from = behind + (*behind == '"' && !escaped_id ? 1 : 0);
    if (from > end) return nullptr;
  }
}

const char* CsvReader::split(const char* begin, const char* end, Row& row) {
  row.cells.clear();
  scratch_.clear();
  scratch_.reserve(static_cast<size_t>(end - begin));  // The cells point into it.
  row_lines_ = 0;
  const char* p = begin;
  for (;;) {
    const char* after = nullptr;
    if (p < end && *p == '"') {
      after = quoted(p + 1, end, false, row);
      if (after == nullptr) return nullptr;
    } else if (end - p >= 2 && p[0] == '=' && p[1] == '"') {  // ="35153131473293579", so that Excel leaves an id alone.
      after = quoted(p + 2, end, true, row);
      if (after == nullptr) return nullptr;
    } else {
      after = p;
      while (after < end && *after != delimiter_ && *after != '\n') ++after;
      const char* text_end = after;
      if (after < end && *after == '\n' && text_end > p && text_end[-1] == '\r') --text_end;
      row.cells.emplace_back(p, static_cast<size_t>(text_end - p));
    }
    if (after < end && *after == '\r' && after + 1 < end && after[1] == '\n')
      ++after;
    else if (after < end && *after == '\r')
      return after + 1 == end && !ended_ ? nullptr : (++row_lines_, after + 1);
    if (after == end) {
      if (!ended_ || trouble_) return nullptr;
      row_lines_ += 1;
      return end;
    }
    if (*after == '\n') {
      row_lines_ += 1;
      return after + 1;
    }
    p = after + 1;
  }
}

// The first line of what should have been a row is left out; the next is read as if it began a row.
void CsvReader::give_up_line(Row& row, std::string fault) {
  size_t line_end = buffer_.find('\n', row_at_);
  while (line_end == std::string::npos) {  // A line longer than what is in memory.
    row_at_ = at_ = buffer_.size();
    if (!fill()) break;
    line_end = buffer_.find('\n', row_at_);
  }
  row.cells.clear();
  row.fault = std::move(fault);
  row.spans_lines = false;
  at_ = line_end == std::string::npos ? buffer_.size() : line_end + 1;
  line_ = row_line_ + 1;
}

bool CsvReader::give_up_file(size_t bytes) {
  vain_bytes_ += bytes;
  if (vain_bytes_ <= vain_bytes_max) return false;
  trouble_ = Error{Code::invalid_argument,
                   fmt::format("line {}: too many quotes are opened and not closed; export it again", row_line_)};
  at_ = row_at_ = buffer_.size();
  ended_ = true;
  return true;
}

void CsvReader::tear() {
  if (give_up_file(at_ - row_at_)) return;
  Row ignored;
  give_up_line(ignored, {});
}

void CsvReader::decode(Row& row, std::string_view bytes) {
  if (!has_high_bytes(bytes)) return;
  if (encoding_ == Encoding::ascii) encoding_ = guess_encoding(std::string_view(buffer_).substr(row_at_));
  if (encoding_ == Encoding::utf8) {
    if (!valid_utf8(bytes)) row.fault = "bytes that are no UTF-8 stand in this row";
    if (utf16_ && bytes.find("\xef\xbf\xbd") != std::string_view::npos) row.fault = "bytes that are no UTF-16 stand in this row";
    return;
  }
  if (!gb18030_) gb18030_ = std::make_unique<Gb18030>();
  decoded_.clear();
  decoded_.reserve(bytes.size() * 3 + 16);  // The cells point into it.
  for (std::string_view& cell : row.cells) {
    if (!has_high_bytes(cell)) continue;
    const size_t from = decoded_.size();
    if (!gb18030_->append_utf8(cell, decoded_)) {
      row.fault = "bytes that are no GB18030 stand in this row";
      decoded_.resize(from);
      cell = {};
      continue;
    }
    cell = std::string_view(decoded_).substr(from);
  }
}

std::string CsvReader::encoding() const {
  if (utf16_) return "utf-16";
  if (utf8_mark_) return "utf-8-bom";
  return encoding_ == Encoding::gb18030 ? "gb18030" : "utf-8";
}

}  // namespace xundian::intake
