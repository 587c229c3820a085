// What many things say alike, kept once.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace xundian {

// Numbered in the order of arrival: what was stated, and what that means.
template <typename Stated, typename Meaning>
class Shared {
 public:
  // Its number; `mean()` is asked what it means if it is new.
  template <typename Mean>
  uint32_t of(const Stated& stated, Mean&& mean) {
    const auto [entry, is_new] = numbers_.try_emplace(stated, static_cast<uint32_t>(all_.size()));
    if (is_new) all_.emplace_back(stated, mean());
    return entry->second;
  }
  const Stated& stated(uint32_t number) const { return all_[number].first; }
  const Meaning& meaning(uint32_t number) const { return all_[number].second; }
  size_t size() const { return all_.size(); }
  void clear() {
    numbers_.clear();
    all_.clear();
  }

 private:
  std::map<Stated, uint32_t> numbers_;
  std::vector<std::pair<Stated, Meaning>> all_;
};

}  // namespace xundian
