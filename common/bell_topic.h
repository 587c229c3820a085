// What a ring of the bell is about, so that it wakes those alone who fold what has come.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>

#include "common/fact_view.h"

namespace xundian {

// Kinds by their tens: 20 are orders and refunds, 91 findings and alerts.
using BellTopic = uint8_t;
inline constexpr BellTopic bell_for_all = 0;
inline constexpr BellTopic bell_topic_of(Kind kind) { return static_cast<BellTopic>(std::clamp(kind / 10, 1, 255)); }

// What who folds these kinds listens to.
inline std::set<BellTopic> bell_topics_of(std::span<const Kind> kinds) {
  std::set<BellTopic> topics = {bell_for_all, bell_topic_of(v1::Fact::kTick)};
  for (const Kind kind : kinds) topics.insert(bell_topic_of(kind));
  return topics;
}

}  // namespace xundian
