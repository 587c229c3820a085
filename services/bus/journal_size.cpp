#include "services/bus/journal_size.h"

#include <dirent.h>
#include <sys/stat.h>

#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace xundian::bus {

namespace {

constexpr Millis look_again_ms = 10'000;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), &closedir);
  if (!listing) return names;
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

// What a file takes, or the files of a folder and of those below it.
struct Taken {
  uint64_t bytes = 0;
  bool is_folder = false;
};

Taken look_at(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) return {};  // Removed just now.
  if (!S_ISDIR(file.st_mode)) return {static_cast<uint64_t>(file.st_blocks) * 512, false};
  Taken taken{0, true};
  for (const std::string& name : names_in(path)) taken.bytes += look_at(fmt::format("{}/{}", path, name)).bytes;
  return taken;
}

}  // namespace

uint64_t JournalSize::bytes(Millis now_ms) {
  if (!looked_at_ || now_ms - *looked_at_ >= look_again_ms) {
    look();
    looked_at_ = now_ms;
  }
  return bytes_;
}

void JournalSize::look() {
  bytes_ = 0;
  std::map<std::string, uint64_t> volumes;
  for (const std::string& name : names_in(folder_)) {
    if (auto known = complete_.extract(name)) {
      bytes_ += known.mapped();
      volumes.insert(std::move(known));
      continue;
    }
    const Taken taken = look_at(fmt::format("{}/{}", folder_, name));
    bytes_ += taken.bytes;
    // What is being made or removed bears a dot.
    if (taken.is_folder && !name.starts_with('.')) volumes.emplace(name, taken.bytes);
  }
  if (!volumes.empty()) volumes.erase(std::prev(volumes.end()));  // It is being written.
  complete_ = std::move(volumes);
}

}  // namespace xundian::bus
