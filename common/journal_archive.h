// Commits that were durable elsewhere first, copied into volumes as the embedded journal has them; so its reader reads them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/lmdb_volume.h"

namespace xundian {

class Archive {
 public:
  struct Item {
    Position position = 0;
    std::string_view commit;
    bool begins_volume = false;
  };

  // The folder is there, and nobody else writes in it. `volume_bytes`: about what the commits of one volume take.
  static Result<std::unique_ptr<Archive>> open(const std::string& folder, size_t volume_bytes);

  bool empty() const { return volumes_.empty(); }
  // Behind the last commit; 0 of an empty one, which begins anywhere.
  Position next() const { return next_; }
  Position first() const { return volumes_.empty() ? 0 : volumes_.front(); }
  // Adds commits that follow each other and what is there; durable when it returns. After an error it must not be used again.
  Result<void> append(std::span<const Item> items);
  // Removes the volumes that hold nothing at or behind `position`; the last one stays.
  Result<void> trim(Position position);

 private:
  Archive(std::string folder, size_t volume_bytes) : folder_(std::move(folder)), volume_bytes_(volume_bytes) {}
  Result<void> begin_volume(const Item& first);
  Result<void> append_to_volume(std::span<const Item> items);

  std::string folder_;
  size_t volume_bytes_;
  std::vector<Position> volumes_;
  std::unique_ptr<Volume> volume_;
  Position next_ = 0;
};

}  // namespace xundian
