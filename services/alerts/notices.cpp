#include "services/alerts/notices.h"

#include <algorithm>
#include <charconv>

#include "common/mutant.h"
#include "services/alerts/alert.h"

namespace xundian::alerts {

std::string notice_id(std::string_view alert, uint32_t change) { return fmt::format("{}.{}", alert, change); }

void Notices::add(const std::string& subscriber, std::shared_ptr<const Notice> notice) {
  Lane& lane = lanes_[subscriber];
  const std::string& alert = notice->terms.alert();
  Queue& queue = lane.queues[alert];
  if (queue.empty()) lane.heads.emplace(0, alert);
  const uint32_t change = notice->terms.change();
  queue.try_emplace(change, Waiting{std::move(notice), 0, 0});
}

void Notices::settle(const v1::DeliveryAttempt& attempt) {
  const size_t dot = attempt.notice().rfind('.');
  if (dot == std::string::npos || mutant("forget_deliveries")) return;
  const std::string alert = attempt.notice().substr(0, dot);
  uint32_t change = 0;
  std::from_chars(attempt.notice().data() + dot + 1, attempt.notice().data() + attempt.notice().size(), change);
  const auto lane = lanes_.find(attempt.subscriber());
  if (lane == lanes_.end()) return;
  const auto queue = lane->second.queues.find(alert);
  if (queue == lane->second.queues.end()) return;
  const auto waiting = queue->second.find(change);
  if (waiting == queue->second.end()) return;
  lane->second.heads.erase({queue->second.begin()->second.due_ms, alert});
  if (attempt.outcome() != "retry" || mutant("give_up")) {
    queue->second.erase(waiting);
  } else if (attempt.attempt() > waiting->second.attempts) {
    waiting->second.attempts = attempt.attempt();
    waiting->second.due_ms = attempt.retry_ms();
  }
  if (queue->second.empty())
    lane->second.queues.erase(queue);
  else
    lane->second.heads.emplace(queue->second.begin()->second.due_ms, alert);
  if (lane->second.queues.empty()) lanes_.erase(lane);
}

void Notices::drop(const std::string& subscriber) { lanes_.erase(subscriber); }

// Each subscriber gets its share, so that one that does not answer keeps nobody from theirs.
std::vector<Notices::Due> Notices::due(Millis now, size_t limit) const {
  std::vector<Due> due;
  const size_t share = std::max<size_t>(limit / std::max<size_t>(lanes_.size(), 1), 1);
  for (const auto& [subscriber, lane] : lanes_) {
    size_t left = share;
    for (const auto& [due_ms, alert] : lane.heads) {
      if (due_ms > now || left-- == 0 || due.size() == limit) break;
      const Waiting& waiting = lane.queues.at(alert).begin()->second;
      due.push_back({subscriber, waiting.notice, waiting.attempts});
    }
  }
  return due;
}

Millis Notices::next_due(Millis now) const {
  Millis first = never;
  for (const auto& [subscriber, lane] : lanes_) {
    const auto later = lane.heads.lower_bound({now + 1, {}});
    if (later != lane.heads.end()) first = std::min(first, later->first);
  }
  return first;
}

size_t Notices::count() const {
  size_t count = 0;
  for (const auto& [subscriber, lane] : lanes_)
    for (const auto& [alert, queue] : lane.queues) count += queue.size();
  return count;
}

void Notices::save(std::string& bytes) const {
  std::map<std::string, std::shared_ptr<const Notice>> notices;
  for (const auto& [subscriber, lane] : lanes_)
    for (const auto& [alert, queue] : lane.queues)
      for (const auto& [change, waiting] : queue) notices.emplace(notice_id(alert, change), waiting.notice);
  append(bytes, static_cast<uint32_t>(notices.size()));
  for (const auto& [id, notice] : notices) {
    append_text(bytes, id);
    append_text(bytes, notice->store);
    append_message(bytes, notice->terms);
    append(bytes, notice->cause);
  }
  append(bytes, static_cast<uint32_t>(count()));
  for (const auto& [subscriber, lane] : lanes_)
    for (const auto& [alert, queue] : lane.queues)
      for (const auto& [change, waiting] : queue) {
        append_text(bytes, subscriber);
        append_text(bytes, notice_id(alert, change));
        append(bytes, waiting.attempts);
        append(bytes, waiting.due_ms);
      }
}

bool Notices::load(ByteReader& bytes) {
  lanes_.clear();
  std::map<std::string, std::shared_ptr<const Notice>, std::less<>> notices;
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const std::string id(bytes.take_text());
    Notice notice;
    notice.store = bytes.take_text();
    if (!take_message(bytes, notice.terms)) return false;
    notice.cause = bytes.take<uint64_t>();
    notices.emplace(id, std::make_shared<const Notice>(std::move(notice)));
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const std::string subscriber(bytes.take_text());
    const auto notice = notices.find(bytes.take_text());
    const auto attempts = bytes.take<uint32_t>();
    const auto due_ms = bytes.take<Millis>();
    if (!bytes.ok() || notice == notices.end()) return false;
    const v1::AlertTerms& terms = notice->second->terms;
    lanes_[subscriber].queues[terms.alert()][terms.change()] = {notice->second, attempts, due_ms};
  }
  for (auto& [subscriber, lane] : lanes_)
    for (const auto& [alert, queue] : lane.queues) lane.heads.emplace(queue.begin()->second.due_ms, alert);
  return bytes.ok();
}

}  // namespace xundian::alerts
