#include "tests/conformance/redis_engine.h"

#include <thread>

#include "common/clock.h"

namespace xundian {

Result<Position> PersistentWriter::append(const Heads& before, std::span<const std::string_view> batches) {
  for (const Millis until = steady_ms() + 20'000;;) {
    auto position = writer_->append(before, batches);
    const auto tidied = writer_->tidy();
    EXPECT_TRUE(tidied || tidied.error().code == Code::unavailable || !position) << tidied.error().message;
    if (position || position.error().code != Code::unavailable || steady_ms() >= until) return position;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

RedisEngine::RedisEngine(uint32_t replicas, size_t window_bytes) : servers(RedisPair::shared(replicas)) {
  options.address = servers.primary->address();
  options.key = volumes.folder;  // As unlike others as the folder.
  options.folder = volumes.folder;
  options.replicas = replicas;
  options.window_bytes = window_bytes;
}

Result<std::unique_ptr<JournalWriter>> RedisEngine::writer(size_t volume_bytes) {
  options.volume_bytes = volume_bytes;
  auto index = std::make_shared<StreamIndex>(20'000);  // So little is kept in memory that Redis is asked too.
  auto writer = TRY(open_redis_writer(options, index));
  index_ = index;
  return std::make_unique<PersistentWriter>(std::move(writer));
}

Result<std::unique_ptr<JournalReader>> RedisEngine::reader() {
  if (auto index = index_.lock()) return open_redis_reader(options, std::move(index));
  return open_redis_reader(options);
}

// An entry cannot be changed: the stream is written again, with it changed.
void RedisEngine::flip(Position position, const std::string& commit, size_t byte, unsigned bit) {
  RedisLink link(options.address);
  ASSERT_TRUE(link.connect());
  const auto range = link.ask({"XRANGE", options.key, "-", "+"});
  ASSERT_TRUE(range);
  const auto entries = parse_entries(**range);
  ASSERT_TRUE(entries);
  ASSERT_TRUE(link.ask({"DEL", options.key}));
  bool found = false;
  for (const StreamEntry& entry : *entries) {
    std::string bytes(entry.bytes);
    const bool wanted = !entry.id.is_mark && entry.id.position == position;
    if (wanted) bytes[byte] = static_cast<char>(bytes[byte] ^ 1 << bit);
    found = found || wanted;
    const std::string unit = fmt::format("{} {}", entry.unit_start, entry.unit_bytes);
    ASSERT_TRUE(link.ask({"XADD", options.key, entry.id.text(), entry.id.is_mark ? "e" : "c", bytes, "u", unit}));
  }
  Position archived = 0;
  {
    const auto archive = open_lmdb_reader(options.folder);
    ASSERT_TRUE(archive);
    archived = (*archive)->range()->next;
  }
  if (position < archived) return volumes.flip(position, commit, byte, bit);
  ASSERT_TRUE(found) << "nothing holds position " << position;
}

}  // namespace xundian
