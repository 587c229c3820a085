#include "common/money.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace xundian {

namespace {

constexpr int64_t unit = 1'000'000;
__extension__ typedef __int128 Wide;

}  // namespace

Result<int64_t> parse_micros(std::string_view text) {
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest.front() == '-';
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  Wide value = 0;
  int behind_point = -1, digits = 0;
  bool round_up = false;
  for (const char c : rest) {
    if (c == '.' && behind_point < 0) {
      behind_point = 0;
      continue;
    }
    if (c < '0' || c > '9') return fail(Code::invalid_argument, "\"{}\" is no number", text);
    digits += 1;
    if (behind_point < 6) {
      value = value * 10 + (c - '0');
      if (behind_point >= 0) behind_point += 1;
    } else if (behind_point == 6) {
      round_up = c >= '5';
      behind_point += 1;
    }
    if (value > std::numeric_limits<int64_t>::max()) return fail(Code::out_of_range, "\"{}\" is too large", text);
  }
  if (digits == 0) return fail(Code::invalid_argument, "\"{}\" is no number", text);
  for (int place = std::max(behind_point, 0); place < 6; ++place) value *= 10;
  value += round_up ? 1 : 0;
  if (value > std::numeric_limits<int64_t>::max()) return fail(Code::out_of_range, "\"{}\" is too large", text);
  return static_cast<int64_t>(negative ? -value : value);
}

std::string format_micros(int64_t micros, int digits_min) {
  const auto magnitude = micros < 0 ? 0 - static_cast<uint64_t>(micros) : static_cast<uint64_t>(micros);
  uint64_t behind = magnitude % unit;
  int digits = 6;
  for (; digits > digits_min && behind % 10 == 0; --digits) behind /= 10;
  // By hand, not by a format: rows of answers have an amount each.
  const fmt::format_int whole(magnitude / unit), part(behind);
  std::string text(micros < 0 ? "-" : "");
  text.append(whole.data(), whole.size());
  if (digits > 0) text.append(1, '.').append(static_cast<size_t>(digits) - part.size(), '0').append(part.data(), part.size());
  return text;
}

int64_t divide_micros(int64_t numerator, int64_t denominator) {
  const Wide scaled = Wide{numerator} * unit * 2 / denominator;
  return static_cast<int64_t>((scaled + (scaled < 0 ? -1 : 1)) / 2);
}

std::vector<int64_t> split(int64_t total, const std::vector<int64_t>& weights) {
  std::vector<int64_t> parts(weights.size(), 0);
  if (weights.empty()) return parts;
  const Wide all = std::accumulate(weights.begin(), weights.end(), Wide{0});
  if (all == 0) {
    parts[0] = total;
    return parts;
  }
  std::vector<std::pair<Wide, size_t>> remainders;
  int64_t given = 0;
  for (size_t index = 0; index < weights.size(); ++index) {
    const Wide share = Wide{total} * weights[index];
    parts[index] = static_cast<int64_t>(share / all);
    given += parts[index];
    const Wide rest = share % all;
    remainders.emplace_back(rest < 0 ? -rest : rest, index);
  }
  std::stable_sort(remainders.begin(), remainders.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const int64_t step = total < given ? -1 : 1;
  for (size_t index = 0; given != total; given += step) parts[remainders[index++ % remainders.size()].second] += step;
  return parts;
}

}  // namespace xundian
