// Days and hours of stores. Nothing here knows what time it is; that is in clock.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/error.h"
#include "common/version.h"

namespace date {
class time_zone;
}

namespace xundian {

// Days since 1970-01-01, in some store's reckoning.
using Day = int32_t;

std::string format_day(Day day);               // "2026-11-11"
Result<Day> parse_day(std::string_view text);  // The same, and nothing else.
Day make_day(int year, unsigned month, unsigned day);
// Monday = 0 … Sunday = 6.
int weekday(Day day);
Day month_start(Day day);

// A store's reckoning of time: its zone, and when its day begins.
class Zone {
 public:
  Zone();  // UTC, days from midnight.
  static Result<Zone> find(std::string_view name, uint32_t day_cut_minutes = 0);
  Day day_of(Millis time) const;
  // 0..23, by the wall clock of the zone.
  int hour_of(Millis time) const;
  // When the day begins.
  Millis start_of(Day day) const;
  // A wall time of the zone. In the hour that a spring change leaves out: the moment of the change; in the hour that comes twice:
  // the first.
  Millis from_local(Day day, int hour, int minute, int second, int milli = 0) const;
  // "2026-11-11 09:30:00"
  std::string format(Millis time) const;
  // Milliseconds to add to UTC for the wall time.
  Millis offset_at(Millis time) const;
  bool operator==(const Zone&) const = default;

 private:
  const date::time_zone* zone_ = nullptr;
  Millis day_cut_ms_ = 0;
};

// "2026-11-11T01:30:00.000Z"
std::string format_utc(Millis time);

inline constexpr Millis second_ms = 1000, minute_ms = 60 * second_ms, hour_ms = 60 * minute_ms, day_ms = 24 * hour_ms;

}  // namespace xundian
