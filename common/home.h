// A home: the folder that holds a set of services' journal, snapshots, sockets and logs; and what was fixed when it was made.
#pragma once

#include <cstdint>
#include <string>

#include "common/error.h"
#include "common/journal.h"
#include "common/version.h"

namespace xundian {

enum class Clock { wall, facts };
// Where the journal lies: on this machine's disk, or in Redis.
enum class Engine { lmdb, redis };
const char* name_of(Engine engine);
Result<Engine> parse_engine(std::string_view text);

// Written once to `home.toml`.
struct HomeSettings {
  std::string id;  // 16 random bytes in hexadecimal.
  Clock clock = Clock::wall;
  Engine engine = Engine::lmdb;
  uint32_t partitions = 16;
  uint32_t buses = 1;  // Bus b of n keeps the partitions p with p mod n = b.
};

class Home {
 public:
  // The folder that XUNDIAN_HOME names, else ./var.
  static std::string folder_from_environment();
  // Makes the folder and its settings if they are not there; only the bus does that, with settings from its configuration.
  static Result<Home> make(const std::string& folder, HomeSettings wanted);
  // Opens one that was made; waits up to `wait_ms` for it to appear.
  static Result<Home> open(const std::string& folder, Millis wait_ms = 10'000);

  const HomeSettings& settings() const { return settings_; }
  const std::string& folder() const { return folder_; }
  std::string path(std::string_view below) const;
  std::string journal_folder(uint32_t bus) const;
  // The key of a bus's stream in Redis. What a cluster would hash is in braces: all keys of one bus lie in one slot.
  std::string journal_key(uint32_t bus) const;
  // "ipc://…/run/<name>". Fails to start where the path is longer than a socket's may be.
  std::string endpoint(std::string_view name) const;
  uint32_t bus_of(Partition partition) const { return partition % settings_.buses; }

 private:
  std::string folder_;
  HomeSettings settings_;
};

}  // namespace xundian
