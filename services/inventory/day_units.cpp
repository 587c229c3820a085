#include "services/inventory/day_units.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace xundian::inventory {

namespace {

constexpr size_t record_bytes_max = 15;  // Ten of units, five of a gap.
constexpr size_t row_bytes_min = 8, row_bytes = 128;

uint32_t gap_between(Day day, Day following) { return static_cast<uint32_t>(following) - static_cast<uint32_t>(day); }

// Whether a row takes a day at its end; a long one is left some room for corrections, and another is begun.
bool has_room(const Row<char>& row) { return row.capacity() < row_bytes / 2 || row.capacity() - row.size() >= record_bytes_max; }

// Reads a number that ends at `end` and gives where it begins; null: it is broken, or longer than it has to be.
const char* read_back(const char* row, const char* end, uint64_t& number) {
  constexpr unsigned bits_max = 63;
  number = 0;
  for (unsigned shift = 0; shift < bits_max && end != row; shift += 7) {
    const auto byte = static_cast<uint8_t>(*--end);
    number |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return byte != 0 ? end : nullptr;
  }
  return nullptr;
}

}  // namespace

// Records as they are to lie; each that is put lies before those that were.
class DayUnits::Records {
 public:
  void put(int64_t units, uint32_t gap) {
    const uint64_t folded = zigzag(units);
    const uint64_t more = folded >> units_bits;
    put_byte(folded % has_gap | (gap > 1 ? has_gap : 0) | (more > 0 ? has_more_units : 0));
    put_number(more);
    if (gap > 1) put_number(gap);
  }
  std::span<const char> bytes() const { return {begin_, bytes_.data() + bytes_.size()}; }

 private:
  void put_byte(uint64_t byte) { *--begin_ = static_cast<char>(byte); }
  // Nothing where it is 0.
  void put_number(uint64_t number) {
    for (; number > 0; number >>= 7) put_byte(number % 128 | (number > 127 ? 128 : 0));
  }

  std::array<char, 2 * record_bytes_max> bytes_;
  char* begin_ = bytes_.data() + bytes_.size();
};

bool DayUnits::read_long(const char* row, Older& older) {
  const auto last = static_cast<uint8_t>(older.end[-1]);
  uint64_t more = 0, gap = 1;
  older.begin = older.end - 1;
  if (last & has_more_units) {
    older.begin = read_back(row, older.begin, more);
    if (older.begin == nullptr || more >> (64 - units_bits) != 0) return false;
  }
  if (last & has_gap) {
    older.begin = read_back(row, older.begin, gap);
    if (older.begin == nullptr || gap < 2 || gap > std::numeric_limits<uint32_t>::max()) return false;
  }
  older.gap = static_cast<uint32_t>(gap);
  older.units = unzigzag(more << units_bits | last % has_gap);
  return older.units != 0;
}

void DayUnits::add(RowMemory& memory, Day day, int64_t units) {
  if (units == 0) return;
  if (empty() || day > newest_) {
    if (!empty()) {
      Records records;
      records.put(newest_units_, gap_between(newest_, day));
      Row<char>& row = newest_row(memory);
      row.replace(memory, row.end(), row.end(), records.bytes());
    }
    newest_ = day;
    newest_units_ = units;
  } else if (day < newest_) {
    add_older(memory, day, units);
  } else if ((newest_units_ += units) == 0) {
    walk_back([&](const Older& last) {
      newest_ = last.day;
      newest_units_ = last.units;
      older_[last.row].cut(last.begin);
      drop_if_empty(last.row);
      return false;
    });
  }
}

void DayUnits::add_older(RowMemory& memory, Day day, int64_t units) {
  std::optional<Older> found;  // The day, or the one before it.
  Day following = newest_;
  walk_back([&](const Older& older) {
    if (older.day <= day)
      found = older;
    else
      following = older.day;
    return !found;
  });
  Records records;
  if (!found) {
    records.put(units, gap_between(day, following));
    Row<char>& row = oldest_row(memory);
    row.replace(memory, row.begin(), row.begin(), records.bytes());
    return;
  }
  if (found->day < day) {
    records.put(units, gap_between(day, following));
    records.put(found->units, gap_between(found->day, day));
  } else if ((units += found->units) != 0) {
    records.put(units, found->gap);
  } else {
    take_out(memory, *found);
    return;
  }
  older_[found->row].replace(memory, found->begin, found->end, records.bytes());
}

// The day before it is followed by what followed it.
void DayUnits::take_out(RowMemory& memory, const Older& older) {
  Row<char>& row = older_[older.row];
  row.replace(memory, older.begin, older.end, {});
  const bool is_first_of_row = older.begin == row.begin();
  if (!is_first_of_row || older.row > 0) {
    Row<char>& row_before = is_first_of_row ? older_[older.row - 1] : row;
    Older before;
    before.end = is_first_of_row ? row_before.end() : older.begin;
    read(row_before.begin(), before);
    Records records;
    records.put(before.units, before.gap + older.gap);
    row_before.replace(memory, before.begin, before.end, records.bytes());
  }
  drop_if_empty(older.row);
}

// The last one stays, for days to come.
void DayUnits::drop_if_empty(size_t row) {
  Row<char>* const dropped = older_.begin() + row;
  if (dropped->empty() && dropped + 1 != older_.end()) older_.cut(std::move(dropped + 1, older_.end(), dropped));
}

// Where a day is put behind all others.
Row<char>& DayUnits::newest_row(RowMemory& memory) {
  if (older_.empty() || !has_room(older_[older_.size() - 1])) {
    Row<char> row;
    row.reserve(memory, older_.empty() ? row_bytes_min : row_bytes);
    older_.push_back(memory, row);
  }
  return older_[older_.size() - 1];
}

// And before all others.
Row<char>& DayUnits::oldest_row(RowMemory& memory) {
  if (older_.empty()) return newest_row(memory);
  if (!has_room(older_[0])) {
    Row<char> row;
    row.reserve(memory, row_bytes);
    older_.insert(memory, older_.begin(), row);
  }
  return older_[0];
}

Day DayUnits::first() const {
  Day first = newest_;
  walk_back([&](const Older& older) {
    first = older.day;
    return true;
  });
  return first;
}

// Layout: u32 bytes of records and one; 0: no day has any, and nothing follows | i32 newest day | i64 its units | the records.
void DayUnits::save(std::string& bytes) const {
  size_t count = 0;
  for (const Row<char>& row : older_) count += row.size();
  append(bytes, static_cast<uint32_t>(empty() ? 0 : count + 1));
  if (empty()) return;
  append(bytes, newest_);
  append(bytes, newest_units_);
  for (const Row<char>& row : older_) bytes.append(row.bytes());
}

bool DayUnits::load(ByteReader& bytes, RowMemory& memory) {
  *this = DayUnits();
  const auto count = bytes.take<uint32_t>();
  if (count == 0) return bytes.ok();
  DayUnits loaded;
  loaded.newest_ = bytes.take<Day>();
  loaded.newest_units_ = bytes.take<int64_t>();
  const std::string_view records = bytes.take_bytes(count - 1);
  if (!bytes.ok() || loaded.empty()) return false;
  constexpr size_t filled = row_bytes - record_bytes_max;
  if (!records.empty()) loaded.older_.reserve(memory, records.size() / (filled - record_bytes_max) + 1);
  const char* row_end = records.data() + records.size();
  const auto add_row = [&](const char* begin) {
    Row<char> row;
    row.reserve(memory, static_cast<size_t>(row_end - begin) + record_bytes_max);
    row.replace(memory, row.end(), row.end(), {begin, row_end});
    loaded.older_.push_back(memory, row);
    row_end = begin;
  };
  int64_t day = loaded.newest_;
  Older older;
  for (older.end = row_end; older.end != records.data(); older.end = older.begin) {
    if (!read(records.data(), older) || (day -= older.gap) < std::numeric_limits<Day>::min()) return false;
    if (static_cast<size_t>(row_end - older.begin) > filled) add_row(older.end);
  }
  if (row_end != records.data()) add_row(records.data());
  std::reverse(loaded.older_.begin(), loaded.older_.end());
  *this = loaded;
  return true;
}

}  // namespace xundian::inventory
