// Texts that many things share (SKUs, currencies, warehouses), kept once.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/hash.h"
#include "common/held.h"

namespace xundian {

// Numbers depend on the order of arrival, so they neither leave a fold nor decide anything. 0 is the empty text.
using NameId = uint32_t;

// A text is known by its 64-bit hash: to find its number takes one look into memory, and none at the text. The directory lies in
// shards, so that no fact waits until one of millions has grown.
class Names {
 public:
  Names() { of({}); }
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  // The text's number, given to it now if it is new.
  NameId of(std::string_view text) {
    if (text.empty() && !texts_.empty()) return 0;
    const uint64_t hash = hash64(text);
    Shard& shard = shards_[shard_of(hash)];
    if (shard.used >= shard.slots.size() / 4 * 3) resize(shard, std::max(2 * shard.slots.size(), slots_min));
    Slot& slot = shard.slots[place_of(shard.slots, hash)];
    if (slot.number == 0) {
      texts_.emplace_back(text);
      slot = {hash, static_cast<NameId>(texts_.size())};
      ++shard.used;
    }
    return slot.number - 1;
  }
  // The text's number; 0: it has none, or is empty.
  NameId find(std::string_view text) const {
    const uint64_t hash = hash64(text);
    const Shard& shard = shards_[shard_of(hash)];
    if (shard.used == 0) return 0;
    const Slot& slot = shard.slots[place_of(shard.slots, hash)];
    return slot.number == 0 ? 0 : slot.number - 1;
  }
  const std::string& operator[](NameId id) const { return texts_[id]; }
  bool has(NameId id) const { return id < texts_.size(); }

  Held held() const {
    Held held{"names", texts_.size(), texts_.size() * sizeof(std::string)};
    for (const Shard& shard : shards_) held.bytes += shard.slots.capacity() * sizeof(Slot);
    for (const std::string& text : texts_) held.bytes += text_bytes(text);
    return held;
  }
  void save(std::string& bytes) const {
    append(bytes, static_cast<uint32_t>(texts_.size()));
    for (const std::string& text : texts_) append_text(bytes, text);
  }
  // False: the bytes are broken, or a text comes twice.
  bool load(ByteReader& bytes) {
    texts_.clear();
    shards_ = {};
    const auto count = bytes.take<uint32_t>();
    const size_t possible = std::min<size_t>(count, bytes.left() / sizeof(uint32_t));
    for (Shard& shard : shards_) resize(shard, std::max(std::bit_ceil(possible / shards_.size() * 3 / 2 + 1), slots_min));
    of({});
    bool whole = count > 0 && bytes.take_text().empty();
    for (uint32_t index = 1; index < count && whole; ++index) whole = of(bytes.take_text()) == index && bytes.ok();
    return whole && bytes.ok();
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    NameId number = 0;  // One more than the text's; 0 = free.
  };
  struct Shard {
    std::vector<Slot> slots;  // As many as a power of two, or none; at most three quarters are taken.
    size_t used = 0;
  };
  static constexpr size_t slots_min = 8;

  static size_t shard_of(uint64_t hash) { return hash >> 58; }
  // Where the hash is, or would be.
  static size_t place_of(const std::vector<Slot>& slots, uint64_t hash) {
    const size_t mask = slots.size() - 1;
    size_t place = hash & mask;
    while (slots[place].number != 0 && slots[place].hash != hash) place = (place + 1) & mask;
    return place;
  }
  static void resize(Shard& shard, size_t places) {
    std::vector<Slot> slots(places);
    for (const Slot& slot : shard.slots)
      if (slot.number != 0) slots[place_of(slots, slot.hash)] = slot;
    shard.slots = std::move(slots);
  }

  std::array<Shard, 64> shards_;
  std::deque<std::string> texts_;
};

}  // namespace xundian
