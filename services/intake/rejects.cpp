#include "services/intake/rejects.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xundian::intake {

namespace {

void append_cell(std::string& line, std::string_view text) {
  const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  if (quoted) line += '"';
  if (formula) line += '\'';
  for (const char c : text) {
    if (c == '"') line += '"';
    line += c;
  }
  if (quoted) line += '"';
}

}  // namespace

RejectsFile::~RejectsFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void RejectsFile::add(const Reject& reject) {
  if (!problem_.empty()) return;
  if (!made_) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    file_ = file < 0 ? nullptr : ::fdopen(file, "w");
    made_ = file_ != nullptr;
    if (!made_) {
      problem_ = std::strerror(errno);
      return;
    }
    std::fputs("file,line,column,reason,row\n", file_);
  }
  std::string line;
  append_cell(line, reject.file);
  line += fmt::format(",{},", reject.line);
  append_cell(line, reject.column);
  line += ',';
  append_cell(line, reject.reason);
  line += ',';
  append_cell(line, reject.row);
  line += '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size()) problem_ = std::strerror(errno);
}

Result<void> RejectsFile::close() {
  if (file_ != nullptr && std::fclose(std::exchange(file_, nullptr)) != 0 && problem_.empty()) problem_ = std::strerror(errno);
  if (!problem_.empty()) return fail(Code::internal, "the rejected rows cannot be written to {}: {}", path_, problem_);
  return {};
}

}  // namespace xundian::intake
