// Rows for the rejects file: what could name a person is masked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xundian::intake {

// True for the name (as column_name() has it) of a column that holds who a buyer is, or free text.
bool is_personal_column(std::string_view name);

// Mobile numbers and e-mail addresses as ***.
std::string mask_text(std::string_view text);

// The row as CSV; columns marked personal as ***. Of a row whose cells do not stand below their columns, only numbers, times and
// ids are shown.
std::string mask_row(const std::vector<std::string_view>& cells, const std::vector<bool>& personal, bool aligned);

}  // namespace xundian::intake
