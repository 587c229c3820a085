// From asking to paying: what joins a chat and an order is the buyer, and is counted anew when either changes.
#include <limits>
#include <tuple>

#include "services/support/state.h"

namespace xundian::support {

namespace {

constexpr uint32_t placed_aspect = order_placed, paid_aspect = order_paid;

}  // namespace

void Times::add(Millis time, int sign) {
  if (!empty() && time > first_ms_) {
    if (!later_) later_ = std::make_unique<Later>();
    uint32_t& here = (*later_)[time];
    here += static_cast<uint32_t>(sign);
    if (here == 0) later_->erase(time);
  } else {
    if (!empty() && time < first_ms_) {
      if (!later_) later_ = std::make_unique<Later>();
      later_->emplace(first_ms_, first_count_);
      first_count_ = 0;
    }
    first_ms_ = time;
    first_count_ += static_cast<uint32_t>(sign);
    if (empty() && later_) {
      std::tie(first_ms_, first_count_) = *later_->begin();
      later_->erase(later_->begin());
    }
  }
  if (later_ && later_->empty()) later_.reset();
}

std::optional<Millis> Times::last_before(Millis time) const {
  if (empty() || first_ms_ >= time) return std::nullopt;
  if (!later_) return first_ms_;
  const auto after = later_->lower_bound(time);
  return after == later_->begin() ? first_ms_ : std::prev(after)->first;
}

// Layout: u32 how many | of each i64 the time, u32 how often.
void Times::save(std::string& bytes) const {
  append(bytes, static_cast<uint32_t>(empty() ? 0 : later_ ? later_->size() + 1 : 1));
  if (empty()) return;
  append(bytes, first_ms_);
  append(bytes, first_count_);
  if (!later_) return;
  for (const auto& [time, count] : *later_) append(bytes, time), append(bytes, count);
}

bool Times::load(ByteReader& bytes) {
  Millis before = std::numeric_limits<Millis>::min();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto time = bytes.take<Millis>();
    const auto count = bytes.take<uint32_t>();
    if (time <= before || count == 0) return false;
    before = time;
    if (empty()) {
      first_ms_ = time;
      first_count_ = count;
      continue;
    }
    if (!later_) later_ = std::make_unique<Later>();
    later_->emplace_hint(later_->end(), time, count);
  }
  return bytes.ok();
}

Buyer& State::buyer_of(Desk& desk, uint64_t buyer) {
  const auto [index, is_new] = buyers_.of(buyer_key(desk.store, buyer));
  if (is_new) desk.buyers.push_back(index);
  return buyers_[index];
}

void State::take_order(Desk& desk, const FactView& fact, Outbox& outbox) {
  const uint32_t index = orders_.of(fact.key()).first;
  Order& order = orders_[index];
  const Version withdrawn = withdrawn_of(index);
  const bool placed_newer = fact.states(placed_aspect) && fact.version(placed_aspect) > order.placed;
  const bool paid_newer = fact.states(paid_aspect) && fact.version(paid_aspect) > order.paid;
  const bool end_newer = fact.withdrawn() && fact.version(withdrawn_aspect) > withdrawn;
  if (!placed_newer && !paid_newer && !end_newer) return;
  const OrderScan* const stated = ahead_.read(fact);
  if (stated == nullptr) return outbox.reject("the order cannot be read");
  const Millis before_ms = order.counted_ms(withdrawn);
  const uint64_t buyer_before = order.buyer;
  if (placed_newer) {
    order.placed = fact.version(placed_aspect);
    order.buyer = stated->buyer;
  }
  if (paid_newer) {
    order.paid = fact.version(paid_aspect);
    order.paid_ms = stated->paid_ms;
  }
  if (end_newer) withdrawn_orders_[index] = fact.version(withdrawn_aspect);
  const Millis after_ms = order.counted_ms(withdrawn_of(index));
  if (before_ms == after_ms && buyer_before == order.buyer) return;
  if (before_ms != 0) count_payment(desk, buyer_before, before_ms, -1);
  if (after_ms != 0) count_payment(desk, order.buyer, after_ms, 1);
}

void State::count_message(Desk& desk, uint64_t id, Millis sent_ms, int sign) {
  if (id == 0) return;
  Buyer& buyer = buyer_of(desk, id);
  // Only the first message of a day counts; what follows it changes nothing.
  const Zone& zone = info(desk).zone;
  const auto before = buyer.asked.last_before(sent_ms);
  if (before && zone.day_of(*before) == zone.day_of(sent_ms)) return buyer.asked.add(sent_ms, sign);
  count_buyer(desk, buyer, -1);
  buyer.asked.add(sent_ms, sign);
  count_buyer(desk, buyer, 1);
}

void State::count_payment(Desk& desk, uint64_t id, Millis paid_ms, int sign) {
  Buyer& buyer = buyer_of(desk, id);
  count_buyer(desk, buyer, -1);
  buyer.paid.add(paid_ms, sign);
  count_buyer(desk, buyer, 1);
}

// Each day on which the buyer asked before having ever paid, and whether a payment came that day or the next.
void State::count_buyer(Desk& desk, const Buyer& buyer, int sign) {
  const Zone& zone = info(desk).zone;
  std::optional<Day> counted;
  buyer.asked.walk([&](Millis asked_ms) {
    if (!buyer.paid.empty() && buyer.paid.first() < asked_ms) return false;
    const Day day = zone.day_of(asked_ms);
    if (counted == day) return true;
    counted = day;
    Inquiries& inquiries = desk.inquiries[day];
    inquiries.asked += sign;
    if (!buyer.paid.empty() && zone.day_of(buyer.paid.first()) <= day + 1) inquiries.paid += sign;
    return true;
  });
}

}  // namespace xundian::support
