// What is wrong with a store's sales, and when it is looked at. To add a rule, write it here and give it a scenario.
#include <algorithm>

#include "services/metrics/state.h"

namespace xundian::metrics {

namespace {

constexpr ShippedRule rules[] = {
    {.id = "no_orders",
     .detector = "no_orders",
     .entity_kind = "store",
     .unit = "count",
     .side = Side::above,
     // So many orders were to be expected that a chance of less than 0.001 is left for none: exp(-6.907756) < 0.001.
     .fire_at_micros = 6'907'756,
     .clear_at_micros = 6'907'756,
     .sample_min = 20,  // Paid orders within the last seven days.
     .severity = v1::SEVERITY_CRITICAL,
     .owner = "operations",
     .text_zh = "{store} 营业时段内已 {minutes} 分钟没有支付订单，按近 7 天同时段应有 {value} 单，请检查支付与店铺页面",
     .text_en = "{store} has had no paid order for {minutes} minutes of its usual hours; {value} were to be expected from the "
                "last 7 days",
     .next = "check_payment"},
    {.id = "sales_drop",
     .detector = "sales_drop",
     .entity_kind = "store",
     .unit = "ratio",
     .side = Side::below,
     .fire_at_micros = 700'000,
     .clear_at_micros = 850'000,
     .sample_min = 2,  // Weeks.
     .severity = v1::SEVERITY_HIGH,
     .owner = "operations",
     .text_zh = "{store} {day} 支付金额 {amount}，仅为近四周同星期均值 {mean} 的 {value}",
     .text_en = "{store} took {amount} on {day}, {value} of the {mean} that the same weekday of the last four weeks brought",
     .next = "review_sales"},
    {.id = "refund_rate_high",
     .detector = "refund_rate_high",
     .entity_kind = "store",
     .unit = "ratio",
     .side = Side::above,
     .fire_at_micros = 150'000,
     .clear_at_micros = 120'000,
     .sample_min = 20,  // Orders.
     .severity = v1::SEVERITY_WARNING,
     .owner = "support",
     .text_zh = "{store} 近 7 天退款 {refunds}，占支付金额 {amount} 的 {value}（{orders} 单）",
     .text_en = "{store} refunded {refunds} within 7 days, {value} of the {amount} paid ({orders} orders)",
     .next = "review_refunds"},
};

constexpr RulePlace no_orders = place_of(rules, "no_orders"), sales_drop = place_of(rules, "sales_drop"),
                    refund_rate_high = place_of(rules, "refund_rate_high");

constexpr uint32_t no_orders_bit = 1u << no_orders.index;
constexpr Millis settle_ms = 10 * minute_ms;  // How long changes are gathered before a held condition is looked at again.
constexpr Millis quiet_max = 14 * day_ms;     // Longer silences are not counted out.
constexpr int baseline_days = 7;
constexpr size_t judged_at_once = 32;  // Stores, of which one may take a third of a millisecond.

// The counters of a day in the currency that brought the most over all of the asked days.
class DaySums {
 public:
  DaySums(const StoreBook& book, const Names& names) : book_(book), names_(names) {}

  // Picks the currency by the days that `days` holds.
  void choose(std::initializer_list<std::pair<Day, Day>> ranges) {
    std::map<std::string_view, int64_t> paid;
    std::map<std::string_view, NameId> ids;
    for (const auto& [from, to] : ranges)
      for (auto day = book_.days.lower_bound(from); day != book_.days.end() && day->first <= to; ++day)
        for (const CurrencyDay& one : day->second.currencies) {
          paid[names_[one.currency]] += one.total.paid_amount_micros;
          ids[names_[one.currency]] = one.currency;
        }
    const std::string_view* best = nullptr;
    for (const auto& [code, micros] : paid)
      if (best == nullptr || micros > paid[*best]) best = &code;
    if (best != nullptr) currency_ = ids[*best];
  }

  std::optional<Counters> of(Day day) const {
    const auto found = book_.days.find(day);
    if (found == book_.days.end()) return std::nullopt;
    for (const CurrencyDay& one : found->second.currencies)
      if (one.currency == currency_ && one.total.paid_orders + one.total.refunds > 0) return one.total;
    return std::nullopt;
  }

 private:
  const StoreBook& book_;
  const Names& names_;
  NameId currency_ = 0;
};

// Orders of an hour of the day over the seven days before `day`.
int64_t usual_orders(const StoreBook& book, Day day, int hour) {
  int64_t orders = 0;
  for (auto cell = book.days.lower_bound(day - baseline_days); cell != book.days.end() && cell->first < day; ++cell)
    for (const CurrencyDay& one : cell->second.currencies)
      orders += cell->second.hours.at(cell_key(static_cast<uint32_t>(hour), one.currency)).orders;
  return orders;
}

// Orders that were to be expected within a silence.
struct Silence {
  int64_t expected_micros = 0;
  Millis open_ms = 0;         // Of it, within hours that usually sell.
  Millis reached_ms = never;  // When `enough_micros` were to be expected.
};

Silence silence_of(const StoreBook& book, Millis from, Millis until, int64_t enough_micros) {
  Silence silence;
  // Usual orders times milliseconds; a day's usual hour is a seventh of that.
  __extension__ using Wide = __int128;
  constexpr Wide scale = Wide{baseline_days} * hour_ms;
  const Wide enough = (Wide{enough_micros} * scale + micros - 1) / micros;
  Wide sum = 0;
  until = std::min(until, from + quiet_max);
  for (Millis at = from; at < until;) {
    const Millis into_hour = ((at + book.zone.offset_at(at)) % hour_ms + hour_ms) % hour_ms;
    const Millis end = std::min(until, at + hour_ms - into_hour);
    const int64_t usual = usual_orders(book, book.day_of(at), book.zone.hour_of(at));
    if (usual > 0) {
      if (silence.reached_ms == never && sum + Wide{usual} * (end - at) >= enough)
        silence.reached_ms = at + static_cast<Millis>((enough - sum + usual - 1) / usual);
      sum += Wide{usual} * (end - at);
      silence.open_ms += end - at;
    }
    at = end;
  }
  silence.expected_micros = static_cast<int64_t>(sum * micros / scale);
  return silence;
}

Millis silent_since(const StoreBook& book) { return std::max(book.last_paid_ms, book.info->live_from_ms); }

}  // namespace

std::span<const ShippedRule> shipped_rules() { return rules; }

Judge::Subject MetricsFold::subject(const StoreBook& book) const { return {book.info->id, book.info->platform, book.info->id}; }

// No paid order for so long that it cannot be chance.
void MetricsFold::judge_no_orders(StoreBook& book, Millis now, Outbox& outbox) {
  if (book.last_paid_ms == 0) return;
  const Silence silence = silence_of(book, silent_since(book), now, 0);
  Measurement measured{.value_micros = silence.expected_micros, .sample = 0, .evidence = {}};
  const Day today = book.day_of(now);
  for (auto cell = book.days.lower_bound(today - baseline_days); cell != book.days.end() && cell->first <= today; ++cell)
    for (const CurrencyDay& one : cell->second.currencies) measured.sample += one.total.orders;
  const auto support = [&] {
    return std::vector{evidence("minutes", silence.open_ms / minute_ms * micros, "count"),
                       evidence("since", book.zone.format(silent_since(book)))};
  };
  judge_.judge(no_orders, subject(book), measured, support, now, outbox);
}

// The last finished day against the same weekday of the four weeks before. A day is finished once the store has spoken after its
// end: a file that has not come yet is no drop.
void MetricsFold::judge_sales_drop(StoreBook& book, Millis now, Outbox& outbox) {
  const Day day = book.day_of(now) - 1;
  book.finished_from_ms = book.zone.start_of(day);
  book.finished_to_ms = book.zone.start_of(day + 1);
  book.waits_for_ms = book.newest_ms < book.finished_to_ms ? book.finished_to_ms : never;
  if (book.waits_for_ms != never || !book.info->is_news(book.finished_from_ms)) return;
  DaySums sums(book, names_);
  sums.choose({{day - 28, day - 28}, {day - 21, day - 21}, {day - 14, day - 14}, {day - 7, day - 7}});
  int64_t sum = 0, weeks = 0;
  for (const Day back : {7, 14, 21, 28})
    if (const auto counters = sums.of(day - back); counters && counters->paid_orders > 0) {
      sum += counters->paid_amount_micros;
      ++weeks;
    }
  const int64_t mean = weeks > 0 ? sum / weeks : 0;
  const int64_t amount = mean > 0 ? sums.of(day).value_or(Counters{}).paid_amount_micros : 0;
  std::optional<Measurement> measured;
  if (mean > 0) {
    __extension__ using Wide = __int128;
    measured = {.value_micros = static_cast<int64_t>(Wide{amount} * micros * weeks / sum), .sample = weeks, .evidence = {}};
  }
  const auto support = [&] {
    return std::vector{evidence("day", format_day(day)), evidence("amount", amount, "money"), evidence("mean", mean, "money"),
                       evidence("weeks", weeks * micros, "count")};
  };
  judge_.judge(sales_drop, subject(book), measured, support, now, outbox);
}

// Refunds of the last seven days against what was paid in them.
void MetricsFold::judge_refund_rate(StoreBook& book, Millis now, Outbox& outbox) {
  const Day today = book.day_of(now);
  DaySums sums(book, names_);
  sums.choose({{today - 6, today}});
  Counters window;
  for (Day day = today - 6; day <= today; ++day)
    if (const auto counters = sums.of(day)) window.add(*counters);
  std::optional<Measurement> measured;
  if (window.paid_amount_micros > 0) {
    __extension__ using Wide = __int128;
    const auto ratio = static_cast<int64_t>(Wide{window.refund_micros} * micros / window.paid_amount_micros);
    measured = {.value_micros = ratio, .sample = window.orders, .evidence = {}};
  }
  const auto support = [&] {
    return std::vector{evidence("refunds", window.refund_micros, "money"), evidence("amount", window.paid_amount_micros, "money"),
                       evidence("orders", window.orders * micros, "count")};
  };
  judge_.judge(refund_rate_high, subject(book), measured, support, now, outbox);
}

void MetricsFold::judge_store(StoreBook& book, Millis now, Outbox& outbox) {
  if (!book.info->is_news(now)) return;
  judge_no_orders(book, now, outbox);
  judge_sales_drop(book, now, outbox);
  judge_refund_rate(book, now, outbox);
}

// When time alone may change something: the silence becomes too long, or a day ends. A store that has sold nothing for five weeks
// is left alone.
Millis MetricsFold::next_due(const StoreBook& book, Millis now) const {
  Millis due = never;
  if (now - book.last_paid_ms < 35 * day_ms || book.holding != 0) {
    due = book.zone.start_of(book.day_of(now) + 1);
    if (due <= now) due = now + day_ms;  // A day that a change of the clocks made odd.
  }
  if ((book.holding & no_orders_bit) == 0 && now - book.last_paid_ms < (baseline_days + 1) * day_ms) {
    const EffectiveRule rule = rules_.find(no_orders, book.info->id, book.info->platform, book.info->id);
    const Millis from = silent_since(book);
    const Millis reached = silence_of(book, from, std::min(due, from + quiet_max), rule.fire_at_micros).reached_ms;
    if (reached > now) due = std::min(due, reached);
  }
  return due;
}

void MetricsFold::schedule(StoreBook& book, Millis due) {
  if (due >= book.due_ms) return;
  const uint32_t index = book_index_.at(book.store);
  if (book.due_ms != never) timers_.erase({book.due_ms, index});
  book.due_ms = due;
  timers_.emplace(due, index);
}

// An order ends a silence at once. What else it changes of a condition that holds, or of the day that was judged last, is looked
// at a little later, together with the orders that come with it.
void MetricsFold::after_order(StoreBook& book, const OrderChange& change, Millis now, Outbox& outbox) {
  if (!change.changed) return;
  if ((book.holding & no_orders_bit) != 0 && change.paid_ms > 0) judge_no_orders(book, now, outbox);
  if (change.refunded && book.info->is_news(now)) judge_refund_rate(book, now, outbox);
  const bool finished_day = change.paid_ms >= book.finished_from_ms && change.paid_ms < book.finished_to_ms;
  if (book.holding != 0 || finished_day) schedule(book, now + settle_ms);
  if (book.due_ms == never) schedule(book, next_due(book, now));
}

// The store has spoken: a day that waited for its end may be judged.
void MetricsFold::after_word(StoreBook& book, Millis now, Outbox& outbox) {
  if (book.newest_ms >= book.waits_for_ms && book.info->is_news(now)) judge_sales_drop(book, now, outbox);
}

// Some of those that are due; the rest with the records that follow, so that a midnight of a thousand stores holds up nobody.
void MetricsFold::wake(Millis now, Outbox& outbox) {
  for (size_t judged = 0; judged < judged_at_once && !timers_.empty() && timers_.begin()->first <= now; ++judged) {
    StoreBook& book = books_[timers_.begin()->second];
    timers_.erase(timers_.begin());
    book.due_ms = never;
    judge_store(book, now, outbox);
    schedule(book, next_due(book, now));
  }
}

Millis MetricsFold::next_wake() const { return timers_.empty() ? never : timers_.begin()->first; }

void MetricsFold::said(const FactView& fact) {
  const auto said = judge_.said(fact);
  const auto found = book_index_.find(fact.store());
  if (!said || found == book_index_.end()) return;
  const uint32_t bit = 1u << said->rule.index;
  uint32_t& holding = books_[found->second].holding;
  holding = said->holds ? holding | bit : holding & ~bit;
}

}  // namespace xundian::metrics
