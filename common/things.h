// Things by their keys, millions of them: a table of merged states that grows without ever stopping.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/hash.h"
#include "common/prefetch.h"

namespace xundian {

// A thing keeps its index and its address for life; indices follow the order of arrival. Things lie in chunks beside their keys.
// The directory holds their indices and half of a hash (8 bytes a slot, open addressing, at most three quarters full; nothing is
// ever taken out). It lies in shards, so that no fact waits until a directory of millions has grown.
// Where a service has many tables, each takes fewer shards and smaller chunks.
template <typename Thing, uint32_t shards_max = 64, uint32_t chunk_things = 256>
class Things {
 public:
  Things() = default;
  Things(const Things&) = delete;
  Things& operator=(const Things&) = delete;

  // The index of the thing, made if it is new.
  std::pair<uint32_t, bool> of(const Key& key) {
    Shard& shard = shards_[key.high % shards_max];
    if (shard.used >= shard.slots.size() / 4 * 3) grow(shard);
    Slot& slot = shard.slots[place_of(shard, key)];
    if (slot.number != 0) return {slot.number - 1, false};
    const uint32_t index = size_;
    if (index % chunk_things == 0) chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
    slot = {++size_, tag_of(key)};
    shard.used += 1;
    entry(index).key = key;
    return {index, true};
  }
  std::optional<uint32_t> index_of(const Key& key) const {
    const Shard& shard = shards_[key.high % shards_max];
    if (shard.used == 0) return std::nullopt;
    const Slot& slot = shard.slots[place_of(shard, key)];
    return slot.number == 0 ? std::nullopt : std::optional(slot.number - 1);
  }
  const Thing* find(const Key& key) const {
    const auto index = index_of(key);
    return index ? &entry(*index).thing : nullptr;
  }
  // Asks memory for the place in the directory that `find` and `of` will look at.
  void prefetch(const Key& key) const {
    const Shard& shard = shards_[key.high % shards_max];
    if (!shard.slots.empty()) prefetch_line(&shard.slots[tag_of(key) & (shard.slots.size() - 1)]);
  }
  // The same for the thing itself, once its place in the directory is at hand. Its index, nearly always: of keys with the same
  // half of a hash it may be another's. Of what is not there the index of the thing that is made next.
  uint32_t prefetch_thing(const Key& key) const {
    const Shard& shard = shards_[key.high % shards_max];
    if (shard.used == 0) return size_;
    const size_t mask = shard.slots.size() - 1;
    for (size_t place = tag_of(key) & mask; shard.slots[place].number != 0; place = (place + 1) & mask) {
      if (shard.slots[place].tag != tag_of(key)) continue;
      const uint32_t index = shard.slots[place].number - 1;
      prefetch_thing(index);
      return index;
    }
    prefetch_next();
    return size_;
  }
  void prefetch_thing(uint32_t index) const { prefetch_whole(&entry(index)); }
  // The same for the place of the thing that is made next, where many tables grow side by side.
  void prefetch_next() const {
    if (size_ % chunk_things != 0) prefetch_whole(&entry(size_));
  }
  Thing* find(const Key& key) { return const_cast<Thing*>(std::as_const(*this).find(key)); }
  Thing& operator[](uint32_t index) { return entry(index).thing; }
  const Thing& operator[](uint32_t index) const { return entry(index).thing; }
  Thing& operator[](const Key& key) { return entry(of(key).first).thing; }
  const Key& key(uint32_t index) const { return entry(index).key; }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // What the table takes; what hangs on its things comes to it.
  size_t bytes() const {
    size_t bytes = chunks_.size() * sizeof(Chunk);
    for (const Shard& shard : shards_) bytes += shard.slots.capacity() * sizeof(Slot);
    return bytes;
  }
  // Calls `each(key, thing)` in the order of arrival.
  template <typename Each>
  void for_each(Each&& each) const {
    for (uint32_t index = 0; index < size_; ++index) each(key(index), (*this)[index]);
  }
  void clear() {
    shards_ = {};
    chunks_.clear();
    size_ = 0;
  }
  // All keys in the order of arrival, and things made for them in that order: the directory is made at its size, and its places
  // are asked for together. load_keys takes an empty table; false: the bytes are broken, or a key comes twice.
  void save_keys(std::string& bytes) const {
    append(bytes, size_);
    for (uint32_t index = 0; index < size_; ++index) append(bytes, key(index));
  }
  bool load_keys(ByteReader& bytes) {
    const auto count = bytes.take<uint32_t>();
    const std::string_view keys = bytes.take_bytes(size_t{count} * sizeof(Key));
    if (!bytes.ok()) return false;
    return make(count, [&](uint32_t index) { return load<Key>(keys.data() + size_t{index} * sizeof(Key)); });
  }
  // The same for keys that `key_of(index)` gives.
  template <typename KeyOf>
  bool make(uint32_t count, KeyOf&& key_of) {
    constexpr uint32_t ahead = 12;
    for (Shard& shard : shards_) reserve(shard, count / shards_max + count / (8 * shards_max));  // Hardly any has more.
    chunks_.reserve(count / chunk_things + 1);
    for (uint32_t index = 0; index < count; ++index) {
      if (count - index > ahead) prefetch(key_of(index + ahead));
      if (!of(key_of(index)).second) return false;
    }
    return true;
  }

 private:
  // One that fills lines of the processor's memory lies in no others.
  static constexpr bool fills_line = (sizeof(Key) + sizeof(Thing)) % 64 == 0;
  struct alignas(fills_line ? 64 : std::max(alignof(Key), alignof(Thing))) Entry {
    Key key;
    Thing thing{};
  };
  using Chunk = std::array<Entry, chunk_things>;
  struct Slot {
    uint32_t number = 0;  // One more than the thing's index; 0 = free.
    uint32_t tag = 0;
  };
  struct Shard {
    std::vector<Slot> slots;  // As many as a power of two, or none.
    size_t used = 0;
  };
  static constexpr size_t slots_min = 8;

  static uint32_t tag_of(const Key& key) { return static_cast<uint32_t>(KeyHash()(key)); }
  // Where the key's slot is, or would be: there is a free one.
  size_t place_of(const Shard& shard, const Key& key) const {
    const size_t mask = shard.slots.size() - 1;
    for (size_t place = tag_of(key) & mask;; place = (place + 1) & mask) {
      const Slot& slot = shard.slots[place];
      if (slot.number == 0 || (slot.tag == tag_of(key) && entry(slot.number - 1).key == key)) return place;
    }
  }
  static void grow(Shard& shard) { resize(shard, std::max(2 * shard.slots.size(), slots_min)); }
  static void reserve(Shard& shard, size_t things) {
    if (things > 0) resize(shard, std::max(std::bit_ceil(things / 3 * 4 + 1), slots_min));
  }
  static void resize(Shard& shard, size_t places) {
    std::vector<Slot> slots(places);
    const size_t mask = slots.size() - 1;
    for (const Slot& slot : shard.slots) {
      if (slot.number == 0) continue;
      size_t place = slot.tag & mask;
      while (slots[place].number != 0) place = (place + 1) & mask;
      slots[place] = slot;
    }
    shard.slots = std::move(slots);
  }

  Entry& entry(uint32_t index) { return (*chunks_[index / chunk_things])[index % chunk_things]; }
  const Entry& entry(uint32_t index) const { return (*chunks_[index / chunk_things])[index % chunk_things]; }

  std::array<Shard, shards_max> shards_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint32_t size_ = 0;
};

}  // namespace xundian
