#include "services/demo/world.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace xundian::demo {

uint64_t Dice::next() {
  state_ += 0x9e3779b97f4a7c15ull;
  uint64_t mixed = state_;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
  return mixed ^ mixed >> 31;
}

double Dice::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

int64_t Dice::between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
}

int64_t Dice::poisson(double mean) {
  if (mean <= 0) return 0;
  const double limit = std::exp(-std::min(mean, 500.0));
  int64_t count = -1;
  for (double product = 1.0; product > limit; product *= unit()) count += 1;
  return count;
}

namespace {

struct Kind {
  const char *id, *platform, *name, *currency, *time_zone;
  double size;
  std::vector<const char*> goods;
  std::vector<const char*> agents;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"tmall-home",
       "tmall",
       "山野家居旗舰店",
       "CNY",
       "Asia/Shanghai",
       1.6,
       {"雪平锅", "亚麻床单", "竹砧板", "保温壶", "收纳箱", "马克杯", "珐琅锅", "羊毛毯"},
       {"小李", "小王", "小陈"}},
      {"tmall-tea",
       "tmall",
       "清和茶叶专卖店",
       "CNY",
       "Asia/Shanghai",
       1.0,
       {"龙井", "普洱", "铁观音", "白茶", "茉莉花茶", "茶具套装"},
       {"阿梅", "阿竹"}},
      {"jd-audio",
       "jd",
       "回声数码京东店",
       "CNY",
       "Asia/Shanghai",
       1.2,
       {"降噪耳机", "蓝牙音箱", "麦克风", "声卡", "耳机套", "充电盒"},
       {"客服01", "客服02"}},
      {"douyin-snack",
       "douyin",
       "辣辣零食铺",
       "CNY",
       "Asia/Shanghai",
       2.0,
       {"辣条", "牛肉干", "坚果礼盒", "海苔", "锅巴", "凤爪"},
       {"小满", "小暑"}},
      {"shopify-outdoor",
       "shopify",
       "Northfold Outdoor",
       "USD",
       "Asia/Shanghai",
       0.6,
       {"Tent", "Headlamp", "Stove", "Dry bag", "Sleeping pad"},
       {"Ann", "Bo"}},
  };
  return all;
}

// Of 24 hours, how the day's orders fall; the sum is 1.
double share_of_hour(int hour) {
  static const double weight[24] = {2, 1, 0.5, 0.3, 0.3, 0.5, 1, 2, 3.5, 5, 6, 5.5, 5, 5, 5, 5, 5, 4.5, 5, 7, 9, 10, 8, 4};
  double sum = 0;
  for (const double one : weight) sum += one;
  return weight[hour] / sum;
}

double season(Day day) {
  const double week = weekday(day) >= 5 ? 1.25 : 1.0;
  return week * (1.0 + 0.15 * std::sin(static_cast<double>(day) / 9.0));
}

bool is_double_eleven(Day day) { return format_day(day).substr(5) == "11-11"; }

double campaign(Day day) {
  const std::string date = format_day(day).substr(5);
  if (date == "11-11") return 6.0;
  if (date == "11-10" || date == "11-12") return 2.0;
  if (date >= "11-05" && date <= "11-09") return 0.7;  // Buyers wait.
  if (date >= "10-01" && date <= "10-07") return 1.5;
  return 1.0;
}

class Maker {
 public:
  Maker(Store& store, uint64_t seed) : store_(store), dice_(seed) {}

  void make_day(Day day) {
    store_.days.push_back({day, {}, {}, {}, {}});
    resupply(day);
    for (int hour = 0; hour < 24; ++hour)
      for (size_t sku = 0; sku < store_.skus.size(); ++sku) sell(day, hour, sku);
    advertise(day);
    const std::set<size_t>& changed = changed_on_[day];
    store_.days.back().orders.assign(changed.begin(), changed.end());
    for (size_t sku = 0; sku < store_.skus.size(); ++sku) {
      const Sku& item = store_.skus[sku];
      store_.days.back().stock.push_back(
          {sku, std::max<int64_t>(item.stock, 0), item.stock, item.arrives != 0 ? item.order_quantity : 0});
    }
  }

 private:
  // On which days an order will be in the export.
  void note_changes(const Order& order, size_t index) {
    for (const Millis time : {order.created_ms, order.paid_ms, order.shipped_ms, order.received_ms, order.closed_ms,
                              order.refund_opened_ms, order.refund_settled_ms})
      if (time != 0) changed_on_[store_.zone.day_of(time)].insert(index);
  }

  void resupply(Day day) {
    for (Sku& sku : store_.skus) {
      const bool late = day >= sku.late_from && day <= sku.late_to;
      if (sku.arrives != 0 && day >= sku.arrives && !late) {
        sku.stock += sku.order_quantity;
        sku.arrives = 0;
      }
      if (sku.stock <= sku.reorder_point && sku.arrives == 0) sku.arrives = day + sku.lead_time_days;
    }
  }

  void sell(Day day, int hour, size_t index) {
    Sku& sku = store_.skus[index];
    const double mean = sku.demand_per_day * season(day) * campaign(day) * sku.listing_quality * share_of_hour(hour);
    for (int64_t left = dice_.poisson(mean); left > 0; --left) {
      const Millis created =
          store_.zone.from_local(day, hour, static_cast<int>(dice_.between(0, 59)), static_cast<int>(dice_.between(0, 59)));
      if (dice_.chance(0.35)) chat(created - dice_.between(2, 30) * minute_ms);
      if (sku.stock <= 0) continue;  // The buyer finds it sold out.
      place(created, index);
    }
  }

  void place(Millis created, size_t index) {
    Order order;
    order.id = fmt::format("{}{:06}", 3515313 + (created / day_ms) % 100'000, store_.orders.size() + 1);
    if (store_.platform == "shopify") order.id = fmt::format("#{}", 1001 + store_.orders.size());
    order.buyer = fmt::format("buyer-{}", dice_.between(1, 4'000));
    order.carrier = dice_.chance(0.5) ? "顺丰速运" : "中通快递";
    order.channel = dice_.chance(0.6) ? "APP" : "直播";
    order.created_ms = created;
    add_line(order, index, dice_.chance(0.2) ? 2 : 1);
    if (dice_.chance(0.25)) {
      const auto other = static_cast<size_t>(dice_.between(0, static_cast<int64_t>(store_.skus.size()) - 1));
      if (other != index && store_.skus[other].stock > 0) add_line(order, other, 1);
    }
    if (dice_.chance(0.07)) {
      order.closed_ms = created + 24 * hour_ms;  // Never paid.
      for (const Line& line : order.lines) store_.skus[line.sku].stock += line.quantity;
    } else {
      live(order);
    }
    note_changes(order, store_.orders.size());
    store_.orders.push_back(std::move(order));
  }

  void add_line(Order& order, size_t index, int64_t quantity) {
    Sku& sku = store_.skus[index];
    sku.stock -= quantity;
    order.lines.push_back({index, quantity, sku.price_fen * quantity});
    order.amount_fen += sku.price_fen * quantity;
  }

  // What becomes of a paid order. The warehouse ships from ten to six the next day; after a campaign it is days behind.
  void live(Order& order) {
    order.paid_ms = order.created_ms + dice_.between(5, 600) * second_ms;
    const Day paid = store_.zone.day_of(order.paid_ms);
    const int64_t behind = is_double_eleven(paid) ? dice_.between(1, 4) : dice_.chance(0.02) ? 3 : 1;
    order.shipped_ms = store_.zone.from_local(paid + static_cast<Day>(behind), static_cast<int>(dice_.between(10, 17)),
                                              static_cast<int>(dice_.between(0, 59)), 0);
    const Sku& sku = store_.skus[order.lines.front().sku];
    const bool faulty = paid >= sku.faulty_from && paid <= sku.faulty_to;
    if (!dice_.chance(faulty ? 0.4 : sku.refund_rate)) {
      order.received_ms = order.shipped_ms + dice_.between(30, 96) * hour_ms;
      return;
    }
    order.refund_id = "R" + (order.id[0] == '#' ? order.id.substr(1) : order.id);
    order.refund_reason = faulty ? "质量问题" : "七天无理由";
    order.refund_opened_ms = order.shipped_ms + dice_.between(20, 90) * hour_ms;
    order.refund_settled_ms = order.refund_opened_ms + dice_.between(2, 40) * hour_ms;
    order.closed_ms = order.refund_settled_ms;
  }

  void chat(Millis start) {
    const int hour = store_.zone.hour_of(start);
    const std::string conversation = fmt::format("{}-c{}", store_.id, ++conversations_);
    const std::string buyer = fmt::format("buyer-{}", dice_.between(1, 4'000));
    const std::string agent =
        hour >= 18 && dice_.chance(0.5)
            ? store_.slow_agent
            : store_.agents[static_cast<size_t>(dice_.between(0, static_cast<int64_t>(store_.agents.size()) - 1))];
    const bool slow = agent == store_.slow_agent && hour >= 18;
    Millis time = start;
    for (int64_t round = dice_.between(1, 3); round > 0; --round) {
      say(conversation, buyer, "", time);
      if (dice_.chance(slow ? 0.12 : 0.02)) return;  // Nobody answers.
      time += (slow ? dice_.between(90, 420) : dice_.between(8, 55)) * second_ms;
      say(conversation, buyer, agent, time);
      time += dice_.between(20, 200) * second_ms;
    }
  }

  void say(const std::string& conversation, const std::string& buyer, const std::string& agent, Millis time) {
    store_.days.back().messages.push_back({fmt::format("{}-m{}", store_.id, ++messages_), conversation, buyer, agent, time});
  }

  // Money is spent on sold-out goods too; that is the point.
  void advertise(Day day) {
    for (size_t index = 0; index < store_.skus.size() && index < 4; ++index) {
      const Sku& sku = store_.skus[index];
      AdDay ad;
      ad.sku = index;
      ad.campaign = index % 2 == 0 ? "主推计划" : "新品计划";
      ad.impressions = static_cast<int64_t>(9'000 * season(day) * campaign(day)) + dice_.between(0, 2'000);
      ad.clicks = static_cast<int64_t>(static_cast<double>(ad.impressions) * (0.018 + 0.01 * dice_.unit()) * sku.listing_quality);
      ad.cost_fen = ad.clicks * dice_.between(45, 130);
      ad.orders = sku.stock > 0 ? dice_.poisson(static_cast<double>(ad.clicks) * 0.035 * sku.listing_quality) : 0;
      ad.amount_fen = ad.orders * sku.price_fen;
      store_.days.back().ads.push_back(ad);
    }
  }

  Store& store_;
  Dice dice_;
  std::map<Day, std::set<size_t>> changed_on_;
  uint64_t conversations_ = 0, messages_ = 0;
};

Store make_store(const Kind& kind, uint64_t seed, Day first) {
  Dice dice(seed);
  Store store{
      kind.id, kind.platform, kind.name, kind.currency, kind.time_zone, Zone::find(kind.time_zone).value(), {}, {}, {}, {}, {}};
  for (const char* agent : kind.agents) store.agents.emplace_back(agent);
  store.slow_agent = store.agents.back();
  static const char* variants[] = {"标准款", "升级款", "礼盒装"};
  for (size_t index = 0; index < kind.goods.size() * 3; ++index) {
    Sku sku;
    sku.product = fmt::format("{}{:04}", 60'000'000 + seed % 1'000'000, index / 3);
    sku.id = fmt::format("{}-{:03}", kind.id, index + 1);
    sku.title = fmt::format("{} {}", kind.goods[index / 3], variants[index % 3]);
    sku.price_fen = dice.between(19, 320) * 100 - 10;
    sku.demand_per_day = kind.size * (0.5 + 5.0 * dice.unit() * dice.unit());
    sku.lead_time_days = static_cast<int>(dice.between(4, 9));
    sku.reorder_point = static_cast<int64_t>(sku.demand_per_day * (sku.lead_time_days + 3)) + 1;
    sku.order_quantity = static_cast<int64_t>(sku.demand_per_day * 25) + 10;
    sku.stock = sku.reorder_point + sku.order_quantity / 2;
    if (index % 7 == 0) sku.late_from = first + 20, sku.late_to = first + 33;
    if (index % 11 == 3) sku.faulty_from = first + 30, sku.faulty_to = first + 36;
    if (index % 9 == 5) sku.listing_quality = 0.4;
    store.skus.push_back(std::move(sku));
  }
  return store;
}

}  // namespace

std::vector<Store> make_world(uint64_t seed, Day last, int days) {
  std::vector<Store> stores;
  const Day first = last - days + 1;
  for (const Kind& kind : kinds()) {
    const uint64_t own_seed = Dice(seed * 1'000 + stores.size()).next();
    stores.push_back(make_store(kind, own_seed, first));
    Maker maker(stores.back(), own_seed + 1);
    for (Day day = first; day <= last; ++day) maker.make_day(day);
  }
  return stores;
}

}  // namespace xundian::demo
