#include "tests/bench/redis.h"

#include <unistd.h>

#include <thread>

#include "common/clock.h"

namespace xundian::bench {

namespace {

constexpr const char* program = "/usr/bin/redis-server";

}  // namespace

Result<RedisContext> connect_redis(const std::string& socket) {
  RedisContext context(redisConnectUnix(socket.c_str()));
  if (!context || context->err != 0)
    return fail(Code::unavailable, "no Redis at {}: {}", socket, context ? context->errstr : "no memory");
  return context;
}

void append_command(redisContext& context, std::span<const std::string_view> words) {
  std::vector<const char*> bytes;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    bytes.push_back(word.data());
    sizes.push_back(word.size());
  }
  CHECK(redisAppendCommandArgv(&context, static_cast<int>(words.size()), bytes.data(), sizes.data()) == REDIS_OK,
        "a command is queued");
}

Result<RedisReply> next_reply(redisContext& context) {
  void* reply = nullptr;
  if (redisGetReply(&context, &reply) != REDIS_OK) return fail(Code::unavailable, "Redis: {}", context.errstr);
  RedisReply held(static_cast<redisReply*>(reply));
  if (held->type == REDIS_REPLY_ERROR) return fail(Code::internal, "Redis answered: {}", held->str);
  return held;
}

Result<RedisReply> command(redisContext& context, std::initializer_list<std::string_view> words) {
  append_command(context, words);
  return next_reply(context);
}

Result<RedisServer> RedisServer::start(const std::string& folder) {
  if (access(program, X_OK) != 0) return fail(Code::not_found, "{} is not there; apt-get install redis-server", program);
  const std::string socket = folder + "/redis.sock";
  RedisServer server(
      socket, TRY(Process::start({program,  "--port",     "0",      "--unixsocket", socket, "--unixsocketperm",
                                  "700",    "--dir",      folder,   "--appendonly", "yes",  "--appendfsync",
                                  "always", "--save",     "",       "--daemonize",  "no",   "--auto-aof-rewrite-percentage",
                                  "0",      "--loglevel", "warning"},
                                 folder + "/redis.log")));
  for (const Millis until = steady_ms() + start_ms;;) {
    const auto context = connect_redis(socket);
    // While it reads its file it answers to anything that it is loading.
    if (context && command(**context, {"PING"})) {
      const auto reply = TRY(command(**context, {"CONFIG", "GET", "appendfsync"}));
      if (reply->elements != 2 || std::string_view(reply->element[1]->str) != "always")
        return fail(Code::failed_precondition, "Redis does not sync before it answers");
      return server;
    }
    if (!server.process_.lives()) return fail(Code::unavailable, "redis-server ended: {}", server.process_.said());
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "redis-server did not answer in {} ms", start_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::string redis_version() {
  const std::string line = first_line({program, "--version"});
  const size_t at = line.find("v=");
  return at == std::string::npos ? std::string() : line.substr(at + 2, line.find(' ', at) - at - 2);
}

}  // namespace xundian::bench
