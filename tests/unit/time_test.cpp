// Clocks of the world: what a zone's clock shows is found as the library of zones finds it, also where clocks are put forward or
// back.
#include "common/time.h"

#include <date/tz.h>
#include <gtest/gtest.h>

#include <chrono>

namespace xundian {
namespace {

Millis by_the_library(const std::string& name, Day day, int hour, int minute) {
  using std::chrono::milliseconds;
  const Millis clock = Millis{day} * day_ms + hour * hour_ms + minute * minute_ms;
  const date::local_info info = date::locate_zone(name)->get_info(date::local_time<milliseconds>(milliseconds(clock)));
  if (info.result == date::local_info::nonexistent)
    return date::sys_time<milliseconds>(info.first.end).time_since_epoch().count();
  return clock - milliseconds(info.first.offset).count();
}

TEST(Zone, FindsTheMomentOfAClocksReading) {
  const std::string names[] = {"Asia/Shanghai",       "America/New_York", "Europe/London", "America/Sao_Paulo",
                               "Australia/Lord_Howe", "Pacific/Apia",     "Africa/Cairo",  "Etc/UTC"};
  for (const std::string& name : names) {
    const Zone zone = Zone::find(name).value();
    for (Day day = make_day(2005, 1, 1); day < make_day(2028, 1, 1); ++day)
      for (const int hour : {0, 1, 2, 3, 12, 23}) {
        const Millis found = zone.from_local(day, hour, 30, 0);
        ASSERT_EQ(by_the_library(name, day, hour, 30), found) << name << " " << format_day(day) << " " << hour;
        if (hour != 12 || (name == "Pacific/Apia" && day == make_day(2011, 12, 30))) continue;  // A day that never was.
        ASSERT_EQ(day, zone.day_of(found)) << name << " " << format_day(day);
      }
  }
}

// Zones share a few places for what was told last.
TEST(Zone, OneDoesNotSpeakForAnother) {
  const Zone shanghai = Zone::find("Asia/Shanghai").value(), london = Zone::find("Europe/London").value(),
             tokyo = Zone::find("Asia/Tokyo").value();
  for (Day day = make_day(2026, 1, 1); day < make_day(2026, 12, 31); ++day) {
    ASSERT_EQ(by_the_library("Asia/Shanghai", day, 0, 0), shanghai.start_of(day));
    ASSERT_EQ(by_the_library("Europe/London", day, 0, 0), london.start_of(day));
    ASSERT_EQ(by_the_library("Asia/Tokyo", day, 0, 0), tokyo.start_of(day));
  }
}

}  // namespace
}  // namespace xundian
