// What a fold has read of facts that come to it next, so that memory can look for what they speak of meanwhile.
#pragma once

#include <array>
#include <cstddef>

#include "common/fact_view.h"

namespace xundian {

// A short queue in the order of the facts. Where a fact was not read ahead, its fold reads it when it comes: nothing hangs on
// this but time.
template <typename Read>
class Ahead {
 public:
  // The place for what is read of the fact; the oldest gives way.
  Read& add(const FactView& fact) {
    if (end_ - begin_ == entries_.size()) ++begin_;
    Entry& entry = entries_[end_++ % entries_.size()];
    entry.body = fact.body().data();
    entry.offset = fact.offset();
    return entry.read;
  }
  // What was read of the fact, until the next is added; null: nothing was.
  Read* take(const FactView& fact) {
    while (begin_ != end_) {
      Entry& entry = entries_[begin_++ % entries_.size()];
      if (entry.offset == fact.offset() && entry.body == fact.body().data()) return &entry.read;
    }
    return nullptr;
  }
  void clear() { begin_ = end_; }
  // What was added so many calls before the last; null: it is not there, or was taken.
  Read* before_last(size_t calls) {
    return end_ - begin_ > calls ? &entries_[(end_ - 1 - calls) % entries_.size()].read : nullptr;
  }

 private:
  struct Entry {
    const char* body = nullptr;
    Offset offset = 0;
    Read read;
  };
  std::array<Entry, 16> entries_;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace xundian
