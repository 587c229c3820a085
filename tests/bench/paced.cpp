#include "tests/bench/paced.h"

namespace xundian::bench {

PacedLoad::PacedLoad(House& house, const Feed& feed, size_t first, double facts_per_s)
    : thread_([this, &house, &feed, first, facts_per_s](std::stop_token stop) {
        outcome_ = put(house, feed, first, facts_per_s, std::move(stop));
      }) {}

Result<size_t> PacedLoad::stop() {
  thread_.request_stop();
  thread_.join();
  if (!outcome_) return tl::unexpected(outcome_.error());
  return batches_;
}

Result<void> PacedLoad::put(House& house, const Feed& feed, size_t first, double facts_per_s, std::stop_token stop) {
  TimedProducer link(house.home(), "bench.paced");
  TRY_VOID(link.connect());
  BatchBuilder builder;
  const int64_t began = now_ns();
  while (!stop.stop_requested()) {
    secs_ = static_cast<double>(now_ns() - began) / 1e9;
    const auto due = static_cast<size_t>(secs_ * facts_per_s / facts_of_batch);
    while (batches_ < due && first + batches_ < feed.batches() && link.link().may_send()) {
      add_frames(builder, feed.frames(first + batches_++));
      link.send(builder.finish(scope, house.home().settings().partitions, {}));
    }
    TRY_VOID(link.turn(2));
  }
  return link.drain();
}

}  // namespace xundian::bench
