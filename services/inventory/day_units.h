// Units by day, for years of days and millions of things.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "common/bytes.h"
#include "common/row.h"
#include "common/time.h"

namespace xundian::inventory {

// The newest day lies in place, for nearly all that is said counts there. An older one is a record of a byte or two: its units,
// and the days from it to the next that has any. Records are read from the end backwards, so that what is recent is found soon,
// and a new day is put behind the others without a look at them.
class DayUnits {
 public:
  // A day whose units add up to nothing is not kept.
  void add(RowMemory& memory, Day day, int64_t units);
  int64_t at(Day day) const {
    if (day >= newest_) return day == newest_ ? newest_units_ : 0;
    int64_t units = 0;
    for_each(day, day, [&](Day, int64_t of_day) { units = of_day; });
    return units;
  }
  bool empty() const { return newest_units_ == 0; }
  // The first day that has any; some day must. It takes a walk through all.
  Day first() const;
  // Calls `each(day, units)` for the days from `from` to `to` that have any, the newest first.
  template <typename Each>
  void for_each(Day from, Day to, Each&& each) const {
    if (!empty() && from <= newest_ && newest_ <= to) each(newest_, newest_units_);
    if (from >= newest_) return;
    walk_back([&](const Older& older) {
      if (from <= older.day && older.day <= to) each(older.day, older.units);
      return from < older.day;
    });
  }
  template <typename Each>
  void for_each(Each&& each) const {
    for_each(std::numeric_limits<Day>::min(), std::numeric_limits<Day>::max(), each);
  }
  void save(std::string& bytes) const;
  // False: the bytes are broken.
  bool load(ByteReader& bytes, RowMemory& memory);

 private:
  // The last byte of a record, which is read first: the low bits of the units, their sign folded into the lowest, and what else
  // there is. The units' other bits lie before it, and before these the gap: numbers of seven bits a byte, the lowest at the end.
  static constexpr unsigned units_bits = 6;
  static constexpr uint8_t has_gap = 1u << units_bits, has_more_units = 2 * has_gap;  // No gap: the next day follows.

  // An older day, and where its record lies.
  struct Older {
    size_t row = 0;
    const char *begin = nullptr, *end = nullptr;
    Day day = 0;
    uint32_t gap = 0;  // Days to the day that follows.
    int64_t units = 0;
  };

  // Reads the record that ends at `end`, `row` being where its row begins. False: it is broken, as none is that we hold.
  static bool read(const char* row, Older& older) {
    const auto byte = [&](size_t back) { return static_cast<uint8_t>(*(older.end - back)); };
    const uint8_t last = byte(1);
    size_t bytes = 1;
    uint64_t folded = last;
    if (last == 0 || last >= has_gap) {
      if ((last & (has_gap | has_more_units)) != has_more_units || older.end - row < 2) return read_long(row, older);
      if (byte(2) == 0 || byte(2) >= 128) return read_long(row, older);
      bytes = 2;
      folded = last % has_gap | uint64_t{byte(2)} << units_bits;
    }
    older.begin = older.end - bytes;
    older.gap = 1;
    older.units = unzigzag(folded);
    return true;
  }
  // The few that have a gap, or more than two bytes.
  static bool read_long(const char* row, Older& older);

  class Records;

  // Calls `visit(older)` from the newest to the oldest, as long as it gives true.
  template <typename Visit>
  void walk_back(Visit&& visit) const {
    Older older;
    older.day = newest_;
    for (older.row = older_.size(); older.row-- > 0;) {
      const Row<char>& row = older_[older.row];
      for (older.end = row.end(); older.end != row.begin(); older.end = older.begin) {
        read(row.begin(), older);
        older.day = static_cast<Day>(static_cast<uint32_t>(older.day) - older.gap);
        if (!visit(older)) return;
      }
    }
  }
  void add_older(RowMemory& memory, Day day, int64_t units);
  void take_out(RowMemory& memory, const Older& older);
  void drop_if_empty(size_t row);
  Row<char>& newest_row(RowMemory& memory);
  Row<char>& oldest_row(RowMemory& memory);

  Row<Row<char>> older_;      // In their order, in rows that are short, since what a row outgrows is lost. The last may be empty.
  int64_t newest_units_ = 0;  // 0: no day has any.
  Day newest_ = 0;
};
static_assert(sizeof(DayUnits) == 32);

}  // namespace xundian::inventory
