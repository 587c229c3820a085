// Facts of one kind, each new, for modes of fold_bench that ask what one thing costs.
#pragma once

#include "tests/bench/workload.h"

namespace xundian::bench {

// Paid, by a new buyer; its lines are of the SKUs from `sku` on, one of each.
v1::Fact order_fact(uint32_t store, uint64_t number, uint32_t sku, uint32_t lines, Millis placed_ms);
v1::Fact stock_fact(uint32_t store, uint32_t sku, Millis counted_ms);
// Of conversation number / 2: a customer asks, and an agent answers.
v1::Fact chat_fact(uint32_t store, uint64_t number, Millis asked_ms);
// A campaign's report of the day, under the key that the workload's later ones have.
v1::Fact ad_fact(uint32_t store, uint32_t campaign, const std::string& day, Millis as_of_ms);
// What a shop's back office reports of a product on a day.
v1::Fact product_fact(uint32_t store, uint32_t product, const std::string& day, Millis as_of_ms);
// What all campaigns of a store may spend in the month of a day.
v1::Fact budget_fact(uint32_t store, Day day, Millis as_of_ms);
// That an order's promised time has passed, or that it was shipped then; said in the words that people read.
v1::Fact finding_fact(uint32_t store, uint64_t number, bool holds, Millis judged_ms);
v1::Fact subscriber_fact(uint32_t number, Millis as_of_ms);
// That a change of an alert reached a subscriber.
v1::Fact delivery_fact(const std::string& alert, uint32_t change, uint32_t subscriber, Millis as_of_ms);

}  // namespace xundian::bench
