// A table of counters by numbers, made for cells that facts count in one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "common/mix_hash.h"
#include "common/prefetch.h"

namespace xundian::metrics {

// Entries lie in the order of their keys' hashes, near the place that the hash alone names: to find one takes a line or two of
// memory, to grow (by half) is to copy from the front to the end, and what is the same content is gone through in the same order
// however it came in. A value that is `empty()` is none: its entry is free.
template <typename Value>
class CellTable {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  struct Slot {
    uint64_t key = 0;
    Value value;
  };

  CellTable() = default;
  CellTable(CellTable&& other) noexcept { swap(other); }
  CellTable& operator=(CellTable&& other) noexcept {
    swap(other);
    return *this;
  }

  // Lets `change(value)` change the key's value; a key that is not there has an empty one.
  template <typename Change>
  void change(uint64_t key, Change&& change) {
    if (Slot* const held = place_of(key); is_at(held, key)) {
      change(held->value);
      if (held->value.empty()) take_out(held);
      return;
    }
    Slot made{key, {}};
    change(made.value);
    if (!made.value.empty()) put_in(made);
  }
  // Null: there is none.
  const Value* find(uint64_t key) const {
    const Slot* const held = place_of(key);
    return is_at(held, key) ? &held->value : nullptr;
  }
  // Asks memory for the place that `change` and `find` will look at.
  void prefetch(uint64_t key) const {
    if (homes_ > 0) prefetch_line(&slots_[home_of(hash_of(key))]);
  }
  // Calls `each(key, value)`.
  template <typename Each>
  void for_each(Each&& each) const {
    for (const Slot* slot = slots_.get(); slot != end(); ++slot)
      if (!slot->value.empty()) each(slot->key, slot->value);
  }
  void swap(CellTable& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(homes_, other.homes_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
  }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t bytes() const { return slots() * sizeof(Slot); }
  // Makes room for as many keys.
  void reserve(size_t count) {
    const size_t homes = count / 3 * 4 + 4;
    if (count > 0 && homes > homes_ && homes < UINT32_MAX / 2) resize(static_cast<uint32_t>(homes), tail_min);
  }

 private:
  static constexpr uint32_t tail_min = 3;

  // Behind the homes of hashes lies a tail for what is pushed on; its last slot stays free, so that every walk ends.
  size_t slots() const { return size_t{homes_} + tail_; }
  static uint64_t hash_of(uint64_t key) { return MixHash()(key); }
  // Homes are in the order of the hashes.
  uint32_t home_of(uint64_t hash) const { return static_cast<uint32_t>((hash >> 32) * homes_ >> 32); }
  const Slot* end() const { return slots_.get() + slots(); }

  // Where the key is, or would be put in; null: there is no memory yet.
  Slot* place_of(uint64_t key) const {
    if (homes_ == 0) return nullptr;
    const uint64_t hash = hash_of(key);
    Slot* slot = &slots_[home_of(hash)];
    while (!slot->value.empty() && hash_of(slot->key) < hash) ++slot;
    return slot;
  }
  static bool is_at(const Slot* slot, uint64_t key) { return slot != nullptr && slot->key == key && !slot->value.empty(); }

  void put_in(const Slot& made) {
    if (size_ >= homes_ / 4 * 3) resize(homes_ + homes_ / 2 + 4, tail_min);
    for (;; resize(homes_, 2 * tail_)) {
      Slot* const slot = place_of(made.key);
      Slot* free = slot;
      while (!free->value.empty()) ++free;
      if (free + 1 == end()) continue;
      std::move_backward(slot, free, free + 1);
      *slot = made;
      ++size_;
      return;
    }
  }
  // What was pushed on by it goes back.
  void take_out(Slot* slot) {
    for (; !slot[1].value.empty() && &slots_[home_of(hash_of(slot[1].key))] <= slot; ++slot) *slot = slot[1];
    *slot = Slot();
    --size_;
  }
  void resize(uint32_t homes, uint32_t tail) {
    const size_t before = slots();
    const std::unique_ptr<Slot[]> old = std::move(slots_);
    homes_ = homes;
    for (tail_ = tail; !take_over(old.get(), old.get() + before);) tail_ *= 2;
  }
  // Makes the slots anew and copies what is in others; false: the tail is too short for it.
  bool take_over(const Slot* from, const Slot* to) {
    slots_ = std::make_unique<Slot[]>(slots());
    Slot* next = slots_.get();
    for (; from != to; ++from) {
      if (from->value.empty()) continue;
      next = std::max(next, &slots_[home_of(hash_of(from->key))]);
      if (next + 1 == end()) return false;
      *next++ = *from;
    }
    return true;
  }

  std::unique_ptr<Slot[]> slots_;
  uint32_t homes_ = 0, tail_ = 0;
  uint32_t size_ = 0;
};

}  // namespace xundian::metrics
