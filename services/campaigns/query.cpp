// What campaigns answers: advertising by store, channel, campaign or item, each figure from one cut; budgets and planned
// campaigns.
#include <algorithm>

#include "common/overview.h"
#include "common/patience.h"
#include "common/registry.h"
#include "services/campaigns/state.h"

namespace xundian::campaigns {

namespace {

enum class Grain { total, month, day, hour };
enum class By { nothing, store, channel, campaign, item, other };

struct Asked {
  std::set<std::string> metrics, stores;
  Day from = 0, to = 0;
  Grain grain = Grain::total;
  By by = By::nothing;

  bool wants(const std::string& metric) const { return metrics.contains(metric); }
  uint8_t needed() const { return by == By::campaign ? by_campaign : by == By::item ? by_item : 0; }
  // Whether a cell's period lies within one row's period.
  bool fits(const Slot& slot) const {
    if (slot.from < from || slot.to > to) return false;
    if (grain == Grain::hour) return slot.hour >= 0;
    if (grain == Grain::day) return slot.from == slot.to;
    return grain == Grain::total || month_start(slot.from) == month_start(slot.to);
  }
  std::string row_from(const Slot& slot) const {
    switch (grain) {
      case Grain::total:
        return format_day(from);
      case Grain::month:
        return format_day(std::max(from, month_start(slot.from)));
      case Grain::day:
        return format_day(slot.from);
      case Grain::hour:
        return fmt::format("{}T{:02}", format_day(slot.from), slot.hour);
    }
    return {};
  }
};

struct Place {
  std::string store, key, from;
  auto operator<=>(const Place&) const = default;
};

// Of the stores that are asked for, by their ids; who asks for a few does not wait for all to be looked at.
template <typename Ids>
std::vector<const Book*> books_of(const State& state, const Ids& stores) {
  std::vector<const Book*> books;
  for (const StoreInfo* info : state.stores().asked(stores))
    if (const auto book = state.books().find(store_hash(info->id)); book != state.books().end()) books.push_back(&book->second);
  return books;
}

class Adder {
 public:
  explicit Adder(const Asked& asked) : asked_(asked) {}

  void add(const State& state) {
    for (const Book* book : books_of(state, asked_.stores)) add_store(state, *book);
    as_of_ms_ = std::max(as_of_ms_, state.as_of());
  }

  void add_store(const State& state, const Book& book) {
    state_ = &state;
    book_ = &book;
    as_of_ms_ = std::max(as_of_ms_, state.as_of());
    for (const auto& [name, channel] : book.channels) add_channel(name, channel);
    if (asked_.grain == Grain::hour || asked_.by == By::item) return;
    if (asked_.wants("budget_used") || asked_.wants("budget_pace")) add_budgets();
    if (asked_.wants("campaigns_planned") && asked_.by != By::channel) add_plans();
  }

  // Calls `give(row)` for each figure.
  template <typename Give>
  void write(Give&& give) {
    for (const auto& [place, sum] : sums_) {
      if (Patience::is_over()) return;
      write_sum(place, sum);
    }
    for (const auto& [cell, row] : rows_) {
      const auto& [at, metric, code] = cell;
      const bool has_code = row.unit == "money" || metric == "roas";
      give(MetricRowView{at.store, at.key, at.from, metric, row.numerator, row.denominator, row.unit,
                         has_code ? std::string_view(code) : std::string_view(), row.status});
    }
  }

  Millis as_of_ms() const { return as_of_ms_; }

 private:
  Place place(const std::string& channel, const Report* report, std::string from) const {
    Place at{asked_.by == By::store ? book_->info->id : std::string(), {}, std::move(from)};
    if (asked_.by == By::channel) at.key = channel;
    if (asked_.by == By::campaign && report) at.key = state_->reports().name(report->campaign_name);
    if (asked_.by == By::item && report) at.key = state_->reports().name(report->item);
    return at;
  }

  void add_channel(const std::string& name, const Channel& channel) {
    const auto fits = [&](const Slot& slot) { return asked_.fits(slot); };
    answer_from_one_cut(channel.cells, asked_.needed(), asked_.from, asked_.to, fits, [&](const Slot& slot, const Reports& all) {
      if (Patience::is_over()) return;
      const ReportTable& table = state_->reports();
      const auto sum = [&](const Report* report) -> Totals& { return sums_[place(name, report, asked_.row_from(slot))]; };
      if (asked_.by != By::campaign && asked_.by != By::item) return all.add_to(sum(nullptr), table, *book_->info);
      all.for_each(
          table, [&](const Report& report) { sum(&report).add(report, currency_of(*book_->info, table.name(report.currency))); });
    });
    if (asked_.wants("ad_cost_cut_difference") && asked_.grain != Grain::hour && asked_.needed() == 0)
      add_difference(name, channel);
  }

  // What cuts say differently of the same day.
  void add_difference(const std::string& name, const Channel& channel) {
    std::map<Day, std::map<std::pair<std::string, uint32_t>, std::map<std::string, int64_t>>> days;  // By cut and currency.
    for (const auto& [cut, slots] : channel.cells)
      for (auto slot = slots.lower_bound(Slot{asked_.from, asked_.from, -1});
           slot != slots.end() && slot->first.from <= asked_.to; ++slot) {
        if (slot->first.from != slot->first.to) continue;
        Totals totals;
        slot->second.add_to(totals, state_->reports(), *book_->info);
        for (const MoneyTotals& money : totals.money())
          if (money.cost_micros.stated > 0)
            days[slot->first.from][{cut.names + (cut.grain == 1 ? "/hour" : ""), cut.attribution_left}][money.currency_code] +=
                money.cost_micros.sum;
      }
    for (const auto& [day, cuts] : days) {
      if (cuts.size() < 2) continue;
      std::map<std::string, std::vector<int64_t>> costs;
      for (const auto& [cut, currencies] : cuts)
        for (const auto& [code, cost] : currencies) costs[code].push_back(cost);
      for (const auto& [code, stated] : costs) {
        const auto [least, most] = std::minmax_element(stated.begin(), stated.end());
        if (stated.size() < 2) continue;
        add_row(place(name, nullptr, asked_.row_from({day, day, -1})), "ad_cost_cut_difference", code, "money", "provisional",
                *most - *least, {});
      }
    }
  }

  // Budgets of one level are added, the coarsest that there is for what is asked; of budgets whose terms overlap the longest
  // counts.
  void add_budgets() {
    std::map<std::string, std::vector<const Budget*>> by_key;
    for (const auto& [id, budget] : book_->budgets) {
      if (!budget->live() || budget->slot->to < asked_.from || budget->slot->from > asked_.to) continue;
      const v1::BudgetTerms& terms = budget->terms.content;
      if ((asked_.by == By::channel && terms.channel().empty()) || (asked_.by == By::campaign && terms.campaign().empty()))
        continue;
      by_key[asked_.by == By::channel    ? terms.channel()
             : asked_.by == By::campaign ? terms.campaign()
                                         : std::string()]
          .push_back(budget);
    }
    for (auto& [key, budgets] : by_key) {
      std::sort(budgets.begin(), budgets.end(), [](const Budget* a, const Budget* b) { return rank(*a) < rank(*b); });
      std::vector<const Budget*> counted;
      for (const Budget* budget : budgets)
        if (level(*budget) == level(*budgets.front()) &&
            std::none_of(counted.begin(), counted.end(), [&](const Budget* held) { return overlap(*held, *budget); }))
          counted.push_back(budget);
      for (const Budget* budget : counted) add_budget(key, *budget);
    }
  }

  static int level(const Budget& budget) {
    return (budget.terms.content.channel().empty() ? 0 : 1) + (budget.terms.content.campaign().empty() ? 0 : 2);
  }
  static std::tuple<int, Day, std::string> rank(const Budget& budget) {
    return {level(budget), budget.slot->from - budget.slot->to, budget.id};
  }
  static bool overlap(const Budget& a, const Budget& b) {
    const v1::BudgetTerms &left = a.terms.content, &right = b.terms.content;
    return left.channel() == right.channel() && left.campaign() == right.campaign() && a.slot->from <= b.slot->to &&
           b.slot->from <= a.slot->to;
  }

  void add_budget(const std::string& key, const Budget& budget) {
    const Pace pace = state_->pace(budget);
    const std::string code(currency_of(*book_->info, budget.terms.content.currency_code()));
    const Place at{asked_.by == By::store ? book_->info->id : std::string(), key,
                   format_day(asked_.grain == Grain::total ? asked_.from : std::max(asked_.from, budget.slot->from))};
    add_row(at, "budget_used", code, "ratio", "provisional", pace.spent_micros, pace.amount_micros);
    if (pace.reached_ms != 0) add_row(at, "budget_pace", code, "ratio", "provisional", pace.spent_micros, pace.due_micros);
  }

  void add_plans() {
    const Zone& zone = book_->info->zone;
    for (const auto& [id, plan] : book_->plans) {
      const v1::CampaignTerms& terms = plan->terms.content;
      if (!plan->live() || terms.end_ms() <= terms.start_ms()) continue;
      const Day first = std::max(asked_.from, zone.day_of(terms.start_ms())),
                last = std::min(asked_.to, zone.day_of(terms.end_ms() - 1));
      std::string row_before;
      for (Day day = first; day <= last; ++day) {
        Place at = place({}, nullptr, asked_.row_from({day, day, -1}));
        if (at.from == row_before) continue;
        row_before = at.from;
        if (asked_.by == By::campaign) at.key = terms.name().empty() ? plan->id : terms.name();
        add_row(at, "campaigns_planned", {}, "count", "provisional", 1, {});
      }
    }
  }

  void write_sum(const Place& at, const Totals& sum) {
    const char* reported = sum.is_provisional() ? "provisional" : "final";
    const char* attributed = sum.is_immature() ? "provisional" : "final";
    const auto count = [&](const char* metric, const Count& one, const std::string& code, const char* unit, const char* status) {
      if (one.stated > 0) add_row(at, metric, code, unit, status, one.sum, {});
    };
    const auto ratio = [&](const char* metric, const Ratio& one, const std::string& code, const char* unit, const char* status) {
      if (one.stated > 0) add_row(at, metric, code, unit, status, one.upper, one.lower);
    };
    count("impressions", sum.impressions(), {}, "count", reported);
    count("clicks", sum.clicks(), {}, "count", reported);
    ratio("ctr", sum.ctr(), {}, "ratio", reported);
    for (const MoneyTotals& money : sum.money()) {
      const std::string& code = money.currency_code;
      count("ad_orders", money.orders, {}, "count", attributed);
      count("ad_cost", money.cost_micros, code, "money", reported);
      count("ad_amount", money.amount_micros, code, "money", attributed);
      ratio("cpc", money.cpc, code, "money", reported);
      ratio("cpm", money.cpm, code, "money", reported);
      ratio("cost_per_order", money.cost_per_order, code, "money", attributed);
      // One currency needs no name beside a ratio.
      ratio("roas", money.roas, sum.money().size() > 1 ? code : std::string(), "ratio", attributed);
    }
  }

  void add_row(const Place& at, const char* metric, const std::string& code, const char* unit, const char* status,
               int64_t numerator, std::optional<int64_t> denominator) {
    if (!asked_.wants(metric)) return;
    Row& row = rows_[{at, metric, code}];
    row.numerator += numerator;
    if (denominator) row.denominator = row.denominator.value_or(0) + *denominator;
    row.unit = unit;
    row.status = status;
  }

  const Asked& asked_;
  const State* state_ = nullptr;
  const Book* book_ = nullptr;
  std::map<Place, Totals> sums_;
  struct Row {
    int64_t numerator = 0;
    std::optional<int64_t> denominator;
    std::string_view unit, status;
  };
  std::map<std::tuple<Place, std::string_view, std::string>, Row> rows_;  // By metric and currency.
  Millis as_of_ms_ = 0;
};

Result<Asked> read_request(const query::v1::QueryMetricsRequest& request) {
  Asked asked;
  asked.metrics.insert(request.metrics().begin(), request.metrics().end());
  asked.stores.insert(request.stores().begin(), request.stores().end());
  asked.from = TRY(parse_day(request.from()));
  asked.to = request.to().empty() ? asked.from : TRY(parse_day(request.to()));
  const std::map<std::string_view, Grain> grains = {
      {"", Grain::total}, {"total", Grain::total}, {"month", Grain::month}, {"day", Grain::day}, {"hour", Grain::hour}};
  const auto grain = grains.find(request.grain());
  if (grain == grains.end())
    return fail(Code::invalid_argument, "\"{}\" is no grain; use total, month, day or hour", request.grain());
  asked.grain = grain->second;
  const std::map<std::string_view, By> dimensions = {{"", By::nothing}, {"store", By::store},       {"channel", By::channel},
                                                     {"sku", By::item}, {"campaign", By::campaign}, {"agent", By::other}};
  const auto by = dimensions.find(request.by());
  if (by == dimensions.end())
    return fail(Code::invalid_argument, "\"{}\" is no dimension; use store, sku, channel, campaign or agent", request.by());
  asked.by = by->second;
  return asked;
}

Result<query::v1::QueryMetricsResponse> query_metrics(std::span<State* const> states,
                                                      const query::v1::QueryMetricsRequest& request) {
  const Asked asked = TRY(read_request(request));
  query::v1::QueryMetricsResponse response;
  if (asked.by == By::other || asked.metrics.empty()) return response;
  Adder adder(asked);
  for (const State* state : states) adder.add(*state);
  adder.write([&](const MetricRowView& row) { add_row(row, *response.mutable_rows()); });
  response.set_as_of_ms(adder.as_of_ms());
  return response;
}

// A store's newest reported day.
std::optional<Day> newest_day(const Book& book) {
  std::optional<Day> newest;
  for (const auto& [name, channel] : book.channels)
    for (const auto& [cut, slots] : channel.cells)
      if (!slots.empty()) newest = std::max(newest.value_or(slots.rbegin()->first.from), slots.rbegin()->first.from);
  return newest;
}

Result<query::v1::GetOverviewResponse> get_overview(std::span<State* const> states,
                                                    const query::v1::GetOverviewRequest& request) {
  Asked asked;
  asked.metrics = {"ad_amount", "ad_cost", "ad_orders", "budget_pace", "clicks", "impressions", "roas"};
  asked.by = By::store;
  asked.grain = Grain::day;
  const std::optional<Day> stated = request.day().empty() ? std::nullopt : std::optional<Day>(TRY(parse_day(request.day())));
  std::map<std::string_view, std::pair<const State*, const Book*>> stores;
  for (const State* state : states)
    for (const Book* book : books_of(*state, request.stores())) stores.emplace(book->info->id, std::pair(state, book));
  OverviewPart part;
  for (const auto& [id, found] : stores) {
    const auto& [state, book] = found;
    const std::optional<Day> day = stated ? stated : newest_day(*book);
    if (!day) continue;
    asked.from = asked.to = *day;
    Adder adder(asked);
    adder.add_store(*state, *book);
    adder.write([&](const MetricRowView& row) { part.add(row); });
    part.end_store(book->info->id, adder.as_of_ms());
  }
  return part.finish();
}

Result<std::string> answer(std::span<Fold* const> folds, std::string_view method, std::string_view request) {
  using namespace query::v1;
  if (method == "QueryMetrics") return answer_as<State, QueryMetricsRequest>(folds, request, query_metrics);
  if (method == "GetOverview") return answer_as<State, GetOverviewRequest>(folds, request, get_overview);
  return answer_of_registry<State>(folds, method, request, "campaigns", shipped_rules(), metric_definitions);
}

}  // namespace

ServiceDefinition definition() {
  ServiceDefinition definition;
  definition.name = "campaigns";
  definition.kinds = {v1::Fact::kStoreState, v1::Fact::kAdReport, v1::Fact::kCampaignPlan, v1::Fact::kBudgetPlan,
                      v1::Fact::kRuleSet};
  definition.shape = 4;
  definition.make_fold = [] { return std::make_unique<State>(); };
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::campaigns
