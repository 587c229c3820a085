// What waits for the journal: each producer's puts in its order, the producers in turns, so that who puts much delays itself and
// not the others.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/mutant.h"

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
  bool holds(uint64_t producer) const { return waiting_.contains(producer); }

  void push(Waiting waiting) {
    bytes_ += waiting.message.bytes.size();
    auto& of_producer = waiting_[waiting.producer];
    if (of_producer.empty()) turns_.push_back(waiting.producer);
    of_producer.push_back(std::move(waiting));
  }

  // Whose turn it is; not of an empty queue.
  const Waiting& front() const { return waiting_.at(turns_.front()).front(); }

  Waiting pop() {
    const auto of_producer = waiting_.find(turns_.front());
    Waiting waiting = std::move(of_producer->second.front());
    of_producer->second.pop_front();
    turns_.pop_front();
    if (of_producer->second.empty())
      waiting_.erase(of_producer);
    else
      turns_.insert(mutant("no_turns") ? turns_.begin() : turns_.end(), waiting.producer);
    bytes_ -= waiting.message.bytes.size();
    return waiting;
  }

  void drop(uint64_t producer) {
    const auto of_producer = waiting_.find(producer);
    if (of_producer == waiting_.end()) return;
    for (const Waiting& waiting : of_producer->second) bytes_ -= waiting.message.bytes.size();
    waiting_.erase(of_producer);
    std::erase(turns_, producer);
  }

 private:
  std::map<uint64_t, std::deque<Waiting>> waiting_;  // By producer; none is empty.
  std::deque<uint64_t> turns_;                       // Each producer of whom something waits, once.
  size_t bytes_ = 0;
};

}  // namespace xundian::bus
