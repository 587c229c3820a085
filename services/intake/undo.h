// Takes an import back: what it was the last to state is withdrawn by newer versions, and what stood before is restored.
#pragma once

#include <string_view>
#include <vector>

#include "common/journal.h"
#include "services/intake/state.h"

namespace xundian::intake {

// What an undo says that it is.
inline constexpr std::string_view undo_source = "intake.undo";

struct UndoPlan {
  std::vector<v1::Fact> facts;  // In an order that depends on the journal's content alone.
  uint64_t withdrawn = 0;       // Things of which nothing is left.
  uint64_t restored = 0;        // Things of which something is.
  Millis occurred_ms = 0;       // The newest among those of the import.
};

// Reads the journal twice: which things the import spoke of, then all that was said of those. Code::not_found: the journal has
// nothing by that import; Code::failed_precondition: it was undone already, or a revision cannot be raised any more.
Result<UndoPlan> plan_undo(JournalReader& journal, std::string_view scope, uint64_t import_id);

}  // namespace xundian::intake
