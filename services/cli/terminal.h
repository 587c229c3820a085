// What people see: tables whose columns line up also with Chinese in them, and a progress bar that only a terminal gets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/version.h"

namespace xundian::cli {

// Columns that a text takes on a terminal: wide letters two, combining ones none.
size_t width_of(std::string_view text);

class Table {
 public:
  // A heading that begins with '>' is set to the right.
  explicit Table(std::vector<std::string> headings);
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// A line on stderr that tells how far something is; nothing on a pipe.
class Progress {
 public:
  explicit Progress(std::string title);
  ~Progress();
  void show(uint64_t done, uint64_t all, std::string_view note = {});

 private:
  std::string title_;
  bool terminal_;
  bool shown_ = false;
  Millis shown_ms_ = 0;
};

std::string bytes_text(uint64_t bytes);
// "2026-11-11 01:30:00" in the machine's zone.
std::string local_time_text(int64_t seconds);

}  // namespace xundian::cli
