// The file that says which rows of an import were rejected, and why.
#pragma once

#include <cstdio>
#include <string>

#include "common/error.h"
#include "services/intake/importer.h"

namespace xundian::intake {

// Made with the first reject, for its owner's eyes alone. A cell that a spreadsheet would take for a formula is made a text.
class RejectsFile {
 public:
  explicit RejectsFile(std::string path) : path_(std::move(path)) {}
  ~RejectsFile();
  RejectsFile(const RejectsFile&) = delete;
  RejectsFile& operator=(const RejectsFile&) = delete;
  void add(const Reject& reject);
  // Closes the file; fails if anything could not be written.
  Result<void> close();
  bool made() const { return made_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
  bool made_ = false;
  std::string problem_;
};

}  // namespace xundian::intake
