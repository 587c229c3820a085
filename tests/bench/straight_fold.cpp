// A fold of the straight design: a consumer group of its own, the stock parser into one message that is used again, and plain
// tables in which each thing counts once, in its newest version. One that is given a receiver tells it what falls below its
// reorder point, at once and with nothing kept: the quickest that such a design can be.
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "tests/bench/peer_straight.h"
#include "tests/bench/redis.h"

namespace xundian::bench::straight {

namespace {

constexpr const char* entries_at_once = "64";
constexpr const char* block_ms = "2000";

struct OrderLine {
  std::string store_sku;
  int64_t quantity = 0;
};
struct Order {
  int64_t as_of_ms = 0;
  int64_t amount_micros = 0;
  std::vector<OrderLine> lines;
};
struct Cell {
  int64_t as_of_ms = 0;
  int64_t value = 0;
};

class Fold {
 public:
  Fold(const Part& part, httplib::Client* receiver) : part_(part), receiver_(receiver) {}

  // Facts as length and bytes, one behind the other.
  Result<void> take(std::string_view packed) {
    while (packed.size() >= sizeof(uint32_t)) {
      const size_t bytes = load<uint32_t>(packed.data());
      packed.remove_prefix(sizeof(uint32_t));
      if (bytes > packed.size() || !fact_.ParseFromArray(packed.data(), static_cast<int>(bytes)))
        return fail(Code::data_loss, "a fact cannot be read");
      packed.remove_prefix(bytes);
      totals_.facts += 1;
      take_fact();
    }
    return {};
  }
  Totals totals() const {
    Totals totals = totals_;
    for (const auto& [store_sku, units] : units_) totals.units += static_cast<uint64_t>(units);
    return totals;
  }

 private:
  void take_fact() {
    if (part_.versions) {
      Cell& seen = cells_[fmt::format("{}|{}|{}", static_cast<int>(fact_.fact_case()), fact_.store(), fact_.key())];
      seen.as_of_ms = std::max(seen.as_of_ms, fact_.as_of_ms());
    }
    switch (fact_.fact_case()) {
      case v1::Fact::kOrderState:
        if (part_.orders) take_order();
        return;
      case v1::Fact::kStockLevel:
        if (part_.stock && receiver_ != nullptr) judge_stock();
        if (part_.stock) replace(fact_.stock_level().count().available_units(), totals_.stock_units);
        return;
      case v1::Fact::kAdReport:
        if (part_.ads) replace(fact_.ad_report().cell().impressions(), totals_.impressions);
        return;
      case v1::Fact::kChatMessage:
        if (part_.chats) take_message();
        return;
      default:
        return;
    }
  }

  void take_order() {
    const auto [found, fresh] = orders_.try_emplace(fact_.key());
    Order& order = found->second;
    if (fact_.as_of_ms() <= order.as_of_ms) return;
    totals_.orders += fresh;
    const v1::OrderState& stated = fact_.order_state();
    totals_.amount_micros += stated.paid().amount_micros() - order.amount_micros;
    for (const OrderLine& line : order.lines) units_[line.store_sku] -= line.quantity;
    order.as_of_ms = fact_.as_of_ms();
    order.amount_micros = stated.paid().amount_micros();
    order.lines.clear();
    for (const v1::OrderLine& line : stated.lines()) {
      order.lines.push_back({fact_.store() + "|" + line.sku(), line.quantity()});
      units_[order.lines.back().store_sku] += line.quantity();
    }
  }

  void judge_stock() {
    const v1::StockLevel& level = fact_.stock_level();
    const std::string name = fact_.store() + "|" + fact_.key();
    if (level.policy().has_reorder_point_units()) reorder_points_[name] = level.policy().reorder_point_units();
    const auto reorder_point = reorder_points_.find(name);
    if (reorder_point == reorder_points_.end() || level.count().available_units() > reorder_point->second) return;
    receiver_->Post("/hook", fmt::format("{{\"entity\":\"{}\"}}", level.count().sku()), "application/json");
  }

  void take_message() {
    Cell& seen = cells_[fact_.store() + "|" + fact_.key()];
    if (seen.as_of_ms != 0) return;
    seen.as_of_ms = fact_.as_of_ms();
    (fact_.chat_message().line().author() == v1::AUTHOR_KIND_CUSTOMER ? totals_.conversations : totals_.replies) += 1;
  }

  void replace(int64_t value, int64_t& total) {
    Cell& cell = cells_[fact_.store() + "|" + fact_.key()];
    if (fact_.as_of_ms() <= cell.as_of_ms) return;
    total += value - cell.value;
    cell = {fact_.as_of_ms(), value};
  }

  const Part& part_;
  httplib::Client* const receiver_;
  v1::Fact fact_;
  Totals totals_;
  std::unordered_map<std::string, Order> orders_;
  std::unordered_map<std::string, int64_t> units_;
  std::unordered_map<std::string, Cell> cells_;
  std::unordered_map<std::string, int64_t> reorder_points_;
};

std::string_view text_of(const redisReply& reply) { return {reply.str, reply.len}; }

// Folds the entries of an answer to XREADGROUP and notes their ids; true if the end was among them.
Result<bool> take_entries(const redisReply& reply, Fold& fold, std::vector<std::string>& done) {
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements == 0) return false;
  const redisReply& entries = *reply.element[0]->element[1];
  bool ended = false;
  for (size_t index = 0; index < entries.elements; ++index) {
    const redisReply& entry = *entries.element[index];
    done.emplace_back(text_of(*entry.element[0]));
    const redisReply& fields = *entry.element[1];
    if (text_of(*fields.element[0]) == end_field)
      ended = true;
    else
      TRY_VOID(fold.take(text_of(*fields.element[1])));
  }
  return ended;
}

// Acknowledges what the last answer brought together with asking for more.
Result<void> consume(const std::string& redis, const Part& part, Fold& fold) {
  const RedisContext context = TRY(connect_redis(redis));
  TRY(command(*context, {"XGROUP", "CREATE", stream, part.name, "0", "MKSTREAM"}));
  fmt::print("ready\n");
  std::fflush(stdout);
  std::vector<std::string> done;
  for (bool ended = false; !ended && !interrupted();) {
    const bool acknowledges = !done.empty();
    if (acknowledges) {
      std::vector<std::string_view> words = {"XACK", stream, part.name};
      words.insert(words.end(), done.begin(), done.end());
      append_command(*context, words);
    }
    append_command(
        *context, {"XREADGROUP", "GROUP", part.name, "one", "COUNT", entries_at_once, "BLOCK", block_ms, "STREAMS", stream, ">"});
    if (acknowledges) TRY(next_reply(*context));
    done.clear();
    const RedisReply reply = TRY(next_reply(*context));
    ended = TRY(take_entries(*reply, fold, done));
  }
  return {};
}

}  // namespace

int run_fold(const std::string& redis, const std::string& name, const std::string& receiver) {
  const auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& one) { return name == one.name; });
  if (part == parts.end()) return 2;
  std::unique_ptr<httplib::Client> client;
  if (!receiver.empty()) {
    client = std::make_unique<httplib::Client>(receiver);
    client->set_keep_alive(true);
    client->set_tcp_nodelay(true);
  }
  Fold fold(*part, client.get());
  if (const auto outcome = consume(redis, *part, fold); !outcome) {
    fmt::print(stderr, "{}\n", outcome.error().message);
    return 1;
  }
  const int64_t ended_ns = now_ns();
  const Totals totals = fold.totals();
  fmt::print("{} {} {} {} {} {} {} {} {}\n", ended_ns, totals.facts, totals.orders, totals.units, totals.conversations,
             totals.replies, totals.amount_micros, totals.stock_units, totals.impressions);
  std::fflush(stdout);
  while (!interrupted()) pause();  // Until its processor time was read.
  return 0;
}

}  // namespace xundian::bench::straight
