// The journal in Redis, for the conformance suite: a stream of its own in a Redis that all the tests of a process share.
#pragma once

#include "tests/conformance/engine.h"
#include "tests/conformance/redis_server.h"

namespace xundian {

// Calls again what may be called again, as the bus does, and archives in between.
class PersistentWriter : public JournalWriter {
 public:
  explicit PersistentWriter(std::unique_ptr<JournalWriter> writer) : writer_(std::move(writer)) {}
  Result<Position> append(const Heads& before, std::span<const std::string_view> batches) override;
  Result<void> trim(Position position) override { return writer_->trim(position); }
  Result<void> tidy() override { return writer_->tidy(); }
  void on_new_volume(std::function<std::string()> make_control) override { writer_->on_new_volume(std::move(make_control)); }
  Position volume_start() const override { return writer_->volume_start(); }

 private:
  std::unique_ptr<JournalWriter> writer_;
};

class RedisEngine {
 public:
  RedisEngine(uint32_t replicas, size_t window_bytes);
  Result<std::unique_ptr<JournalWriter>> writer(size_t volume_bytes = large_volume);
  // Of the writer's process while there is a writer.
  Result<std::unique_ptr<JournalReader>> reader();
  void flip(Position position, const std::string& commit, size_t byte, unsigned bit);

  RedisPair& servers;
  RedisOptions options;
  LmdbEngine volumes;

 private:
  std::weak_ptr<StreamIndex> index_;
};

// Alone, all in the stream; and with a replica and so small a window that nearly all is archived.
struct RedisAloneEngine : RedisEngine {
  RedisAloneEngine() : RedisEngine(0, 64u << 20) {}
};
struct RedisReplicaEngine : RedisEngine {
  RedisReplicaEngine() : RedisEngine(1, 16u << 10) {}
};

struct EngineNames {
  template <typename EngineType>
  static std::string GetName(int) {
    if (std::is_same_v<EngineType, MemoryEngine>) return "Memory";
    if (std::is_same_v<EngineType, LmdbEngine>) return "Lmdb";
    return std::is_same_v<EngineType, RedisAloneEngine> ? "Redis" : "RedisWithReplica";
  }
};

}  // namespace xundian
