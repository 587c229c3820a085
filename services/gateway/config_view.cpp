#include "services/gateway/config_view.h"

#include <algorithm>

#include "common/clock.h"
#include "services/gateway/api.h"

namespace xundian::gateway {

namespace {

const std::set<Kind> kinds = {facts::v1::Fact::kFeedState, facts::v1::Fact::kImportState, facts::v1::Fact::kSubscriberState};

// The digest is left to the facts' own tie-break elsewhere; here two statements of one rank are told apart by their bytes.
template <typename Aspect>
Version version_of(const TailItem& item, const Aspect& aspect) {
  return {item.rank, hash64(aspect.SerializeAsString())};
}

}  // namespace

Result<void> ConfigView::refresh(Millis timeout_ms) {
  const std::lock_guard lock(mutex_);
  if (!stream_ || stream_->error()) {
    subscribers_.clear();
    feeds_.clear();
    imports_.clear();
    stream_ = tail_.open(kinds, TailStream::Start::beginning);
  }
  const Millis until = steady_ms() + timeout_ms;
  const uint64_t ticket = stream_->ask_end();
  while (!stream_->has_reached(ticket)) {
    while (const auto item = stream_->pop(5)) take(*item);
    if (const auto error = stream_->error()) return tl::unexpected(*error);
    if (steady_ms() > until) return fail(Code::deadline_exceeded, "the journal could not be read to its end in time");
  }
  return {};
}

void ConfigView::take(const TailItem& item) {
  const facts::v1::Fact& fact = item.fact;
  if (fact.has_subscriber_state()) {
    const auto& state = fact.subscriber_state();
    SubscriberThing& thing = subscribers_[fact.key()];
    thing.scope = item.scope;
    thing.terms.merge(state.has_terms(), version_of(item, state.terms()), state.terms());
    if (state.has_withdrawn()) thing.withdrawn = std::max(thing.withdrawn, version_of(item, state.withdrawn()));
  } else if (fact.has_feed_state()) {
    const auto& state = fact.feed_state();
    FeedThing& thing = feeds_[item.scope + "\n" + fact.store() + "\n" + fact.key()];
    thing.scope = item.scope;
    thing.store = fact.store();
    thing.feed = fact.key();
    thing.expectation.merge(state.has_expectation(), version_of(item, state.expectation()), state.expectation());
    thing.arrival.merge(state.has_arrival(), version_of(item, state.arrival()), state.arrival());
    if (state.has_withdrawn()) thing.withdrawn = std::max(thing.withdrawn, version_of(item, state.withdrawn()));
  } else if (fact.has_import_state()) {
    const auto& state = fact.import_state();
    ImportThing& thing = imports_[item.scope + "\n" + fact.key()];
    thing.scope = item.scope;
    thing.done.merge(state.has_done(), version_of(item, state.done()), state.done());
    if (state.has_undone()) thing.undone = std::max(thing.undone, version_of(item, state.undone()));
  }
}

std::vector<v1::Subscriber> ConfigView::subscribers(const Call& call) {
  const std::lock_guard lock(mutex_);
  std::vector<v1::Subscriber> result;
  for (const auto& [id, thing] : subscribers_) {
    if (!call.sees_scope(thing.scope) || thing.terms.version <= thing.withdrawn) continue;
    v1::Subscriber& subscriber = result.emplace_back();
    subscriber.set_id(id);
    *subscriber.mutable_terms() = thing.terms.aspect;
  }
  return result;
}

std::string ConfigView::scope_of_subscriber(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = subscribers_.find(id);
  return found == subscribers_.end() ? std::string() : found->second.scope;
}

std::vector<v1::FeedStatus> ConfigView::feeds(const Call& call, size_t most) {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<Millis, v1::FeedStatus>> found;
  for (const auto& [name, thing] : feeds_) {
    if (!call.sees_scope(thing.scope) || !call.sees(thing.store)) continue;
    const bool expected = thing.expectation.version > thing.withdrawn, arrived = thing.arrival.version > thing.withdrawn;
    if (!expected && !arrived) continue;
    v1::FeedStatus feed;
    feed.set_feed(thing.feed);
    feed.set_store(thing.store);
    Millis newest = 0;
    if (expected && thing.expectation.aspect.expected_by_ms() > 0) {
      newest = thing.expectation.aspect.expected_by_ms();
      *feed.mutable_expected_by() = timestamp(newest);
    }
    if (arrived && thing.arrival.aspect.arrived_ms() > 0) {
      newest = std::max(newest, thing.arrival.aspect.arrived_ms());
      *feed.mutable_arrived() = timestamp(thing.arrival.aspect.arrived_ms());
      feed.set_rows(thing.arrival.aspect.rows());
      feed.set_rejected(thing.arrival.aspect.rejected());
    }
    found.emplace_back(newest, std::move(feed));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<v1::FeedStatus> result;
  for (auto& [newest, feed] : found)
    if (result.size() < most) result.push_back(std::move(feed));
  return result;
}

std::vector<v1::ImportSummary> ConfigView::imports(const Call& call, size_t most) {
  const std::lock_guard lock(mutex_);
  if (!call.principal->all_stores) return {};  // An import may hold any store's rows.
  std::vector<std::pair<Version, v1::ImportSummary>> found;
  for (const auto& [name, thing] : imports_) {
    if (!call.sees_scope(thing.scope)) continue;
    const facts::v1::ImportDone& done = thing.done.aspect;
    v1::ImportSummary import;
    import.set_import_id(done.import_id());
    import.set_file(done.file());
    import.set_format(done.format());
    import.set_rows(done.rows());
    import.set_facts(done.facts());
    import.set_rejected(done.rejected());
    import.set_undone(thing.undone > thing.done.version);
    found.emplace_back(thing.done.version, std::move(import));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<v1::ImportSummary> result;
  for (auto& [version, import] : found)
    if (result.size() < most) result.push_back(std::move(import));
  return result;
}

}  // namespace xundian::gateway
