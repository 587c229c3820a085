// How much memory the things of a fold take, as `xundian status --memory` shows it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xundian {

// The things of one kind: their tables and what hangs on them. What the allocator adds is not known here.
struct Held {
  std::string_view name;  // "orders", "skus"
  uint64_t count = 0;
  uint64_t bytes = 0;
};

// Of a text, what lies outside the string itself.
inline uint64_t text_bytes(const std::string& text) {
  constexpr size_t in_place = 15;
  return text.capacity() > in_place ? text.capacity() + 1 : 0;
}
template <typename Item, typename Memory>
uint64_t vector_bytes(const std::vector<Item, Memory>& items) {
  return items.capacity() * sizeof(Item);
}
// A std::map keeps each entry in a node with a colour and three pointers.
template <typename Tree>
uint64_t tree_bytes(const Tree& tree) {
  return tree.size() * (sizeof(typename Tree::value_type) + 32);
}

}  // namespace xundian
