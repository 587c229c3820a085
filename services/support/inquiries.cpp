// From asking to paying: what joins a chat and an order is the buyer, and is counted anew when either changes.
#include "services/support/state.h"

namespace xundian::support {

namespace {

constexpr uint32_t placed_aspect = order_placed, paid_aspect = order_paid;

void count(std::map<Millis, uint32_t>& times, Millis time, int sign) {
  uint32_t& here = times[time];
  here += static_cast<uint32_t>(sign);
  if (here == 0) times.erase(time);
}

}  // namespace

void State::take_order(Desk& desk, const FactView& fact, Outbox& outbox) {
  Order& order = desk.orders[fact.key()];
  const bool placed_newer = fact.states(placed_aspect) && fact.version(placed_aspect) > order.placed;
  const bool paid_newer = fact.states(paid_aspect) && fact.version(paid_aspect) > order.paid;
  const bool end_newer = fact.withdrawn() && fact.version(withdrawn_aspect) > order.withdrawn;
  if (!placed_newer && !paid_newer && !end_newer) return;
  if (!scan_.scan(fact)) return outbox.reject("the order cannot be read");
  const Millis before_ms = order.counted_ms();
  const uint64_t buyer_before = order.buyer;
  if (placed_newer) {
    order.placed = fact.version(placed_aspect);
    order.buyer = scan_.buyer;
  }
  if (paid_newer) {
    order.paid = fact.version(paid_aspect);
    order.paid_ms = scan_.paid_ms;
  }
  if (end_newer) order.withdrawn = fact.version(withdrawn_aspect);
  const Millis after_ms = order.counted_ms();
  if (before_ms == after_ms && buyer_before == order.buyer) return;
  if (before_ms != 0) count_payment(desk, buyer_before, before_ms, -1);
  if (after_ms != 0) count_payment(desk, order.buyer, after_ms, 1);
}

void State::count_message(Desk& desk, uint64_t id, Millis sent_ms, int sign) {
  if (id == 0) return;
  Buyer& buyer = desk.buyers[id];
  // Only the first message of a day counts; what follows it changes nothing.
  const Zone& zone = info(desk).zone;
  const auto after = buyer.asked.lower_bound(sent_ms);
  if (after != buyer.asked.begin() && zone.day_of(std::prev(after)->first) == zone.day_of(sent_ms))
    return count(buyer.asked, sent_ms, sign);
  count_buyer(desk, buyer, -1);
  count(buyer.asked, sent_ms, sign);
  count_buyer(desk, buyer, 1);
}

void State::count_payment(Desk& desk, uint64_t id, Millis paid_ms, int sign) {
  Buyer& buyer = desk.buyers[id];
  count_buyer(desk, buyer, -1);
  count(buyer.paid, paid_ms, sign);
  count_buyer(desk, buyer, 1);
}

// Each day on which the buyer asked before having ever paid, and whether a payment came that day or the next.
void State::count_buyer(Desk& desk, const Buyer& buyer, int sign) {
  const Zone& zone = info(desk).zone;
  std::optional<Day> counted;
  for (const auto& [asked_ms, messages] : buyer.asked) {
    if (!buyer.paid.empty() && buyer.paid.begin()->first < asked_ms) return;
    const Day day = zone.day_of(asked_ms);
    if (counted == day) continue;
    counted = day;
    Inquiries& inquiries = desk.inquiries[day];
    inquiries.asked += sign;
    if (!buyer.paid.empty() && zone.day_of(buyer.paid.begin()->first) <= day + 1) inquiries.paid += sign;
  }
}

}  // namespace xundian::support
