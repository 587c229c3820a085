// What the journal says of subscribers, feeds and imports, which no service is asked for: merged on demand, a piece at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/gateway/call.h"
#include "services/gateway/journal_tail.h"

namespace xundian::gateway {

class ConfigView {
 public:
  explicit ConfigView(JournalTail& tail) : tail_(tail) {}

  // Reads on to the end of the journal, for at most so long; what was read holds also if that was not enough.
  Result<void> refresh(Millis timeout_ms);

  std::vector<v1::Subscriber> subscribers(const Call& call);
  std::vector<v1::FeedStatus> feeds(const Call& call, size_t most);
  std::vector<v1::ImportSummary> imports(const Call& call, size_t most);
  // The scope that a subscriber was stated in; empty = there is none.
  std::string scope_of_subscriber(const std::string& id);

 private:
  // An aspect of a thing, as the newest version states it.
  template <typename Aspect>
  struct Stated {
    Version version;
    Aspect aspect;
    void merge(bool stated, const Version& newer, const Aspect& value) {
      if (!stated || newer <= version) return;
      version = newer;
      aspect = value;
    }
  };
  struct SubscriberThing {
    std::string scope;
    Stated<facts::v1::SubscriberTerms> terms;
    Version withdrawn;
  };
  struct FeedThing {
    std::string scope, store, feed;
    Stated<facts::v1::FeedExpectation> expectation;
    Stated<facts::v1::FeedArrival> arrival;
    Version withdrawn;
  };
  struct ImportThing {
    std::string scope;
    Stated<facts::v1::ImportDone> done;
    Version undone;
  };
  void take(const TailItem& item);

  JournalTail& tail_;
  std::mutex mutex_;
  std::shared_ptr<TailStream> stream_;
  std::map<std::string, SubscriberThing> subscribers_;
  std::map<std::string, FeedThing> feeds_;      // By scope, store and key.
  std::map<std::string, ImportThing> imports_;  // By scope and key.
};

}  // namespace xundian::gateway
