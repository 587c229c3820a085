// What waits for the journal: each producer's puts in its order, the producers in turns, so that who puts much delays itself and
// not the others.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace xundian::bus {

// The bytes of a message, with whatever keeps them. Headers are written into them.
struct Message {
  std::shared_ptr<void> keep;
  std::span<char> bytes;

  static Message of(std::string text) {
    auto kept = std::make_shared<std::string>(std::move(text));
    return {kept, {kept->data(), kept->size()}};
  }
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
};

// A put that was taken and is not in the journal yet.
struct Waiting {
  Message message;
  uint64_t producer = 0;
  uint64_t sequence = 0;
};

class FairQueue {
 public:
  bool empty() const { return turns_.empty(); }
  size_t bytes() const { return bytes_; }
  // Whether anything of the producer waits.
  bool holds(uint64_t producer) const { return waiting_.contains(producer); }
  void push(Waiting waiting);
  // Whose turn it is; not of an empty queue.
  const Waiting& front() const { return waiting_.at(turns_.front()).front(); }
  Waiting pop();
  void drop(uint64_t producer);

 private:
  std::map<uint64_t, std::deque<Waiting>> waiting_;  // By producer; none is empty.
  std::deque<uint64_t> turns_;                       // Each producer of whom something waits, once.
  size_t bytes_ = 0;
};

}  // namespace xundian::bus
