// The bus's configuration: the section [bus] of the file, and the flags that override it.
#pragma once

#include <optional>
#include <string>

#include "common/home.h"
#include "common/journal_redis.h"

namespace xundian::bus {

struct Config {
  // Stated = must agree with the home if that exists already.
  std::optional<Clock> clock;
  std::optional<uint32_t> partitions;
  std::optional<uint32_t> buses;
  std::optional<Engine> engine;
  size_t volume_bytes = 256u << 20;
  size_t credit_bytes = 64u << 20;
  // Neither socket nor host stated: the Redis that deploy/redis starts in the home, with its replica if it has one.
  RedisAddress redis;
  std::optional<uint32_t> redis_replicas;
  size_t redis_window_bytes = 64u << 20;
  int64_t redis_timeout_ms = 1000;

  HomeSettings wanted() const;
  // A home is what it was made as.
  Result<void> check(const Home& home) const;
  RedisOptions redis_options(const Home& home, uint32_t bus) const;
};

Result<Clock> parse_clock(std::string_view text);
// An empty path gives the defaults.
Result<Config> read_config(const std::string& path);
// As a file of that section, each key with what it means.
std::string print_config(const Config& config);

}  // namespace xundian::bus
