// Configuration: TOML files read into structs; a key that nobody asked for is an error that names the nearest one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace xundian {

// One table of a TOML file, read key by key. `finish` refuses what was not read. Errors name file, line and key.
class ConfigTable {
 public:
  static Result<ConfigTable> read_file(const std::string& path);
  // The file that all services share, a section for each. What stands outside them is refused here, as no service looks at it.
  static Result<ConfigTable> read_services(const std::string& path);
  static Result<ConfigTable> parse(std::string_view text, std::string_view name);

  // Each returns whether the key is there; a wrong type or range is remembered as an error.
  bool get(std::string_view key, std::string& value);
  bool get(std::string_view key, int64_t& value, int64_t low = INT64_MIN, int64_t high = INT64_MAX);
  bool get(std::string_view key, double& value);
  bool get(std::string_view key, bool& value);
  bool get(std::string_view key, std::vector<std::string>& value);
  // Durations are written with a unit: "30s", "5m", "2h", "100ms", "7d".
  bool get_duration(std::string_view key, int64_t& milliseconds);
  // A table's table; null if absent.
  std::unique_ptr<ConfigTable> table(std::string_view key);
  // An array of tables ([[rule]]).
  std::vector<ConfigTable> tables(std::string_view key);
  // All keys of this table, read or not.
  std::vector<std::string> keys() const;
  int line() const;
  int line_of(std::string_view key) const;
  // Says a reader's own complaint about a key, with file and line.
  void complain(std::string_view key, const std::string& why);

  // All that was wrong, in the order of the lines; empty = nothing. Call after everything was read.
  struct Complaint {
    int line = 0;
    std::string key;
    std::string why;
  };
  std::vector<Complaint> finish();
  // The same as one error.
  Result<void> done();

  ConfigTable(ConfigTable&&) noexcept;
  ConfigTable& operator=(ConfigTable&&) noexcept;
  ~ConfigTable();

 private:
  struct Impl;
  explicit ConfigTable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The one of `names` that is most like `name`; empty if none is near.
std::string nearest(std::string_view name, const std::vector<std::string>& names);

}  // namespace xundian
