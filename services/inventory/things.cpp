#include "services/inventory/things.h"

#include <algorithm>

namespace xundian::inventory {

namespace {

// Where `sought` is among entries in their order, or would be. Nearly always it is the last, or behind that.
template <typename Entry, typename Sought, typename Of>
Entry* find_place(Entry* begin, Entry* end, Sought sought, Of&& of) {
  if (begin == end || of(*(end - 1)) < sought) return end;
  if (of(*(end - 1)) == sought) return end - 1;
  return std::lower_bound(begin, end, sought, [&](const Entry& entry, Sought value) { return of(entry) < value; });
}

constexpr auto hour_of = [](const StockPoint& point) { return point.hour; };

}  // namespace

Stage stage_of(std::string_view status) {
  constexpr std::pair<std::string_view, Stage> stages[] = {
      {"unpaid", Stage::unpaid}, {"paid", Stage::paid},           {"shipped", Stage::shipped},   {"received", Stage::received},
      {"closed", Stage::closed}, {"refunding", Stage::refunding}, {"refunded", Stage::refunded}, {"", Stage::unknown}};
  for (const auto& [word, stage] : stages)
    if (word == status) return stage;
  return Stage::other;
}

bool Order::is_shipped() const {
  const OrderCourse& course = this->course();
  if ((course.shipped > course.withdrawn && course.shipped_ms != 0) ||
      (course.received > course.withdrawn && course.received_ms != 0))
    return true;
  return status > course.withdrawn && (stage == Stage::shipped || stage == Stage::received);
}

bool Order::is_closed() const {
  const OrderCourse& course = this->course();
  return (course.closed > course.withdrawn && course.closed_ms != 0) || (status > course.withdrawn && stage == Stage::closed);
}

bool Order::is_refunded() const {
  const OrderCourse& course = this->course();
  if (status > course.withdrawn && (stage == Stage::refunding || stage == Stage::refunded)) return true;
  if (!(course.refunded > course.withdrawn) || course.refunded_micros <= 0) return false;
  int64_t paid_for_lines = 0;
  for (const OrderLine& line : lines)
    if (counts(line)) paid_for_lines += line.amount_micros;
  return course.refunded_micros >= (paid > course.withdrawn ? paid_micros.value_or(paid_for_lines) : paid_for_lines);
}

bool Order::is_known_unshipped() const {
  const bool stated = course().shipped > withdrawn() || (status > withdrawn() && stage == Stage::paid);
  return is_paid() && stated && !is_shipped() && !is_closed() && !is_refunded();
}

Millis Order::deadline_ms() const {
  const OrderCourse& course = this->course();
  return course.shipped > course.withdrawn && course.promised_ms > 0 ? course.promised_ms : paid_ms + ship_within_ms;
}

std::optional<NameId> Level::sku() const {
  if (count.live(withdrawn)) return count.content.sku;
  if (policy.live(withdrawn)) return policy.content.sku;
  return std::nullopt;
}

// What was counted in an hour replaces what an older version said of the same hour; what is older than the window goes, so that
// what stays follows from the set of counts alone.
std::optional<Millis> Level::remember(const Version& version, const StockCount& stated) {
  const auto sellable = stated.sellable();
  if (!sellable) return std::nullopt;
  const Millis counted = stated.counted_ms > 0 ? stated.counted_ms : rank_parts(version.rank).as_of_ms;
  const StockPoint point{counted / hour_ms, version, counted, *sellable};
  if (!history.empty() && point.hour < history.back().hour - history_hours) return std::nullopt;
  const auto at =
      history.begin() + (find_place(history.data(), history.data() + history.size(), point.hour, hour_of) - history.data());
  Millis changed = counted;
  if (at != history.end() && at->hour == point.hour) {
    if (!(point.version > at->version)) return std::nullopt;
    changed = std::min(changed, at->counted_ms);
    *at = point;
    return changed;
  }
  history.insert(at, point);
  const int64_t first = history.back().hour - history_hours;
  const auto kept = std::find_if(history.begin(), history.end(), [&](const StockPoint& held) { return held.hour >= first; });
  if (kept != history.begin()) changed = std::min(changed, history.front().counted_ms);
  history.erase(history.begin(), kept);
  return changed;
}

std::map<NameId, int64_t> Purchase::awaited() const {
  std::map<NameId, int64_t> units;
  if (!terms.live(withdrawn) || (receipt.live(withdrawn) && receipt.content.complete)) return units;
  for (const UnitLine& line : terms.content.lines) units[line.sku] += line.quantity;
  if (receipt.live(withdrawn))
    for (const UnitLine& line : receipt.content.lines)
      if (const auto ordered = units.find(line.sku); ordered != units.end()) ordered->second -= line.quantity;
  std::erase_if(units, [](const auto& entry) { return entry.second <= 0; });
  return units;
}

}  // namespace xundian::inventory
