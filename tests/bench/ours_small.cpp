// Our path with little in flight: one batch at a time on a quiet bus, and fifty producers that say one fact and wait.
#include "common/clock.h"
#include "common/wire.h"
#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

constexpr size_t idle_batches = 500, single_producers = 50;
constexpr double single_share = 0.5, single_facts_per_s_max = 200'000;  // Of the leg's seconds.

}  // namespace

size_t batches_kept(const Plan& plan) {
  return std::max(idle_batches, static_cast<size_t>(plan.secs * single_share * single_facts_per_s_max / facts_of_batch));
}

// Producer 0 puts a batch of a hundred and waits for its ack.
Result<void> measure_idle_acks(House& house, const Workload& workload, std::array<size_t, producers>& next, Figures& figures) {
  TimedProducer link(house.home(), "bench.idle");
  TRY_VOID(link.connect());
  BatchBuilder builder;
  const Feed& feed = workload.feeds[0];
  for (size_t count = 0; count < idle_batches && next[0] < feed.batches(); ++count) {
    add_frames(builder, feed.frames(next[0]++));
    link.send(builder.finish(scope, house.home().settings().partitions, {}));
    TRY_VOID(link.drain());
  }
  figures.add("ack_one_batch_p50_us", quantile(link.ack_us(), 0.5));
  figures.add("ack_one_batch_p99_us", quantile(link.ack_us(), 0.99));
  return house.wait_folded(link.head(house.partition()));
}

// Fifty producers, each with its own socket and session, share producer 1's feed; all services fold meanwhile.
Result<void> measure_single_facts(House& house, const Plan& plan, std::array<size_t, producers>& next, Figures& figures) {
  std::vector<std::unique_ptr<TimedProducer>> links;
  std::vector<zmq::pollitem_t> items;
  for (size_t index = 0; index < single_producers; ++index) {
    links.push_back(std::make_unique<TimedProducer>(house.home(), fmt::format("bench.single.{}", index)));
    TRY_VOID(links.back()->connect());
  }
  for (const auto& link : links) items.push_back({link->link().socket().handle(), 0, ZMQ_POLLIN, 0});
  const Feed& feed = plan.workload->feeds[1];
  const uint32_t partitions = house.home().settings().partitions;
  const int64_t began = now_ns(), until = began + static_cast<int64_t>(plan.secs * single_share * 1e9);
  std::string_view rest;
  BatchBuilder builder;
  size_t said = 0, waiting = 0;
  // True if there was a fact to say. A batch of the feed that is begun is said to its end.
  const auto say_next = [&](TimedProducer& link) -> Result<bool> {
    if (rest.empty() && (now_ns() >= until || next[1] >= feed.batches())) return false;
    if (rest.empty()) rest = feed.frames(next[1]++);
    builder.add_frame(TRY(split_frame(rest)));
    link.send(builder.finish(scope, partitions, {}));
    TRY_VOID(link.turn(0));
    said += 1;
    return true;
  };
  for (const auto& link : links) waiting += TRY(say_next(*link)) ? 1 : 0;
  for (Millis heard = steady_ms(); waiting > 0;) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() - heard > 30'000)
      return fail(Code::deadline_exceeded, "{} single facts were not acknowledged in 30 s", waiting);
    poll_sockets(items, 50);
    for (size_t index = 0; index < links.size(); ++index) {
      if ((items[index].revents & ZMQ_POLLIN) == 0 && steady_ms() - heard < 100) continue;
      const size_t before = links[index]->link().unacknowledged();
      TRY_VOID(links[index]->turn(0));
      if (before == 0 || links[index]->link().unacknowledged() > 0) continue;
      heard = steady_ms();
      waiting -= TRY(say_next(*links[index])) ? 0 : 1;
    }
    // A link that said Hello again has another socket.
    for (size_t index = 0; index < links.size(); ++index) items[index].socket = links[index]->link().socket().handle();
  }
  const double secs = static_cast<double>(now_ns() - began) / 1e9;
  std::vector<float> ack_us;
  Offset head = 0;
  for (const auto& link : links) {
    ack_us.insert(ack_us.end(), link->ack_us().begin(), link->ack_us().end());
    head = std::max(head, link->head(house.partition()));
  }
  if (ack_us.size() != said) return fail(Code::data_loss, "{} single facts were said and {} acknowledged", said, ack_us.size());
  figures.add("single_facts_per_s", static_cast<double>(said) / secs);
  figures.add("single_p50_us", quantile(ack_us, 0.5));
  figures.add("single_p99_us", quantile(ack_us, 0.99));
  return house.wait_folded(head);
}

}  // namespace xundian::bench
