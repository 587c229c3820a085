#include "services/intake/formats/cells.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/money.h"

namespace xundian::intake {

namespace {

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view text, std::string_view word) {
  return text.size() == word.size() &&
         std::equal(text.begin(), text.end(), word.begin(), [](char a, char b) { return lower(a) == b; });
}

bool strip_front(std::string_view& text, std::string_view part) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

bool strip_back(std::string_view& text, std::string_view part) {
  if (!text.ends_with(part)) return false;
  text.remove_suffix(part.size());
  return true;
}

std::string_view trim(std::string_view text) {
  for (;;) {
    if (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ')
      text.remove_prefix(1);
    else if (!text.empty() && static_cast<unsigned char>(text.front()) >= 0xc2 &&
             (strip_front(text, "\xe3\x80\x80") || strip_front(text, "\xc2\xa0") || strip_front(text, "\xef\xbb\xbf")))
      continue;
    else
      break;
  }
  for (;;) {
    if (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ')
      text.remove_suffix(1);
    else if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0x80 &&
             (strip_back(text, "\xe3\x80\x80") || strip_back(text, "\xc2\xa0")))
      continue;
    else
      return text;
  }
}

// A plain decimal number, perhaps with thousands and an exponent, times `unit`.
Result<int64_t> parse_scaled(std::string_view text, int64_t unit, std::string_view whole) {
  char digits[64];
  size_t count = 0;
  bool exponent = false;
  for (const char c : text) {
    if (c == ',' || c == ' ') continue;
    if (c == 'e' || c == 'E') exponent = true;
    if (count == sizeof digits) return fail(Code::invalid_argument, "\"{}\" is no number", whole);
    digits[count++] = c;
  }
  const std::string_view plain(digits, count);
  if (exponent) {  // A spreadsheet writes small and large numbers so.
    double value = 0;
    const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value);
    if (read.ec != std::errc() || read.ptr != plain.data() + plain.size() || std::abs(value) * static_cast<double>(unit) > 9e18)
      return fail(Code::invalid_argument, "\"{}\" is no number", whole);
    return std::llround(value * static_cast<double>(unit));
  }
  auto micros = parse_micros(plain);
  if (!micros) return fail(Code::invalid_argument, "\"{}\" is no number", whole);
  if (unit == 1'000'000) return *micros;
  const __int128_t scaled = static_cast<__int128_t>(*micros) * unit;
  const __int128_t half = scaled < 0 ? -500'000 : 500'000;
  const __int128_t rounded = (scaled + half) / 1'000'000;
  if (rounded > INT64_MAX || rounded < INT64_MIN) return fail(Code::out_of_range, "\"{}\" is too large", whole);
  return static_cast<int64_t>(rounded);
}

}  // namespace

std::string_view clean(std::string_view cell) {
  std::string_view text = trim(cell);
  if (text.size() >= 3 && text.starts_with("=\"") && text.ends_with('"')) text = trim(text.substr(2, text.size() - 3));
  if (text == "''" || text == "=\"\"" || text == "=") return {};
  if (text.size() > 1 && text.front() == '\'') text = trim(text.substr(1));
  return text;
}

bool is_nothing(std::string_view text) {
  if (text.size() > 24) return false;
  if (text.empty() || text == "-" || text == "--" || text == "—" || text == "——") return true;
  static constexpr std::string_view words[] = {"null",  "n/a",     "na",     "nan",     "#n/a",
                                               "#ref!", "#value!", "#name?", "#div/0!", "none"};
  const char first = lower(text.front());
  if (first == 'n' || first == '#')
    for (const std::string_view word : words)
      if (same_word(text, word)) return true;
  return text == "无退款申请" || text == "没有申请退款";
}

std::string half_width(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    // U+FF01 … U+FF5E are the ASCII signs in full width.
    if (at + 2 < text.size() && text[at] == '\xef' && (text[at + 1] == '\xbc' || text[at + 1] == '\xbd')) {
      const auto low = static_cast<unsigned char>(text[at + 2]);
      const int code = (text[at + 1] == '\xbc' ? 0 : 0x40) + (low & 0x3f) + 0x20;
      if (code > 0x20 && code < 0x7f) {
        out += static_cast<char>(code);
        at += 2;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

std::string column_name(std::string_view header) {
  const std::string wide = half_width(clean(header));
  std::string name;
  for (size_t at = 0; at < wide.size(); ++at) {
    const std::string_view rest = std::string_view(wide).substr(at);
    if (static_cast<unsigned char>(rest[0]) <= ' ' || rest[0] == '"' || rest[0] == '\'') continue;
    const bool blank = rest.starts_with("\xe3\x80\x80") || rest.starts_with("\xef\xbb\xbf");
    if (blank || rest.starts_with("劵") || rest.starts_with("帐")) {
      name += blank ? "" : rest.starts_with("劵") ? "券" : "账";
      at += 2;
    } else if (rest.starts_with("\xc2\xa0")) {
      at += 1;
    } else {
      name += lower(rest[0]);
    }
  }
  return name;
}

std::string_view bare_name(std::string_view name) {
  const size_t open = name.find('(');
  return open != std::string_view::npos && open > 0 && name.ends_with(')') ? name.substr(0, open) : name;
}

int64_t micros_of_unit_name(std::string_view unit) {
  if (unit == "yuan" || unit == "元" || unit == "one" || unit == "+元" || unit == "-元") return 1'000'000;
  if (unit == "jiao" || unit == "角") return 100'000;
  if (unit == "fen" || unit == "cents" || unit == "分") return 10'000;
  if (unit == "li" || unit == "厘") return 1'000;
  if (unit == "万元" || unit == "wan") return 10'000'000'000;
  return 0;
}

int64_t micros_of_unit(std::string_view name) {
  const size_t open = name.find('(');
  if (open == std::string_view::npos || !name.ends_with(')')) return 1'000'000;
  const int64_t micros = micros_of_unit_name(name.substr(open + 1, name.size() - open - 2));
  return micros == 0 ? 1'000'000 : micros;
}

Result<std::string_view> parse_id(std::string_view text, std::string_view what) {
  if (text.size() > 2 && text.ends_with(".0") && all_digits(text.substr(0, text.size() - 2)))
    return text.substr(0, text.size() - 2);
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos && is_digit(text.front()) && exponent + 2 < text.size() && text[exponent + 1] == '+' &&
      all_digits(text.substr(exponent + 2)) &&
      text.substr(0, exponent).find_first_not_of("0123456789.") == std::string_view::npos)
    return fail(Code::invalid_argument, "{} damaged by a spreadsheet: {}; export again and do not open it in Excel", what, text);
  if (text.size() > 200) return fail(Code::invalid_argument, "{} is longer than 200 bytes", what);
  return text;
}

bool is_long_id(std::string_view id) { return id.size() >= 16 && all_digits(id); }

bool looks_rounded(std::string_view id) {
  return is_long_id(id) && id.substr(15).find_first_not_of('0') == std::string_view::npos;
}

Result<int64_t> parse_money(std::string_view text, int64_t unit_micros) {
  std::string_view rest = text;
  const bool negative = strip_front(rest, "-");
  while (strip_front(rest, "￥") || strip_front(rest, "¥") || strip_front(rest, "$") || strip_front(rest, "£") ||
         strip_front(rest, "€") || strip_front(rest, "₹") || strip_front(rest, "RMB") || strip_front(rest, "CNY") ||
         strip_front(rest, " ")) {
  }
  while (strip_back(rest, "元") || strip_back(rest, " ")) {
  }
  if (strip_back(rest, "万")) unit_micros *= 10'000;
  const int64_t micros = TRY(parse_scaled(rest, unit_micros, text));
  return negative ? -micros : micros;
}

Result<int64_t> parse_count(std::string_view text) {
  if (all_digits(text) && text.size() <= 18) {  // Nearly all are so.
    int64_t value = 0;
    for (const char c : text) value = value * 10 + (c - '0');
    return value;
  }
  std::string_view rest = text;
  for (const std::string_view unit : {"件", "个", "人", "次", "笔", "+"}) strip_back(rest, unit);
  int64_t unit = 1'000'000;
  if (strip_back(rest, "万") || strip_back(rest, "w") || strip_back(rest, "W"))
    unit *= 10'000;
  else if (strip_back(rest, "亿"))
    unit *= 100'000'000;
  else if (strip_back(rest, "k") || strip_back(rest, "K"))
    unit *= 1'000;
  const int64_t micros = TRY(parse_scaled(trim(rest), unit, text));
  if (micros % 1'000'000 != 0) return fail(Code::invalid_argument, "\"{}\" is no whole number", text);
  return micros / 1'000'000;
}

Result<int64_t> parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, int64_t> units[] = {
      {"小时", 3'600'000}, {"时", 3'600'000}, {"分钟", 60'000}, {"分", 60'000}, {"毫秒", 1}, {"秒", 1000}, {"天", 86'400'000},
      {"h", 3'600'000},    {"min", 60'000},   {"m", 60'000},    {"ms", 1},      {"s", 1000}, {":", -1}};
  std::string_view rest = text;
  int64_t total = 0, clock = -1;
  while (!rest.empty()) {
    const size_t size = std::min(rest.find_first_not_of("0123456789.,"), rest.size());
    if (size == 0) return fail(Code::invalid_argument, "\"{}\" is no duration", text);
    const int64_t micros = TRY(parse_scaled(rest.substr(0, size), 1'000'000, text));
    rest = trim(rest.substr(size));
    int64_t unit = 1000;
    for (const auto& [word, factor] : units)
      if (strip_front(rest, word)) {
        unit = factor;
        break;
      }
    rest = trim(rest);
    if (unit < 0 || clock >= 0) {  // 00:02:30
      clock = std::max<int64_t>(clock, 0) * 60 + micros / 1000;
      continue;
    }
    total += micros / 1000 * unit / 1000;
  }
  return clock >= 0 ? clock : total;
}

Result<int64_t> parse_ratio(std::string_view text) {
  std::string_view rest = text;
  const bool percent = strip_back(rest, "%") || strip_back(rest, "％");
  return parse_scaled(trim(rest), percent ? 10'000 : 1'000'000, text);
}

}  // namespace xundian::intake
