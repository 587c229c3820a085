// Our path with little in flight: one batch at a time on a quiet bus, and fifty producers that say one fact and wait.
#include "common/clock.h"
#include "common/wire.h"
#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

constexpr Millis single_patience_ms = 30'000;
constexpr size_t idle_batches = 500, single_producers = 50;
constexpr double single_share = 0.5, single_facts_per_s_max = 400'000;  // Of the leg's seconds.

// Fifty producers over `links` links, each of which waits for the ack of its fact before it says the next; they share producer
// 1's feed. All services fold meanwhile.
class Singles {
 public:
  Singles(const House& house, const Plan& plan, size_t links, size_t& next_batch)
      : house_(house), feed_(plan.workload->feeds[1]), next_batch_(next_batch) {
    for (size_t index = 0; index < links; ++index) {
      BusLink::Options options{fmt::format("bench.single.{}.{}", links, index), {}, false};
      for (size_t producer = index; producer < single_producers; producer += links)
        options.producers.push_back(producer_id(fmt::format("bench.single.{}.{}", links, producer)));
      const size_t count = options.producers.size();
      links_.push_back(
          {std::make_unique<BusLink>(house.home().endpoint("bus.0.put"), std::move(options)), std::vector<Speaker>(count)});
    }
  }

  Result<void> run(double secs) {
    for (Shared& shared : links_) TRY_VOID(connect(shared));
    const int64_t began = now_ns();
    until_ = began + static_cast<int64_t>(secs * 1e9);
    for (Shared& shared : links_) {
      for (size_t index = 0; index < shared.speakers.size(); ++index) TRY_VOID(say_next(shared, index));
      TRY_VOID(shared.link->turn(steady_ms()));
    }
    std::vector<zmq::pollitem_t> items(links_.size());
    for (Millis heard = steady_ms(); waiting_ > 0;) {
      if (interrupted()) return interrupted_error();
      if (steady_ms() - heard > single_patience_ms)
        return fail(Code::deadline_exceeded, "{} single facts were not acknowledged in {} ms", waiting_, single_patience_ms);
      // A link that said Hello again has another socket.
      for (size_t index = 0; index < links_.size(); ++index)
        items[index] = {links_[index].link->socket().handle(), 0, ZMQ_POLLIN, 0};
      poll_sockets(items, 50);
      for (size_t index = 0; index < links_.size(); ++index) {
        if ((items[index].revents & ZMQ_POLLIN) == 0 && steady_ms() - heard < 100) continue;
        if (TRY(hear(links_[index]))) heard = steady_ms();
      }
    }
    secs_ = static_cast<double>(now_ns() - began) / 1e9;
    if (ack_us_.size() != said_)
      return fail(Code::data_loss, "{} single facts were said and {} acknowledged", said_, ack_us_.size());
    return {};
  }
  void tell(const std::string& name, Figures& figures) const {
    figures.add(name + "_facts_per_s", static_cast<double>(said_) / secs_);
    figures.add(name + "_p50_us", quantile(ack_us_, 0.5));
    figures.add(name + "_p99_us", quantile(ack_us_, 0.99));
  }
  Offset head() const {
    Offset head = 0;
    for (const Shared& shared : links_)
      for (const auto& [partition, behind] : shared.link->acknowledged_heads()) head = std::max(head, behind);
    return head;
  }

 private:
  struct Speaker {
    int64_t sent_ns = 0;
    uint64_t acknowledged = 0;
    bool waits = false;
  };
  struct Shared {
    std::unique_ptr<BusLink> link;
    std::vector<Speaker> speakers;  // By the link's producers.
  };

  Result<void> connect(Shared& shared) {
    TRY_VOID(connect_link(*shared.link));
    for (size_t index = 0; index < shared.speakers.size(); ++index)
      shared.speakers[index].acknowledged = shared.link->acknowledged(index);
    return {};
  }
  // If there is a fact to say. A batch of the feed that is begun is said to its end.
  Result<void> say_next(Shared& shared, size_t index) {
    if (rest_.empty() && (now_ns() >= until_ || next_batch_ >= feed_.batches())) return {};
    if (rest_.empty()) rest_ = feed_.frames(next_batch_++);
    builder_.add_frame(TRY(split_frame(rest_)));
    shared.speakers[index].sent_ns = now_ns();
    shared.link->send(index, builder_.finish(scope, house_.home().settings().partitions, {}));
    shared.speakers[index].waits = true;
    said_ += 1;
    waiting_ += 1;
    return {};
  }
  // True if anything was acknowledged.
  Result<bool> hear(Shared& shared) {
    TRY_VOID(shared.link->turn(steady_ms()));
    const int64_t now = now_ns();
    bool heard = false;
    for (size_t index = 0; index < shared.speakers.size(); ++index) {
      Speaker& speaker = shared.speakers[index];
      const uint64_t acknowledged = shared.link->acknowledged(index);
      if (!speaker.waits || acknowledged == speaker.acknowledged) continue;
      speaker.acknowledged = acknowledged;
      speaker.waits = false;
      waiting_ -= 1;
      ack_us_.push_back(static_cast<float>(now - speaker.sent_ns) / 1000.0f);
      heard = true;
      TRY_VOID(say_next(shared, index));
    }
    if (heard) TRY_VOID(shared.link->turn(steady_ms()));
    return heard;
  }

  const House& house_;
  const Feed& feed_;
  size_t& next_batch_;
  std::vector<Shared> links_;
  std::string_view rest_;  // Of the batch of the feed that is begun.
  BatchBuilder builder_;
  int64_t until_ = 0;
  double secs_ = 0;
  size_t said_ = 0, waiting_ = 0;
  std::vector<float> ack_us_;
};

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

// Fifty producers, each over a link of its own and then all over one, as those of one program may.
Result<void> measure_single_facts(House& house, const Plan& plan, std::array<size_t, producers>& next, Figures& figures) {
  for (const auto& [name, links] : {std::pair{"single", single_producers}, std::pair{"shared", size_t{1}}}) {
    Singles singles(house, plan, links, next[1]);
    TRY_VOID(singles.run(plan.secs * single_share));
    singles.tell(name, figures);
    TRY_VOID(house.wait_folded(singles.head()));
  }
  return {};
}

}  // namespace xundian::bench
