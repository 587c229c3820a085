#include "services/rehearsal/stage.h"

#include "services/alerts/state.h"
#include "services/campaigns/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"

namespace xundian::rehearsal {

namespace {

Replica::Options options() {
  Replica::Options options;
  options.partitions = {0};
  options.partitions_all = 1;
  options.clock = Clock::facts;
  return options;
}

const std::vector<ServiceDefinition>& judging() {
  static const std::vector<ServiceDefinition> services = {metrics::definition(), campaigns::definition(), inventory::definition(),
                                                          support::definition()};
  return services;
}

const ServiceDefinition& alerting() {
  static const ServiceDefinition service = alerts::definition();
  return service;
}

}  // namespace

Stage::Stage(std::string scope) : scope_(std::move(scope)), alerts_(std::make_unique<Replica>(alerting(), options())) {
  for (const ServiceDefinition& service : judging()) judges_.push_back(std::make_unique<Replica>(service, options()));
}

// Each fold has a journal of its own here, so the offsets in a batch are given anew.
Result<void> Stage::feed(Replica& replica, std::string batch) {
  BatchHeader header = BatchView::trust(batch).header();
  header.partition = 0;
  header.base = replica.offset(0);
  write_header({batch.data(), batch.size()}, header);
  const std::string_view batches[] = {batch};
  const std::string commit = make_commit({header.base}, batches);
  return replica.take(TRY(CommitView::open(0, commit)), nullptr);
}

Result<void> Stage::take(const std::string& batch) {
  for (const auto& judge : judges_) TRY_VOID(feed(*judge, batch));
  TRY_VOID(feed(*alerts_, batch));
  return carry_answers();
}

Result<void> Stage::tick(Millis now) {
  v1::Fact fact;
  fact.set_key("tick");
  fact.set_as_of_ms(now);
  fact.set_occurred_ms(now);
  fact.mutable_tick()->set_time_ms(now);
  BatchBuilder builder;
  TRY_VOID(builder.add(fact));
  return take(builder.finish(scope_, 1, {}));
}

Millis Stage::next_wake() const {
  Millis next = alerts_->next_wake(0);
  for (const auto& judge : judges_) next = std::min(next, judge->next_wake(0));
  return next;
}

// Findings go to the alerts; what these say is what a rehearsal is about.
Result<void> Stage::carry_answers() {
  for (const auto& judge : judges_)
    for (Replica::Answer& answer : judge->flush()) TRY_VOID(feed(*alerts_, std::move(answer.batch)));
  for (const Replica::Answer& answer : alerts_->flush()) {
    TRY_VOID(BatchView::trust(answer.batch)
                 .for_each([](Kind kind) { return kind == v1::Fact::kAlertState; },
                           [&](std::string_view frame, Offset offset) { note(FactView(frame, offset, 0)); }));
  }
  return {};
}

void Stage::note(const FactView& view) {
  v1::Fact fact;
  if (!view.parse_fact(fact)) return;
  const v1::AlertTerms& terms = fact.alert_state().terms();
  const std::string id = fmt::format("{}.{}", terms.alert(), terms.episode());
  if (terms.condition() == v1::CONDITION_FIRING) {
    Episode& episode = episodes_[id];
    if (episode.fired_ms != 0) return;
    episode = {terms.finding().rule(), fact.store(), terms.finding().entity(), terms.changed_ms(), 0};
  } else if (const auto found = episodes_.find(id); found != episodes_.end() && terms.condition() == v1::CONDITION_RESOLVED) {
    found->second.resolved_ms = terms.changed_ms();
  }
}

}  // namespace xundian::rehearsal
