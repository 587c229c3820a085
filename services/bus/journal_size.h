// What a journal's folder takes on the disk. A volume that has another behind it never changes again and is looked at once; the
// last one, and whatever else lies there, every ten seconds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/version.h"

namespace xundian::bus {

class JournalSize {
 public:
  explicit JournalSize(std::string folder) : folder_(std::move(folder)) {}
  // As of ten seconds ago at most. `now_ms` never steps back.
  uint64_t bytes(Millis now_ms);

 private:
  void look();

  const std::string folder_;
  std::map<std::string, uint64_t> complete_;  // Volumes by their names, which sort as their positions do.
  uint64_t bytes_ = 0;
  std::optional<Millis> looked_at_;
};

}  // namespace xundian::bus
