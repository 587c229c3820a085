// The containers that metrics keeps things and counters in.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "common/bytes.h"
#include "common/hash.h"
#include "common/mix_hash.h"

namespace xundian::metrics {

// A text that is kept once (a SKU, a currency); 0 is the empty text. The numbers depend on the order of arrival, so they neither
// leave the fold nor decide anything.
using TextId = uint32_t;

class Texts {
 public:
  Texts() { intern({}); }
  Texts(const Texts&) = delete;
  Texts& operator=(const Texts&) = delete;

  TextId intern(std::string_view text) {
    if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
    const auto id = static_cast<TextId>(texts_.size());
    ids_.emplace(texts_.emplace_back(text), id);
    return id;
  }
  const std::string& operator[](TextId id) const { return texts_[id]; }
  bool has(TextId id) const { return id < texts_.size(); }

  void save(std::string& bytes) const {
    append(bytes, static_cast<uint32_t>(texts_.size()));
    for (const std::string& text : texts_) append_text(bytes, text);
  }
  bool load(ByteReader& bytes) {
    texts_.clear();
    ids_.clear();
    for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) intern(bytes.take_text());
    return bytes.ok() && !texts_.empty();
  }

 private:
  struct TextHash {
    size_t operator()(std::string_view text) const { return hash64(text); }
  };
  std::deque<std::string> texts_;  // A deque, so that the views in ids_ stay true.
  tsl::robin_map<std::string_view, TextId, TextHash> ids_;
};

// Things by their keys. A thing keeps its index and its address for life. The directory lies in shards, so that no fact waits
// until a directory of millions has grown.
template <typename Thing>
class Things {
 public:
  Things() {
    for (Shard& shard : shards_) shard.max_load_factor(0.8f);
  }

  // The index of the thing, made if it is new.
  std::pair<uint32_t, bool> of(const Key& key) {
    const auto [entry, fresh] = shard_of(key).try_emplace(key, static_cast<uint32_t>(things_.size()));
    if (fresh) {
      things_.emplace_back();
      keys_.push_back(key);
    }
    return {entry->second, fresh};
  }
  const Thing* find(const Key& key) const {
    const Shard& shard = shards_[key.high % shards_.size()];
    const auto found = shard.find(key);
    return found == shard.end() ? nullptr : &things_[found->second];
  }
  Thing& operator[](uint32_t index) { return things_[index]; }
  const Thing& operator[](uint32_t index) const { return things_[index]; }
  const Key& key(uint32_t index) const { return keys_[index]; }
  uint32_t size() const { return static_cast<uint32_t>(things_.size()); }
  void clear() {
    for (Shard& shard : shards_) shard.clear();
    things_.clear();
    keys_.clear();
  }

 private:
  using Shard = tsl::robin_map<Key, uint32_t, KeyHash>;
  Shard& shard_of(const Key& key) { return shards_[key.high % shards_.size()]; }

  std::array<Shard, 64> shards_;
  std::deque<Thing> things_;
  std::deque<Key> keys_;
};

}  // namespace xundian::metrics
