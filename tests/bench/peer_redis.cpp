// Redis `always` from fifty clients that each append one fact to a stream and wait for the answer: what a group commit across
// connections gives it. One thread drives all connections, so that Redis has the other core for itself. Nothing reads the stream.
#include <poll.h>

#include "common/clock.h"
#include "tests/bench/leg.h"
#include "tests/bench/redis.h"

namespace xundian::bench {

namespace {

constexpr size_t connections = 50;
constexpr int wait_ms = 30'000;

struct Client {
  RedisContext context;
  int64_t sent_ns = 0;
  bool waits = false;
};

// Sends the next fact of the feed.
Result<void> say(Client& client, std::string_view body) {
  append_command(*client.context, {"XADD", "facts", "*", "f", body});
  client.sent_ns = now_ns();
  for (int done = 0; done == 0;)
    if (redisBufferWrite(client.context.get(), &done) != REDIS_OK)
      return fail(Code::unavailable, "Redis: {}", client.context->errstr);
  client.waits = true;
  return {};
}

// True if the answer has come in whole.
Result<bool> hear(Client& client) {
  void* reply = nullptr;
  if (redisBufferRead(client.context.get()) != REDIS_OK || redisGetReplyFromReader(client.context.get(), &reply) != REDIS_OK)
    return fail(Code::unavailable, "Redis: {}", client.context->errstr);
  const RedisReply held(static_cast<redisReply*>(reply));
  if (held && held->type == REDIS_REPLY_ERROR) return fail(Code::internal, "Redis answered: {}", held->str);
  return held != nullptr;
}

}  // namespace

Result<Figures> run_redis_always(const Plan& plan) {
  TempFolder folder;
  const RedisServer server = TRY(RedisServer::start(folder.path()));
  std::vector<Client> clients(connections);
  std::vector<pollfd> items;
  for (Client& client : clients) {
    client.context = TRY(connect_redis(server.socket()));
    items.push_back({client.context->fd, POLLIN, 0});
  }
  const Feed& feed = plan.workload->feeds[0];
  std::vector<std::string_view> bodies;
  size_t batch = 0, said = 0, waiting = 0;
  std::vector<float> ack_us;
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(plan.secs * 1e9);
  const auto say_next = [&](Client& client) -> Result<void> {
    if (now_ns() >= until) return {};
    if (bodies.empty() && batch < feed.batches())
      for_each_body(feed.frames(batch++), [&](std::string_view body) { bodies.push_back(body); });
    if (bodies.empty()) return {};
    TRY_VOID(say(client, bodies.back()));
    bodies.pop_back();
    said += 1;
    waiting += 1;
    return {};
  };
  for (Client& client : clients) TRY_VOID(say_next(client));
  while (waiting > 0) {
    if (interrupted()) return interrupted_error();
    if (poll(items.data(), items.size(), wait_ms) <= 0 && !interrupted()) return fail(Code::deadline_exceeded, "Redis is silent");
    for (size_t index = 0; index < clients.size(); ++index) {
      Client& client = clients[index];
      if (items[index].revents == 0 || !client.waits || !TRY(hear(client))) continue;
      client.waits = false;
      waiting -= 1;
      ack_us.push_back(static_cast<float>(now_ns() - client.sent_ns) / 1000.0f);
      TRY_VOID(say_next(client));
    }
  }
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  const auto length = TRY(command(*clients[0].context, {"XLEN", "facts"}));
  if (static_cast<size_t>(length->integer) != said)
    return fail(Code::data_loss, "the stream holds {} facts of {}", length->integer, said);
  Figures figures;
  figures.add("facts_per_s", static_cast<double>(said) / secs);
  figures.add("ack_p50_us", quantile(ack_us, 0.5));
  figures.add("ack_p99_us", quantile(ack_us, 0.99));
  figures.add("facts", static_cast<double>(said));
  figures.add("secs", secs);
  figures.add("cpu_us_per_fact.redis", server.process().cpu_seconds() * 1e6 / static_cast<double>(said));
  return figures;
}

}  // namespace xundian::bench
