// The things that inventory keeps, as their facts say them aspect by aspect.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/fact_view.h"
#include "common/order_line.h"
#include "common/time.h"
#include "services/inventory/day_units.h"
#include "services/inventory/stock_history.h"

namespace xundian::inventory {

// The newest that was said of one aspect.
template <typename Content>
struct Aspect {
  Version version;
  Content content;
  // Whether it counts beside a withdrawal of that version.
  bool live(const Version& withdrawn) const { return version > withdrawn; }
};

enum class Stage : uint8_t { unknown, unpaid, paid, shipped, received, closed, refunding, refunded, other };
Stage stage_of(std::string_view status);

struct Place;

// What is said of an order once it was paid. Of one that waits to be shipped nothing is, mostly.
struct OrderCourse {
  Version shipped, received, closed, refunded, withdrawn;
  Millis shipped_ms = 0, promised_ms = 0, received_ms = 0, closed_ms = 0;
  int64_t refunded_micros = 0;
  bool operator==(const OrderCourse&) const = default;
};

// Kept packed (common/packed.h).
struct Order {
  Place* place = nullptr;
  Version paid, status;
  Millis paid_ms = 0;
  std::optional<int64_t> paid_micros;
  OrderCourse course;
  OrderLines lines;
  std::string_view id;  // Once it has waited; it lies in the packed order, or where it was taken from.
  Stage stage = Stage::unknown;
  bool waits = false;    // To be shipped: counted in its place, by the pay time and the deadline that it has.
  bool overdue = false;  // And counted as such.

  const Version& withdrawn() const { return course.withdrawn; }
  bool is_paid() const { return paid > withdrawn() && paid_ms > 0; }
  bool is_shipped() const;
  bool is_closed() const;
  bool is_refunded() const;  // In full, or being refunded, by the order list's own word.
  // A source said that it is not shipped; silence about shipping does not.
  bool is_known_unshipped() const;
  // Counts as demand: paid, and not closed before it was shipped.
  bool is_demand() const { return is_paid() && !(is_closed() && !is_shipped()); }
  bool counts(const OrderLine& line) const { return line.version > withdrawn() && !line.withdrawn; }
  Millis deadline_ms() const;
  // Its bytes, ahead in that memory, but for its place, and whether it waits and is overdue.
  std::string_view pack(PackedMemory& memory) const;
  // All that is packed; the rest stays. False: the bytes are broken.
  bool unpack(std::string_view packed);
  bool operator==(const Order&) const = default;
};

// The platforms' usual promise where the order states none.
inline constexpr Millis ship_within_ms = 48 * hour_ms;

struct Refund {
  uint64_t store = 0;
  Aspect<std::string> order;  // The order's key; as the request for the refund names it.
  Aspect<std::string> status;
  Version withdrawn;
  // Asked for or settled, and not refused.
  bool holds_order() const {
    return order.live(withdrawn) && !order.content.empty() && !(status.live(withdrawn) && status.content == "closed");
  }
};

// Units, or that nothing was said of them, in eight bytes. Whoever states the least number there is has said nothing.
class MaybeUnits {
 public:
  MaybeUnits() = default;
  MaybeUnits(std::optional<int64_t> stated) : units_(stated.value_or(unstated)) {}
  std::optional<int64_t> stated() const { return units_ == unstated ? std::nullopt : std::optional(units_); }

 private:
  static constexpr int64_t unstated = std::numeric_limits<int64_t>::min();
  int64_t units_ = unstated;
};

struct StockCount {
  NameId sku = 0, warehouse = 0;
  MaybeUnits on_hand, reserved, available, inbound;
  Millis counted_ms = 0;
  // What can be sold; absent: the source does not say.
  std::optional<int64_t> sellable() const {
    if (const auto units = available.stated()) return units;
    if (const auto units = on_hand.stated()) return *units - reserved.stated().value_or(0);
    return std::nullopt;
  }
};

struct StockPolicy {
  NameId sku = 0, warehouse = 0;
  std::optional<int64_t> reorder_point;
  std::optional<uint32_t> lead_time_days;
};

// What of most levels nothing is said of.
struct LevelTerms {
  Aspect<StockPolicy> policy;
  Version withdrawn;
};
inline const LevelTerms no_terms;

struct Level {
  static constexpr uint32_t no_sku = std::numeric_limits<uint32_t>::max();

  uint64_t store = 0;
  uint32_t sku_index = no_sku;  // The SKU that it counts in. Not saved: it follows from the rest.
  Aspect<StockCount> count;
  StockHistory history;
  std::unique_ptr<LevelTerms> more;
  const LevelTerms& terms() const { return more ? *more : no_terms; }
  LevelTerms& own() {
    if (!more) more = std::make_unique<LevelTerms>();
    return *more;
  }
  const Version& withdrawn() const { return terms().withdrawn; }
  // The SKU it speaks of; absent: nothing that is said of it counts.
  std::optional<NameId> sku() const;
  // Gives from when on the history has become another; absent: it has not.
  std::optional<Millis> remember(const Version& version, const StockCount& count);
};

struct UnitLine {
  NameId sku = 0;
  int64_t quantity = 0;
};

struct PurchaseTerms {
  std::string supplier;
  Millis ordered_ms = 0, due_ms = 0;
  std::vector<UnitLine> lines;
};

struct PurchaseReceipt {
  bool complete = false;
  std::vector<UnitLine> lines;
};

struct Purchase {
  uint64_t store = 0;
  std::string id;
  Aspect<PurchaseTerms> terms;
  Aspect<PurchaseReceipt> receipt;
  Version withdrawn;
  // Units of each SKU that have not arrived yet, in the order of the SKUs' ids.
  std::map<NameId, int64_t> awaited() const;
};

struct Movement {
  NameId sku = 0, warehouse = 0;
  int64_t quantity = 0;
  std::string reason;
  Millis moved_ms = 0;
};

struct Move {
  uint64_t store = 0;
  Aspect<Movement> movement;
  Version withdrawn;
};

struct Supply {
  std::optional<uint32_t> lead_time_days;
  uint32_t pack_units = 0, minimum_units = 0;
};

// A listing, as far as buying and selling its stock needs it.
struct Offer {
  uint64_t store = 0;
  NameId sku = 0;
  Aspect<std::string> title;
  Aspect<bool> on_shelf;
  Aspect<Supply> supply;
  Version withdrawn;
};

// Takes a stated aspect's version if it is newer than what was held.
[[gnu::always_inline]] inline bool take_newer(const FactView& fact, uint32_t aspect, Version& held) {
  if (!fact.states(aspect)) return false;
  const Version stated = fact.version(aspect);
  if (!(stated > held)) return false;
  held = stated;
  return true;
}

}  // namespace xundian::inventory
