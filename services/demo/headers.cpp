#include "services/demo/headers.h"

namespace xundian::demo {

const std::vector<std::string_view>& taobao_order_columns() {
  static const std::vector<std::string_view> columns = {
      "订单编号", "买家会员名", "买家支付宝账号", "支付单号", "支付详情", "买家应付货款", "买家应付邮费",
      "买家支付积分", "总金额", "返点积分", "买家实际支付金额", "买家实际支付积分", "订单状态", "买家留言",
      "收货人姓名", "收货地址 ", "运送方式", "联系电话 ", "联系手机", "订单创建时间", "订单付款时间 ", "宝贝标题 ",
      "宝贝种类 ", "物流单号 ", "物流公司", "订单备注", "宝贝总数量", "店铺Id", "店铺名称", "订单关闭原因",
      "卖家服务费", "买家服务费", "发票抬头", "是否手机订单", "分阶段订单信息", "特权订金订单id", "是否上传合同照片",
      "是否上传小票", "是否代付", "定金排名", "修改后的sku", "修改后的收货地址", "异常信息", "天猫卡券抵扣",
      "集分宝抵扣", "是否是O2O交易", "新零售交易类型", "新零售导购门店名称", "新零售导购门店id", "新零售发货门店名称",
      "新零售发货门店id", "退款金额", "预约门店", "确认收货时间", "打款商家金额", "含应开票给个人的个人红包",
      "是否信用购", "体验期结束时间", "前N有礼", "配送类型", "主订单编号"};
  return columns;
}

const std::vector<std::string_view>& taobao_line_columns() {
  static const std::vector<std::string_view> columns = {
      "子订单编号", "主订单编号", "商品标题", "商品价格", "购买数量", "外部系统编号", "商品属性", "商品ID",
      "商家编码", "订单状态", "支付单号", "买家应付货款", "买家实付金额", "退款状态", "退款金额", "订单创建时间",
      "订单付款时间", "发货时间", "确认收货时间", "物流单号", "物流公司", "分阶段信息"};
  return columns;
}

const std::vector<std::string_view>& tmall_refund_columns() {
  static const std::vector<std::string_view> columns = {
      "订单编号", "退款编号", "支付宝交易号", "订单付款时间", "商家编码", "退款完结时间", "买家会员名称",
      "买家实际支付金额", "宝贝标题", "买家退款金额", "手工退款/系统退款", "是否需要退货", "退款的申请时间",
      "超时时间", "退款状态", "货物状态", "退货物流信息", "发货物流信息", "客服介入状态", "卖家真实姓名",
      "卖家退货地址", "卖家邮编", "卖家电话", "卖家手机", "退货物流单号", "退货物流公司", "买家退款原因",
      "买家退款说明", "买家退货时间", "责任方", "售中或售后", "商家备注", "完结时间", "部分退款/全部退款",
      "审核操作人", "举证超时", "是否零秒响应", "退款操作人", "主数据编码"};
  return columns;
}

const std::vector<std::string_view>& wanxiangtai_columns() {
  static const std::vector<std::string_view> columns = {
      "日期", "主体ID", "主体类型", "主体名称", "展现量", "点击量", "花费", "点击率", "平均点击花费", "千次展现花费",
      "总预售成交金额", "总预售成交笔数", "直接预售成交金额", "直接预售成交笔数", "间接预售成交金额",
      "间接预售成交笔数", "直接成交金额", "间接成交金额", "总成交金额", "总成交笔数", "直接成交笔数", "间接成交笔数",
      "点击转化率", "投入产出比", "含预售投产比", "总成交成本", "总购物车数", "直接购物车数", "间接购物车数",
      "加购率", "收藏宝贝数", "收藏店铺数", "店铺收藏成本", "总收藏加购数", "总收藏加购成本", "宝贝收藏加购数",
      "宝贝收藏加购成本", "总收藏数", "宝贝收藏成本", "宝贝收藏率", "加购成本", "拍下订单笔数", "拍下订单金额",
      "直接收藏宝贝数", "间接收藏宝贝数", "优惠券领取量", "购物金充值笔数", "购物金充值金额", "旺旺咨询量",
      "引导访问量", "引导访问人数", "引导访问潜客数", "引导访问潜客占比", "入会率", "入会量", "引导访问率",
      "深度访问量", "平均访问页面数", "成交新客数", "成交新客占比", "会员首购人数", "会员成交金额", "会员成交笔数",
      "成交人数", "人均成交笔数", "人均成交金额", "自然流量转化金额", "自然流量曝光量", "电商成交笔数",
      "电商成交金额", "闪购成交笔数", "闪购成交金额", "平台助推总成交", "平台助推直接成交", "平台助推点击",
      "宝贝优惠券抵扣金额", "宝贝优惠券撬动总成交", "宝贝优惠券撬动直接成交", "宝贝优惠券撬动点击", "平台补贴金额",
      "补贴引导成交金额", "发券补贴商品个数", "补贴引导成交人数"};
  return columns;
}

const std::vector<std::string_view>& jd_order_columns() {
  static const std::vector<std::string_view> columns = {
      "订单号", "商品ID", "商品名称", "订购数量", "支付方式", "下单时间", "京东价", "订单金额", "结算金额",
      "余额支付", "应付金额", "订单状态", "订单类型", "下单帐号", "客户姓名", "客户地址", "联系电话", "订单备注",
      "发票类型", "发票抬头", "发票内容", "商家备注", "商家备注等级（等级1-5为由高到低）", "运费金额", "付款确认时间",
      "增值税发票", "货号", "订单完成时间", "订单来源", "订单渠道"};
  return columns;
}

const std::vector<std::string_view>& douyin_order_columns() {
  static const std::vector<std::string_view> columns = {
      "主订单编号", "子订单编号", "支付方式", "选购商品", "货号", "商品ID", "商家编码", "商品数量", "商品金额",
      "订单提交时间", "支付完成时间", "订单完成时间", "承诺发货时间", "预约发货时间", "买家留言", "旗帜颜色",
      "商家备注", "APP渠道", "订单状态", "取消原因", "售后状态", "订单类型", "发货时间", "车型", "是否是以旧换新",
      "换新额外补贴", "换新额外补贴发放状态", "订单应付金额", "运费", "优惠总金额", "平台优惠", "商家优惠",
      "达人优惠", "商家改价", "支付优惠", "手续费", "红包抵扣", "降价类优惠", "平台实际承担优惠金额",
      "商家实际承担优惠金额", "达人实际承担优惠金额", "收件人", "收件人手机号", "省", "市", "区", "街道", "详细地址",
      "是否修改过地址", "快递信息", "序列号", "达人ID", "达人昵称", "拼团订单团编号", "商品单价是否含税", "税费",
      "鲁班落地页ID", "所属门店ID", "流量来源", "仓库ID", "仓库名称", "是否安心购", "广告渠道", "流量类型",
      "流量体裁", "流量渠道", "发货主体", "发货主体明细", "教育优惠", "预计送达时间", "是否平台仓自流转",
      "是否是渠道商品", "预约送达时间", "建议发货时间（起）", "建议发货时间（止）"};
  return columns;
}

const std::vector<std::string_view>& erp_stock_columns() {
  static const std::vector<std::string_view> columns = {
      "日期", "商品编码", "类别", "品牌", "商品名称", "总数量", "可销数", "单价成本", "金额", "财务库存", "含税比重",
      "含税限价", "未税限价", "待入", "待出", "生产在途", "待审", "货拉", "重量", "性质", "最后采购时间", "含税预计",
      "未税预计"};
  return columns;
}

const std::vector<std::string_view>& shopify_order_columns() {
  static const std::vector<std::string_view> columns = {
      "Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Accepts Marketing",
      "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount", "Shipping Method",
      "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem compare at price",
      "Lineitem sku", "Lineitem requires shipping", "Lineitem taxable", "Lineitem fulfillment status", "Billing Name",
      "Billing Street", "Billing Address1", "Billing Address2", "Billing Company", "Billing City", "Billing Zip",
      "Billing Province", "Billing Country", "Billing Phone", "Shipping Name", "Shipping Street", "Shipping Address1",
      "Shipping Address2", "Shipping Company", "Shipping City", "Shipping Zip", "Shipping Province",
      "Shipping Country", "Shipping Phone", "Notes", "Note Attributes", "Cancelled at", "Payment Method",
      "Payment Reference", "Refunded Amount", "Vendor", "Outstanding Balance", "Employee", "Location", "Device ID",
      "Id", "Tags", "Risk Level", "Source", "Lineitem discount", "Tax 1 Name", "Tax 1 Value", "Tax 2 Name",
      "Tax 2 Value", "Tax 3 Name", "Tax 3 Value", "Tax 4 Name", "Tax 4 Value", "Tax 5 Name", "Tax 5 Value", "Phone",
      "Receipt Number", "Duties", "Billing Province Name", "Shipping Province Name", "Payment ID",
      "Payment Terms Name", "Next Payment Due At", "Payment References"};
  return columns;
}

const std::vector<std::string_view>& chat_columns() {
  static const std::vector<std::string_view> columns = {
      "消息ID", "会话ID", "买家昵称", "发送方", "客服", "发送时间"};
  return columns;
}

const std::vector<std::string_view>& ad_report_columns() {
  static const std::vector<std::string_view> columns = {
      "date", "channel", "campaign", "item", "impressions", "clicks", "cost", "orders", "amount"};
  return columns;
}

}  // namespace xundian::demo
