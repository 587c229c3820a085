// How inventory's things are kept as bytes, and what of them makes its fingerprint.
#include <algorithm>
#include <thread>

#include "services/inventory/state.h"

namespace xundian::inventory {

namespace {

// Writes and reads the same fields in the same order, so that one list of them serves both.
class Writer {
 public:
  explicit Writer(std::string& bytes) : bytes_(bytes) {}
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void operator()(const T& value) { append(bytes_, value); }
  void operator()(const std::string& text) { append_text(bytes_, text); }
  template <typename T>
  void operator()(const std::optional<T>& value) {
    append(bytes_, static_cast<uint8_t>(value.has_value()));
    append(bytes_, value.value_or(T{}));
  }
  template <typename Items, typename Each>
  void list(const Items& items, Each&& each) {
    append(bytes_, static_cast<uint32_t>(items.size()));
    for (const auto& item : items) each(item);
  }

 private:
  std::string& bytes_;
};

class Reader {
 public:
  explicit Reader(ByteReader& bytes) : bytes_(bytes) {}
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void operator()(T& value) { value = bytes_.take<T>(); }
  void operator()(std::string& text) { text = bytes_.take_text(); }
  template <typename T>
  void operator()(std::optional<T>& value) {
    const bool has = bytes_.take<uint8_t>() != 0;
    const T stated = bytes_.take<T>();
    value = has ? std::optional<T>(stated) : std::nullopt;
  }
  template <typename T, typename Each>
  void list(std::vector<T>& items, Each&& each) {
    items.clear();
    for (uint32_t left = bytes_.take<uint32_t>(); left > 0 && bytes_.ok(); --left) each(items.emplace_back());
  }

 private:
  ByteReader& bytes_;
};

template <typename Io>
void refund_fields(Io& io, auto& refund) {
  io(refund.store);
  io(refund.order.version);
  io(refund.order.content);
  io(refund.status.version);
  io(refund.status.content);
  io(refund.withdrawn);
}

template <typename Io>
void level_fields(Io& io, auto& level) {
  io(level.store);
  io(level.count.version);
  auto& count = level.count.content;
  io(count.sku);
  io(count.warehouse);
  for (auto* units : {&count.on_hand, &count.reserved, &count.available, &count.inbound}) io(*units);
  io(count.counted_ms);
}

template <typename Io>
void terms_fields(Io& io, auto& terms) {
  io(terms.policy.version);
  auto& policy = terms.policy.content;
  io(policy.sku);
  io(policy.warehouse);
  io(policy.reorder_point);
  io(policy.lead_time_days);
  io(terms.withdrawn);
}

template <typename Io>
void line_fields(Io& io, auto& line) {
  io(line.sku);
  io(line.quantity);
}

template <typename Io>
void purchase_fields(Io& io, auto& purchase) {
  io(purchase.store);
  io(purchase.id);
  io(purchase.terms.version);
  io(purchase.terms.content.supplier);
  io(purchase.terms.content.ordered_ms);
  io(purchase.terms.content.due_ms);
  io.list(purchase.terms.content.lines, [&](auto& line) { line_fields(io, line); });
  io(purchase.receipt.version);
  io(purchase.receipt.content.complete);
  io.list(purchase.receipt.content.lines, [&](auto& line) { line_fields(io, line); });
  io(purchase.withdrawn);
}

template <typename Io>
void move_fields(Io& io, auto& move) {
  io(move.store);
  io(move.movement.version);
  io(move.movement.content.sku);
  io(move.movement.content.warehouse);
  io(move.movement.content.quantity);
  io(move.movement.content.reason);
  io(move.movement.content.moved_ms);
  io(move.withdrawn);
}

template <typename Io>
void offer_fields(Io& io, auto& offer) {
  io(offer.store);
  io(offer.sku);
  io(offer.title.version);
  io(offer.title.content);
  io(offer.on_shelf.version);
  io(offer.on_shelf.content);
  io(offer.supply.version);
  io(offer.supply.content.lead_time_days);
  io(offer.supply.content.pack_units);
  io(offer.supply.content.minimum_units);
  io(offer.withdrawn);
}

template <typename Things, typename Each>
void save_all(std::string& bytes, const Things& things, Each&& each) {
  append(bytes, static_cast<uint64_t>(things.size()));
  for (const auto& [key, thing] : things) {
    append(bytes, key);
    each(thing);
  }
}

template <typename Things, typename Each>
void load_all(ByteReader& bytes, Things& things, Each&& each) {
  things.clear();
  for (uint64_t left = bytes.take<uint64_t>(); left > 0 && bytes.ok(); --left) each(things[bytes.take<Key>()]);
}

struct SavedSku {
  PoolId pool = 0;
  NameId name = 0;
};

}  // namespace

void State::save(std::string& bytes) const {
  stores_.save(bytes);
  rules_.save(bytes);
  judge_.save(bytes);
  names_.save(bytes);
  append(bytes, now_);
  append(bytes, as_of_);
  Writer io(bytes);
  append(bytes, static_cast<uint32_t>(places_.size()));
  for (const Place* place : numbered_places_) append(bytes, place->store);
  append(bytes, static_cast<uint32_t>(pools_.size()));
  for (const Pool& pool : pools_) append_text(bytes, pool.name);
  const size_t before = bytes.size();
  append(bytes, uint64_t{0});  // How many bytes the things beside the orders take; known when they are there.
  save_all(bytes, refunds_, [&](const Refund& refund) { refund_fields(io, refund); });
  levels_.save_keys(bytes);
  levels_.for_each([&](const Key&, const Level& level) {
    level_fields(io, level);
    append(bytes, level.more != nullptr);
    if (level.more) terms_fields(io, *level.more);
    level.history.save(bytes);
  });
  save_all(bytes, purchases_, [&](const Purchase& purchase) { purchase_fields(io, purchase); });
  save_all(bytes, moves_, [&](const Move& move) { move_fields(io, move); });
  save_all(bytes, offers_, [&](const Offer& offer) { offer_fields(io, offer); });
  append(bytes, static_cast<uint8_t>(sweep_.skus.has_value()));
  if (sweep_.skus) io(sweep_.skus->first), io(sweep_.skus->second);
  io(sweep_.purchases);
  save_skus(bytes);
  xundian::store(bytes.data() + before, uint64_t{bytes.size() - before - sizeof(uint64_t)});
  save_orders(bytes);
}

void State::save_orders(std::string& bytes) const {
  orders_.save_keys(bytes);
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    const Packed& order = orders_[index];
    append(bytes, order.aside);
    append_text(bytes, order.bytes());
    if (Aside::of(order).waits) append(bytes, timers_.due(index));
  }
  std::vector<DueOrder> due = due_;
  std::ranges::sort(due);
  append(bytes, static_cast<uint32_t>(due.size()));
  for (const DueOrder& order : due) append(bytes, order.due_ms), append(bytes, order.index);
}

// What SKUs sold follows from the orders, but to add up millions of them takes longer than to read it.
void State::save_skus(std::string& bytes) const {
  append(bytes, skus_.size());
  skus_.for_each([&](const Key&, const Sku& sku) { append(bytes, SavedSku{sku.pool, sku.name}); });
  skus_.for_each([&](const Key&, const Sku& sku) { sku.sold.save(bytes), sku.detail().supply().moved.save(bytes); });
}

bool State::load_skus(ByteReader& bytes) {
  const auto count = bytes.take<uint32_t>();
  const std::string_view saved = bytes.take_bytes(size_t{count} * sizeof(SavedSku));
  if (!bytes.ok()) return false;
  const auto sku_at = [&](uint32_t index) { return xundian::load<SavedSku>(saved.data() + size_t{index} * sizeof(SavedSku)); };
  for (uint32_t index = 0; index < count; ++index)
    if (sku_at(index).pool >= pools_.size() || !names_.has(sku_at(index).name)) return false;
  if (!skus_.make(count, [&](uint32_t index) { return sku_key(sku_at(index).pool, sku_at(index).name); })) return false;
  for (uint32_t index = 0; index < count; ++index) {
    Sku& sku = skus_[index];
    sku.pool = sku_at(index).pool;
    sku.name = sku_at(index).name;
    pools_[sku.pool].skus.push_back(index);
    DayUnits moved;
    if (!sku.sold.load(bytes, day_memory_) || !moved.load(bytes, day_memory_)) return false;
    if (!moved.empty()) sku.own().own_supply().moved = moved;
  }
  return true;
}

// Pools keep their numbers, so that a state is always saved as the same bytes.
bool State::load_pools(ByteReader& bytes) {
  forget_what_follows();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left)
    if (!pool_ids_.try_emplace(std::string(bytes.take_text()), static_cast<PoolId>(pool_ids_.size())).second) return false;
  const size_t count = pool_ids_.size();
  refresh_places();
  return bytes.ok() && pools_.size() == count &&
         std::ranges::none_of(pools_, [](const Pool& pool) { return pool.places.empty(); });
}

// Orders, which are half of all, are read beside the rest; by this thread, whose memory was asked for ahead.
bool State::load(ByteReader bytes) {
  ahead_.clear();
  if (!stores_.load(bytes) || !rules_.load(bytes) || !judge_.load(bytes) || !names_.load(bytes)) return false;
  now_ = bytes.take<Millis>();
  as_of_ = bytes.take<Millis>();
  places_.clear();
  place_index_.clear();
  numbered_places_.clear();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto store = bytes.take<uint64_t>();
    if (stores_.find(store) == nullptr || places_.contains(store)) return false;
    Place& place = *(place_index_[store] = &places_[store]);
    place.number = static_cast<uint32_t>(numbered_places_.size());
    numbered_places_.push_back(&place);
  }
  if (!bytes.ok() || !load_pools(bytes)) return false;
  const ByteReader beside = bytes.take_part(bytes.take<uint64_t>());
  if (!bytes.ok()) return false;
  bool has_rest = false;
  std::jthread rest([&] { has_rest = load_beside_orders(beside); });
  const bool has_orders = load_orders(bytes);
  rest.join();
  return has_rest && has_orders;
}

bool State::load_orders(ByteReader bytes) {
  orders_.clear();
  order_memory_.clear();
  if (!orders_.load_keys(bytes)) return false;
  timers_.reserve(orders_.size());
  for (uint32_t index = 0; index < orders_.size(); ++index) {
    Packed& kept = orders_[index];
    kept.aside = bytes.take<uint32_t>();
    const std::string_view packed = bytes.take_text();
    if (Aside::of(kept).place >= numbered_places_.size() || packed.empty()) return false;
    order_memory_.put(kept, packed);
    if (!read(index, order_)) return false;
    for (const OrderLine& line : order_.lines)
      if (!names_.has(line.sku)) return false;
    if (order_.waits) {
      count_wait(order_, wait_of(order_), true);
      timers_.set(index, bytes.take<Millis>());
    }
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto due_ms = bytes.take<Millis>();
    const auto index = bytes.take<uint32_t>();
    if (index >= orders_.size()) return false;
    judge_later(index, due_ms);
  }
  return bytes.ok() && bytes.empty();
}

bool State::load_beside_orders(ByteReader bytes) {
  Reader io(bytes);
  levels_.clear();
  load_all(bytes, refunds_, [&](Refund& refund) { refund_fields(io, refund); });
  if (!levels_.load_keys(bytes)) return false;
  for (uint32_t index = 0; index < levels_.size(); ++index) {
    Level& level = levels_[index];
    level_fields(io, level);
    if (bytes.take<bool>()) terms_fields(io, level.own());
    if (!level.history.load(bytes)) return false;
  }
  load_all(bytes, purchases_, [&](Purchase& purchase) { purchase_fields(io, purchase); });
  load_all(bytes, moves_, [&](Move& move) { move_fields(io, move); });
  load_all(bytes, offers_, [&](Offer& offer) { offer_fields(io, offer); });
  sweep_ = {};
  if (bytes.take<uint8_t>() != 0) {
    sweep_.skus.emplace();
    io(sweep_.skus->first), io(sweep_.skus->second);
  }
  io(sweep_.purchases);
  if (!bytes.ok() || !holds_together()) return false;
  watch_midnights();
  if (!load_skus(bytes) || !bytes.empty()) return false;
  join_skus();
  touched_ = {};
  for (SkuId id = 0; id < skus_.size(); ++id) {
    // Levels and what a SKU has aside lie anywhere in memory; those that come next are asked for meanwhile.
    if (skus_.size() - id > 2 * things_ahead) prefetch_whole(&skus_[id + 2 * things_ahead].detail());
    if (skus_.size() - id > things_ahead)
      for (const Level* level : skus_[id + things_ahead].detail().levels) prefetch_whole(level);
    Sku& sku = skus_[id];
    if (sku.detail().levels.empty()) continue;
    const Day day = last_whole_day(sku);
    keep_demand(sku, day);
    const Plan plan = this->plan(sku, day);
    settle_stock(sku, plan.stock);
    settle_standing(sku, plan.standing());
  }
  return true;
}

// Whether every store and every name that a thing speaks of is there.
bool State::holds_together() const {
  const auto placed = [&](const auto& things) {
    return std::all_of(things.begin(), things.end(), [&](const auto& entry) { return places_.contains(entry.second.store); });
  };
  const auto named = [&](const auto& items) {
    return std::all_of(items.begin(), items.end(), [&](const auto& item) { return names_.has(item.sku); });
  };
  if (!placed(refunds_) || !placed(purchases_) || !placed(moves_) || !placed(offers_)) return false;
  bool whole = true;
  levels_.for_each([&](const Key&, const Level& level) {
    const StockCount& count = level.count.content;
    const Aspect<StockPolicy>& policy = level.terms().policy;
    whole &= place_index_.contains(level.store);
    whole &= level.count.version == Version() || (names_.has(count.sku) && names_.has(count.warehouse));
    whole &= policy.version == Version() || (names_.has(policy.content.sku) && names_.has(policy.content.warehouse));
  });
  if (!whole) return false;
  for (const auto& [key, purchase] : purchases_)
    if (!named(purchase.terms.content.lines) || !named(purchase.receipt.content.lines)) return false;
  for (const auto& [key, move] : moves_) {
    const Movement& movement = move.movement.content;
    if (move.movement.version != Version() && (!names_.has(movement.sku) || !names_.has(movement.warehouse))) return false;
  }
  return std::all_of(offers_.begin(), offers_.end(), [&](const auto& entry) { return names_.has(entry.second.sku); });
}

std::vector<Held> State::held() const {
  Held orders{"orders", orders_.size(), orders_.bytes() + order_memory_.bytes()},
      skus{"skus", skus_.size(), skus_.bytes() + day_memory_.bytes() + wait_memory_.bytes()},
      levels{"stock levels", levels_.size(), levels_.bytes()};
  skus_.for_each([&](const Key&, const Sku& sku) {
    if (!sku.more) return;
    skus.bytes += sizeof(SkuDetail) + (sku.more->more ? sizeof(SkuSupply) + vector_bytes(sku.more->more->offers) : 0);
    if (const LevelsOfSku& levels_of_sku = sku.more->levels; levels_of_sku.capacity() > levels_in_place)
      skus.bytes += levels_of_sku.capacity() * sizeof(const Level*);
  });
  levels_.for_each(
      [&](const Key&, const Level& level) { levels.bytes += level.history.bytes() + (level.more ? sizeof(LevelTerms) : 0); });
  return {orders,
          skus,
          levels,
          {"listings", offers_.size(), tree_bytes(offers_)},
          {"purchase orders", purchases_.size(), tree_bytes(purchases_)},
          {"refunds", refunds_.size(), tree_bytes(refunds_)},
          {"stock moves", moves_.size(), tree_bytes(moves_)},
          names_.held()};
}

}  // namespace xundian::inventory
