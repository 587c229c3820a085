// A volume of a journal on disk: a folder named by its first position, in it one LMDB environment with one database.
#pragma once

#include <lmdb.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "common/journal.h"

namespace xundian {

// What a code of LMDB or of the system means for us, and what was being done.
tl::unexpected<Error> lmdb_failed(int code, std::string_view what);

// "folder/0000000000000a41"
std::string volume_path(const std::string& folder, Position first);
// The first positions of the volumes, in order; Code::not_found if there is no folder.
Result<std::vector<Position>> list_volumes(const std::string& folder);
// Makes an empty volume that holds `map_bytes` at most; it appears whole, or not at all.
Result<void> make_volume(const std::string& folder, Position first, size_t map_bytes);
// Takes a volume away: it disappears at once and is deleted then.
Result<void> remove_volume(const std::string& folder, Position first);
// Removes what a crash left behind in the middle of either.
void sweep_volumes(const std::string& folder);
// Makes names in a folder durable.
Result<void> sync_folder(const std::string& folder);

// An open volume. All who open one in this process share its environment, because LMDB bears one environment per file and process
// only. Not across fork: in a child it must not be used, and is not closed.
class Volume {
 public:
  static Result<std::unique_ptr<Volume>> open(const std::string& folder, Position first);
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  Position first() const { return first_; }
  MDB_env* env() const;
  MDB_dbi dbi() const;
  // Whether the folder still holds this volume, not another or none.
  bool is_there() const;
  // What the file takes so far.
  size_t used_bytes() const;
  // Behind the last position in it; its first one if it is empty.
  Result<Position> next() const;

 private:
  struct Environment;
  struct Registry;
  Volume(Environment* environment, std::string path, Position first)
      : environment_(environment), path_(std::move(path)), first_(first) {}

  Environment* environment_;
  std::string path_;
  Position first_;
};

// A read transaction and a cursor in it; ends with its scope.
class VolumeCursor {
 public:
  explicit VolumeCursor(const Volume& volume);
  ~VolumeCursor();
  VolumeCursor(const VolumeCursor&) = delete;
  VolumeCursor& operator=(const VolumeCursor&) = delete;

  // Goes to the first commit at or behind `position`, to the next, to the last. False: there is none.
  Result<bool> find(Position position);
  Result<bool> step();
  Result<bool> find_last();
  Position position() const { return position_; }
  std::string_view bytes() const { return {static_cast<const char*>(value_.mv_data), value_.mv_size}; }

 private:
  Result<bool> get(MDB_cursor_op operation);

  MDB_txn* transaction_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  int failed_ = 0;
  Position position_ = 0;
  MDB_val value_{};
};

}  // namespace xundian
