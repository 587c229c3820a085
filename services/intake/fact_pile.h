// Frames of facts, kept until all of them are there.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/fact_view.h"
#include "services/intake/speaker.h"

namespace xundian::intake {

class FactPile {
 public:
  struct Entry {
    std::string_view frame;
    Speaker::Tag tag;
  };

  void add(std::string_view frame, Speaker::Tag tag) {
    if (chunks_.empty() || used_ + frame.size() > size_) {
      size_ = std::max(chunk_bytes, frame.size());
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(size_));
      used_ = 0;
    }
    char* to = chunks_.back().get() + used_;
    std::copy(frame.begin(), frame.end(), to);
    used_ += frame.size();
    entries_.push_back({{to, frame.size()}, tag});
  }

  // Stores first, then by the time at which it happened, then by kind, thing and content: whatever order the facts came in, they
  // leave in one.
  void sort() {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      const auto one = load<FactHead>(a.frame.data());
      const auto other = load<FactHead>(b.frame.data());
      const auto order = [](const FactHead& head) {
        return std::tuple(head.kind != v1::Fact::kStoreState, head.occurred_ms, head.kind, head.key);
      };
      const auto left = order(one), right = order(other);
      return left != right ? left < right : a.frame < b.frame;
    });
  }

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  void clear() {
    entries_.clear();
    chunks_.clear();
  }

 private:
  static constexpr size_t chunk_bytes = 4u << 20;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t size_ = 0, used_ = 0;  // Of the last chunk.
  std::vector<Entry> entries_;
};

}  // namespace xundian::intake
