// Rounds put together: of every figure the median and the range, and what ours is of each peer's in the same round.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/bench/leg.h"
#include "tests/bench/machine.h"

namespace xundian::bench {

struct PeerKind {
  std::string name;        // As --peers takes it.
  std::string durability;  // What an acknowledgement of it means, and what it does not do.
  std::string ours;        // Which of our figures its facts_per_s is compared with.
  Result<Figures> (*run)(const Plan&);
};
const std::vector<PeerKind>& peer_kinds();

struct Report {
  Machine machine;
  std::vector<float> sync_us;
  std::vector<std::pair<std::string, std::string>> settings;  // Value as JSON.
  std::vector<Figures> ours;                                  // By round.
  std::vector<std::pair<const PeerKind*, std::vector<Figures>>> peers;
};

std::string report_json(const Report& report);
std::string report_text(const Report& report);

}  // namespace xundian::bench
