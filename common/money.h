// Money is int64 micros of the currency unit; it is rounded on screen alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace xundian {

// A plain decimal number ("-12.5", "1e-3" is none) as micros; digits beyond the sixth are rounded half away from zero.
Result<int64_t> parse_micros(std::string_view text);
// "12.5", "-0.000001", "3": as few digits as say it exactly, at least `digits_min` behind the point.
std::string format_micros(int64_t micros, int digits_min = 0);
// n / d in micros, rounded half away from zero; d must not be 0.
int64_t divide_micros(int64_t numerator, int64_t denominator);
// Splits a total by weights with the largest remainder, so that the parts add up. All weights 0: the first takes all.
std::vector<int64_t> split(int64_t total, const std::vector<int64_t>& weights);

}  // namespace xundian
