// What judging costs us, measured where Prometheus measures its own: one thread, no socket, no disk. Stock levels of SKUs that
// have been sold and counted every day go through the very replica that the inventory service runs, and each has all rules for
// SKUs judged anew. A check is one rule judged for one SKU by one such fact, as Prometheus' is one rule held against one series;
// a rule that had nothing to measure would not count. In the time is all that the fact costs, from its checksum to the findings
// it leads to: reading and merging it, reckoning demand and cover, which the rules share, and the rules. What Prometheus spends
// on taking its samples in is not in its time.
#include <algorithm>
#include <map>

#include "common/journal_memory.h"
#include "common/replica.h"
#include "services/inventory/state.h"
#include "tests/bench/house.h"

namespace xundian::bench {

namespace {

constexpr uint32_t stores = 200, judged_skus_of_store = 50, judged_skus = judged_skus_of_store * stores;
constexpr Day days_of_past = 20;  // Long enough for all rules to trust what is known of a SKU.
constexpr int64_t reorder_units = 10, below_reorder_units = 9, usual_units = 50, usual_spread = 60;
constexpr uint32_t one_below_of = 100;
constexpr double judging_share = 0.1;  // Of the leg's seconds.
constexpr size_t passes_min = 3, passes_max = 1'000;
constexpr uint32_t journal_partitions = 16;

std::string judged_sku(uint32_t index) { return fmt::format("R{:02}", index); }

// Facts into a journal in memory, and from there into the inventory service's replica.
class Warehouse {
 public:
  static Result<std::unique_ptr<Warehouse>> open() {
    std::unique_ptr<Warehouse> warehouse(new Warehouse());
    warehouse->writer_ = TRY(open_memory_writer(warehouse->disk_));
    warehouse->reader_ = TRY(open_memory_reader(warehouse->disk_));
    return warehouse;
  }

  v1::Fact& begin(uint32_t store, std::string key, Millis as_of_ms) {
    fact_.Clear();
    fact_.set_store(store_id(store));
    fact_.set_key(std::move(key));
    fact_.set_as_of_ms(as_of_ms);
    fact_.set_source("bench.rules");
    return fact_;
  }
  Result<void> end(Millis time_ms) {
    TRY_VOID(builder_.add(fact_));
    return builder_.count() < facts_of_batch ? Result<void>() : write(time_ms);
  }

  // What waits becomes a commit.
  Result<void> write(Millis time_ms) {
    if (builder_.empty()) return {};
    const size_t count = builder_.count();
    BatchHeader header;
    header.base = heads_[partition_];
    header.time_ms = time_ms;
    const std::string batch = builder_.finish(scope, journal_partitions, header);
    const std::string_view batches[] = {batch};
    TRY(writer_->append(heads_, batches));
    heads_[partition_] += count;
    return {};
  }

  // Folds what was written since, takes down what the service said to it, and gives the seconds that it took.
  Result<double> fold(std::vector<std::string>& said) {
    constexpr size_t read_at_once_bytes = 1u << 20;
    int64_t spent_ns = 0;
    Result<void> outcome;
    for (const Position end = TRY(reader_->range()).next; at_ < end;)
      at_ = TRY(reader_->read(at_, read_at_once_bytes, [&](const CommitView& commit) {
        const int64_t began = now_ns();
        outcome = replica_.take(commit, nullptr);
        auto answers = replica_.flush();
        spent_ns += now_ns() - began;
        for (auto& answer : answers) said.push_back(std::move(answer.batch));
        return outcome.has_value();
      }));
    TRY_VOID(outcome);
    if (replica_.skipped() > 0) return fail(Code::data_loss, "inventory skipped {} facts", replica_.skipped());
    return static_cast<double>(spent_ns) / 1e9;
  }

 private:
  Warehouse() = default;
  const Partition partition_ = partition_of(group_hash(scope), journal_partitions);
  const ServiceDefinition service_ = inventory::definition();
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<JournalReader> reader_;
  Heads heads_ = Heads(journal_partitions, 0);
  Replica replica_{service_, {.partitions = {partition_}, .skips = {}}};
  Position at_ = 0;
  BatchBuilder builder_;
  v1::Fact fact_;
};

void begin_count(Warehouse& warehouse, uint32_t store, uint32_t sku, int64_t units, Millis counted_ms) {
  v1::Fact& fact = warehouse.begin(store, judged_sku(sku) + "@", counted_ms);
  v1::StockCount& count = *fact.mutable_stock_level()->mutable_count();
  count.set_sku(judged_sku(sku));
  count.set_available_units(units);
  count.set_counted_ms(counted_ms);
}

// One of each SKU is sold in each store a day, in an order of long ago that has arrived.
Result<void> say_order(Warehouse& warehouse, uint32_t store, Millis paid_ms, Millis now) {
  v1::Fact& fact = warehouse.begin(store, fmt::format("o{}", paid_ms), paid_ms);
  v1::OrderState& order = *fact.mutable_order_state();
  order.mutable_status()->set_status("received");
  order.mutable_paid()->set_paid_ms(paid_ms);
  order.mutable_paid()->set_amount_micros(judged_skus_of_store * 1'000'000);
  for (uint32_t sku = 0; sku < judged_skus_of_store; ++sku) {
    v1::OrderLine& line = *order.add_lines();
    line.set_line_id(std::to_string(sku + 1));
    line.set_sku(judged_sku(sku));
    line.set_quantity(1);
    line.set_amount_micros(1'000'000);
  }
  return warehouse.end(now);
}

Result<void> say_past(Warehouse& warehouse, Millis now) {
  for (const v1::Fact& store : store_facts(now, stores)) {
    warehouse.begin(0, "", 0) = store;
    TRY_VOID(warehouse.end(now));
  }
  // All sales come before the first count: what is half known would look like overstock.
  for (Day back = days_of_past; back > 0; --back)
    for (uint32_t store = 0; store < stores; ++store) TRY_VOID(say_order(warehouse, store, now - back * day_ms, now));
  for (Day back = days_of_past; back > 0; --back)
    for (uint32_t index = 0; index < judged_skus; ++index) {
      begin_count(warehouse, index % stores, index / stores, usual_units, now - back * day_ms);
      TRY_VOID(warehouse.end(now));
    }
  for (uint32_t index = 0; index < judged_skus; ++index) {
    const std::string sku = judged_sku(index / stores);
    v1::StockPolicy& policy = *warehouse.begin(index % stores, sku + "@", now).mutable_stock_level()->mutable_policy();
    policy.set_sku(sku);
    policy.set_reorder_point_units(reorder_units);
    TRY_VOID(warehouse.end(now));
  }
  return warehouse.write(now);
}

size_t count_facts(const std::vector<std::string>& batches) {
  size_t count = 0;
  for (const std::string& batch : batches) count += BatchView::trust(batch).header().count;
  return count;
}

// How many rules are judged for a SKU: those that speak up when it has far too little and when it has far too much. Nothing is
// wrong with it afterwards.
Result<size_t> count_rules(Warehouse& warehouse, Millis now) {
  std::vector<std::string> said;
  for (const int64_t units : {int64_t{-1}, int64_t{1'000'000}, usual_units}) {
    begin_count(warehouse, 0, 0, units, ++now);
    TRY_VOID(warehouse.end(now));
    TRY_VOID(warehouse.write(now));
    TRY(warehouse.fold(said));
  }
  std::map<std::string, int> speaks, holds;
  for (const std::string& bytes : said)
    TRY_VOID(BatchView::trust(bytes).for_each([](Kind kind) { return kind == v1::Fact::kFinding; },
                                              [&](std::string_view frame, Offset offset) {
                                                v1::Finding finding;
                                                if (!FactView(frame, offset, now).parse(finding)) return;
                                                speaks[finding.terms().rule()] += 1;
                                                holds[finding.terms().rule()] += finding.terms().holds() ? 1 : -1;
                                              }));
  const auto rules = inventory::shipped_rules();
  const auto expected = std::ranges::count(rules, std::string_view("sku"), &ShippedRule::entity_kind);
  const bool quiet = std::ranges::all_of(holds, [](const auto& rule) { return rule.second == 0; });
  if (static_cast<size_t>(expected) != speaks.size() || !quiet)
    return fail(Code::internal, "{} of {} rules for SKUs speak up{}", speaks.size(), expected, quiet ? "" : " and go on");
  return speaks.size();
}

// Counts every SKU anew; those of one in a hundred fall below their reorder point, and have risen above it by
// the next pass. Gives how many findings begin or end.
Result<size_t> say_counts(Warehouse& warehouse, size_t pass, Millis now) {
  size_t changes = 0;
  for (uint32_t index = 0; index < judged_skus; ++index) {
    const bool below = (index + pass) % one_below_of == 0, was_below = pass > 0 && (index + pass - 1) % one_below_of == 0;
    changes += below != was_below ? 1 : 0;
    const int64_t units = below ? below_reorder_units : usual_units + static_cast<int64_t>(index * 7 + pass * 13) % usual_spread;
    begin_count(warehouse, index % stores, index / stores, units, now);
    TRY_VOID(warehouse.end(now));
  }
  TRY_VOID(warehouse.write(now));
  return changes;
}

}  // namespace

Result<void> measure_rules(const Plan& plan, Figures& figures) {
  // Noon at the stores, so that no day ends meanwhile.
  const Millis now = Millis{make_day(2026, 11, 11)} * day_ms + 4 * hour_ms;
  const auto warehouse = TRY(Warehouse::open());
  std::vector<std::string> said;
  TRY_VOID(say_past(*warehouse, now));
  TRY(warehouse->fold(said));
  if (!said.empty()) return fail(Code::internal, "{} findings came before anything was wrong", count_facts(said));
  const size_t rules = TRY(count_rules(*warehouse, now));
  double spent = 0;
  size_t passes = 0, changes = 0;
  for (; passes < passes_min || (spent < plan.secs * judging_share && passes < passes_max); ++passes) {
    if (interrupted()) return interrupted_error();
    changes += TRY(say_counts(*warehouse, passes, now + static_cast<Millis>(passes + 1) * second_ms));
    spent += TRY(warehouse->fold(said));
  }
  if (count_facts(said) != changes)
    return fail(Code::data_loss, "inventory said {} findings to {} changes", count_facts(said), changes);
  const auto facts = static_cast<double>(passes * judged_skus);
  figures.add("rule_checks_per_s", facts * static_cast<double>(rules) / spent);
  figures.add("rule_facts_per_s", facts / spent);
  figures.add("rules_of_fact", static_cast<double>(rules));
  return {};
}

}  // namespace xundian::bench
