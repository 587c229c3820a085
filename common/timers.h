// When something is due of which thing: at most one time each, set and cleared at every fact, asked for the first one all the
// time.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "common/time.h"

namespace xundian {

// Hours, each a heap of its times. What was cleared stays in its hour until it comes to the top or is the greater part of it, so
// a time costs one push and one pop in memory that is warm, where a tree of all times costs a walk through cold nodes at every
// touch. Things are small dense numbers.
class Timers {
 public:
  Timers() = default;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  static constexpr Millis none = std::numeric_limits<Millis>::max();

  // Sets the thing's time in the place of any other; `none` clears it.
  void set(uint32_t thing, Millis due) {
    if (thing >= due_.size()) reserve(std::max<size_t>(thing + 1, due_.size() + due_.size() / 2));
    const Millis before = due_[thing];
    if (before == due) return;
    due_[thing] = due;
    if (before != none) clear(before);
    if (due == none) return;
    const int64_t number = hour_of(due);
    Hour& hour = hour_at(number);
    hour.heap.push_back({static_cast<uint32_t>(static_cast<uint64_t>(due) - start_of(number)), thing});
    std::push_heap(hour.heap.begin(), hour.heap.end(), Later());
  }

  // Makes room for things whose numbers are below `things`.
  void reserve(size_t things) {
    if (things > due_.size()) due_.resize(things, none);
  }

  // When a thing is due; `none` if it is not.
  Millis due(uint32_t thing) const { return thing < due_.size() ? due_[thing] : none; }

  // The first time that is set; `none` if there is none.
  Millis first() const { return hours_.empty() ? none : due_of(*hours_.begin(), hours_.begin()->second.heap.front()); }

  // Takes out what is due at `now` or before and calls `take(thing, due)` for it: by time, in no order within a millisecond.
  // `take` may set times.
  template <typename Take>
  void take_due(Millis now, Take&& take) {
    for (Millis due = first(); due <= now; due = first()) {
      const uint32_t thing = hours_.begin()->second.heap.front().thing;
      set(thing, none);
      take(thing, due);
    }
  }

  void clear() {
    hours_.clear();
    last_ = hours_.end();
    due_.clear();
  }

 private:
  struct Entry {
    uint32_t due_ms = 0;  // Since the hour began.
    uint32_t thing = 0;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const { return a.due_ms > b.due_ms; }
  };
  struct Hour {
    std::vector<Entry> heap;
    size_t stale = 0;  // Entries whose thing is due at another time now, or not at all.
  };
  using Hours = std::map<int64_t, Hour>;
  static constexpr size_t stale_max = 64;  // As many are left where they are, however few entries there are.

  static int64_t hour_of(Millis due) { return due >= 0 ? due / hour_ms : (due + 1) / hour_ms - 1; }
  // Modulo 2^64, for the first hour of all begins before the least time.
  static uint64_t start_of(int64_t hour) { return static_cast<uint64_t>(hour) * uint64_t{hour_ms}; }
  static Millis due_of(const Hours::value_type& hour, const Entry& entry) {
    return static_cast<Millis>(start_of(hour.first) + entry.due_ms);
  }
  bool is_stale(const Hours::value_type& hour, const Entry& entry) const { return due_[entry.thing] != due_of(hour, entry); }

  // One entry of that time has become stale.
  void clear(Millis due) {
    const auto at = hours_.find(hour_of(due));
    Hour& hour = at->second;
    hour.stale += 1;
    if (hour.stale > stale_max && hour.stale > hour.heap.size() / 2) {
      std::erase_if(hour.heap, [&](const Entry& entry) { return is_stale(*at, entry); });
      std::make_heap(hour.heap.begin(), hour.heap.end(), Later());
      hour.stale = 0;
    }
    settle(at);
  }

  // Of the hour that comes first, and of any that may become it, the top is no stale one; an empty hour goes.
  void settle(Hours::iterator at) {
    std::vector<Entry>& heap = at->second.heap;
    while (!heap.empty() && is_stale(*at, heap.front())) {
      std::pop_heap(heap.begin(), heap.end(), Later());
      heap.pop_back();
      at->second.stale -= at->second.stale > 0;
    }
    if (!heap.empty()) return;
    if (last_ == at) last_ = hours_.end();
    hours_.erase(at);
  }

  // Times that are set one after the other mostly are of one hour.
  Hour& hour_at(int64_t number) {
    if (last_ == hours_.end() || last_->first != number) last_ = hours_.try_emplace(number).first;
    return last_->second;
  }

  Hours hours_;
  Hours::iterator last_ = hours_.end();  // That was asked for last.
  std::vector<Millis> due_;              // By thing.
};

}  // namespace xundian
