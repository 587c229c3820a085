// Orders, refunds and reports as metrics keeps them: of each aspect the newest statement.
#pragma once

#include <array>
#include <bit>
#include <optional>
#include <string_view>
#include <vector>

#include "common/order_line.h"
#include "common/row.h"
#include "common/time.h"
#include "common/version.h"

namespace xundian::metrics {

// How an order came to its end. Of most nothing is said of it yet, or ever.
struct OrderEnd {
  Version closed, refunded, withdrawn;
  Millis closed_ms = 0;
  int64_t refunded_micros = 0;
  bool operator==(const OrderEnd&) const = default;
};

// Kept packed (common/packed.h).
struct Order {
  Version placed, paid;
  Millis created_ms = 0, paid_ms = 0;
  uint64_t buyer = 0;  // 0 = not known.
  int64_t amount_micros = 0;
  NameId currency = 0, channel = 0;
  bool amount_stated = false;
  OrderEnd end;
  OrderLines lines;

  bool live(const Version& aspect) const { return aspect > end.withdrawn; }
  bool live(const OrderLine& line) const { return live(line.version) && !line.withdrawn; }
  bool is_paid() const { return live(paid) && paid_ms > 0; }
  // What was paid: as stated, else the sum of the lines.
  int64_t paid_amount() const;
  // The time that a refund is booked at when its source gives none: the order's close, else pay, else creation; 0 = not known.
  Millis fallback_ms() const;
  // Its bytes, ahead in that memory.
  std::string_view pack(PackedMemory& memory) const;
  // False: the bytes are broken.
  bool unpack(std::string_view packed);
  // Whether it can be unpacked and all that it names has a name here.
  static bool is_whole(std::string_view packed, const Names& names);
  bool operator==(const Order&) const = default;
};

struct RefundLine {
  NameId sku = 0;
  int64_t quantity = 0;
  int64_t amount_micros = 0;
};

struct Refund {
  Version opened, status, withdrawn;
  Key order;  // The key of the order that it names.
  int64_t amount_micros = 0;
  Millis opened_ms = 0, settled_ms = 0;
  uint32_t store = 0;
  NameId currency = 0;
  NameId status_text = 0;
  bool names_order = false, settled = false;
  std::vector<RefundLine> lines;

  bool live(const Version& aspect) const { return aspect > withdrawn; }
  bool is_settled() const { return live(opened) && live(status) && settled; }
};

// The figures of report cells.
enum Figure : uint32_t {
  figure_uv,
  figure_pv,
  figure_cart_users,
  figure_favourite_users,
  figure_paid_buyers,
  figure_paid_amount,
  figure_dwell_ms,
  figure_bounced_visitors,
  figure_sold_count,
  figure_comment_count,
  figure_price,
  figure_end,
};

using ReportFigures = std::array<int64_t, figure_end>;

// Which cells a report's may be compared with: those of its cut.
struct StatedCut {
  NameId dimensions = 0, grain = 0;
  uint32_t attribution_days = 0;
  auto operator<=>(const StatedCut&) const = default;
};
struct CutMeaning {
  uint16_t depth = 0;  // How many dimensions it has.
  bool is_snapshot = false;
};

// One cell of a traffic or product report.
struct Report {
  Version version;       // Of the cell.
  Row<int64_t> figures;  // Those that are stated, in their order.
  Day from = 0, to = 0;
  uint32_t store = 0;
  uint32_t cut = 0;    // Its number among those that were stated.
  NameId subject = 0;  // The source of a traffic cell, the product of a product cell.
  NameId device = 0;
  uint16_t stated = 0;  // Bit n: figure n is stated.
  int16_t hour = -1;    // -1 = whole days.
  bool is_product = false;
  bool has_period = false;  // False: its period cannot be read, so it counts nowhere.
  bool is_live = false;     // It counts: it was not withdrawn since.

  std::optional<int64_t> figure(Figure which) const {
    if ((stated >> which & 1) == 0) return std::nullopt;
    return figures[static_cast<size_t>(std::popcount(stated & ((1u << which) - 1)))];
  }
};
static_assert(sizeof(Report) == 64);

}  // namespace xundian::metrics
