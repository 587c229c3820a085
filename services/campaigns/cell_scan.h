// An AdReport read by a scan of its fields, without building the message. Checked against the parser by a test.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "common/fact_view.h"

namespace xundian::campaigns {

// In the order of AdCell's fields.
enum Figure : uint8_t { figure_impressions, figure_clicks, figure_cost_micros, figure_orders, figure_amount_micros, figure_end };
using Figures = std::array<int64_t, figure_end>;

// Texts point into the fact's bytes. What is not stated is zero or empty.
struct CellScan {
  bool has_cut = false, has_period = false;
  std::string_view dimensions, grain;
  uint32_t attribution_days = 0;
  std::string_view from, to;
  std::optional<uint32_t> hour;
  std::string_view channel, campaign, item, currency_code;
  Figures figures{};
  uint8_t stated = 0;  // Bit n: figure n is.

  // False: the bytes are broken, or say more than these fields hold: the parser is to be asked.
  bool scan(const FactView& fact);
};

}  // namespace xundian::campaigns
