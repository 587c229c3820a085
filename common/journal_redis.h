// The engine for several machines: the journal's newest commits are a stream in Redis, older ones lie in volumes in `folder`.
#pragma once

#include <memory>

#include "common/journal.h"
#include "common/redis_owner.h"

namespace xundian {

// The writer fills the index, readers of the same process look into it. Code::invalid_argument: Redis is set up wrongly, or
// refuses us; the message says what to set. Code::data_loss: the stream that was there is gone, or ends too early. To volumes
// that never had one (a restored backup) a stream is begun.
Result<std::unique_ptr<JournalWriter>> open_redis_writer(RedisOptions options, std::shared_ptr<StreamIndex> index);
// Sees what is acknowledged by all who have to.
Result<std::unique_ptr<JournalReader>> open_redis_reader(RedisOptions options, std::shared_ptr<StreamIndex> index);
// Without a writer in this process; reads the stream as it stands at this moment, for whoever looks at a journal that nobody
// writes.
Result<std::unique_ptr<JournalReader>> open_redis_reader(RedisOptions options);

}  // namespace xundian
