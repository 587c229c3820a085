// What one input did to conversations, to be judged once all of it is done.
#pragma once

#include <set>

#include "services/support/state.h"

namespace xundian::support {

struct State::Touched {
  std::set<Key> formed;             // Conversations that are new or changed.
  std::map<Key, std::string> gone;  // Names of those that were taken apart; some are there again.
  bool responded = false;           // A first response that is news came or went.
};

}  // namespace xundian::support
