#include "services/demo/exports.h"

#include <unicode/ucnv.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "services/demo/headers.h"

namespace xundian::demo {

namespace fs = std::filesystem;

namespace {

using Cells = std::map<std::string, std::string, std::less<>>;

std::string money(int64_t fen) { return fmt::format("{}{}.{:02}", fen < 0 ? "-" : "", std::abs(fen) / 100, std::abs(fen) % 100); }

// A time as the store's people read it; empty if it has not happened before `now`.
std::string at(const Store& store, Millis time, Millis now) { return time == 0 || time >= now ? "" : store.zone.format(time); }
bool happened(Millis time, Millis now) { return time != 0 && time < now; }

// Taobao writes ="3515313…" around ids, without quotes around that.
std::string in_quotes(std::string_view cell) {
  if (cell.starts_with("=\"")) return std::string(cell);
  std::string out = "\"";
  for (const char c : cell) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

// A table as CSV text; columns that a row does not name are empty.
std::string csv(const std::vector<std::string_view>& columns, const std::vector<Cells>& rows) {
  std::string text;
  const auto line = [&](const auto& cell_of) {
    for (size_t index = 0; index < columns.size(); ++index)
      text.append(index == 0 ? "" : ",").append(in_quotes(cell_of(columns[index])));
    text += "\n";
  };
  line([](std::string_view column) { return column; });
  for (const Cells& row : rows)
    line([&](std::string_view column) {
      const auto cell = row.find(column);
      return cell == row.end() ? std::string_view() : std::string_view(cell->second);
    });
  return text;
}

// Taobao's own trick against spreadsheets.
std::string excel_id(const std::string& id) { return "=\"" + id + "\""; }

Result<std::string> to_gb18030(const std::string& text) {
  std::string out(text.size() * 2 + 16, '\0');
  UErrorCode status = U_ZERO_ERROR;
  const int32_t length = ucnv_convert("GB18030", "UTF-8", out.data(), static_cast<int32_t>(out.size()), text.data(),
                                      static_cast<int32_t>(text.size()), &status);
  if (U_FAILURE(status)) return fail(Code::internal, "GB18030: {}", u_errorName(status));
  out.resize(static_cast<size_t>(length));
  return out;
}

const char* taobao_status(const Order& order, Millis now) {
  if (happened(order.closed_ms, now)) return "交易关闭";
  if (happened(order.received_ms, now)) return "交易成功";
  if (happened(order.shipped_ms, now)) return "卖家已发货，等待买家确认";
  return happened(order.paid_ms, now) ? "买家已付款，等待卖家发货" : "等待买家付款";
}

const char* plain_status(const Order& order, Millis now, const char* unpaid, const char* paid, const char* shipped,
                         const char* done, const char* closed) {
  if (happened(order.closed_ms, now)) return closed;
  if (happened(order.received_ms, now)) return done;
  if (happened(order.shipped_ms, now)) return shipped;
  return happened(order.paid_ms, now) ? paid : unpaid;
}

Cells taobao_order(const Store& store, const Order& order, Millis now) {
  std::string titles;
  int64_t quantity = 0;
  for (const Line& line : order.lines) {
    titles += (titles.empty() ? "" : "，") + store.skus[line.sku].title;
    quantity += line.quantity;
  }
  const bool refunded = happened(order.refund_settled_ms, now);
  return {{"订单编号", excel_id(order.id)},
          {"买家会员名", order.buyer},
          {"买家应付货款", money(order.amount_fen)},
          {"买家应付邮费", "0.00"},
          {"总金额", money(order.amount_fen)},
          {"买家实际支付金额", happened(order.paid_ms, now) && !refunded ? money(order.amount_fen) : "0.00"},
          {"订单状态", taobao_status(order, now)},
          {"收货人姓名", "王**"},
          {"收货地址 ", "浙江省 杭州市 西湖区 ****"},
          {"联系手机", "'13*********"},
          {"订单创建时间", at(store, order.created_ms, now)},
          {"订单付款时间 ", at(store, order.paid_ms, now)},
          {"宝贝标题 ", titles},
          {"宝贝种类 ", std::to_string(order.lines.size())},
          {"物流单号 ", happened(order.shipped_ms, now) ? "No:SF" + order.id : ""},
          {"物流公司", happened(order.shipped_ms, now) ? order.carrier : ""},
          {"宝贝总数量", std::to_string(quantity)},
          {"店铺Id", "0"},
          {"店铺名称", store.id},
          {"订单关闭原因", happened(order.closed_ms, now) ? (refunded ? "退款" : "买家未付款") : "订单未关闭"},
          {"卖家服务费", "0"},
          {"买家服务费", "0元"},
          {"退款金额", money(refunded ? order.amount_fen : 0)},
          {"确认收货时间", at(store, order.received_ms, now)},
          {"主订单编号", excel_id(order.id)}};
}

Cells taobao_line(const Store& store, const Order& order, size_t index, Millis now) {
  const Line& line = order.lines[index];
  const Sku& sku = store.skus[line.sku];
  const bool refunded = happened(order.refund_settled_ms, now);
  return {{"子订单编号", excel_id(fmt::format("{}{}", order.id, index + 1))},
          {"主订单编号", excel_id(order.id)},
          {"商品标题", sku.title},
          {"商品价格", money(sku.price_fen)},
          {"购买数量", std::to_string(line.quantity)},
          {"外部系统编号", sku.id},
          {"商品ID", sku.product},
          {"商家编码", sku.id},
          {"订单状态", taobao_status(order, now)},
          {"买家应付货款", money(line.amount_fen)},
          {"买家实付金额", money(line.amount_fen)},
          {"退款状态", refunded ? "退款成功" : "没有申请退款"},
          {"退款金额", refunded ? money(line.amount_fen) : "无退款申请"},
          {"订单创建时间", at(store, order.created_ms, now)},
          {"订单付款时间", at(store, order.paid_ms, now)},
          {"发货时间", at(store, order.shipped_ms, now)},
          {"确认收货时间", at(store, order.received_ms, now)},
          {"物流单号", happened(order.shipped_ms, now) ? "SF" + order.id : ""},
          {"物流公司", happened(order.shipped_ms, now) ? order.carrier : ""}};
}

Cells taobao_refund(const Store& store, const Order& order, Millis now) {
  const bool settled = happened(order.refund_settled_ms, now);
  return {{"订单编号", excel_id(order.id)},
          {"退款编号", excel_id(order.refund_id)},
          {"订单付款时间", at(store, order.paid_ms, now)},
          {"商家编码", store.skus[order.lines.front().sku].id},
          {"退款完结时间", at(store, order.refund_settled_ms, now)},
          {"买家会员名称", order.buyer},
          {"买家实际支付金额", money(order.amount_fen)},
          {"宝贝标题", store.skus[order.lines.front().sku].title},
          {"买家退款金额", money(order.amount_fen)},
          {"退款的申请时间", at(store, order.refund_opened_ms, now)},
          {"超时时间", store.zone.format(order.refund_opened_ms + 48 * hour_ms)},
          {"退款状态", settled ? "退款成功" : "买家已经申请退款，等待卖家同意"},
          {"买家退款原因", order.refund_reason},
          {"完结时间", at(store, order.refund_settled_ms, now)},
          {"部分退款/全部退款", "全部退款"}};
}

Cells jd_line(const Store& store, const Order& order, size_t index, Millis now) {
  const Line& line = order.lines[index];
  const Sku& sku = store.skus[line.sku];
  return {{"订单号", order.id},
          {"商品ID", sku.product + std::to_string(line.sku)},
          {"商品名称", sku.title},
          {"订购数量", std::to_string(line.quantity)},
          {"支付方式", "在线支付"},
          {"下单时间", at(store, order.created_ms, now)},
          {"京东价", money(sku.price_fen)},
          {"订单金额", money(order.amount_fen)},
          {"结算金额", money(order.amount_fen)},
          {"应付金额", money(order.amount_fen)},
          {"下单帐号", order.buyer},
          {"客户姓名", "张**"},
          {"运费金额", "0.00"},
          {"订单状态", plain_status(order, now, "等待付款", "等待出库", "等待确认收货", "完成", "(删除)等待出库")},
          {"付款确认时间", at(store, order.paid_ms, now)},
          {"货号", sku.id},
          {"订单完成时间", at(store, order.received_ms, now)},
          {"订单渠道", order.channel}};
}

Cells douyin_line(const Store& store, const Order& order, size_t index, Millis now) {
  const Line& line = order.lines[index];
  const Sku& sku = store.skus[line.sku];
  const bool refunded = happened(order.refund_settled_ms, now);
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  return {{"主订单编号", "\t" + order.id},
          {"子订单编号", fmt::format("\t{}{}", order.id, index + 1)},
          {"选购商品", "\t" + sku.title},
          {"商品ID", "\t" + sku.product},
          {"商家编码", "\t" + sku.id},
          {"商品数量", std::to_string(line.quantity)},
          {"商品金额", money(sku.price_fen)},
          {"订单提交时间", at(store, order.created_ms, now)},
          {"支付完成时间", or_dash(at(store, order.paid_ms, now))},
          {"订单完成时间", or_dash(at(store, order.received_ms, now))},
          {"承诺发货时间", happened(order.paid_ms, now) ? store.zone.format(order.paid_ms + 48 * hour_ms) : "-"},
          {"订单状态", plain_status(order, now, "待支付", "待发货", "已发货", "已完成", "已关闭")},
          {"售后状态", refunded ? "退款成功" : "-"},
          {"发货时间", or_dash(at(store, order.shipped_ms, now))},
          {"订单应付金额", money(line.amount_fen)},
          {"运费", "0.00"},
          {"收件人", "##密文"},
          {"收件人手机号", "$$密文"},
          {"流量渠道", order.channel}};
}

Cells shopify_line(const Store& store, const Order& order, size_t index, Millis now) {
  const Line& line = order.lines[index];
  const Sku& sku = store.skus[line.sku];
  Cells cells = {{"Name", order.id},           {"Lineitem quantity", std::to_string(line.quantity)},
                 {"Lineitem name", sku.title}, {"Lineitem price", money(sku.price_fen)},
                 {"Lineitem sku", sku.id},     {"Vendor", "Northfold"}};
  if (index > 0) return cells;  // Shopify leaves the order's columns empty on further lines.
  const auto zoned = [&](Millis time) {
    if (!happened(time, now)) return std::string();
    const Millis minutes = store.zone.offset_at(time) / minute_ms;
    return fmt::format("{} {}{:02}{:02}", store.zone.format(time), minutes < 0 ? '-' : '+', std::abs(minutes) / 60,
                       std::abs(minutes) % 60);
  };
  const bool refunded = happened(order.refund_settled_ms, now);
  cells["Email"] = order.buyer + "@example.com";
  cells["Financial Status"] = refunded ? "refunded" : happened(order.paid_ms, now) ? "paid" : "pending";
  cells["Paid at"] = zoned(order.paid_ms);
  cells["Fulfillment Status"] = happened(order.shipped_ms, now) ? "fulfilled" : "unfulfilled";
  cells["Fulfilled at"] = zoned(order.shipped_ms);
  cells["Currency"] = store.currency;
  cells["Subtotal"] = cells["Total"] = money(order.amount_fen);
  cells["Shipping"] = cells["Taxes"] = "0.00";
  cells["Created at"] = zoned(order.created_ms);
  cells["Cancelled at"] = order.refund_id.empty() ? zoned(order.closed_ms) : "";
  cells["Refunded Amount"] = money(refunded ? order.amount_fen : 0);
  cells["Id"] = fmt::format("{}", 5'000'000 + std::stoll(order.id.substr(1)));
  cells["Source"] = "web";
  return cells;
}

Cells chat_line(const Store& store, const Message& message) {
  return {{"消息ID", message.id},
          {"会话ID", message.conversation},
          {"买家昵称", message.buyer},
          {"客服", message.agent},
          {"发送方", message.agent.empty() ? "买家" : "客服"},
          {"发送时间", store.zone.format(message.sent_ms)}};
}

Cells ad_line(const Store& store, const AdDay& ad, Day day) {
  const Sku& sku = store.skus[ad.sku];
  return {{"日期", format_day(day)},
          {"主体ID", sku.id},
          {"主体类型", "商品"},
          {"主体名称", sku.title},
          {"展现量", std::to_string(ad.impressions)},
          {"点击量", std::to_string(ad.clicks)},
          {"花费", money(ad.cost_fen)},
          {"总成交金额", money(ad.amount_fen)},
          {"总成交笔数", std::to_string(ad.orders)}};
}

Cells generic_ad_line(const Store& store, const AdDay& ad, Day day) {
  return {{"date", format_day(day)},
          {"channel", store.platform == "jd"       ? "jingzhuntong"
                      : store.platform == "douyin" ? "qianchuan"
                                                   : "facebook"},
          {"campaign", ad.campaign},
          {"item", store.skus[ad.sku].id},
          {"impressions", std::to_string(ad.impressions)},
          {"clicks", std::to_string(ad.clicks)},
          {"cost", money(ad.cost_fen)},
          {"orders", std::to_string(ad.orders)},
          {"amount", money(ad.amount_fen)}};
}

Cells stock_line(const Store& store, const StockLine& line, Day day) {
  const Sku& sku = store.skus[line.sku];
  return {{"日期", format_day(day)},
          {"商品编码", sku.id},
          {"类别", store.platform},
          {"商品名称", sku.title},
          {"总数量", std::to_string(line.on_hand)},
          {"可销数", std::to_string(line.available)},
          {"单价成本", money(sku.price_fen * 4 / 10)},
          {"待入", std::to_string(line.inbound)},
          {"待出", "0"},
          {"生产在途", "0"}};
}

// The files of one store and one day, as they would be exported just after midnight.
class DayWriter {
 public:
  DayWriter(const Store& store, const StoreDay& day, const std::string& folder)
      : store_(store), day_(day), folder_(fs::path(folder) / ("@" + store.id)), now_(store.zone.start_of(day.day + 1)) {}

  Result<std::vector<std::string>> write() {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) return fail(Code::internal, "{}: {}", folder_.string(), error.message());
    TRY_VOID(write_orders());
    TRY_VOID(write_table("chat", chat_columns(),
                         each(day_.messages, [&](const Message& message) { return chat_line(store_, message); })));
    TRY_VOID(write_table("stock", erp_stock_columns(),
                         each(day_.stock, [&](const StockLine& line) { return stock_line(store_, line, day_.day); })));
    if (store_.platform == "tmall")
      TRY_VOID(write_table("ads", wanxiangtai_columns(),
                           each(day_.ads, [&](const AdDay& ad) { return ad_line(store_, ad, day_.day); })));
    else
      TRY_VOID(write_table("ads", ad_report_columns(),
                           each(day_.ads, [&](const AdDay& ad) { return generic_ad_line(store_, ad, day_.day); })));
    return paths_;
  }

 private:
  template <typename Items, typename Make>
  static std::vector<Cells> each(const Items& items, Make&& make) {
    std::vector<Cells> rows;
    for (const auto& item : items) rows.push_back(make(item));
    return rows;
  }

  // Exports carry their time in their name: Taobao as digits, the others as an epoch.
  std::string name(std::string_view what) const { return fmt::format("{}_{}.csv", now_ / 1000 + 300, what); }
  std::string taobao_name(std::string_view what) const {
    const std::string time = store_.zone.format(now_ + 5 * minute_ms);
    return fmt::format("{}{}{}{}{}{}.csv", what, time.substr(0, 4), time.substr(5, 2), time.substr(8, 2), time.substr(11, 2),
                       time.substr(14, 2));
  }

  Result<void> write_file(const std::string& file, const std::string& bytes) {
    const std::string path = folder_ / file;
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    out.close();
    if (!out) return fail(Code::internal, "{}: cannot be written", path);
    paths_.push_back(path);
    return {};
  }

  Result<void> write_table(std::string_view what, const std::vector<std::string_view>& columns, const std::vector<Cells>& rows) {
    if (rows.empty()) return {};
    return write_file(name(what), "\xef\xbb\xbf" + csv(columns, rows));
  }

  Result<void> write_orders() {
    if (day_.orders.empty()) return {};
    std::vector<Cells> orders, lines, refunds;
    for (const size_t index : day_.orders) {
      const Order& order = store_.orders[index];
      orders.push_back(taobao_order(store_, order, now_));
      if (happened(order.refund_opened_ms, now_)) refunds.push_back(taobao_refund(store_, order, now_));
      for (size_t line = 0; line < order.lines.size(); ++line)
        lines.push_back(store_.platform == "jd"        ? jd_line(store_, order, line, now_)
                        : store_.platform == "douyin"  ? douyin_line(store_, order, line, now_)
                        : store_.platform == "shopify" ? shopify_line(store_, order, line, now_)
                                                       : taobao_line(store_, order, line, now_));
    }
    if (store_.platform == "jd") return write_file(name("orders"), TRY(to_gb18030(csv(jd_order_columns(), lines))));
    if (store_.platform == "douyin") return write_table("orders", douyin_order_columns(), lines);
    if (store_.platform == "shopify") return write_file(name("orders_export"), csv(shopify_order_columns(), lines));
    TRY_VOID(write_file(taobao_name("ExportOrderList"), TRY(to_gb18030(csv(taobao_order_columns(), orders)))));
    TRY_VOID(write_file(taobao_name("ExportItemList"), TRY(to_gb18030(csv(taobao_line_columns(), lines)))));
    if (refunds.empty()) return {};
    return write_file(taobao_name("ExportRefundList"), TRY(to_gb18030(csv(tmall_refund_columns(), refunds))));
  }

  const Store& store_;
  const StoreDay& day_;
  fs::path folder_;
  Millis now_;
  std::vector<std::string> paths_;
};

}  // namespace

Result<std::vector<std::string>> write_exports(const std::vector<Store>& stores, const std::string& folder,
                                               const std::function<void(size_t, size_t)>& progress) {
  std::vector<std::string> paths;
  const size_t days = stores.empty() ? 0 : stores.front().days.size();
  for (size_t day = 0; day < days; ++day) {
    for (const Store& store : stores) {
      const auto written = TRY(DayWriter(store, store.days[day], folder).write());
      paths.insert(paths.end(), written.begin(), written.end());
    }
    progress(day + 1, days);
  }
  return paths;
}

}  // namespace xundian::demo
