// Short rows that are kept for good, as the lines of orders are: millions of them, each made at its size and seldom grown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>

namespace xundian {

// Where rows lie, one behind the other. What a row has outgrown is not used again.
class RowMemory {
 public:
  template <typename Item>
  Item* make(size_t count) {
    bytes_ += count * sizeof(Item);
    return static_cast<Item*>(memory_.allocate(count * sizeof(Item), alignof(Item)));
  }
  // Takes back all rows at once; none of them may be looked at afterwards.
  void clear() {
    memory_.release();
    bytes_ = 0;
  }
  // Of all rows, what they have outgrown included.
  size_t bytes() const { return bytes_; }

 private:
  std::pmr::monotonic_buffer_resource memory_{64u << 10};
  size_t bytes_ = 0;
};

// A vector whose memory is another's: 16 bytes, no destructor, and whoever grows it says where.
template <typename Item>
class Row {
  static_assert(std::is_trivially_copyable_v<Item> && std::is_trivially_destructible_v<Item>);

 public:
  Item* begin() { return items_; }
  Item* end() { return items_ + size_; }
  const Item* begin() const { return items_; }
  const Item* end() const { return items_ + size_; }
  Item& operator[](size_t index) { return items_[index]; }
  const Item& operator[](size_t index) const { return items_[index]; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  void reserve(RowMemory& memory, size_t count) {
    if (count <= capacity_) return;
    Item* const items = memory.make<Item>(count);
    std::uninitialized_copy_n(items_, size_, items);
    items_ = items;
    capacity_ = static_cast<uint32_t>(count);
  }
  Item* insert(RowMemory& memory, const Item* before, const Item& item) {
    const auto at = static_cast<size_t>(before - items_);
    const Item kept = item;  // It may be one of ours.
    if (size_ == capacity_) reserve(memory, std::max<size_t>(2 * size_t{capacity_}, 1));
    std::move_backward(items_ + at, items_ + size_, items_ + size_ + 1);
    items_[at] = kept;
    ++size_;
    return items_ + at;
  }
  void push_back(RowMemory& memory, const Item& item) { insert(memory, end(), item); }
  // Puts items, which may not be ours, in the place of those from `from` to `to`.
  void replace(RowMemory& memory, const Item* from, const Item* to, std::span<const Item> items) {
    const auto at = static_cast<size_t>(from - items_), behind = static_cast<size_t>(end() - to);
    const size_t size = at + items.size() + behind;
    if (size > capacity_) reserve(memory, std::max(size, 2 * size_t{capacity_}));
    if (size != size_ && behind > 0) std::memmove(items_ + at + items.size(), end() - behind, behind * sizeof(Item));
    std::copy(items.begin(), items.end(), items_ + at);
    size_ = static_cast<uint32_t>(size);
  }
  // The items as they lie.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(items_), size_ * sizeof(Item)}; }
  // Takes the place of what there was with copies of items as they lie in bytes.
  void assign(RowMemory& memory, std::string_view bytes) {
    const size_t count = bytes.size() / sizeof(Item);
    size_ = 0;
    reserve(memory, count);
    if (count > 0) std::memcpy(items_, bytes.data(), count * sizeof(Item));
    size_ = static_cast<uint32_t>(count);
  }
  // Keeps what lies before `end`.
  void cut(const Item* end) { size_ = static_cast<uint32_t>(end - items_); }

 private:
  Item* items_ = nullptr;
  uint32_t size_ = 0, capacity_ = 0;
};

}  // namespace xundian
