#include "services/bus/fair_queue.h"

#include "common/mutant.h"

namespace xundian::bus {

void FairQueue::push(Waiting waiting) {
  bytes_ += waiting.message.bytes.size();
  auto& of_producer = waiting_[waiting.producer];
  if (of_producer.empty()) turns_.push_back(waiting.producer);
  of_producer.push_back(std::move(waiting));
}

Waiting FairQueue::pop() {
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

void FairQueue::drop(uint64_t producer) {
  const auto of_producer = waiting_.find(producer);
  if (of_producer == waiting_.end()) return;
  for (const Waiting& waiting : of_producer->second) bytes_ -= waiting.message.bytes.size();
  waiting_.erase(of_producer);
  std::erase(turns_, producer);
}

}  // namespace xundian::bus
