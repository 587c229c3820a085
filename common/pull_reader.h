// Reads a journal that lies on another machine, or that is not to be read in place: by questions to its bus.
#pragma once

#include <memory>
#include <string>

#include "common/home.h"
#include "common/journal.h"

namespace xundian {

struct PullOptions {
  Millis timeout_ms = 2000;  // For one answer.
  int attempts = 3;          // Then Code::unavailable; the reader may be used again.
};
// `fetch_endpoint` is that of "bus.<b>.fetch".
Result<std::unique_ptr<JournalReader>> open_pull_reader(const std::string& fetch_endpoint, PullOptions options = {});

// The journal of a home's bus as it is to be read: in place, or, where that cannot or (`pull`) shall not be, through the bus.
// What lies in Redis is never read past the bus, which alone knows what is acknowledged.
Result<std::unique_ptr<JournalReader>> open_home_reader(const Home& home, uint32_t bus, bool pull = false);

}  // namespace xundian
