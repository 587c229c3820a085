#include "tests/bench/workload.h"

#include <thread>
#include <unordered_map>

namespace xundian::bench {

namespace {

constexpr uint32_t orders_of_batch = 70, others_of_batch = 10;
constexpr uint32_t agents = 50, buyers = 500'000;
constexpr Millis order_age_ms = 30 * second_ms, order_ages_ms = 8192;  // Of the newest; from it to the oldest.
constexpr uint64_t first_order = 3'180'642'000'000;
constexpr int64_t micros = 1'000'000;

// Well mixed bits of a number (splitmix64).
uint64_t mix(uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

class Maker {
 public:
  Maker(size_t producer, Millis now, const Shape& shape)
      : producer_(producer),
        now_(now),
        shape_(shape),
        day_(format_day(static_cast<Day>(now / day_ms))),
        bought_((shape.stores + producers - 1) / producers * buyers),
        spoken_of_(size_t{shape.stores} * shape.skus_of_store) {}

  std::string make_batch() {
    frames_.clear();
    for (uint32_t index = 0; index < orders_of_batch; ++index) next_order();
    for (uint32_t index = 0; index < others_of_batch; ++index) next_stock();
    for (uint32_t index = 0; index < others_of_batch; ++index) next_message();
    for (uint32_t index = 0; index < others_of_batch; ++index) next_ad();
    totals_.facts += facts_of_batch;
    return frames_;
  }
  const Totals& totals() const { return totals_; }
  uint64_t store_buyers() const { return store_buyers_; }
  uint32_t skus() const { return skus_; }

 private:
  uint64_t bits(uint64_t kind, uint64_t number) const { return mix(mix(number << 8 | kind << 1 | producer_)); }
  uint32_t store_of(uint64_t random) const {
    if (shape_.stores == 1) return 0;
    return static_cast<uint32_t>(random % (shape_.stores / producers) * producers + producer_);
  }

  v1::Fact& begin(uint32_t store, const std::string& key, Millis as_of_ms) {
    fact_.Clear();
    fact_.set_store(store_id(store));
    fact_.set_key(key);
    fact_.set_as_of_ms(as_of_ms);
    fact_.set_source("bench.workload");
    return fact_;
  }
  void end() { CHECK(append_frame(frames_, fact_).has_value(), "the workload's facts are good"); }

  // Of a hundred, 85 are new orders, 10 state an earlier one anew with another quantity, 5 say the same again.
  void next_order() {
    const uint64_t dice = bits(1, order_words_++) % 10'000;
    if (versions_.empty() || dice < 8'500) {
      versions_.push_back(0);
      totals_.orders += 1;
      note_buyer(bits(3, versions_.size() - 1));
      return say_order(versions_.size() - 1, 1);
    }
    const size_t number = bits(2, order_words_) % versions_.size();
    if (dice >= 9'500) return say_order(number, 0);
    say_order(number, -1);  // What it was leaves; nothing is said.
    versions_[number] += 1;
    say_order(number, 1);
  }

  void note_buyer(uint64_t random) {
    std::vector<bool>::reference noted = bought_[store_of(random) / producers * buyers + random % buyers];
    if (!noted) store_buyers_ += 1;
    noted = true;
  }

  // sign 1: said, and counts; 0: said, and counts already; -1: not said, and counts no more.
  void say_order(size_t number, int sign) {
    const uint64_t random = bits(3, number);
    const uint32_t version = versions_[number];
    const Millis placed_ms = now_ - order_age_ms - static_cast<Millis>((random >> 20) % order_ages_ms);
    const uint32_t store = store_of(random);
    begin(store, std::to_string(first_order + number * producers + producer_), placed_ms + 2000 + version * second_ms);
    fact_.set_status_rank(20);
    v1::OrderState& order = *fact_.mutable_order_state();
    order.mutable_placed()->set_created_ms(placed_ms);
    order.mutable_placed()->set_buyer(mix(random % buyers));
    order.mutable_placed()->set_buyer_key_id(7);
    order.mutable_status()->set_status("paid");
    int64_t amount = 0;
    const uint64_t lines = 1 + (random >> 40) % 3;
    for (uint64_t index = 0; index < lines; ++index) {
      const uint64_t line_random = bits(4 + index, number);
      v1::OrderLine& line = *order.add_lines();
      line.set_line_id(std::to_string(index + 1));
      line.set_sku(name_sku(store, line_random % shape_.skus_of_store));
      line.set_quantity(1 + static_cast<int64_t>(((line_random >> 20) + version) % 3));
      line.set_amount_micros(line.quantity() * static_cast<int64_t>(5 + line_random % 195) * micros);
      totals_.units += static_cast<uint64_t>(sign * line.quantity());
      amount += line.amount_micros();
    }
    order.mutable_paid()->set_paid_ms(placed_ms + 1000);
    order.mutable_paid()->set_amount_micros(amount);
    totals_.amount_micros += sign * amount;
    if (sign >= 0) end();
  }

  void next_stock() {
    const uint64_t random = bits(8, stock_words_);
    const uint32_t store = store_of(random);
    const uint64_t number = (random >> 20) % shape_.skus_of_store;
    const std::string sku = name_sku(store, number);
    const Millis counted_ms = now_ - 6 * hour_ms + static_cast<Millis>(stock_words_++);
    begin(store, sku + "@", counted_ms);
    v1::StockCount& count = *fact_.mutable_stock_level()->mutable_count();
    count.set_sku(sku);
    count.set_available_units(20 + static_cast<int64_t>(random >> 40 & 511));
    count.set_counted_ms(counted_ms);
    replace(levels_, uint64_t{store} << 32 | number, count.available_units(), totals_.stock_units);
    end();
  }

  // A customer asks; the next message is an agent's answer.
  void next_message() {
    const uint64_t number = message_words_++, conversation = number / 2;
    const bool asks = number % 2 == 0;
    const uint64_t random = bits(9, conversation);
    const Millis asked_ms = now_ - 20 * second_ms + static_cast<Millis>(random >> 20 & 4095),
                 sent_ms = asked_ms + (asks ? 0 : 5 * second_ms);
    begin(store_of(random), fmt::format("m{}-{}", producer_, number), sent_ms);
    v1::ChatLine& line = *fact_.mutable_chat_message()->mutable_line();
    line.set_sent_ms(sent_ms);
    line.set_author(asks ? v1::AUTHOR_KIND_CUSTOMER : v1::AUTHOR_KIND_AGENT);
    if (!asks) line.set_agent(fmt::format("agent{:02}", random % agents));
    line.set_buyer(mix(random % buyers));
    line.set_conversation(fmt::format("c{}-{}", producer_, conversation));
    (asks ? totals_.conversations : totals_.replies) += 1;
    end();
  }

  // A campaign's report of the day, cumulative: each replaces the one before.
  void next_ad() {
    const uint64_t random = bits(10, ad_words_);
    const uint32_t store = store_of(random), campaign = static_cast<uint32_t>((random >> 20) % campaigns_of_store);
    const std::string name = fmt::format("plan{:02}", campaign);
    begin(store, fmt::format("campaign|day|7|search|{}||{}", name, day_), now_ - 6 * hour_ms + static_cast<Millis>(ad_words_));
    v1::AdCell& cell = *fact_.mutable_ad_report()->mutable_cell();
    cell.mutable_cut()->set_dimensions("campaign");
    cell.mutable_cut()->set_grain("day");
    cell.mutable_cut()->set_attribution_days(7);
    cell.mutable_period()->set_from(day_);
    cell.set_channel("search");
    cell.set_campaign(name);
    cell.set_impressions(10'000 + static_cast<int64_t>(ad_words_++));
    cell.set_clicks(cell.impressions() / 20);
    cell.set_cost_micros(cell.clicks() * micros);
    cell.set_attributed_orders(cell.clicks() / 10);
    cell.set_attributed_amount_micros(cell.cost_micros() * 6);
    replace(cells_, uint64_t{store} << 32 | campaign, cell.impressions(), totals_.impressions);
    end();
  }

  std::string name_sku(uint32_t store, uint64_t sku) {
    std::vector<bool>::reference spoken_of = spoken_of_[size_t{store} * shape_.skus_of_store + sku];
    skus_ += spoken_of ? 0 : 1;
    spoken_of = true;
    return sku_name(sku);
  }

  static void replace(std::unordered_map<uint64_t, int64_t>& held, uint64_t key, int64_t value, int64_t& total) {
    int64_t& before = held[key];
    total += value - before;
    before = value;
  }

  const uint64_t producer_;
  const Millis now_;
  const Shape shape_;
  const std::string day_;
  v1::Fact fact_;
  std::string frames_;
  Totals totals_;
  std::vector<uint32_t> versions_;  // Of each order, how often it was stated anew.
  std::unordered_map<uint64_t, int64_t> levels_, cells_;
  std::vector<bool> bought_;  // By store and buyer.
  uint64_t store_buyers_ = 0;
  std::vector<bool> spoken_of_;  // By store and SKU.
  uint32_t skus_ = 0;
  uint64_t order_words_ = 0, stock_words_ = 0, message_words_ = 0, ad_words_ = 0;
};

}  // namespace

Totals& Totals::operator+=(const Totals& other) {
  facts += other.facts;
  orders += other.orders;
  units += other.units;
  conversations += other.conversations;
  replies += other.replies;
  amount_micros += other.amount_micros;
  stock_units += other.stock_units;
  impressions += other.impressions;
  return *this;
}

std::string Totals::text() const {
  return fmt::format("facts={} orders={} units={} amount_micros={} stock_units={} conversations={} replies={} impressions={}",
                     facts, orders, units, amount_micros, stock_units, conversations, replies, impressions);
}

Feed::Feed(size_t producer, size_t batches, Millis now, const Shape& shape) : totals_(1), buyers_(1), skus_(1) {
  Maker maker(producer, now, shape);
  frames_.reserve(batches);
  for (size_t batch = 0; batch < batches; ++batch) {
    frames_.push_back(maker.make_batch());
    totals_.push_back(maker.totals());
    buyers_.push_back(maker.store_buyers());
    skus_.push_back(maker.skus());
  }
}

Workload Workload::make(size_t facts, Millis now, const Shape& shape) {
  Workload workload;
  workload.shape = shape;
  const size_t batches = std::max<size_t>(1, facts / producers / facts_of_batch);
  {
    std::vector<std::jthread> makers;
    for (size_t index = 0; index < producers; ++index)
      makers.emplace_back([&, index] { workload.feeds[index] = Feed(index, batches, now, shape); });
  }
  const Zone zone = Zone::find(time_zone).value();
  workload.first_day = zone.day_of(now - order_age_ms - order_ages_ms);
  workload.last_day = zone.day_of(now);
  size_t payload = 0, frames = 0, looked = 0;
  for (; looked < std::min<size_t>(batches, 100); ++looked) {
    frames += workload.feeds[0].frames(looked).size();
    for_each_body(workload.feeds[0].frames(looked), [&](std::string_view body) { payload += body.size(); });
  }
  workload.payload_bytes = static_cast<double>(payload) / static_cast<double>(looked * facts_of_batch);
  workload.frame_bytes = static_cast<double>(frames) / static_cast<double>(looked * facts_of_batch);
  return workload;
}

Totals Workload::totals(const std::array<size_t, producers>& batches) const {
  Totals sum;
  for (size_t index = 0; index < producers; ++index) sum += feeds[index].totals(batches[index]);
  return sum;
}

uint64_t Workload::buyers(const std::array<size_t, producers>& batches) const {
  uint64_t sum = 0;
  for (size_t index = 0; index < producers; ++index) sum += feeds[index].buyers(batches[index]);
  return sum;
}

uint64_t Workload::skus(const std::array<size_t, producers>& batches) const {
  uint64_t sum = 0;
  for (size_t index = 0; index < producers; ++index) sum += feeds[index].skus(batches[index]);
  return sum;
}

std::string store_id(uint32_t store) { return fmt::format("s{:03}", store); }

std::string sku_name(uint64_t sku) { return fmt::format("K{:04}", sku); }

std::vector<v1::Fact> store_facts(Millis now, uint32_t stores) {
  std::vector<v1::Fact> facts;
  for (uint32_t store = 0; store < stores; ++store) {
    v1::Fact& fact = facts.emplace_back();
    fact.set_store(store_id(store));
    fact.set_key(store_id(store));
    fact.set_as_of_ms(now - day_ms);
    fact.set_source("bench");
    v1::StoreState& state = *fact.mutable_store_state();
    state.mutable_identity()->set_platform("tmall");
    state.mutable_settings()->set_currency_code("CNY");
    state.mutable_settings()->set_time_zone(time_zone);
  }
  return facts;
}

void add_frames(BatchBuilder& builder, std::string_view frames) {
  while (!frames.empty()) {
    const auto frame = split_frame(frames);
    CHECK(frame.has_value(), "the workload's frames hold together");
    builder.add_frame(*frame);
  }
}

}  // namespace xundian::bench
