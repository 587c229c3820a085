#include <algorithm>
#include <charconv>
#include <cmath>

#include "services/intake/formats/cells.h"

namespace xundian::intake {

namespace {

// Takes the number at the front; -1 if there is none.
int take_number(std::string_view& text, size_t digits_max) {
  int value = 0;
  size_t count = 0;
  while (count < text.size() && count < digits_max && is_digit(text[count])) value = value * 10 + (text[count++] - '0');
  text.remove_prefix(count);
  return count == 0 ? -1 : value;
}

bool take(std::string_view& text, std::string_view part) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == 'T' || text.front() == '\t')) text.remove_prefix(1);
}

bool valid_date(int year, int month, int day) {
  static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1900 || year > 2400 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool set_day(int year, int month, int day, Day& to) {
  if (year >= 0 && year < 100) year += 2000;
  if (!valid_date(year, month, day)) return false;
  to = make_day(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return true;
}

}  // namespace

bool TimeParser::read_date(std::string_view& text, Wall& wall) const {
  const std::string_view whole = text;
  const int first = take_number(text, 4);
  const size_t first_digits = whole.size() - text.size();
  const auto separator = [&] {
    return take(text, "-") || take(text, "/") || take(text, ".") || take(text, "年") || take(text, "月");
  };
  if (first < 0 || !separator()) return false;
  const int second = take_number(text, 2);
  if (second < 0 || !separator()) return false;
  const int third = take_number(text, 4);
  if (third < 0) return false;
  take(text, "日");
  if (first_digits == 4 || order_ == DateOrder::ymd) return set_day(first, second, third, wall.day);
  return order_ == DateOrder::dmy ? set_day(third, second, first, wall.day) : set_day(third, first, second, wall.day);
}

// "00:42:32.123", "0:42", "9:05 PM", and behind it "Z", "+0800", "+08:00".
bool TimeParser::read_clock(std::string_view text, Wall& wall) {
  skip_blanks(text);
  if (text.empty()) return true;
  int hour = take_number(text, 2);
  if (hour < 0 || !(take(text, ":") || take(text, "时") || take(text, "："))) return false;
  const int minute = take_number(text, 2);
  int second = 0, milli = 0;
  if (take(text, ":") || take(text, "分") || take(text, "：")) {
    if (!text.empty() && is_digit(text.front())) second = take_number(text, 2);
    take(text, "秒");
  }
  if (take(text, ".")) {
    const size_t before = text.size();
    milli = take_number(text, 3);
    for (size_t digits = before - text.size(); digits < 3; ++digits) milli *= 10;
    while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
  }
  skip_blanks(text);
  const bool afternoon = take(text, "PM") || take(text, "pm");
  if (afternoon || take(text, "AM") || take(text, "am")) hour = hour % 12 + (afternoon ? 12 : 0);
  if (hour > 24 || minute < 0 || minute > 59 || second > 60) return false;
  wall.since_midnight = hour * hour_ms + minute * minute_ms + second * second_ms + milli;
  skip_blanks(text);
  if (take(text, "Z") || take(text, "UTC") || take(text, "GMT")) wall.offset = 0;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    const int sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
    const int hours = take_number(text, 2);
    take(text, ":");
    const int minutes = std::max(take_number(text, 2), 0);
    if (hours < 0 || hours > 15) return false;
    wall.offset = sign * (hours * hour_ms + minutes * minute_ms);
  }
  return text.empty();
}

// "Tue Oct 31 22:10:47 +0000 2017"
bool TimeParser::read_english(std::string_view text, Wall& wall) {
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 26 || text[3] != ' ' || text[7] != ' ') return false;
  const size_t month = months.find(text.substr(4, 3));
  std::string_view rest = text.substr(8);
  skip_blanks(rest);
  const int day = take_number(rest, 2);
  const size_t last_blank = rest.rfind(' ');
  if (month == std::string_view::npos || month % 3 != 0 || last_blank == std::string_view::npos) return false;
  std::string_view year_text = rest.substr(last_blank + 1);
  const int year = take_number(year_text, 4);
  return year_text.empty() && set_day(year, static_cast<int>(month / 3) + 1, day, wall.day) &&
         read_clock(rest.substr(0, last_blank), wall);
}

Millis TimeParser::at(Day day, Millis since_midnight) {
  PlainDay& plain = plain_days_[static_cast<uint32_t>(day) % plain_days_.size()];
  if (plain.day != day) {
    // By name-sake hours: where the clock stands still or jumps on this day, the slow way is right.
    const Millis start = zone_.from_local(day, 0, 0, 0), end = zone_.from_local(day + 1, 0, 0, 0);
    const Millis offset = Millis{day} * day_ms - start;
    if (end - start != day_ms || zone_.offset_at(start) != offset || zone_.offset_at(end - 1) != offset) {
      const int64_t seconds = since_midnight / second_ms;
      return zone_.from_local(day, static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                              static_cast<int>(seconds % 60), static_cast<int>(since_midnight % second_ms));
    }
    plain = {day, offset};
  }
  return Millis{day} * day_ms + since_midnight - plain.offset;
}

Result<Millis> TimeParser::parse(std::string_view cleaned) {
  Wall wall;
  std::string_view text = cleaned;
  const size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos ||
      (text[digits] == '.' && text.find_first_not_of("0123456789", digits + 1) == std::string_view::npos)) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    const size_t whole = std::min(digits, text.size());
    if ((whole == 8 || whole == 14) && whole == text.size() && text[0] >= '1' && text[0] <= '2') {  // 20170708, 20170708004232
      std::string_view rest = text;
      const int year = take_number(rest, 4), month = take_number(rest, 2), day = take_number(rest, 2);
      if (set_day(year, month, day, wall.day)) {
        const int hour = std::max(take_number(rest, 2), 0), minute = std::max(take_number(rest, 2), 0),
                  second = std::max(take_number(rest, 2), 0);
        if (hour < 24 && minute < 60 && second < 61)
          return at(wall.day, hour * hour_ms + minute * minute_ms + second * second_ms);
      }
    } else if (whole <= 6 && value >= 1 && value < 200'000) {  // Days of a spreadsheet.
      const auto seconds = std::llround(value * 86'400);
      return at(static_cast<Day>(serial_epoch_ + seconds / 86'400), seconds % 86'400 * second_ms);
    } else if (whole == 10 || whole == 13) {
      return static_cast<Millis>(whole == 10 ? value * 1000 : value);
    }
    return fail(Code::invalid_argument, "\"{}\" is no time", cleaned);
  }
  const bool read = read_date(text, wall) ? read_clock(text, wall) : read_english(cleaned, wall);
  if (!read) return fail(Code::invalid_argument, "\"{}\" is no time; write it as 2026-11-11 09:30:00", cleaned);
  if (wall.offset) return Millis{wall.day} * day_ms + wall.since_midnight - *wall.offset;
  return at(wall.day, wall.since_midnight);
}

std::optional<Millis> time_in_name(std::string_view name, const Zone& zone) {
  std::optional<Millis> newest;
  const auto offer = [&](Millis time) { newest = std::max(newest.value_or(time), time); };
  TimeParser parser(zone, DateOrder::ymd, -25569);
  for (size_t at = 0; at < name.size(); ++at) {
    if (!is_digit(name[at]) || (at > 0 && is_digit(name[at - 1]))) continue;
    const size_t end = std::min(name.find_first_not_of("0123456789", at), name.size());
    const std::string_view run = name.substr(at, end - at);
    if (at == 0 && run.size() == 10 && end < name.size() && name[end] == '_') {  // Seconds since 1970.
      offer(std::stoll(std::string(run)) * 1000);
    } else if (run.size() == 8 || run.size() == 12 || run.size() == 14) {
      if (!run.starts_with("20")) continue;
      if (const auto time = parser.parse(std::string(run) + (run.size() == 12 ? "00" : ""))) offer(*time);
    } else if (run.size() == 4 && run.starts_with("20")) {
      if (const auto time = parser.parse(name.substr(at, 10))) offer(*time);
    }
  }
  return newest;
}

}  // namespace xundian::intake
