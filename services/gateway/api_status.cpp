// How the services are, how far they are, and what their states sum up to.
#include <algorithm>
#include <thread>

#include "common/clock.h"
#include "common/mutant.h"
#include "services/gateway/api.h"

namespace xundian::gateway {

namespace {

const std::vector<std::string> folds = {"metrics", "campaigns", "inventory", "support", "alerts", "intake"};
constexpr size_t feeds_shown = 50, imports_shown = 20;

std::string bus_name(uint32_t bus) { return fmt::format("bus.{}", bus); }

}  // namespace

Result<Heads> Api::heads_now() {
  Heads heads(home_.settings().partitions, 0);
  for (uint32_t bus = 0; bus < home_.settings().buses; ++bus) {
    const auto status =
        TRY(services_.ask_as<query::v1::GetBusStatusResponse>(bus_name(bus), "GetBusStatus", query::v1::GetBusStatusRequest()));
    for (Partition partition = 0; partition < heads.size() && partition < status.heads_size(); ++partition)
      if (home_.bus_of(partition) == bus) heads[partition] = status.heads(partition);
  }
  return heads;
}

Result<v1::GetStatusResponse> Api::get_status(const Call& call, const v1::GetStatusRequest& request) {
  v1::GetStatusResponse response;
  Heads heads(home_.settings().partitions, 0);
  bool healthy = true;
  v1::JournalStatus journal;
  for (uint32_t bus = 0; bus < home_.settings().buses; ++bus) {
    v1::ServiceStatus& service = *response.add_services();
    service.set_name("bus");
    service.set_instance(bus);
    const auto status =
        services_.ask_as<query::v1::GetBusStatusResponse>(bus_name(bus), "GetBusStatus", query::v1::GetBusStatusRequest());
    if (!status) {
      service.set_problem("it does not answer");
      response.add_missing(home_.settings().buses > 1 ? bus_name(bus) : "bus");
      healthy = false;
      continue;
    }
    service.set_healthy(true);
    *service.mutable_started() = timestamp(status->started_ms());
    journal.set_engine(status->engine());
    journal.set_facts(journal.facts() + status->facts());
    journal.set_bytes(journal.bytes() + status->bytes());
    journal.set_sync_p50_us(std::max<uint64_t>(journal.sync_p50_us(), status->sync_p50_us()));
    journal.set_sync_p99_us(std::max<uint64_t>(journal.sync_p99_us(), status->sync_p99_us()));
    journal.set_disk_free_bytes(status->disk_free_bytes());
    journal.set_disk_bytes(status->disk_bytes());
    journal.set_home(status->home());
    journal.set_clock(status->clock());
    for (Partition partition = 0; partition < heads.size() && partition < status->heads_size(); ++partition)
      if (home_.bus_of(partition) == bus) heads[partition] = status->heads(partition);
  }
  for (Partition partition = 0; partition < heads.size(); ++partition)
    if (heads[partition] > 0) (*journal.mutable_heads())[partition] = heads[partition];
  if (!journal.engine().empty()) *response.mutable_journal() = journal;

  query::v1::GetStatusRequest asked;
  asked.set_memory(request.memory());
  const auto answers = services_.ask_each(folds, "GetStatus", asked.SerializeAsString());
  for (size_t index = 0; index < folds.size(); ++index) {
    v1::ServiceStatus& service = *response.add_services();
    service.set_name(folds[index]);
    query::v1::GetStatusResponse status;
    if (!answers[index] || !status.ParseFromString(*answers[index])) {
      service.set_problem("it does not answer");
      response.add_missing(folds[index]);
      healthy = false;
      continue;
    }
    service.set_instance(status.instance());
    service.set_healthy(status.healthy());
    *service.mutable_started() = timestamp(status.started_ms());
    service.set_skipped(status.skipped());
    service.set_problem(status.problem());
    service.set_resident_bytes(status.resident_bytes());
    for (const query::v1::HeldMemory& held : status.memory()) {
      v1::HeldMemory& shown = *service.add_memory();
      shown.set_name(held.name());
      shown.set_count(held.count());
      shown.set_bytes(held.bytes());
    }
    uint64_t lag = 0;
    Heads reached(heads.size(), 0);
    for (const auto& partition : status.partitions())
      if (partition.partition() < reached.size()) reached[partition.partition()] = partition.offset();
    for (Partition partition = 0; partition < heads.size(); ++partition)
      if (heads[partition] > reached[partition]) lag += heads[partition] - reached[partition];
    service.set_lag_facts(mutant("no_lag") ? 0 : std::max(lag, status.lag_facts()));
    healthy = healthy && status.healthy();
  }
  v1::ServiceStatus& self = *response.add_services();
  self.set_name("gateway");
  self.set_healthy(!stopping_);
  *self.mutable_started() = timestamp(started_ms_);
  // What the journal says beside: late rather than never.
  if (!config_view_.refresh(std::min<Millis>(call.left_ms(deadline_max_ms), 300)))
    self.set_problem("feeds and imports are still being read");
  for (v1::FeedStatus& feed : config_view_.feeds(call, feeds_shown)) *response.add_feeds() = std::move(feed);
  for (v1::ImportSummary& import : config_view_.imports(call, imports_shown)) *response.add_imports() = std::move(import);
  response.set_healthy(healthy);
  return response;
}

Result<std::string> Api::who_lags(const Heads& heads, bool settled) {
  const auto answers = services_.ask_each(folds, "GetStatus", query::v1::GetStatusRequest().SerializeAsString());
  for (size_t index = 0; index < folds.size(); ++index) {
    query::v1::GetStatusResponse status;
    if (!answers[index]) return tl::unexpected(answers[index].error());
    if (!status.ParseFromString(*answers[index])) return fail(Code::internal, "the status of {} cannot be read", folds[index]);
    Heads reached(heads.size(), 0);
    for (const auto& partition : status.partitions())
      if (partition.partition() < reached.size())
        reached[partition.partition()] = settled ? std::min(partition.offset(), partition.settled_offset()) : partition.offset();
    for (Partition partition = 0; partition < heads.size(); ++partition)
      if (reached[partition] < heads[partition])
        return fmt::format("{} is at offset {} of {} in partition {}", folds[index], reached[partition], heads[partition],
                           partition);
  }
  return std::string();
}

Result<void> Api::wait_for(const Call& call, const Heads& heads, bool settled) {
  Millis pause_ms = 1;
  for (;;) {
    auto lagging = who_lags(heads, settled);
    if (lagging && lagging->empty()) return {};
    // One that does not answer may be starting: it has as long as the call has.
    if (call.left_ms(1) == 0) {
      if (!lagging) return tl::unexpected(lagging.error());
      return fail(Code::deadline_exceeded, "not yet: {}", *lagging);
    }
    if (stopping_ || (call.gone && call.gone())) return fail(Code::cancelled, "nobody waits any more");
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    pause_ms = std::min<Millis>(pause_ms * 2, 20);
  }
}

Result<v1::WaitFoldedResponse> Api::wait_folded(const Call& call, const v1::WaitFoldedRequest& request) {
  Heads heads(home_.settings().partitions, 0);
  if (request.heads().empty()) {
    heads = TRY(heads_now());
  } else {
    for (const auto& [partition, offset] : request.heads()) {
      if (partition >= heads.size())
        return fail(Code::invalid_argument, "there is no partition {}; the home has {}", partition, heads.size());
      heads[partition] = offset;
    }
  }
  TRY_VOID(wait_for(call, heads, request.settled()));
  v1::WaitFoldedResponse response;
  for (Partition partition = 0; partition < heads.size(); ++partition)
    if (heads[partition] > 0) (*response.mutable_heads())[partition] = heads[partition];
  return response;
}

Result<v1::GetFingerprintResponse> Api::get_fingerprint(const Call& call, const v1::GetFingerprintRequest&) {
  const Heads heads = TRY(heads_now());
  TRY_VOID(wait_for(call, heads, false));
  v1::GetFingerprintResponse response;
  const auto answers = services_.ask_each(folds, "GetFingerprint", query::v1::GetFingerprintRequest().SerializeAsString());
  for (size_t index = 0; index < folds.size(); ++index) {
    if (!answers[index]) return tl::unexpected(answers[index].error());
    query::v1::GetFingerprintResponse answer;
    if (!answer.ParseFromString(*answers[index]))
      return fail(Code::internal, "the fingerprint of {} cannot be read", folds[index]);
    if (!answer.fingerprint().empty()) (*response.mutable_services())[folds[index]] = answer.fingerprint();
  }
  for (Partition partition = 0; partition < heads.size(); ++partition)
    if (heads[partition] > 0) (*response.mutable_head())[partition] = heads[partition];
  return response;
}

}  // namespace xundian::gateway
