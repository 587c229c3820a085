// Tables of days that are over, packed: columns of what is left when steps and divisors are taken out.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xundian::metrics {

// Rows of numbers in the order of their keys, each key once. Columns lie one behind the other: of keys the steps, of numbers what
// is left when all are divided by what divides all of them, and then zstd.
struct Rows {
  std::vector<uint64_t> keys;
  std::vector<int64_t> numbers;  // Row by row, as many of each as there are columns.
};
std::string pack_rows(const Rows& rows, size_t columns);
// Nothing: the bytes are broken.
std::optional<Rows> unpack_rows(std::string_view packed, size_t columns);

// A table that may be packed once hardly anything changes it any more; whoever is to change it opens it again. Table::Entry turns
// into numbers and back by to_numbers and from_numbers.
template <typename Table>
class PackedTable {
  using Entry = typename Table::Entry;
  static constexpr size_t columns = Entry::columns;

 public:
  Table& open() {
    if (!packed_.empty()) [[unlikely]] {
      for_each([&](uint64_t key, const Entry& entry) { table_.put(key, entry); });
      packed_ = {};
      count_ = 0;
    }
    return table_;
  }
  // False: there was nothing to do.
  bool pack() {
    if (table_.empty()) return false;
    std::vector<std::pair<uint64_t, Entry>> entries;
    table_.for_each([&](uint64_t key, const Entry& entry) { entries.emplace_back(key, entry); });
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Rows rows;
    rows.numbers.resize(entries.size() * columns);
    for (const auto& [key, entry] : entries) {
      entry.to_numbers(std::span<int64_t, columns>(&rows.numbers[rows.keys.size() * columns], columns));
      rows.keys.push_back(key);
    }
    packed_ = pack_rows(rows, columns);
    packed_.shrink_to_fit();
    count_ = entries.size();
    table_ = Table();
    return true;
  }
  const Table& table() const { return table_; }  // Empty where it is packed.
  bool is_packed() const { return !packed_.empty(); }
  const std::string& packed() const { return packed_; }
  // Takes packed bytes in the place of what there is. `is_entry(key, entry)` says whether there may be such a one; false: the
  // bytes are broken, or hold another.
  template <typename IsEntry>
  bool take_packed(std::string_view packed, IsEntry&& is_entry) {
    const auto rows = unpack_rows(packed, columns);
    if (!rows || rows->keys.empty()) return false;
    bool whole = true;
    each_of(*rows, [&](uint64_t key, const Entry& entry) { whole &= is_entry(key, entry); });
    table_ = Table();
    packed_ = packed;
    count_ = rows->keys.size();
    return whole;
  }
  // Calls `each(key, entry)`.
  template <typename Each>
  void for_each(Each&& each) const {
    if (packed_.empty()) return table_.for_each(each);
    if (const auto rows = unpack_rows(packed_, columns)) each_of(*rows, each);
  }
  void prefetch(uint64_t key) const { table_.prefetch(key); }
  size_t size() const { return packed_.empty() ? table_.size() : count_; }
  bool empty() const { return size() == 0; }
  size_t bytes() const { return table_.bytes() + packed_.capacity(); }

 private:
  template <typename Each>
  static void each_of(const Rows& rows, Each&& each) {
    for (size_t row = 0; row < rows.keys.size(); ++row)
      each(rows.keys[row], Entry::from_numbers(std::span<const int64_t, columns>(&rows.numbers[row * columns], columns)));
  }

  Table table_;         // Empty where it is packed.
  std::string packed_;  // Empty where it is not.
  size_t count_ = 0;    // Of packed rows.
};

}  // namespace xundian::metrics
