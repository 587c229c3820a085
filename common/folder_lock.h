// The one who may write in a folder. Held as long as the process lives; the file stays, with the holder's process id in it.
#pragma once

#include <string>

#include "common/error.h"

namespace xundian {

class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Code::failed_precondition names the process that holds it.
  Result<void> take(const std::string& folder);

 private:
  std::string holder() const;

  int fd_ = -1;
};

// Makes the journal's folder if it is not there, durably; refuses a network disk, where locks and maps do not hold what they
// promise.
Result<void> make_journal_folder(const std::string& folder);

}  // namespace xundian
