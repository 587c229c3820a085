#include "services/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "common/clock.h"

namespace xundian::cli {

namespace {

// The next code point; broken bytes count as one each.
uint32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<uint8_t>(text.front());
  size_t size = first >= 0xf8 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  for (size_t index = 1; index < size; ++index)
    if (index >= text.size() || (static_cast<uint8_t>(text[index]) & 0xc0) != 0x80) size = 1;
  uint32_t point = size == 1 ? first : first & (0xffu >> (size + 1));
  for (size_t index = 1; index < size; ++index) point = point << 6 | (static_cast<uint8_t>(text[index]) & 0x3f);
  text.remove_prefix(size);
  return point;
}

bool is_wide(uint32_t point) {
  return (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0x303e) || (point >= 0x3041 && point <= 0xa4cf) ||
         (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) || (point >= 0xfe30 && point <= 0xfe6f) ||
         (point >= 0xff00 && point <= 0xff60) || (point >= 0xffe0 && point <= 0xffe6) || (point >= 0x1f300 && point <= 0x1f9ff) ||
         (point >= 0x20000 && point <= 0x3fffd);
}

bool is_zero_wide(uint32_t point) {
  return point < 0x20 || (point >= 0x300 && point <= 0x36f) || (point >= 0x200b && point <= 0x200f) ||
         (point >= 0xfe00 && point <= 0xfe0f);
}

}  // namespace

size_t width_of(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const uint32_t point = take_code_point(text);
    width += is_zero_wide(point) ? 0 : is_wide(point) ? 2 : 1;
  }
  return width;
}

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    right_.push_back(heading.starts_with('>'));
    if (right_.back()) heading.erase(0, 1);
  }
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(width_of(heading));
  for (const auto& row : rows_)
    for (size_t index = 0; index < row.size() && index < widths.size(); ++index)
      widths[index] = std::max(widths[index], width_of(row[index]));
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (size_t index = 0; index < cells.size() && index < widths.size(); ++index) {
      const std::string fill(widths[index] - width_of(cells[index]), ' ');
      if (index > 0) out += "  ";
      out += right_[index] ? fill + cells[index] : cells[index] + fill;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  line(headings_);
  for (const auto& row : rows_) line(row);
  return text;
}

Progress::Progress(std::string title) : title_(std::move(title)), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::show(uint64_t done, uint64_t all, std::string_view note) {
  if (!terminal_ || (shown_ && done < all && steady_ms() - shown_ms_ < 100)) return;
  shown_ms_ = steady_ms();
  shown_ = true;
  constexpr uint64_t cells = 30;
  const uint64_t full = all == 0 ? 0 : std::min(done, all) * cells / all;
  std::string bar;
  for (uint64_t cell = 0; cell < cells; ++cell) bar += cell < full ? "█" : "░";
  fmt::print(stderr, "\r\033[K{} {} {:3}% {}", title_, bar, all == 0 ? 0 : std::min(done, all) * 100 / all, note);
  std::fflush(stderr);
}

std::string bytes_text(uint64_t bytes) {
  constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string local_time_text(int64_t seconds) {
  if (seconds == 0) return "–";
  const time_t time = seconds;
  tm parts{};
  localtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

}  // namespace xundian::cli
