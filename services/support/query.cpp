// What support answers: response clocks, conversations, inquiries, refunds and scores by store, agent and period.
#include <algorithm>
#include <functional>

#include "common/overview.h"
#include "common/patience.h"
#include "common/registry.h"
#include "services/support/state.h"

namespace xundian::support {

namespace {

enum class Grain { total, month, day, hour };
enum class By { nothing, store, agent, other };

// Everything known of one row's cell: a store (or all together), an agent, a period.
struct Sum {
  Cell cell;
  Inquiries inquiries;
  bool window_open = false;  // Some of those who asked may still pay in time.
  bool day_open = false;     // The newest day is still being told of.
  // How things stand now; in the cells of the last period alone.
  std::optional<int64_t> waiting, open_refunds, open_cases;
  struct Score {
    int64_t milli = 0, stores = 0;
  };
  std::array<Score, 3> scores;  // Description, service, logistics: the last of the period.
};

struct Figure {
  int64_t numerator = 0;
  std::optional<int64_t> denominator;
  bool provisional = false;
};

struct Metric : MetricWords {
  std::optional<Figure> (*read)(const Sum& sum);
};

std::optional<Figure> count_if(bool known, int64_t count, const Sum& sum) {
  return known ? std::optional<Figure>({count, std::nullopt, sum.day_open}) : std::nullopt;
}

std::optional<Figure> ratio(int64_t numerator, int64_t denominator, bool provisional) {
  return denominator != 0 ? std::optional<Figure>({numerator, denominator, provisional}) : std::nullopt;
}

template <size_t index>
std::optional<Figure> score(const Sum& sum) {
  return ratio(sum.scores[index].milli, sum.scores[index].stores * 1000, false);
}

std::optional<Figure> standing(const std::optional<int64_t>& now) {
  return now ? std::optional<Figure>({*now, std::nullopt, true}) : std::nullopt;
}

// Sorted by their ids. A length is in whole seconds, rounded for each conversation or waiting interval.
constexpr Metric registry[] = {
    {"answer_ratio", "答问比", "Answer ratio", "messages of human agents / messages of customers", "ratio", "store", "hour",
     "ratio", [](const Sum& sum) { return ratio(sum.cell.replies, sum.cell.questions, sum.day_open); }},
    {"average_response_s", "平均响应时间", "Average response time",
     "mean of closed waiting intervals: from the first message that waits to the next human reply, by the reply's day and agent",
     "seconds", "store,agent", "hour", "ratio",
     [](const Sum& sum) { return ratio(sum.cell.response_seconds, sum.cell.responses, sum.day_open); }},
    {"consulting_buyers", "询单人数", "Consulting buyers", "distinct buyers by store and day who wrote and had never paid before",
     "count", "store", "day", "additive",
     [](const Sum& sum) { return count_if(sum.inquiries.asked != 0, sum.inquiries.asked, sum); }},
    {"conversations", "会话数", "Conversations", "conversations by the day of the customer's first message", "count", "store",
     "hour", "additive", [](const Sum& sum) { return count_if(sum.cell.conversations != 0, sum.cell.conversations, sum); }},
    {"dsr_description", "描述相符", "Score: as described",
     "the platform's score, the last one of the period; the mean of several stores", "count", "store", "day", "level", score<0>},
    {"dsr_logistics", "物流服务", "Score: logistics",
     "the platform's score, the last one of the period; the mean of several stores", "count", "store", "day", "level", score<2>},
    {"dsr_service", "服务态度", "Score: service", "the platform's score, the last one of the period; the mean of several stores",
     "count", "store", "day", "level", score<1>},
    {"first_response_s", "首次响应时间", "First response time",
     "mean of first human reply - first customer message of the conversation, by the reply's day and agent; in reply trees the "
     "first reply to a "
     "customer's message",
     "seconds", "store,agent", "hour", "ratio",
     [](const Sum& sum) { return ratio(sum.cell.first_response_seconds, sum.cell.first_responses, sum.day_open); }},
    {"first_responses", "首次响应数", "First responses", "conversations that got a first response, by the reply's day and agent",
     "count", "store,agent", "hour", "additive",
     [](const Sum& sum) { return count_if(sum.cell.first_responses != 0, sum.cell.first_responses, sum); }},
    {"inquiry_conversion", "询单转化率", "Inquiry conversion",
     "consulting buyers who paid the same or the next day / consulting_buyers", "ratio", "store", "day", "ratio",
     [](const Sum& sum) { return ratio(sum.inquiries.paid, sum.inquiries.asked, sum.window_open || sum.day_open); }},
    {"open_cases", "未结投诉", "Open cases", "complaints and disputes that are not closed, now", "count", "store", "now", "level",
     [](const Sum& sum) { return standing(sum.open_cases); }},
    {"open_refunds", "待处理退款", "Open refunds", "refunds that are neither settled nor closed, now", "count", "store", "now",
     "level", [](const Sum& sum) { return standing(sum.open_refunds); }},
    {"replies", "回复数", "Replies", "messages of human agents", "count", "store,agent", "hour", "additive",
     [](const Sum& sum) { return count_if(sum.cell.replies != 0, sum.cell.replies, sum); }},
    {"reply_rate", "回复率", "Reply rate",
     "conversations with a human reply / conversations, by the day of the customer's first message", "ratio", "store", "hour",
     "ratio",
     [](const Sum& sum) { return ratio(sum.cell.conversations - sum.cell.unanswered, sum.cell.conversations, sum.day_open); }},
    {"unanswered", "未回复会话", "Unanswered conversations",
     "conversations without a human reply, by the day of the customer's first message", "count", "store", "hour", "additive",
     [](const Sum& sum) { return count_if(sum.cell.conversations != 0, sum.cell.unanswered, sum); }},
    {"waiting_now", "等待中会话", "Waiting now", "conversations in which a customer waits for a human reply, now", "count",
     "store", "now", "level", [](const Sum& sum) { return standing(sum.waiting); }},
};

const Metric* find_metric(std::string_view id) {
  for (const Metric& metric : registry)
    if (metric.id == id) return &metric;
  return nullptr;
}

struct Asked {
  std::vector<const Metric*> metrics;  // By their ids, each once.
  std::vector<std::string> stores;     // Empty = all.
  Day from = 0, to = 0;
  Grain grain = Grain::total;
  By by = By::nothing;
};

struct Place {
  std::string store, key, from;
  auto operator<=>(const Place&) const = default;
};

struct Period {
  Day from = 0, to = 0;
  int hour = -1;
  bool operator==(const Period&) const = default;
  std::string text() const { return hour < 0 ? format_day(from) : fmt::format("{}T{:02}", format_day(from), hour); }
};

// The row's period that an hour belongs to.
Period period_of(const Asked& asked, Day day, int hour) {
  switch (asked.grain) {
    case Grain::total:
      return {asked.from, asked.to};
    case Grain::month:
      return {std::max(month_start(day), asked.from), std::min(month_start(month_start(day) + 31) - 1, asked.to)};
    case Grain::day:
      return {day, day};
    case Grain::hour:
      return {day, day, hour};
  }
  return {};
}

// Adds stores up into cells.
class Adder {
 public:
  explicit Adder(const Asked& asked) : asked_(asked) {}

  void add(const State& state, const StoreInfo& info) {
    const Desk* desk = state.desk_of(store_hash(info.id));
    if (desk == nullptr) return;
    store_ = asked_.by == By::store ? info.id : std::string();
    zone_ = info.zone;
    newest_ = zone_.day_of(desk->newest_ms);
    as_of_ms_ = std::max(as_of_ms_, desk->newest_ms);
    for (const auto& [agent, hours] : desk->cells) {
      if (Patience::is_over()) return;
      add_hours(agent, hours);
    }
    if (asked_.by == By::agent || asked_.grain == Grain::hour) return;
    add_days(*desk, std::max(state.now(), desk->newest_ms));
    add_standing(*desk);
  }

  // Calls `give(row)` for each figure.
  template <typename Give>
  void write(Give&& give) const {
    for (const auto& [place, sum] : cells_) {
      if (Patience::is_over()) return;
      for (const Metric* metric : asked_.metrics) {
        if (asked_.by == By::agent && metric->dimensions.find("agent") == std::string_view::npos) continue;
        const auto figure = metric->read(sum);
        if (!figure) continue;
        give(MetricRowView{place.store,
                           place.key,
                           place.from,
                           metric->id,
                           figure->numerator,
                           figure->denominator,
                           metric->unit,
                           {},
                           figure->provisional ? "provisional" : "final"});
      }
    }
  }

  Millis as_of_ms() const { return as_of_ms_; }

 private:
  Sum& cell_at(const std::string& key, Day day, int hour = 0) {
    const Period period = period_of(asked_, day, hour);
    // Hours come in their order, and those of a period are one cell's.
    if (last_ != nullptr && period == last_period_ && key == last_place_.key && store_ == last_place_.store) return *last_;
    last_period_ = period;
    last_place_ = {store_, key, period.text()};
    last_ = &cells_[last_place_];
    if (period.to >= newest_) last_->day_open = true;
    return *last_;
  }

  void add_hours(const std::string& agent, const std::map<int64_t, Cell>& hours) {
    if (asked_.by == By::agent && agent.empty()) return;  // What nobody is credited with.
    const auto end = hours.lower_bound((int64_t{asked_.to} + 1) * 24);
    for (auto at = hours.lower_bound(int64_t{asked_.from} * 24); at != end; ++at) {
      if (at->second.empty()) continue;
      const int64_t hour = ((at->first % 24) + 24) % 24;
      cell_at(asked_.by == By::agent ? agent : std::string(), static_cast<Day>((at->first - hour) / 24), static_cast<int>(hour))
          .cell.add(at->second);
    }
  }

  void add_days(const Desk& desk, Millis now) {
    for (auto day = desk.inquiries.lower_bound(asked_.from); day != desk.inquiries.end() && day->first <= asked_.to; ++day) {
      if (day->second.asked == 0) continue;
      Sum& sum = cell_at({}, day->first);
      sum.inquiries.asked += day->second.asked;
      sum.inquiries.paid += day->second.paid;
      if (now < zone_.start_of(day->first + 2)) sum.window_open = true;
    }
    constexpr ScoreOfDay scores[] = {
        description_of,
        [](const v1::ScoreCard& card) { return card.has_service_milli() ? std::optional(card.service_milli()) : std::nullopt; },
        [](const v1::ScoreCard& card) {
          return card.has_logistics_milli() ? std::optional(card.logistics_milli()) : std::nullopt;
        }};
    for (size_t index = 0; index < std::size(scores); ++index) {
      std::map<Day, std::pair<Day, uint32_t>> last;  // By the period's first day.
      for (auto at = desk.scored_days.lower_bound({asked_.from, Key()}); at != desk.scored_days.end() && at->first <= asked_.to;
           ++at)
        if (const auto milli = scores[index](desk.scores.at(at->second).state.card()))
          last[period_of(asked_, at->first, 0).from] = {at->first, *milli};
      for (const auto& [first_day, score] : last) {
        Sum::Score& sum = cell_at({}, score.first).scores[index];
        sum.milli += score.second;
        sum.stores += 1;
      }
    }
  }

  void add_standing(const Desk& desk) {
    Sum& sum = cell_at({}, asked_.to);
    const auto add = [](std::optional<int64_t>& to, bool known, int64_t count) {
      if (known) to = to.value_or(0) + count;
    };
    add(sum.waiting, !desk.conversations.empty(), static_cast<int64_t>(desk.waiting.size()));
    add(sum.open_refunds, !desk.refunds.empty(), static_cast<int64_t>(desk.open_refunds.size()));
    add(sum.open_cases, !desk.cases.empty(), static_cast<int64_t>(desk.open_cases.size()));
  }

  const Asked& asked_;
  std::string store_;
  Zone zone_;
  Day newest_ = 0;
  std::map<Place, Sum> cells_;
  Sum* last_ = nullptr;  // The cell that was looked for last.
  Period last_period_;
  Place last_place_;
  Millis as_of_ms_ = 0;
};

// The stores that are asked for, each with its fold, by their ids.
std::vector<std::pair<const State*, const StoreInfo*>> stores_of(std::span<State* const> folds,
                                                                 const std::vector<std::string>& asked) {
  std::vector<std::pair<const State*, const StoreInfo*>> stores;
  for (const State* fold : folds)
    for (const StoreInfo* info : fold->stores().asked(asked)) stores.emplace_back(fold, info);
  std::sort(stores.begin(), stores.end(), [](const auto& a, const auto& b) { return a.second->id < b.second->id; });
  return stores;
}

Result<Asked> read_request(const query::v1::QueryMetricsRequest& request) {
  Asked asked;
  std::map<std::string_view, const Metric*> metrics;
  for (const std::string& id : request.metrics())
    if (const Metric* metric = find_metric(id)) metrics.emplace(id, metric);
  for (const auto& [id, metric] : metrics) asked.metrics.push_back(metric);
  asked.stores.assign(request.stores().begin(), request.stores().end());
  asked.from = TRY(parse_day(request.from()));
  asked.to = request.to().empty() ? asked.from : TRY(parse_day(request.to()));
  const std::map<std::string_view, Grain> grains = {
      {"", Grain::total}, {"total", Grain::total}, {"month", Grain::month}, {"day", Grain::day}, {"hour", Grain::hour}};
  const auto grain = grains.find(request.grain());
  if (grain == grains.end())
    return fail(Code::invalid_argument, "\"{}\" is no grain; use total, month, day or hour", request.grain());
  asked.grain = grain->second;
  asked.by = request.by().empty()      ? By::nothing
             : request.by() == "store" ? By::store
             : request.by() == "agent" ? By::agent
                                       : By::other;
  return asked;
}

Result<query::v1::QueryMetricsResponse> query_metrics(std::span<State* const> folds,
                                                      const query::v1::QueryMetricsRequest& request) {
  const Asked asked = TRY(read_request(request));
  query::v1::QueryMetricsResponse response;
  if (asked.metrics.empty() || asked.by == By::other) return response;  // Other services' figures and dimensions.
  Adder adder(asked);
  for (const auto& [fold, info] : stores_of(folds, asked.stores)) adder.add(*fold, *info);
  adder.write([&](const MetricRowView& row) { add_row(row, *response.mutable_rows()); });
  response.set_as_of_ms(adder.as_of_ms());
  return response;
}

Result<query::v1::GetOverviewResponse> get_overview(std::span<State* const> folds, const query::v1::GetOverviewRequest& request) {
  Asked asked;
  asked.grain = Grain::day;
  asked.by = By::store;
  for (const char* id : {"average_response_s", "conversations", "dsr_description", "first_response_s", "inquiry_conversion",
                         "open_refunds", "reply_rate", "unanswered", "waiting_now"})
    asked.metrics.push_back(find_metric(id));
  const std::optional<Day> day = request.day().empty() ? std::nullopt : std::optional<Day>(TRY(parse_day(request.day())));
  OverviewPart part;
  for (const auto& [fold, info] : stores_of(folds, {request.stores().begin(), request.stores().end()})) {
    const Desk* desk = fold->desk_of(store_hash(info->id));
    if (desk == nullptr) continue;
    asked.from = asked.to = day.value_or(info->zone.day_of(desk->newest_ms));
    Adder adder(asked);
    adder.add(*fold, *info);
    adder.write([&](const MetricRowView& row) { part.add(row); });
    part.end_store(info->id, adder.as_of_ms());
  }
  return part.finish();
}

Result<std::string> answer(std::span<Fold* const> folds, std::string_view method, std::string_view request) {
  using namespace query::v1;
  if (method == "QueryMetrics") return answer_as<State, QueryMetricsRequest>(folds, request, query_metrics);
  if (method == "GetOverview") return answer_as<State, GetOverviewRequest>(folds, request, get_overview);
  return answer_of_registry<State>(folds, method, request, "support", shipped_rules(), metric_definitions);
}

}  // namespace

query::v1::GetMetricDefinitionsResponse metric_definitions() { return define(registry, "support"); }

ServiceDefinition definition() {
  ServiceDefinition definition;
  definition.name = "support";
  definition.kinds = {v1::Fact::kStoreState,  v1::Fact::kRuleSet,     v1::Fact::kChatMessage,  v1::Fact::kOrderState,
                      v1::Fact::kRefundState, v1::Fact::kReviewState, v1::Fact::kServiceScore, v1::Fact::kCaseState};
  definition.shape = 4;
  definition.make_fold = [] { return std::make_unique<State>(); };
  definition.answer = answer;
  return definition;
}

}  // namespace xundian::support
