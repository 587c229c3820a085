#include "services/intake/formats/mask.h"

#include <algorithm>
#include <cstdint>

#include "services/intake/formats/cells.h"

namespace xundian::intake {

namespace {

constexpr size_t row_bytes_shown = 2000;

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-' || c == '+';
}

// Numbers, times and codes name nobody.
bool is_harmless(std::string_view text) {
  size_t letters = 0, digits = 0;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
    letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    digits += is_digit(c);
  }
  return letters == 0 || digits >= letters;
}

}  // namespace

bool is_personal_column(std::string_view name) {
  static constexpr std::string_view parts[] = {"会员名",
                                               "会员id",
                                               "昵称",
                                               "支付宝",
                                               "收货人",
                                               "收货地址",
                                               "收件",
                                               "姓名",
                                               "地址",
                                               "电话",
                                               "手机",
                                               "留言",
                                               "备注",
                                               "说明",
                                               "发票",
                                               "客户",
                                               "账号",
                                               "身份证",
                                               "邮箱",
                                               "街道",
                                               "联系",
                                               "邮编",
                                               "消费者资料",
                                               "充值号码",
                                               "email",
                                               "phone",
                                               "address",
                                               "street",
                                               "zip",
                                               "billing",
                                               "customer",
                                               "company",
                                               "shippingname",
                                               "shippingcity",
                                               "shippingprovince",
                                               "shippingcountry",
                                               "buyer",
                                               "receiver"};
  static constexpr std::string_view wholes[] = {"省",       "市",      "区",      "街道/镇",   "notes", "noteattributes",
                                                "text",     "message", "content", "author_id", "内容",  "聊天内容",
                                                "消息内容", "买家",    "省市区",  "city"};
  return std::any_of(std::begin(parts), std::end(parts),
                     [&](std::string_view part) { return name.find(part) != std::string_view::npos; }) ||
         std::find(std::begin(wholes), std::end(wholes), name) != std::end(wholes);
}

std::string mask_text(std::string_view text) {
  std::string masked;
  for (size_t at = 0; at < text.size();) {
    if (is_digit(text[at]) && (at == 0 || !is_digit(text[at - 1]))) {
      const size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
      const bool mobile = end - at == 11 && text[at] == '1' && text[at + 1] >= '3';
      masked += mobile ? "***" : text.substr(at, end - at);
      at = end;
    } else if (text[at] == '@') {
      while (!masked.empty() && is_word(masked.back())) masked.pop_back();
      masked += "***";
      at += 1;
      while (at < text.size() && is_word(text[at])) at += 1;
    } else {
      masked += text[at++];
    }
  }
  return masked;
}

std::string mask_row(const std::vector<std::string_view>& cells, const std::vector<bool>& personal, bool aligned) {
  std::string row;
  for (size_t index = 0; index < cells.size(); ++index) {
    if (index > 0) row += ',';
    if (row.size() > row_bytes_shown) return row + "…";
    const bool hidden = aligned ? index < personal.size() && personal[index] : !is_harmless(cells[index]);
    const std::string text = hidden && !clean(cells[index]).empty() ? "***" : mask_text(cells[index]);
    if (text.find_first_of(",\"\n\r") == std::string::npos) {
      row += text;
      continue;
    }
    row += '"';
    for (const char c : text) row += c == '"' ? std::string("\"\"") : std::string(1, c);
    row += '"';
  }
  return row;
}

}  // namespace xundian::intake
