#include "tests/convergence/log.h"

#include "services/alerts/state.h"
#include "services/campaigns/state.h"
#include "services/intake/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"
#include "tests/convergence/facts.h"

namespace xundian::convergence {

const std::vector<ServiceDefinition>& services() {
  static const std::vector<ServiceDefinition> all = {metrics::definition(), campaigns::definition(), inventory::definition(),
                                                     support::definition(), intake::definition(),    alerts::definition()};
  return all;
}

const ServiceDefinition& service(std::string_view name) {
  for (const ServiceDefinition& definition : services())
    if (definition.name == name) return definition;
  CHECK(false, "no such service");
  std::abort();
}

std::vector<Partition> all_partitions() {
  std::vector<Partition> all;
  for (Partition partition = 0; partition < partitions; ++partition) all.push_back(partition);
  return all;
}

Log::Log(Clock clock) : clock_(clock), disk_(std::make_shared<MemoryDisk>()), heads_(partitions, 0) {
  writer_ = std::move(open_memory_writer(disk_).value());
}

std::unique_ptr<JournalReader> Log::reader() const { return std::move(open_memory_reader(disk_).value()); }

void Log::append(std::vector<std::string> batches) {
  if (batches.empty()) return;
  const Heads before = heads_;
  for (std::string& batch : batches) {
    auto header = load<BatchHeader>(batch.data());
    header.base = heads_[header.partition];
    header.epoch = 1;
    header.time_ms = first_ms + static_cast<Millis>(end_) * 7 * hour_ms;  // The wall clock goes on with every commit.
    write_header(batch, header);
    heads_[header.partition] += header.count;
    if (header.flags & fold_answer) answered_[header.producer] = header.sequence;
  }
  const std::vector<std::string_view> views(batches.begin(), batches.end());
  end_ = writer_->append(before, views).value() + 1;
}

void Log::copy(const CommitView& commit) {
  std::vector<std::string> batches;
  const auto walked = commit.for_each_batch(false, [&](const BatchView& batch) { batches.emplace_back(batch.bytes()); });
  CHECK(walked.has_value(), walked.error().message);
  CHECK(commit.heads_before() == heads_, "the commit does not follow the one before");
  append(std::move(batches));
}

uint64_t Log::answered(const std::string& producer) const {
  const auto found = answered_.find(producer_id(producer));
  return found == answered_.end() ? 0 : found->second;
}

std::map<std::string, std::vector<std::string>> Log::said() const {
  std::map<std::string, std::vector<std::string>> said;
  const auto note = [&](const BatchView& batch) {
    if (!batch.is_answer()) return;
    const auto walked = batch.for_each([](Kind) { return true; },
                                       [&](std::string_view frame, Offset offset) {
                                         v1::Fact fact;
                                         CHECK(FactView(frame, offset, 0).parse_fact(fact), "what was said cannot be read");
                                         fact.clear_cause();  // An offset: where a fact lies depends on what was said before it.
                                         if (fact.has_alert_state())
                                           fact.mutable_alert_state()->mutable_terms()->clear_finding_cause();
                                         const std::string service = fact.source().substr(0, fact.source().find('/'));
                                         const std::string thing = fact.has_alert_state() ? fact.key() : "";
                                         said[fmt::format("{} {} {}", service, batch.scope(), thing)].push_back(show(fact));
                                       });
    CHECK(walked.has_value(), walked.error().message);
  };
  const auto from = reader();
  for (Position position = 0; position < end_;)
    position = from->read(position, 1u << 20,
                          [&](const CommitView& commit) {
                            CHECK(commit.for_each_batch(false, note).has_value(), "a commit cannot be read");
                            return true;
                          })
                   .value();
  return said;
}

std::vector<std::string> batches_of(const std::vector<v1::Fact>& facts, size_t facts_a_batch_max, Dice& dice) {
  std::vector<std::string> batches;
  static uint64_t sequence = 0;  // Of a producer that nobody asks about.
  for (size_t index = 0; index < facts.size();) {
    BatchBuilder builder;
    const std::string group = facts[index].group();
    for (size_t left = 1 + dice() % facts_a_batch_max; left > 0 && index < facts.size() && facts[index].group() == group; --left)
      CHECK(builder.add(facts[index++]).has_value(), "a fact cannot be framed");
    BatchHeader header;
    header.producer = producer_id("outside");
    header.sequence = ++sequence;
    batches.push_back(builder.finish("tenant/" + group, partitions, header));
  }
  return batches;
}

Worker::Worker(const ServiceDefinition& definition, const Log& log, std::vector<Partition> served)
    : Worker(definition, log, {}, 0, std::move(served)) {}

Worker::Worker(const ServiceDefinition& definition, const Log& log, std::string_view snapshot, Position position,
               std::vector<Partition> served)
    : definition_(definition), log_(log), position_(position) {
  Replica::Options options;
  options.partitions = std::move(served);
  options.partitions_all = partitions;
  options.clock = log.clock();
  replica_ = std::make_unique<Replica>(definition_, options);
  CHECK(snapshot.empty() || replica_->load(ByteReader(snapshot)), "a snapshot does not load");
  std::map<uint64_t, Partition> producers;
  for (const Partition partition : replica_->partitions()) {
    const std::string name = replica_->producer_name(partition);
    replica_->set_answered(partition, log_.answered(name));
    producers[producer_id(name)] = partition;
  }
  reader_ = log_.reader();
  reader_ahead_ = log_.reader();
  own_ = std::make_unique<OwnAnswers>(*reader_ahead_, position_, log_.end(), producers);
}

void Worker::read(Position end) {
  while (position_ < end) {
    const auto next = reader_->read(position_, 1u << 20, [&](const CommitView& commit) {
      if (commit.position() >= end) return false;
      const auto took = replica_->take(commit, own_.get());
      CHECK(took.has_value(), took.error().message);
      position_ = commit.position() + 1;
      return true;
    });
    CHECK(next.has_value(), next.error().message);
  }
}

std::vector<std::string> Worker::take_answers() {
  std::vector<std::string> batches;
  for (Replica::Answer& answer : replica_->flush()) batches.push_back(std::move(answer.batch));
  return batches;
}

std::map<std::string, std::string> Worker::states() const {
  std::map<std::string, std::string> states;
  for (const Fold* fold : replica_->folds("")) {
    Fingerprint sum;
    fold->fingerprint(sum);
    std::string& state = states[fold->scope] = sum.hex();
    if (definition_.name != "intake") fold->save(state);
  }
  return states;
}

std::string Worker::answers() const {
  const std::vector<Fold*> folds = replica_->folds("");
  const auto definitions = definition_.answer(folds, "GetMetricDefinitions", "");
  if (!definitions) return {};  // It has no numbers.
  query::v1::GetMetricDefinitionsResponse metrics;
  CHECK(metrics.ParseFromString(*definitions), "the definitions cannot be read");
  std::string all;
  for (const char* grain : {"total", "month", "day", "hour"})
    for (const char* by : {"", "store", "sku", "channel", "campaign", "agent"}) {
      query::v1::QueryMetricsRequest request;
      for (const auto& metric : metrics.definitions()) request.add_metrics(metric.id());
      request.set_from("2026-09-15");
      request.set_to("2026-11-15");
      request.set_grain(grain);
      request.set_by(by);
      const auto answer = definition_.answer(folds, "QueryMetrics", request.SerializeAsString());
      query::v1::QueryMetricsResponse response;
      CHECK(!answer || response.ParseFromString(*answer), "the answer cannot be read");
      all += fmt::format("{} by {}: {}\n", grain, by, answer ? response.ShortDebugString() : answer.error().message);
    }
  return all;
}

}  // namespace xundian::convergence
