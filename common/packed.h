// Things in as few bytes as they say. An order is a handful of numbers, most of them small or zero, and millions are kept of
// which hardly one is ever spoken of again: each is unpacked when something is said of it, and packed anew.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/prefetch.h"
#include "common/version.h"

namespace xundian {

// Packed bytes begin with a rank, as it lies: the versions and times that follow mostly are that one, or near it. Then numbers in
// groups, of each group first how many fours of bytes each number takes (none, one or two; two bits each), and then those bytes,
// the lowest first. Finer sizes would take a fifth less and twice the time. What nearly always takes eight bytes, as hashes do,
// lies among them as words. The same thing is always the same bytes.
class PackBase {
 public:
  explicit PackBase(uint64_t rank = 0) : rank_(rank) {}
  uint64_t rank() const { return rank_; }
  // Whether a version's digest says all of it: its rank is the base's, or it is nothing said and has neither.
  bool implies(const Version& version) const { return version.digest != 0 ? version.rank == rank_ : version.rank == 0; }
  Version implied(uint64_t digest) const { return digest != 0 ? Version{rank_, digest} : Version(); }
  // A version's rank and back: small for the base's own and for zero, which stands for nothing said.
  uint64_t packed_rank(uint64_t rank) const { return swapped(rank ^ rank_); }
  uint64_t unpacked_rank(uint64_t number) const { return swapped(number) ^ rank_; }
  // A time and back: small where it is near the base's.
  uint64_t packed_time(Millis time) const { return zigzag(static_cast<Millis>(static_cast<uint64_t>(time) - time_ms())); }
  Millis unpacked_time(uint64_t number) const { return static_cast<Millis>(static_cast<uint64_t>(unzigzag(number)) + time_ms()); }

 private:
  uint64_t time_ms() const { return static_cast<uint64_t>(rank_parts(rank_).as_of_ms); }
  // Zero's difference to the base is the base itself, eight bytes of it; so it changes places with 1.
  uint64_t swapped(uint64_t difference) const { return difference == rank_ ? 1 : difference == 1 ? rank_ : difference; }

  uint64_t rank_;
};

// How many bytes the sizes of a group of numbers take.
template <size_t count>
requires(count <= 32) inline constexpr size_t pack_sizes_bytes = (count + 3) / 4;
// And how many the whole group takes at most.
template <size_t count>
inline constexpr size_t pack_bytes_max = pack_sizes_bytes<count> + count * sizeof(uint64_t);

// Writes where the next packed thing will lie (PackedMemory::ahead).
class PackWriter {
 public:
  // `to` has room for all that is written: eight bytes for the base and for each word, pack_bytes_max<count> for a group of
  // numbers.
  PackWriter(char* to, const PackBase& base) : from_(to), to_(to) { words<1>({base.rank()}); }
  template <size_t count>
  void numbers(const std::array<uint64_t, count>& numbers) {
    char* const from = to_;
    to_ += pack_sizes_bytes<count>;
    uint64_t sizes = 0;
    const auto put = [&](size_t index) {
      const uint64_t number = numbers[index], size = uint64_t{number != 0} + uint64_t{number >> 32 != 0};
      sizes |= size << 2 * index;
      store(to_, number);
      to_ += 4 * size;
    };
    const auto put_all = [&]<size_t... index>(std::index_sequence<index...>) { (put(index), ...); };
    put_all(std::make_index_sequence<count>());
    std::memcpy(from, &sizes, pack_sizes_bytes<count>);
  }
  template <size_t count>
  void words(const std::array<uint64_t, count>& words) {
    std::memcpy(to_, words.data(), sizeof words);
    to_ += sizeof words;
  }
  void bytes(std::string_view bytes) {
    bytes.copy(to_, bytes.size());
    to_ += bytes.size();
  }
  std::string_view packed() const { return {from_, static_cast<size_t>(to_ - from_)}; }

 private:
  char* from_;
  char* to_;
};

// After any failure `ok()` is false and all reads give zero.
class PackReader {
 public:
  explicit PackReader(std::string_view packed) : at_(packed.data()), end_(packed.data() + packed.size()) {
    if (packed.size() < sizeof(uint64_t)) {
      fail();
      return;
    }
    base_ = PackBase(load<uint64_t>(at_));
    at_ += sizeof(uint64_t);
  }
  const PackBase& base() const { return base_; }
  template <size_t count>
  std::array<uint64_t, count> numbers() {
    constexpr size_t sizes_bytes = pack_sizes_bytes<count>;
    std::array<uint64_t, count> numbers{};
    if (left() < sizes_bytes) return fail(), numbers;
    uint64_t sizes = 0;
    std::memcpy(&sizes, at_, sizes_bytes);
    if (left() - sizes_bytes < 4 * sum_of(sizes) || (sizes & sizes >> 1 & ones) != 0) return fail(), numbers;
    const char* at = at_ + sizes_bytes;
    const auto take = [&](size_t index) {
      const uint64_t size = sizes >> 2 * index & 3;
      at += 4 * size;
      // What stands before the number is pushed out; there is the base, at least.
      numbers[index] = size == 0 ? 0 : load<uint64_t>(at - sizeof(uint64_t)) >> (64 - 32 * size);
    };
    const auto take_all = [&]<size_t... index>(std::index_sequence<index...>) { (take(index), ...); };
    take_all(std::make_index_sequence<count>());
    at_ = at;
    return numbers;
  }
  template <size_t count>
  std::array<uint64_t, count> words() {
    std::array<uint64_t, count> words{};
    if (const std::string_view taken = bytes(sizeof words); ok_) std::memcpy(words.data(), taken.data(), sizeof words);
    return words;
  }
  std::string_view bytes(uint64_t count) {
    if (left() < count) return fail(), std::string_view();
    at_ += count;
    return {at_ - count, static_cast<size_t>(count)};
  }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  bool ok() const { return ok_; }

 private:
  static constexpr uint64_t ones = 0x5555555555555555;  // The lower bit of each size.
  static size_t sum_of(uint64_t sizes) {
    return static_cast<size_t>(std::popcount(sizes & ones) + 2 * std::popcount(sizes >> 1 & ones));
  }
  void fail() {
    at_ = end_;
    ok_ = false;
  }

  const char* at_;
  const char* end_;
  PackBase base_;
  bool ok_ = true;
};

// Where a packed thing lies.
class Packed {
 public:
  std::string_view bytes() const { return {at_, size_}; }
  // Asks memory for its bytes.
  void prefetch() const {
    prefetch_line(at_);
    prefetch_line(at_ + 64);
  }

 private:
  friend class PackedMemory;
  char* at_ = nullptr;
  uint32_t size_ = 0;

 public:
  uint32_t aside = 0;  // Four bytes of its owner's, where nothing else would lie.
};
static_assert(sizeof(Packed) == 16);

// The memory of packed things. What one has outgrown, or no longer needs, the next takes that is of its size.
class PackedMemory {
 public:
  // Room for as many bytes, until the next call of anything here.
  char* ahead(size_t bytes) {
    if (static_cast<size_t>(end_ - top_) < bytes) add_chunk(bytes);
    return top_;
  }
  // Asks memory for the place where things will lie that are put some calls from now: five orders, or so.
  void prefetch_ahead() const {
    constexpr size_t ahead_bytes = 640, line_bytes = 64;
    if (static_cast<size_t>(end_ - top_) < ahead_bytes + 2 * line_bytes) return;
    prefetch_line(top_ + ahead_bytes);
    prefetch_line(top_ + ahead_bytes + line_bytes);
  }
  // Puts these bytes, eight or more, in the place of what the thing was. They lie ahead, and then nothing is copied for one that
  // is new, or outside this memory.
  void put(Packed& packed, std::string_view bytes) {
    const size_t room = room_for(bytes.size());
    if (room != room_for(packed.size_)) {
      if (packed.at_ != nullptr) give_back(packed);
      packed.at_ = take(room);
    }
    if (packed.at_ != bytes.data()) std::memcpy(packed.at_, bytes.data(), bytes.size());
    packed.size_ = static_cast<uint32_t>(bytes.size());
  }
  // Takes back everything at once; no thing may be looked at afterwards.
  void clear() { *this = PackedMemory(); }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t unit = 8, small_max = 512, chunk_min = 64u << 10, chunk_max = 2u << 20;
  // Of what is large there are four sizes in each doubling.
  static size_t step_of(size_t bytes) { return bytes <= small_max ? unit : std::bit_floor(bytes - 1) / 4; }
  static size_t room_for(size_t bytes) {
    const size_t step = step_of(bytes);
    return (bytes + step - 1) / step * step;
  }
  void add_chunk(size_t bytes) {
    const size_t size = std::max(std::clamp(bytes_ / 2, chunk_min, chunk_max), std::bit_ceil(bytes));
    top_ = chunks_.emplace_back(std::make_unique_for_overwrite<char[]>(size)).get();
    end_ = top_ + size;
    bytes_ += size;
  }
  // One that was given back holds where the next of its size lies.
  char*& free_of(size_t room) {
    if (room <= small_max) return free_[room / unit];
    const size_t step = step_of(room), doublings = static_cast<size_t>(std::countr_zero(step));
    return free_[small_max / unit + 4 * doublings + (room - 1) / step % 4];
  }
  char* take(size_t room) {
    char*& first = free_of(room);
    if (first != nullptr) return std::exchange(first, load<char*>(first));
    ahead(room);
    return std::exchange(top_, top_ + room);
  }
  void give_back(const Packed& packed) {
    char*& first = free_of(room_for(packed.size_));
    store(packed.at_, first);
    first = packed.at_;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* top_ = nullptr;
  char* end_ = nullptr;
  std::array<char*, small_max / unit + 4 * 64> free_{};
  size_t bytes_ = 0;
};

}  // namespace xundian
