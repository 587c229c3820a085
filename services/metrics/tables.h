// The texts that metrics counts by.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/hash.h"
#include "common/held.h"
#include "common/mix_hash.h"
#include "common/things.h"

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

  Held held() const {
    Held held{"texts", texts_.size(), texts_.size() * sizeof(std::string) + table_bytes(ids_)};
    for (const std::string& text : texts_) held.bytes += text_bytes(text);
    return held;
  }
  void save(std::string& bytes) const {
    append(bytes, static_cast<uint32_t>(texts_.size()));
    for (const std::string& text : texts_) append_text(bytes, text);
  }
  bool load(ByteReader& bytes) {
    texts_.clear();
    ids_.clear();
    auto left = bytes.take<uint32_t>();
    ids_.reserve(std::min<size_t>(left, bytes.left() / sizeof(uint32_t)));
    for (; left > 0 && bytes.ok(); --left) intern(bytes.take_text());
    return bytes.ok() && !texts_.empty();
  }

 private:
  struct TextHash {
    size_t operator()(std::string_view text) const { return hash64(text); }
  };
  std::deque<std::string> texts_;  // A deque, so that the views in ids_ stay true.
  absl::flat_hash_map<std::string_view, TextId, TextHash> ids_;
};

}  // namespace xundian::metrics
