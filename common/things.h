// Things by their keys, millions of them: a table of merged states that grows without ever stopping.
#pragma once

#include <tsl/robin_set.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "common/hash.h"

namespace xundian {

// A thing keeps its index and its address for life; indices follow the order of arrival. Things lie in chunks beside their keys.
// The directory holds their indices (12 bytes an entry) and lies in shards, so that no fact waits until a directory of millions
// has grown.
// Where a service has many tables, each takes fewer shards and smaller chunks.
template <typename Thing, uint32_t shards_max = 64, uint32_t chunk_things = 256>
class Things {
 public:
  Things() {
    shards_.reserve(shards_max);
    for (uint32_t number = 0; number < shards_max; ++number)
      shards_.emplace_back(0, IndexHash{this}, SameKey{this}).max_load_factor(0.8f);
  }
  Things(const Things&) = delete;  // The directory reads the keys of this table.
  Things& operator=(const Things&) = delete;

  // The index of the thing, made if it is new.
  std::pair<uint32_t, bool> of(const Key& key) {
    Shard& shard = shards_[key.high % shards_max];
    if (const auto found = shard.find(key); found != shard.end()) return {*found, false};
    const uint32_t index = size_;
    if (index % chunk_things == 0) chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
    ++size_;
    entry(index).key = key;
    shard.insert(index);
    return {index, true};
  }
  const Thing* find(const Key& key) const {
    const Shard& shard = shards_[key.high % shards_max];
    const auto found = shard.find(key);
    return found == shard.end() ? nullptr : &entry(*found).thing;
  }
  Thing* find(const Key& key) { return const_cast<Thing*>(std::as_const(*this).find(key)); }
  Thing& operator[](uint32_t index) { return entry(index).thing; }
  const Thing& operator[](uint32_t index) const { return entry(index).thing; }
  Thing& operator[](const Key& key) { return entry(of(key).first).thing; }
  const Key& key(uint32_t index) const { return entry(index).key; }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Calls `each(key, thing)` in the order of arrival.
  template <typename Each>
  void for_each(Each&& each) const {
    for (uint32_t index = 0; index < size_; ++index) each(key(index), (*this)[index]);
  }
  void clear() {
    for (Shard& shard : shards_) shard.clear();
    chunks_.clear();
    size_ = 0;
  }

 private:
  struct Entry {
    Key key;
    Thing thing{};
  };
  using Chunk = std::array<Entry, chunk_things>;
  struct IndexHash {
    const Things* things;
    size_t operator()(const Key& key) const { return KeyHash()(key); }
    size_t operator()(uint32_t index) const { return KeyHash()(things->key(index)); }
  };
  struct SameKey {
    using is_transparent = void;
    const Things* things;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t index, const Key& key) const { return things->key(index) == key; }
    bool operator()(const Key& key, uint32_t index) const { return things->key(index) == key; }
  };
  using Shard = tsl::robin_set<uint32_t, IndexHash, SameKey, std::allocator<uint32_t>, true>;  // It keeps 32 bits of the hash.

  Entry& entry(uint32_t index) { return (*chunks_[index / chunk_things])[index % chunk_things]; }
  const Entry& entry(uint32_t index) const { return (*chunks_[index / chunk_things])[index % chunk_things]; }

  std::vector<Shard> shards_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint32_t size_ = 0;
};

}  // namespace xundian
