// What a thing takes in a fold's memory: by how much the heap grows while many are folded that differ in nothing but their names.
// Tables grow by doubling, so the figure also hangs on how many there are; --stores and --skus change that.
#include <cstdio>

#include "common/time.h"
#include "services/alerts/state.h"
#include "services/cli/json.h"
#include "tests/bench/fold_bench.h"
#include "tests/bench/fold_facts.h"

namespace xundian::bench {

namespace {

constexpr size_t facts_of_commit = 1'000;
constexpr uint32_t ad_campaigns = 500;  // Of a store.
constexpr uint64_t ad_days = 5;
constexpr uint64_t alerts_weighed = 20'000;
constexpr uint32_t subscribers = 3;
constexpr uint64_t levels_of_history = 2'000, hours_of_history = 960;

struct Size {
  std::string service, thing;
  double bytes = 0;
};

class Grower {
 public:
  Grower(const ServiceDefinition& service, const Shape& shape, Millis now)
      : shape_(shape), now_(now), replica_(make_replica(service)) {
    const std::vector<v1::Fact> known = store_facts(now, shape.stores);
    grow(known.size(), [&](uint64_t index) { return known[index]; });
  }
  // Folds make(0), make(1), …; what one of them leaves on the heap.
  template <typename Make>
  double grow(uint64_t count, Make&& make) {
    const size_t before = heap_bytes();
    {
      BatchBuilder builder;
      for (uint64_t index = 0; index < count; ++index) {
        CHECK(builder.add(make(index)).has_value(), "what is weighed are good facts");
        if (builder.count() == facts_of_commit || index + 1 == count)
          fold_commit(replica_, view_of_commit(maker_.next(builder, now_)));
      }
    }
    return (static_cast<double>(heap_bytes()) - static_cast<double>(before)) / static_cast<double>(count);
  }
  // An order of one line for each SKU of each store; the next call says other orders of the same SKUs.
  double grow_orders() { return grow_orders_of(skus(), now_ - hour_ms); }
  // The same paid on a day that is long over, and then an order of today in each store.
  double grow_past_orders() {
    const double orders = grow_orders_of(skus(), now_ - 60 * day_ms) * static_cast<double>(skus());
    const double today = grow_orders_of(shape_.stores, now_ - hour_ms) * static_cast<double>(shape_.stores);
    return (orders + today) / static_cast<double>(skus());
  }
  uint64_t skus() const { return uint64_t{shape_.stores} * shape_.skus_of_store; }
  uint32_t store_of(uint64_t index) const { return static_cast<uint32_t>(index / shape_.skus_of_store); }
  uint32_t sku_of(uint64_t index) const { return static_cast<uint32_t>(index % shape_.skus_of_store); }

 private:
  double grow_orders_of(uint64_t count, Millis paid_ms) {
    return grow(count, [&](uint64_t index) {
      return order_fact(static_cast<uint32_t>(index % shape_.stores), orders_++, static_cast<uint32_t>(index / shape_.stores), 1,
                        paid_ms);
    });
  }
  const Shape shape_;
  const Millis now_;
  Replica replica_;
  CommitMaker maker_;
  uint64_t orders_ = 0;
};

// What is new to a fold first: what a SKU takes shows where orders of new SKUs take more than later ones of the same.
void weigh(const ServiceDefinition& service, const Shape& shape, Millis now, std::vector<Size>& sizes) {
  Grower grower(service, shape, now);
  const auto add = [&](const char* thing, double bytes) { sizes.push_back({service.name, thing, bytes}); };
  if (service.name == "campaigns") {
    const uint64_t campaigns = uint64_t{shape.stores} * ad_campaigns;
    const auto cell = [&](uint64_t index) {
      const uint64_t campaign = index % campaigns;
      const Millis reported_ms = now - static_cast<Millis>(index / campaigns) * day_ms - hour_ms;
      return ad_fact(static_cast<uint32_t>(campaign / ad_campaigns), static_cast<uint32_t>(campaign % ad_campaigns),
                     format_day(static_cast<Day>(reported_ms / day_ms)), reported_ms);
    };
    const double first = grower.grow(campaigns, cell);
    const double next = grower.grow(ad_days * campaigns, [&](uint64_t index) { return cell(campaigns + index); });
    add("campaign", first - next);
    return add("campaign's report cell", next);
  }
  const double with_sku = grower.grow_orders(), order = grower.grow_orders();
  add("order of one line", order);
  if (service.name == "metrics") {
    add("store-SKU cell of a day", with_sku - order);
    Grower past(service, shape, now);
    add("both, of a past day", past.grow_past_orders());
    const auto cell = [&](uint64_t index) {
      return product_fact(grower.store_of(index), grower.sku_of(index), format_day(static_cast<Day>(now / day_ms)),
                          now - hour_ms);
    };
    add("product's report cell", grower.grow(grower.skus(), cell));
  }
  if (service.name == "inventory") {
    add("SKU", with_sku - order);
    const auto level = [&](uint64_t index) { return stock_fact(grower.store_of(index), grower.sku_of(index), now - hour_ms); };
    add("SKU's stock level", grower.grow(grower.skus(), level));
    const uint64_t counted = std::min<uint64_t>(grower.skus(), levels_of_history);
    const auto hour = [&](uint64_t index) {
      const Millis hours = static_cast<Millis>(hours_of_history - index / counted);
      return stock_fact(grower.store_of(index % counted), grower.sku_of(index % counted), now - hours * hour_ms);
    };
    Grower hours(service, shape, now);
    add("hour of a level's history", hours.grow(counted * hours_of_history, hour));
  }
  if (service.name == "support") {
    const auto message = [&](uint64_t index) { return chat_fact(grower.store_of(index / 2), index, now - hour_ms); };
    add("conversation of two messages", 2 * grower.grow(2 * grower.skus(), message));
  }
}

// Of each change of an alert all subscribers are told; those that have ended did so while others began.
void weigh_alerts(const Shape& shape, Millis now, std::vector<Size>& sizes) {
  const ServiceDefinition service = alerts::definition();
  const auto weigh = [&](const char* thing, uint32_t changes) {
    Grower grower(service, shape, now);
    grower.grow(subscribers, [&](uint64_t index) { return subscriber_fact(static_cast<uint32_t>(index), now - day_ms); });
    const uint64_t facts = changes * (1 + subscribers);
    const auto make = [&](uint64_t index) {
      const uint64_t number = index / facts;
      const auto change = static_cast<uint32_t>(index % facts / (1 + subscribers) + 1);
      const auto part = static_cast<uint32_t>(index % (1 + subscribers));
      const v1::Fact finding = finding_fact(static_cast<uint32_t>(number % shape.stores), number, change == 1, now - hour_ms);
      if (part == 0) return finding;
      return delivery_fact(alerts::alert_key(finding.finding().terms(), finding.store()), change, part - 1, now);
    };
    sizes.push_back({service.name, thing, grower.grow(alerts_weighed * facts, make) * static_cast<double>(facts)});
  };
  weigh("alert that fires", 1);
  weigh("alert that has ended", 2);
}

}  // namespace

void print_memory(const Asked& asked, Millis now) {
  std::vector<Size> sizes;
  for (const ServiceDefinition& service : definitions(asked)) weigh(service, asked.shape, now, sizes);
  if (asked.services.empty() || asked.names("alerts")) weigh_alerts(asked.shape, now, sizes);
  if (!asked.json) {
    fmt::print("bytes on the heap, with {} stores of {} SKUs\n", asked.shape.stores, asked.shape.skus_of_store);
    for (const Size& size : sizes) fmt::print("{:<10} {:<28} {:6.0f}\n", size.service, size.thing, size.bytes);
    return;
  }
  cli::Json json;
  json.begin_object().field("stores", asked.shape.stores).field("skus_of_store", asked.shape.skus_of_store);
  json.key("bytes").begin_array();
  for (const Size& size : sizes)
    json.begin_object()
        .field("service", std::string_view(size.service))
        .field("thing", std::string_view(size.thing))
        .field("bytes", std::round(size.bytes))
        .end_object();
  json.end_array().end_object();
  fmt::print("{}\n", json.text());
}

}  // namespace xundian::bench
