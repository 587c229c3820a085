// Answers FETCH: the journal, for those who cannot read it in place.
#pragma once

#include "common/journal.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian::bus {

// At most about 1 MB an answer, so that nobody else waits for long.
wire::v1::Fetched answer_fetch(JournalReader& reader, const wire::v1::Fetch& question, uint32_t epoch);

}  // namespace xundian::bus
