#include "services/alerts/courier.h"

#include "common/hash.h"
#include "common/log.h"
#include "common/mutant.h"

namespace xundian::alerts {

namespace {

// Receivers that came back at once must not be asked by everybody at once: up to a tenth more, the same for the same attempt.
Millis with_jitter(Millis wait_ms, const std::string& name, uint32_t attempt) {
  return wait_ms + static_cast<Millis>(hash64(name + std::to_string(attempt)) % static_cast<uint64_t>(wait_ms / 10 + 1));
}

}  // namespace

void Courier::take(const query::v1::ListDueNoticesResponse& response) {
  forget();
  for (const query::v1::DueNotice& due : response.due()) {
    Job job{due.scope(),      due.alert().store(), webhook_id(due.alert().terms()),
            due.subscriber(), due.attempts() + 1,  due.alert().terms().changed_ms()};
    const auto settled = settled_.find(job.name());
    const bool known = under_way_.contains(job.name()) || (settled != settled_.end() && settled->second.attempt >= job.attempt);
    if (known && !mutant("no_repeat_limit")) continue;
    size_t& in_flight = lanes_[job.lane()];
    if (in_flight >= options_.in_flight_max) continue;
    const uint64_t number = next_number_++;
    if (const auto started = start(due, number); !started) {
      report(job, {.status = 0, .retry_after_ms = 0, .error = started.error().message});
      continue;
    }
    in_flight += 1;
    under_way_.insert(job.name());
    jobs_.emplace(number, std::move(job));
  }
}

Result<void> Courier::start(const query::v1::DueNotice& due, uint64_t number) {
  const facts::v1::SubscriberTerms& terms = due.terms();
  if (!terms.channel().empty() && terms.channel() != "webhook")
    return fail(Code::invalid_argument, "no channel \"{}\" is known; use webhook", terms.channel());
  const std::string secret = TRY(read_secret(terms.secret_file()));
  HttpRequest request;
  request.url = terms.url();
  request.allow_private = terms.allow_private_targets();
  request.body = webhook_body(due.alert());
  const std::string id = webhook_id(due.alert().terms()) + (mutant("id_of_attempt") ? std::to_string(number) : "");
  const int64_t timestamp_s = options_.wall() / 1000;
  request.headers = {"Content-Type: application/json", "Expect:", "webhook-id: " + id,
                     fmt::format("webhook-timestamp: {}", timestamp_s),
                     "webhook-signature: " + sign(secret, id, timestamp_s, request.body)};
  return carrier_->start(number, std::move(request));
}

std::vector<Courier::Report> Courier::turn(int wait_ms, int also_readable) {
  for (const Carrier::Ended& ended : carrier_->turn(reports_.empty() ? wait_ms : 0, also_readable)) {
    const auto found = jobs_.find(ended.number);
    if (found == jobs_.end()) continue;
    const Job job = std::move(found->second);
    jobs_.erase(found);
    under_way_.erase(job.name());
    if (--lanes_[job.lane()] == 0) lanes_.erase(job.lane());
    report(job, ended.outcome);
  }
  return std::exchange(reports_, {});
}

void Courier::report(const Job& job, const HttpOutcome& outcome) {
  const Verdict verdict = judge(outcome, job.attempt);
  const Millis now = options_.wall();
  Report& report = reports_.emplace_back();
  report.scope = job.scope;
  report.fact.set_store(job.store);
  report.fact.set_key(job.key());
  report.fact.set_as_of_ms(now);
  if (options_.facts_clock) report.fact.set_occurred_ms(1);  // Older than anything: when it is sent is chance.
  report.fact.set_source("alerts.delivery");
  facts::v1::DeliveryAttempt& attempt = *report.fact.mutable_delivery()->mutable_attempt();
  attempt.set_notice(job.notice);
  attempt.set_subscriber(job.subscriber);
  attempt.set_attempt(job.attempt);
  attempt.set_outcome(verdict.outcome);
  attempt.set_status(static_cast<uint32_t>(outcome.status));
  attempt.set_attempted_ms(now);
  if (verdict.outcome == "retry") attempt.set_retry_ms(now + with_jitter(verdict.wait_ms, job.name(), job.attempt));
  if (verdict.outcome != "delivered")
    attempt.set_error(!outcome.error.empty() ? outcome.error : fmt::format("the receiver answered {}", outcome.status));
  settled_[job.name()] = {job.attempt, options_.steady() + options_.remember_ms};
  if (verdict.outcome == "delivered")
    spdlog::info("notice_delivered notice={} subscriber={} attempt={} status={}", job.notice, job.subscriber, job.attempt,
                 outcome.status);
  else
    spdlog::warn("notice_not_delivered notice={} subscriber={} attempt={} outcome={} why=\"{}\"", job.notice, job.subscriber,
                 job.attempt, verdict.outcome, attempt.error());
}

// What was settled long ago has long been folded.
void Courier::forget() {
  const Millis now = options_.steady();
  if (now < forget_at_ms_) return;
  forget_at_ms_ = now + options_.remember_ms / 10;
  std::erase_if(settled_, [&](const auto& entry) { return entry.second.forget_at_ms <= now; });
}

}  // namespace xundian::alerts
