// A folder for a test's files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/error.h"

namespace xundian {

// Gone with all that is in it at the end of its scope.
class TempFolder {
 public:
  TempFolder() {
    char path[] = "/tmp/xd.XXXXXX";
    CHECK(mkdtemp(path) != nullptr, "no temporary folder");
    path_ = path;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace xundian
