// The bus's configuration: the section [bus] of the file, and the flags that override it.
#pragma once

#include <optional>
#include <string>

#include "common/home.h"

namespace xundian::bus {

struct Config {
  // Stated = must agree with the home if that exists already.
  std::optional<Clock> clock;
  std::optional<uint32_t> partitions;
  std::optional<uint32_t> buses;
  size_t volume_bytes = 256u << 20;
  size_t credit_bytes = 64u << 20;

  HomeSettings wanted() const;
  // A home is what it was made as.
  Result<void> check(const Home& home) const;
};

Result<Clock> parse_clock(std::string_view text);
// An empty path gives the defaults.
Result<Config> read_config(const std::string& path);
// As a file of that section, each key with what it means.
std::string print_config(const Config& config);

}  // namespace xundian::bus
