// The columns of each export that the demo writes, in their order; blanks at the end of a name belong to it.
#pragma once

#include <string_view>
#include <vector>

namespace xundian::demo {

const std::vector<std::string_view>& taobao_order_columns();
const std::vector<std::string_view>& taobao_line_columns();
const std::vector<std::string_view>& tmall_refund_columns();
const std::vector<std::string_view>& wanxiangtai_columns();
const std::vector<std::string_view>& jd_order_columns();
const std::vector<std::string_view>& douyin_order_columns();
const std::vector<std::string_view>& erp_stock_columns();
const std::vector<std::string_view>& shopify_order_columns();
const std::vector<std::string_view>& chat_columns();
const std::vector<std::string_view>& ad_report_columns();

}  // namespace xundian::demo
