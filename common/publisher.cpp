#include <algorithm>

#include "common/clock.h"
#include "common/producer.h"
#include "common/wire.h"

namespace xundian {

namespace {

constexpr size_t batch_bytes = 256u << 10;
constexpr size_t batch_facts = 4000;
constexpr Millis credit_wait_ms = 60'000;  // Without any progress.
constexpr Millis turn_ms = 50;

}  // namespace

struct Publisher::Impl {
  HomeSettings settings;
  std::vector<std::unique_ptr<BusLink>> links;            // By bus.
  std::map<std::string, BatchBuilder, std::less<>> open;  // By scope.

  // Lets the buses speak, waiting for up to `timeout_ms` if they have nothing to say.
  Result<void> turn(Millis timeout_ms) {
    // Before it waits for an answer: a link that has not spoken yet is not even connected.
    for (const auto& link : links) TRY_VOID(link->turn(steady_ms()));
    if (timeout_ms == 0) return {};
    std::vector<zmq::pollitem_t> items;
    items.reserve(links.size());
    for (const auto& link : links) items.push_back({link->socket().handle(), 0, ZMQ_POLLIN, 0});
    poll_sockets(items, timeout_ms);
    for (const auto& link : links) TRY_VOID(link->turn(steady_ms()));
    return {};
  }

  Result<void> seal(const std::string& scope, BatchBuilder& builder) {
    if (builder.empty()) return {};
    BusLink& link = *links[partition_of(group_hash(scope), settings.partitions) % settings.buses];
    uint64_t acknowledged = link.acknowledged(0);
    for (Millis since = steady_ms(); !link.may_send();) {
      if (link.acknowledged(0) != acknowledged) since = steady_ms();
      acknowledged = link.acknowledged(0);
      if (steady_ms() - since >= credit_wait_ms) return gave_up(credit_wait_ms);
      TRY_VOID(turn(link.welcomed() && !link.refusal().empty() ? 5 : turn_ms));
    }
    link.send(0, builder.finish(scope, settings.partitions, {}));
    return turn(0);
  }

  tl::unexpected<Error> gave_up(Millis after_ms) {
    for (const auto& link : links) {
      if (!link->refusal().empty()) return fail(Code::resource_exhausted, "the bus takes nothing: {}", link->refusal());
      if (!link->welcomed()) return fail(Code::unavailable, "no answer from the bus within {} ms; is it running?", after_ms);
    }
    return fail(Code::deadline_exceeded, "the bus did not acknowledge within {} ms", after_ms);
  }

  size_t unacknowledged() const {
    size_t batches = 0;
    for (const auto& link : links) batches += link->unacknowledged();
    return batches;
  }
};

Publisher::Publisher(const Home& home, const std::string& name) : impl_(std::make_unique<Impl>()) {
  impl_->settings = home.settings();
  for (uint32_t bus = 0; bus < home.settings().buses; ++bus)
    impl_->links.push_back(std::make_unique<BusLink>(home.endpoint(fmt::format("bus.{}.put", bus)),
                                                     BusLink::Options{name, {producer_id(name)}, false}));
}

Publisher::~Publisher() = default;

Result<void> Publisher::put(const std::string& scope, const v1::Fact& fact) {
  std::string frame;
  TRY_VOID(append_frame(frame, fact));
  return put_frame(scope, frame);
}

Result<void> Publisher::put_frame(const std::string& scope, std::string_view frame) {
  BatchBuilder& builder = impl_->open[scope];
  if (builder.bytes() + frame.size() > batch_bytes || builder.count() >= batch_facts) TRY_VOID(impl_->seal(scope, builder));
  builder.add_frame(frame);
  return {};
}

Result<std::map<Partition, Offset>> Publisher::flush(Millis timeout_ms) {
  const Millis until = steady_ms() + timeout_ms;
  for (auto& [scope, builder] : impl_->open) TRY_VOID(impl_->seal(scope, builder));
  impl_->open.clear();
  TRY_VOID(impl_->turn(0));
  while (impl_->unacknowledged() > 0) {
    const Millis left = until - steady_ms();
    if (left <= 0) return impl_->gave_up(timeout_ms);
    TRY_VOID(impl_->turn(std::min(left, turn_ms)));
  }
  std::map<Partition, Offset> heads;
  for (const auto& link : impl_->links)
    for (const auto& [partition, head] : link->acknowledged_heads()) heads[partition] = std::max(heads[partition], head);
  return heads;
}

}  // namespace xundian
