// The gate of the straight design: takes batches from producers, adds each to the stream as one entry, and acknowledges it when
// Redis has answered, which under `always` is after the sync. It takes the next batches while Redis still works on the last.
#include <deque>
#include <map>

#include "common/query.h"
#include "common/wire.h"
#include "tests/bench/peer_straight.h"
#include "tests/bench/redis.h"

namespace xundian::bench::straight {

namespace {

// Redis reads a part of a pipe at a time and syncs once for all pipes that it has read from: several make its groups larger.
constexpr size_t pipes = 4;
constexpr size_t taken_at_once = 64;

struct Pipe {
  RedisContext context;
  std::deque<std::string> waiting;  // Whose batch each answer is about.
};

// Queues what producers have sent; sends it.
Result<void> take_batches(zmq::socket_t& router, std::vector<Pipe>& to, size_t& next) {
  std::vector<zmq::message_t> frames;
  for (size_t taken = 0; taken < taken_at_once && take_frames(router, frames); ++taken) {
    if (frames.size() != 2) return fail(Code::internal, "a message of {} frames", frames.size());
    Pipe& pipe = to[next++ % pipes];
    const std::string_view batch = view_of(frames[1]);
    append_command(*pipe.context, {"XADD", stream, "*", batch == end_message ? end_field : facts_field, batch});
    pipe.waiting.emplace_back(view_of(frames[0]));
  }
  for (Pipe& pipe : to)
    for (int done = 0; done == 0;)
      if (redisBufferWrite(pipe.context.get(), &done) != REDIS_OK)
        return fail(Code::unavailable, "Redis: {}", pipe.context->errstr);
  return {};
}

// Reads what Redis answered and tells the producers, each once.
Result<void> pass_acks(Pipe& pipe, zmq::socket_t& router) {
  if (redisBufferRead(pipe.context.get()) != REDIS_OK) return fail(Code::unavailable, "Redis: {}", pipe.context->errstr);
  std::map<std::string, uint64_t> durable;
  for (;;) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(pipe.context.get(), &reply) != REDIS_OK)
      return fail(Code::unavailable, "Redis: {}", pipe.context->errstr);
    if (reply == nullptr) break;
    const RedisReply held(static_cast<redisReply*>(reply));
    if (held->type == REDIS_REPLY_ERROR) return fail(Code::internal, "Redis answered: {}", held->str);
    durable[pipe.waiting.front()] += 1;
    pipe.waiting.pop_front();
  }
  for (const auto& [producer, count] : durable)
    send_frames(router, {producer, std::string_view(reinterpret_cast<const char*>(&count), sizeof count)});
  return {};
}

Result<void> serve(const std::string& redis, const std::string& endpoint) {
  zmq::socket_t router = make_socket(zmq::socket_type::router, put_message_bytes_max);
  TRY_VOID(bind_socket(router, endpoint));
  std::vector<Pipe> to(pipes);
  std::vector<zmq::pollitem_t> items = {{router.handle(), 0, ZMQ_POLLIN, 0}};
  for (Pipe& pipe : to) {
    pipe.context = TRY(connect_redis(redis));
    items.push_back({nullptr, pipe.context->fd, ZMQ_POLLIN, 0});
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  for (size_t next = 0; !interrupted();) {
    poll_sockets(items, 1'000);
    for (size_t index = 0; index < pipes; ++index)
      if ((items[index + 1].revents & ZMQ_POLLIN) != 0) TRY_VOID(pass_acks(to[index], router));
    if ((items[0].revents & ZMQ_POLLIN) != 0) TRY_VOID(take_batches(router, to, next));
  }
  return {};
}

}  // namespace

int run_gate(const std::string& redis, const std::string& endpoint) {
  const auto outcome = serve(redis, endpoint);
  if (outcome) return 0;
  fmt::print(stderr, "{}\n", outcome.error().message);
  return 1;
}

}  // namespace xundian::bench::straight
