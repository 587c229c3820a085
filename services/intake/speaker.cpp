#include "services/intake/speaker.h"

#include <algorithm>
#include <map>

#include "services/intake/restate.h"

namespace xundian::intake {

namespace {

constexpr int slice_facts_max = 1'000;
constexpr size_t slice_bytes_max = 1u << 20;

}  // namespace

Speaker::Speaker(Outside& outside, std::string scope, uint64_t job, Found found) : outside_(outside), found_(std::move(found)) {
  slice_.set_scope(std::move(scope));
  slice_.set_import_id(job);
}

Result<void> Speaker::say(std::string_view frame, Tag tag) {
  slice_.add_frames(frame.data(), frame.size());
  tags_.push_back(tag);
  slice_bytes_ += frame.size();
  if (slice_.frames_size() < slice_facts_max && slice_bytes_ < slice_bytes_max) return {};
  return weigh(false);
}

Result<void> Speaker::put(const v1::Fact& fact) {
  std::string frame;
  TRY_VOID(append_frame(frame, fact));
  return outside_.put(slice_.scope(), frame);
}

Result<void> Speaker::weigh(bool lift) {
  if (slice_.frames().empty()) return {};
  slice_.set_lift(lift);
  const query::v1::WeighResponse response = TRY(outside_.weigh(slice_));
  if (response.facts_size() != slice_.frames_size())
    return fail(Code::internal, "{} facts were weighed and {} were found", slice_.frames_size(), response.facts_size());
  for (int index = 0; index < slice_.frames_size(); ++index)
    TRY_VOID(answer(slice_.frames(index), tags_[static_cast<size_t>(index)], response.facts(index), lift));
  slice_.clear_frames();
  tags_.clear();
  slice_bytes_ = 0;
  return {};
}

Result<void> Speaker::answer(std::string_view frame, Tag tag, const query::v1::WeighedFact& weighed, bool lift) {
  if (weighed.exhausted()) {
    const FactView fact(frame, 0, 0);
    return fail(Code::failed_precondition,
                "{} of store {} was undone and imported again too often; state it with a newer time instead", fact.key_text(),
                fact.store_id().empty() ? "(none)" : fact.store_id());
  }
  if (!weighed.lifts().empty() && !lift) {
    aside_.push_back({std::string(frame), tag});
    return {};
  }
  if (weighed.say()) {
    TRY_VOID(outside_.put(slice_.scope(), frame));
    facts_put_ += 1;
  }
  TRY_VOID(put_lifted(frame, weighed));
  found_(tag, weighed.verdict());
  return {};
}

Result<void> Speaker::put_lifted(std::string_view frame, const query::v1::WeighedFact& weighed) {
  std::map<uint64_t, std::vector<Part>> by_rank;
  for (const query::v1::Lift& lift : weighed.lifts()) by_rank[lift.rank()].push_back(lift.part());
  for (const auto& [rank, parts] : by_rank) {
    const v1::Fact lifted = TRY(restate(FactView(frame, 0, 0), parts, rank));
    TRY_VOID(put(lifted));
    facts_put_ += 1;
  }
  return {};
}

// Of facts about one thing the newest is lifted first: the others are then older, and no revision is spent on them.
Result<void> Speaker::finish() {
  TRY_VOID(weigh(false));
  std::stable_sort(aside_.begin(), aside_.end(), [](const Aside& a, const Aside& b) {
    return load<FactHead>(a.frame.data()).rank > load<FactHead>(b.frame.data()).rank;
  });
  for (Aside& aside : std::exchange(aside_, {})) {
    slice_.add_frames(std::move(aside.frame));
    tags_.push_back(aside.tag);
    if (slice_.frames_size() == slice_facts_max) TRY_VOID(weigh(true));
  }
  TRY_VOID(weigh(true));
  return outside_.flush();
}

}  // namespace xundian::intake
