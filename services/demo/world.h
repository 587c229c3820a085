// A small trade that never was: a few stores over some weeks, made from a seed, with the troubles that a team meets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/time.h"

namespace xundian::demo {

// Deterministic on every machine: SplitMix64, and distributions of our own.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next();
  double unit();                               // [0, 1)
  int64_t between(int64_t low, int64_t high);  // Both included.
  int64_t poisson(double mean);
  bool chance(double probability) { return unit() < probability; }

 private:
  uint64_t state_;
};

struct Sku {
  std::string id, product, title;
  int64_t price_fen = 0;  // Cents of the store's money.
  double demand_per_day = 0;
  int64_t stock = 0;
  int64_t reorder_point = 0;
  int64_t order_quantity = 0;
  int lead_time_days = 7;
  Day arrives = 0;  // 0 = nothing is on its way.
  double refund_rate = 0.04;
  // What goes wrong with it.
  Day late_from = 0, late_to = 0;      // Resupply does not arrive in these days.
  Day faulty_from = 0, faulty_to = 0;  // A bad batch is sold in these days.
  double listing_quality = 1.0;        // Below 1: visitors leave.
};

struct Line {
  size_t sku = 0;
  int64_t quantity = 0;
  int64_t amount_fen = 0;
};

// Times are 0 until they happen.
struct Order {
  std::string id, buyer, carrier, channel;
  std::vector<Line> lines;
  int64_t amount_fen = 0;
  Millis created_ms = 0, paid_ms = 0, shipped_ms = 0, received_ms = 0, closed_ms = 0;
  std::string refund_id, refund_reason;
  Millis refund_opened_ms = 0, refund_settled_ms = 0;
};

struct Message {
  std::string id, conversation, buyer, agent;  // No agent: the buyer wrote it.
  Millis sent_ms = 0;
};

struct AdDay {
  size_t sku = 0;
  std::string campaign;
  int64_t impressions = 0, clicks = 0, cost_fen = 0, orders = 0, amount_fen = 0;
};

struct StockLine {
  size_t sku = 0;
  int64_t on_hand = 0, available = 0, inbound = 0;
};

struct StoreDay {
  Day day = 0;
  std::vector<size_t> orders;  // Those that changed on this day.
  std::vector<Message> messages;
  std::vector<AdDay> ads;
  std::vector<StockLine> stock;
};

struct Store {
  std::string id, platform, name, currency, time_zone;
  Zone zone;
  std::vector<Sku> skus;
  std::vector<std::string> agents;
  std::string slow_agent;
  std::vector<Order> orders;
  std::vector<StoreDay> days;
};

// Stores over `days` days that end with `last`, the same for the same seed.
std::vector<Store> make_world(uint64_t seed, Day last, int days);

}  // namespace xundian::demo
