// What alerts a file of rules would have given: a tenant's past played again, in the order in which things occurred, whatever the
// order in which they came to be known. The journal is read and nothing is written.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/journal.h"
#include "common/stores.h"
#include "xundian/query/v1/rehearsal.pb.h"

namespace xundian::rehearsal {

// What was stated of a group, as it will be played.
class Past {
 public:
  void add(Millis occurred_ms, std::string_view frame);
  // By time; what came first into the journal is first among those of one time.
  void sort();
  struct Event {
    Millis occurred_ms = 0;
    uint64_t at = 0;  // Where its frame begins.
  };
  const std::vector<Event>& events() const { return events_; }
  std::string_view frame(const Event& event) const;

 private:
  std::string frames_;
  std::vector<Event> events_;
};

class Rehearsal {
 public:
  // Code::invalid_argument: the days are none, or in the wrong order.
  static Result<Rehearsal> make(query::v1::RehearseRequest request);
  // Takes in a bus's journal, up to what it holds now.
  Result<void> read(JournalReader& reader);
  // `progress` is told how far it is, once for about a minute of the past.
  Result<query::v1::RehearseResponse> play(const std::function<void(uint64_t done, uint64_t all)>& progress = {});

 private:
  // The settings of stores and the rules, as they are known now; they hold from the beginning.
  struct Configuration {
    std::vector<v1::Fact> facts;
    v1::Fact replaced;  // The set that the rehearsed one replaces: its newest version.
    uint64_t replaced_rank = 0;
  };
  Result<void> note(const std::string& scope, const FactView& fact, std::string_view frame);
  // Plays a group's past with the rehearsed rules or with those in force.
  Result<void> play(const std::string& scope, bool rehearsed, query::v1::RehearseResponse& response);
  Result<std::string> opening(const std::string& scope, bool rehearsed) const;
  bool concerns(const std::string& store, Millis fired_ms, Millis resolved_ms) const;

  query::v1::RehearseRequest request_;
  Day from_{}, to_{};
  Stores stores_;
  std::map<std::string, Configuration> configuration_;  // By scope, as are pasts.
  std::map<std::string, Past> pasts_;
  std::map<std::string, query::v1::RehearsedRule> rules_;  // Named by the rehearsed set or by the one that it replaces.
  Millis known_until_ms_ = 0;
  uint64_t played_ = 0;
  std::function<void(uint64_t played)> played_so_far_;
};

}  // namespace xundian::rehearsal
