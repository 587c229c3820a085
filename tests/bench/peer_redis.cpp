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
constexpr uint32_t hash_stores = 200, hash_skus = 500;  // 100,000 hashes.

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

Result<double> used_memory(redisContext& context) {
  const auto reply = TRY(command(context, {"INFO", "memory"}));
  constexpr std::string_view name = "used_memory:";
  const std::string_view text(reply->str, reply->len);
  const size_t at = text.find(name);
  if (at == std::string_view::npos) return fail(Code::internal, "Redis does not say what memory it uses");
  return std::strtod(text.data() + at + name.size(), nullptr);
}

// Ends it and starts it on its file: entries that it reads a second, from its start to its first answer.
Result<double> reload_entries_per_s(std::optional<RedisServer>& server, const std::string& folder, size_t entries) {
  server.reset();
  const int64_t began = now_ns();
  server.emplace(TRY(RedisServer::start(folder)));
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  const auto context = TRY(connect_redis(server->socket()));
  const auto length = TRY(command(*context, {"XLEN", "facts"}));
  if (static_cast<size_t>(length->integer) != entries)
    return fail(Code::data_loss, "the stream holds {} facts of {} after a restart", length->integer, entries);
  return static_cast<double>(entries) / secs;
}

// What a hash with three counters takes, one for each SKU of each store: what else would hold the numbers.
Result<double> sku_hash_bytes(redisContext& context) {
  const double before = TRY(used_memory(context));
  for (uint32_t store = 0; store < hash_stores; ++store) {
    for (uint32_t sku = 0; sku < hash_skus; ++sku)
      for (const char* counter : {"orders", "units", "amount_micros"})
        append_command(context, {"HINCRBY", store_id(store) + ":" + sku_name(sku), counter, "259000000"});
    for (uint32_t answer = 0; answer < 3 * hash_skus; ++answer) TRY_VOID(next_reply(context));
  }
  return (TRY(used_memory(context)) - before) / (double{hash_stores} * hash_skus);
}

}  // namespace

Result<Figures> run_redis_always(const Plan& plan) {
  TempFolder folder;
  std::optional<RedisServer> server = TRY(RedisServer::start(folder.path()));
  std::vector<Client> clients(connections);
  std::vector<pollfd> items;
  for (Client& client : clients) {
    client.context = TRY(connect_redis(server->socket()));
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
  figures.add("cpu_us_per_fact.redis", server->process().cpu_seconds() * 1e6 / static_cast<double>(said));
  figures.add("aof_reload_entries_per_s", TRY(reload_entries_per_s(server, folder.path(), said)));
  const auto context = TRY(connect_redis(server->socket()));
  figures.add("sku_hash_bytes", TRY(sku_hash_bytes(*context)));
  return figures;
}

}  // namespace xundian::bench
