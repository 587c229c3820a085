// What a cell says: texts, ids, money, counts, times, durations and ratios, in all the ways that platforms write them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"
#include "common/time.h"

namespace xundian::intake {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A cell without what surrounds its text: blanks, tabs, a byte order mark, ="…", an apostrophe in front.
std::string_view clean(std::string_view cell);
// One of the words for nothing: empty, "-", "--", "null", "n/a", "#REF!" …
bool is_nothing(std::string_view cleaned);

// A column's name in the form in which names are compared: without blanks, quotes and a byte order mark, letters small,
// full-width signs half-width, 劵 as 券 and 帐 as 账.
std::string column_name(std::string_view header);
// The same without a unit or remark in brackets at the end: "花费(分)" → "花费".
std::string_view bare_name(std::string_view name);
// What one unit of a column is in micros of the currency unit, by the unit in its name: (分) 10,000, (厘) 1,000, else 1,000,000.
int64_t micros_of_unit(std::string_view name);
// The same for a unit's name: "yuan", "jiao", "fen", "cents", "li"; 0 = no unit.
int64_t micros_of_unit_name(std::string_view unit);
// A text with full-width letters, digits and signs made half-width.
std::string half_width(std::string_view text);

// An id; 17850.0 is 17850. A damaged one (3.51531E+16) is an error that says what to do.
Result<std::string_view> parse_id(std::string_view cleaned, std::string_view what);
// True for sixteen digits and more that all end in zeros behind the fifteenth, as a spreadsheet rounds them.
bool looks_rounded(std::string_view id);
bool is_long_id(std::string_view id);

// ￥14,414.00, 12.00元, 1.43, 1E-2; in micros if `unit_micros` is 1,000,000.
Result<int64_t> parse_money(std::string_view cleaned, int64_t unit_micros = 1'000'000);
// 7,350, 55万, 3.2k, 12件, 5.0.
Result<int64_t> parse_count(std::string_view cleaned);
// 11秒, 2分30秒, 7小时41分52秒, 00:02:30, 12.5 (seconds); in milliseconds.
Result<int64_t> parse_duration(std::string_view cleaned);
// 0.45% and 0.0045 alike, in millionths.
Result<int64_t> parse_ratio(std::string_view cleaned);

// How days are written where the year does not stand first.
enum class DateOrder { ymd, dmy, mdy };

// Reads times by a store's wall clock.
class TimeParser {
 public:
  TimeParser(Zone zone, DateOrder order, int32_t serial_epoch) : zone_(zone), order_(order), serial_epoch_(serial_epoch) {}
  // 2017-07-08 00:42:32, 2017/7/8 0:42, 2017年7月8日, 20170708, 42924.0295 (a spreadsheet's), 1499445752 (since 1970),
  // 2017-07-08T00:42:32+08:00, Tue Oct 31 22:10:47 +0000 2017.
  Result<Millis> parse(std::string_view cleaned);
  const Zone& zone() const { return zone_; }

 private:
  struct Wall {
    Day day = 0;
    Millis since_midnight = 0;
    std::optional<Millis> offset;  // From UTC, where it is written.
  };
  static bool read_clock(std::string_view text, Wall& wall);
  static bool read_english(std::string_view text, Wall& wall);
  bool read_date(std::string_view& text, Wall& wall) const;
  Millis at(Day day, Millis since_midnight);

  // Days on which the wall clock keeps one distance from UTC.
  struct PlainDay {
    Day day = INT32_MIN;
    Millis offset = 0;
  };

  Zone zone_;
  DateOrder order_;
  int32_t serial_epoch_;
  std::array<PlainDay, 64> plain_days_{};
};

// The time at which a file was exported, by its name: ExportOrderList202608111558.csv, 1791430000_new.csv, stock_2026-08-01.csv.
std::optional<Millis> time_in_name(std::string_view base_name, const Zone& zone);

}  // namespace xundian::intake
