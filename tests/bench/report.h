// Rounds put together: of every figure the median and the range, and what ours is of each peer's in the same round.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/bench/leg.h"
#include "tests/bench/machine.h"

namespace xundian::bench {

// One of our figures against one of a peer's.
struct Comparison {
  std::string ours, theirs;
  bool less_is_better = false;  // A time, or bytes: the ratio is theirs to ours.
};

struct PeerKind {
  std::string name;                  // As --peers takes it.
  std::string durability;            // What an acknowledgement of it means, and what it does not do.
  std::vector<Comparison> compared;  // The first gives the ratio under the peer's name, the others under "NAME.THEIRS".
  bool always = true;                // False: measured with --peers all or by its name alone.
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
// The ratios as a picture: a bar for each, on a logarithmic scale, right of the line where ours is better.
std::string report_svg(const Report& report);

}  // namespace xundian::bench
