// Where an order stands, in each platform's words: one word for all platforms, and its place in an order's life.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xundian::intake {

struct StatusPlace {
  std::string_view status;  // "unpaid", "paid", "shipped", "received", "refunding", "refunded", "closed"
  uint32_t rank = 0;        // Later in an order's life is greater.
};

struct StatusWord {
  std::string_view platform;  // Empty = every platform.
  std::string_view words;     // Half-width signs, no blanks, small letters.
  StatusPlace place;
};

inline constexpr StatusPlace status_unpaid{"unpaid", 10}, status_paid{"paid", 20}, status_part_shipped{"paid", 30},
    status_shipped{"shipped", 40}, status_received{"received", 50}, status_refunding{"refunding", 60},
    status_refunded{"refunded", 70}, status_closed{"closed", 80};

inline constexpr StatusWord status_words[] = {
    // Taobao and Tmall (千牛), also 1688.
    {"taobao", "等待买家付款", status_unpaid},
    {"taobao", "定金未付尾款未付", status_unpaid},
    {"taobao", "定金已付尾款未付", status_unpaid},
    {"taobao", "付款确认中", status_unpaid},
    {"taobao", "买家已付款", status_paid},
    {"taobao", "买家已付款,等待卖家发货", status_paid},
    {"taobao", "等待卖家发货", status_paid},
    {"taobao", "等待发货", status_paid},
    {"taobao", "卖家部分发货", status_part_shipped},
    {"taobao", "卖家已发货", status_shipped},
    {"taobao", "卖家已发货,等待买家确认", status_shipped},
    {"taobao", "等待买家确认收货", status_shipped},
    {"taobao", "买家已签收", status_received},
    {"taobao", "已收货", status_received},
    {"taobao", "交易成功", status_received},
    {"taobao", "退款中", status_refunding},
    {"taobao", "退款中的订单", status_refunding},
    {"taobao", "买家已经申请退款,等待卖家同意", status_refunding},
    {"taobao", "卖家已经同意退款,等待买家退货", status_refunding},
    {"taobao", "买家已经退货,等待卖家确认收货", status_refunding},
    {"taobao", "退款成功", status_refunded},
    {"taobao", "交易关闭", status_closed},
    {"taobao", "付款以前,卖家或买家主动关闭交易", status_closed},
    // JD.
    {"jd", "等待付款", status_unpaid},
    {"jd", "等待出库", status_paid},
    {"jd", "等待发货", status_paid},
    {"jd", "暂停", status_paid},
    {"jd", "等待确认收货", status_shipped},
    {"jd", "已出库", status_shipped},
    {"jd", "完成", status_received},
    {"jd", "已完成", status_received},
    {"jd", "已取消", status_closed},
    {"jd", "(删除)等待出库", status_closed},
    {"jd", "锁定", status_refunding},
    // Pinduoduo: 订单状态, 售后状态.
    {"pinduoduo", "待付款", status_unpaid},
    {"pinduoduo", "待成团", status_paid},
    {"pinduoduo", "待发货", status_paid},
    {"pinduoduo", "已发货", status_shipped},
    {"pinduoduo", "已发货,待收货", status_shipped},
    {"pinduoduo", "待收货", status_shipped},
    {"pinduoduo", "已收货", status_received},
    {"pinduoduo", "已签收", status_received},
    {"pinduoduo", "交易成功", status_received},
    {"pinduoduo", "已取消", status_closed},
    {"pinduoduo", "已取消,退款成功", status_closed},
    {"pinduoduo", "未发货,退款成功", status_refunded},
    {"pinduoduo", "已发货,退款成功", status_refunded},
    {"pinduoduo", "已收货,退款成功", status_refunded},
    {"pinduoduo", "售后处理中", status_refunding},
    {"pinduoduo", "退款成功", status_refunded},
    // Douyin: 订单状态, 售后状态.
    {"douyin", "待支付", status_unpaid},
    {"douyin", "待付款", status_unpaid},
    {"douyin", "待确认", status_unpaid},
    {"douyin", "备货中", status_paid},
    {"douyin", "待发货", status_paid},
    {"douyin", "部分发货", status_part_shipped},
    {"douyin", "已发货", status_shipped},
    {"douyin", "已收货", status_received},
    {"douyin", "已完成", status_received},
    {"douyin", "已关闭", status_closed},
    {"douyin", "已取消", status_closed},
    {"douyin", "售后中", status_refunding},
    {"douyin", "待商家处理", status_refunding},
    {"douyin", "待买家退货", status_refunding},
    {"douyin", "待商家收货", status_refunding},
    {"douyin", "退款中", status_refunding},
    {"douyin", "退款成功", status_refunded},
    {"douyin", "已全额退款", status_refunded},
    // Shopify: Financial Status, Fulfillment Status.
    {"shopify", "pending", status_unpaid},
    {"shopify", "authorized", status_unpaid},
    {"shopify", "partially_paid", status_unpaid},
    {"shopify", "unpaid", status_unpaid},
    {"shopify", "expired", status_closed},
    {"shopify", "paid", status_paid},
    {"shopify", "partially_refunded", status_paid},
    {"shopify", "partial", status_part_shipped},
    {"shopify", "fulfilled", status_shipped},
    {"shopify", "refunded", status_refunded},
    {"shopify", "voided", status_closed},
    // What is said alike everywhere.
    {"", "unpaid", status_unpaid},
    {"", "paid", status_paid},
    {"", "shipped", status_shipped},
    {"", "received", status_received},
    {"", "refunding", status_refunding},
    {"", "refunded", status_refunded},
    {"", "closed", status_closed},
    {"", "待付款", status_unpaid},
    {"", "待发货", status_paid},
    {"", "已发货", status_shipped},
    {"", "已签收", status_received},
    {"", "已完成", status_received},
    {"", "已取消", status_closed},
    {"", "已关闭", status_closed},
};

// The place of one of our own words; rank 0 for one that is none.
constexpr StatusPlace place_of(std::string_view status) {
  for (const StatusPlace& place :
       {status_unpaid, status_paid, status_shipped, status_received, status_refunding, status_refunded, status_closed})
    if (place.status == status) return place;
  return {};
}

// Looks a platform's words up as column_name() writes them.
constexpr std::optional<StatusPlace> find_status(std::string_view platform, std::string_view words) {
  for (const StatusWord& word : status_words)
    if ((word.platform.empty() || word.platform == platform) && word.words == words) return word.place;
  return std::nullopt;
}

// Where a refund stands, in the platforms' words.
struct RefundWord {
  std::string_view words;
  std::string_view status;  // "open", "settled", "closed"
  uint32_t rank;
};
inline constexpr RefundWord refund_words[] = {
    {"退款成功", "settled", 80},          {"退款完结", "settled", 80}, {"已退款", "settled", 80},  {"已完成", "settled", 80},
    {"同意退款,退款成功", "settled", 80}, {"settled", "settled", 80},  {"退款关闭", "closed", 70}, {"已关闭", "closed", 70},
    {"售后关闭", "closed", 70},           {"已撤销", "closed", 70},    {"closed", "closed", 70},   {"open", "open", 10},
};

}  // namespace xundian::intake
