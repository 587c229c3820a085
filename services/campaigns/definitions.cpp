// The metrics that campaigns defines.
#include "common/registry.h"
#include "services/campaigns/state.h"

namespace xundian::campaigns {

namespace {

constexpr const char* all = "store,channel,campaign,sku";

constexpr MetricWords metrics[] = {
    {"ad_amount", "推广成交额", "Attributed amount",
     "amount that the channel attributes within its window; the longest window where it reports several", "money", all, "hour",
     "additive"},
    {"ad_cost", "推广花费", "Ad cost",
     "cost as the channel reports it, each day from one cut: the coarsest that has the asked dimensions", "money", all, "hour",
     "additive"},
    {"ad_cost_cut_difference", "推广花费口径差异", "Difference between cuts",
     "the largest less the smallest ad cost that cuts of one channel and day state; only where there are several", "money",
     "store,channel", "day", "additive"},
    {"ad_orders", "推广成交订单数", "Attributed orders", "orders that the channel attributes within its window", "count", all,
     "hour", "additive"},
    {"budget_pace", "预算进度比", "Budget pace", "spent / (budget x share of its time that reports have reached); 1 = on plan",
     "ratio", "store,channel,campaign", "now", "ratio"},
    {"budget_used", "预算使用率", "Budget used", "spent / budget over the budget's whole term", "ratio", "store,channel,campaign",
     "now", "ratio"},
    {"campaigns_planned", "活动数", "Planned campaigns",
     "planned campaigns whose time meets the period; not to be added over days", "count", "store,campaign", "day", "level"},
    {"clicks", "点击量", "Clicks", "clicks as the channel reports them", "count", all, "hour", "additive"},
    {"cost_per_order", "成交成本", "Cost per order", "ad cost / attributed orders, of cells that state both", "money", all,
     "hour", "ratio"},
    {"cpc", "平均点击花费", "Cost per click", "ad cost / clicks, of cells that state both", "money", all, "hour", "ratio"},
    {"cpm", "千次展现花费", "Cost per mille", "ad cost x 1000 / impressions, of cells that state both", "money", all, "hour",
     "ratio"},
    {"ctr", "点击率", "Click-through rate", "clicks / impressions, of cells that state both", "ratio", all, "hour", "ratio"},
    {"impressions", "展现量", "Impressions", "times shown as the channel reports them", "count", all, "hour", "additive"},
    {"roas", "投产比", "Return on ad spend",
     "attributed amount / ad cost, of cells that state both; unknown where nothing was spent", "ratio", all, "hour", "ratio"},
};

}  // namespace

query::v1::GetMetricDefinitionsResponse metric_definitions() { return define(metrics, "campaigns"); }

}  // namespace xundian::campaigns
