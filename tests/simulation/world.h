// A whole home in one thread: a bus on a disk that fails, producers, and every fold, joined by a network that delays, loses bells
// and cuts connections. The sequencer and the replicas are the ones that run in production.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/journal_memory.h"
#include "common/replica.h"
#include "services/bus/sequencer.h"
#include "tests/simulation/facts.h"

namespace xundian::simulation {

// How bad the world is, in parts of a thousand: of the bells, or of the turns.
struct Weather {
  unsigned drop = 0, repeat = 0;  // Of bells.
  unsigned cut = 0;               // Connections.
  Millis delay_ms = 0;
  unsigned bus_crash = 0, fold_crash = 0, producer_crash = 0, disk_fault = 0;
};

// What a run comes to; two runs of the same facts must come to the same.
struct Outcome {
  std::map<std::string, std::string> fingerprints;          // By service.
  std::map<std::string, std::vector<std::string>> findings;  // By service and scope: what it said, in its order.
  std::map<std::string, std::string> alerts;                 // By alert: how it stands in the end.
  uint64_t outside_facts = 0;                                // In the journal.
  size_t crashes = 0;
  bool operator==(const Outcome& other) const {
    return fingerprints == other.fingerprints && findings == other.findings && alerts == other.alerts && outside_facts == other.outside_facts;
  }
};

// Runs the facts of a seed through a world of that weather until all is folded and said.
Outcome run(uint64_t seed, const Weather& weather);

}  // namespace xundian::simulation
