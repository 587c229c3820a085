// A Redis of its own on a unix socket, which syncs before each answer; and hiredis with its memory held.
#pragma once

#include <hiredis/hiredis.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "tests/bench/process.h"

namespace xundian::bench {

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisContext = std::unique_ptr<redisContext, FreeContext>;
using RedisReply = std::unique_ptr<redisReply, FreeReply>;

Result<RedisContext> connect_redis(const std::string& socket);
// Queues a command; binary safe.
void append_command(redisContext& context, std::span<const std::string_view> words);
inline void append_command(redisContext& context, std::initializer_list<std::string_view> words) {
  append_command(context, std::span<const std::string_view>(words.begin(), words.size()));
}
// The next answer, what is queued being sent first; an error that Redis says is an error here.
Result<RedisReply> next_reply(redisContext& context);
Result<RedisReply> command(redisContext& context, std::initializer_list<std::string_view> words);

class RedisServer {
 public:
  // Append only, appendfsync always, verified by asking it; nothing that costs it and that the bench does not need: no snapshots,
  // no rewriting of its file, no TCP. If the folder holds a file it reads that; returns when it answers.
  static Result<RedisServer> start(const std::string& folder);
  const std::string& socket() const { return socket_; }
  const Process& process() const { return process_; }

 private:
  RedisServer(std::string socket, Process process) : socket_(std::move(socket)), process_(std::move(process)) {}
  std::string socket_;
  Process process_;
};

// "7.0.15"; empty if there is none.
std::string redis_version();

}  // namespace xundian::bench
