#include "common/time.h"

#include <date/tz.h>

#include <array>
#include <charconv>
#include <chrono>

namespace xundian {

namespace {

using std::chrono::milliseconds;
using SysMillis = date::sys_time<milliseconds>;

SysMillis at(Millis time) { return SysMillis(milliseconds(time)); }

// What the library told last of a zone holds for months or for ever; asked anew it searches and builds a name each time.
struct ToldOffset {
  const date::time_zone* zone = nullptr;
  Millis from = 0, to = 0;
  Millis offset = 0;
};

// What holds of a zone at a time, with the span in which the same holds.
const ToldOffset& told_offset(const date::time_zone* zone, Millis time) {
  thread_local std::array<ToldOffset, 16> told;
  ToldOffset& last = told[reinterpret_cast<uintptr_t>(zone) / sizeof(date::time_zone) % told.size()];
  if (last.zone != zone || time < last.from || time >= last.to) {
    const date::sys_info info = zone->get_info(at(time));
    last = {zone, SysMillis(info.begin).time_since_epoch().count(), SysMillis(info.end).time_since_epoch().count(),
            milliseconds(info.offset).count()};
  }
  return last;
}

Day floor_day(Millis local) { return static_cast<Day>((local >= 0 ? local : local - day_ms + 1) / day_ms); }

}  // namespace

std::string format_day(Day day) {
  const date::year_month_day ymd{date::sys_days(date::days(day))};
  const int year = static_cast<int>(ymd.year());
  const auto month = static_cast<unsigned>(ymd.month()), day_of_month = static_cast<unsigned>(ymd.day());
  if (year < 0 || year > 9999) return fmt::format("{:04}-{:02}-{:02}", year, month, day_of_month);
  // Figures have a day each.
  std::string text = "0000-00-00";
  const auto put = [&text](size_t end, unsigned number) {
    for (size_t place = end; number > 0; number /= 10) text[--place] = static_cast<char>('0' + number % 10);
  };
  put(4, static_cast<unsigned>(year));
  put(7, month);
  put(10, day_of_month);
  return text;
}

Result<Day> parse_day(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0;
  const char* p = text.data();
  const bool shaped = text.size() == 10 && text[4] == '-' && text[7] == '-';
  if (shaped && std::from_chars(p, p + 4, year).ptr == p + 4 && std::from_chars(p + 5, p + 7, month).ptr == p + 7 &&
      std::from_chars(p + 8, p + 10, day).ptr == p + 10) {
    const date::year_month_day ymd{date::year(year), date::month(month), date::day(day)};
    if (ymd.ok()) return make_day(year, month, day);
  }
  return fail(Code::invalid_argument, "\"{}\" is no date; write it as 2026-11-11", text);
}

Day make_day(int year, unsigned month, unsigned day) {
  return date::sys_days(date::year(year) / static_cast<int>(month) / static_cast<int>(day)).time_since_epoch().count();
}

int weekday(Day day) { return static_cast<int>(((day + 3) % 7 + 7) % 7); }

Day month_start(Day day) {
  const date::year_month_day ymd{date::sys_days(date::days(day))};
  return date::sys_days(ymd.year() / ymd.month() / 1).time_since_epoch().count();
}

Zone::Zone() : zone_(date::locate_zone("Etc/UTC")) {}

Result<Zone> Zone::find(std::string_view name, uint32_t day_cut_minutes) {
  Zone zone;
  try {
    zone.zone_ = date::locate_zone(std::string(name));
  } catch (const std::exception&) {  // The library's way of saying that it does not know the name.
    return fail(Code::invalid_argument, "\"{}\" is no time zone; write one like Asia/Shanghai", name);
  }
  zone.day_cut_ms_ = day_cut_minutes * minute_ms;
  return zone;
}

Millis Zone::offset_at(Millis time) const { return told_offset(zone_, time).offset; }

Day Zone::day_of(Millis time) const { return floor_day(time + offset_at(time) - day_cut_ms_); }

int Zone::hour_of(Millis time) const {
  const Millis local = time + offset_at(time);
  return static_cast<int>((local - Millis{floor_day(local)} * day_ms) / hour_ms);
}

Millis Zone::start_of(Day day) const { return from_local(day, 0, static_cast<int>(day_cut_ms_ / minute_ms), 0); }

Millis Zone::from_local(Day day, int hour, int minute, int second, int milli) const {
  const Millis since_midnight = hour * hour_ms + minute * minute_ms + second * second_ms + milli;
  const Millis clock = day * day_ms + since_midnight;
  // Far from any change of the zone's offset a clock's reading is of one moment.
  const ToldOffset& told = told_offset(zone_, clock);
  if (const Millis time = clock - told.offset; time - day_ms > told.from && time + day_ms < told.to) return time;
  const date::local_time<milliseconds> local{milliseconds(clock)};
  const date::local_info info = zone_->get_info(local);
  if (info.result == date::local_info::nonexistent) return SysMillis(info.first.end).time_since_epoch().count();
  return (local.time_since_epoch() - info.first.offset).count();
}

std::string Zone::format(Millis time) const {
  const Millis local = time + offset_at(time);
  const Day day = floor_day(local);
  const Millis rest = local - Millis{day} * day_ms;
  return fmt::format("{} {:02}:{:02}:{:02}", format_day(day), rest / hour_ms, rest / minute_ms % 60, rest / second_ms % 60);
}

std::string format_utc(Millis time) {
  const Day day = floor_day(time);
  const Millis rest = time - Millis{day} * day_ms;
  return fmt::format("{}T{:02}:{:02}:{:02}.{:03}Z", format_day(day), rest / hour_ms, rest / minute_ms % 60, rest / second_ms % 60,
                     rest % 1000);
}

}  // namespace xundian
