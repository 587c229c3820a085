// How bad a simulated world is, and what a run in it comes to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/version.h"

namespace xundian::simulation {

// In parts of a thousand: of the messages, or of the turns.
struct Weather {
  unsigned drop = 0, repeat = 0, reorder = 0;  // Of messages, wherever the protocol bears it.
  unsigned cut = 0;                            // Connections.
  Millis delay_ms = 0;
  unsigned bus_crash = 0, fold_crash = 0, producer_crash = 0, notifier_crash = 0;
  unsigned disk_fault = 0, disk_full = 0;
  unsigned pause = 0;           // A process that is not given the processor for a while.
  unsigned clock_step = 0;      // Of the wall clock, both ways.
  unsigned snapshot_loss = 0;   // Of a snapshot, at a crash.
  unsigned receiver_fault = 0;  // Of the requests to the receiver of notices.
};
inline constexpr Weather calm{.drop = 0};

// What kind of home it is.
struct Place {
  bool wall_clock = false;    // Else the facts' own clock.
  bool shared_group = false;  // Two producers state facts of one group, so that their order is chance.
};

// Two runs of the same facts come to the same: the fingerprints anywhere, the rest where the order of the facts is the same.
struct Outcome {
  std::map<std::string, std::string> fingerprints;           // By service.
  std::map<std::string, std::vector<std::string>> findings;  // By service and scope: what it said, in its order.
  std::map<std::string, std::string> alerts;                 // By alert: how it stands in the end.
  uint64_t outside_facts = 0;                                // In the journal.
  size_t crashes = 0, deliveries = 0, repeats = 0;
};

// Runs the facts of a seed through a world of that weather until all is folded, said and delivered. Throws what went wrong.
Outcome run(uint64_t seed, const Weather& weather, const Place& place);

}  // namespace xundian::simulation
