// Notices that wait for a subscriber: the outbox, kept as a part of the state because it follows from facts.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/service.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::alerts {

// A change of an alert that is to be sent.
struct Notice {
  std::string store;
  v1::AlertTerms terms;
  uint64_t cause = 0;
};

// The id of a notice, the same over all attempts and all lives of this process.
std::string notice_id(std::string_view alert, uint32_t change);

class Notices {
 public:
  void add(const std::string& subscriber, std::shared_ptr<const Notice> notice);
  // Takes in what became of an attempt.
  void settle(const v1::DeliveryAttempt& attempt);
  void drop(const std::string& subscriber);

  struct Due {
    std::string subscriber;
    std::shared_ptr<const Notice> notice;
    uint32_t attempts = 0;
  };
  // What may be sent at `now`: of each alert and subscriber the oldest that waits, so that order is kept.
  std::vector<Due> due(Millis now, size_t limit) const;
  // When the next becomes due after `now`; `never` if none will.
  Millis next_due(Millis now) const;
  size_t count() const;
  void save(std::string& bytes) const;
  bool load(ByteReader& bytes);

 private:
  struct Waiting {
    std::shared_ptr<const Notice> notice;
    uint32_t attempts = 0;
    Millis due_ms = 0;
  };
  using Queue = std::map<uint32_t, Waiting>;  // By change.
  struct Lane {
    std::map<std::string, Queue> queues;             // By alert; none is empty.
    std::set<std::pair<Millis, std::string>> heads;  // When the oldest of each queue is due.
  };
  std::map<std::string, Lane> lanes_;  // By subscriber.
};

}  // namespace xundian::alerts
