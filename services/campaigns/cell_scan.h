// An AdReport read by a scan of its fields, without building the message. Checked against the parser by a test.
#pragma once

#include <optional>
#include <string_view>

#include "common/fact_view.h"

namespace xundian::campaigns {

// Texts point into the fact's bytes. What is not stated is zero or empty.
struct CellScan {
  bool has_cut = false, has_period = false;
  std::string_view dimensions, grain;
  uint32_t attribution_days = 0;
  std::string_view from, to;
  std::optional<uint32_t> hour;
  std::string_view channel, campaign, item, currency_code;
  std::optional<int64_t> impressions, clicks, cost_micros, attributed_orders, attributed_amount_micros;

  // False: the bytes are broken, or say more than these fields hold: the parser is to be asked.
  bool scan(const FactView& fact);
  // Whether of the cell at most the figures are other.
  bool differs_in_figures_alone(const v1::AdCell& cell) const;
  void give_figures(v1::AdCell& cell) const;
};

}  // namespace xundian::campaigns
