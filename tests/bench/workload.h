// What the two producers say, made before a clock starts, and what it adds up to.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/batch.h"
#include "common/time.h"

namespace xundian::bench {

inline constexpr uint32_t campaigns_of_store = 100, facts_of_batch = 100;
inline constexpr size_t producers = 2;
inline const std::string scope = "bench/shops";
inline constexpr const char* time_zone = "Asia/Shanghai";  // Of every store.

// How many things the facts speak of. Stores are an even number, so that each belongs to one producer; or one, of which both
// speak, and then nothing can be said of what it all adds up to.
struct Shape {
  uint32_t stores = 200, skus_of_store = 5'000;
};

// What facts add up to when each thing counts once, in its newest version.
struct Totals {
  uint64_t facts = 0, orders = 0, units = 0, conversations = 0, replies = 0;
  int64_t amount_micros = 0, stock_units = 0, impressions = 0;
  auto operator<=>(const Totals&) const = default;
  Totals& operator+=(const Totals& other);
  std::string text() const;
};

// What one producer says, in batches: 70 orders with 1 to 3 lines, of which about 10 state an earlier order anew and 5 say
// exactly what was said before, and 10 each of stock levels, chat messages and ad reports.
class Feed {
 public:
  Feed() = default;
  // Two producers speak of different stores, so what one has said adds up whatever the other did.
  Feed(size_t producer, size_t batches, Millis now, const Shape& shape);
  size_t batches() const { return frames_.size(); }
  // Its frames, one behind the other, as append_frame makes them.
  std::string_view frames(size_t batch) const { return frames_[batch]; }
  // Of the first `batches`; reckoned while they were made, by none of the code that is measured.
  const Totals& totals(size_t batches) const { return totals_[batches]; }
  // The same of buyers: how many different ones each store has, added up over the stores.
  uint64_t buyers(size_t batches) const { return buyers_[batches]; }
  // That they speak of, each store's its own.
  uint32_t skus(size_t batches) const { return skus_[batches]; }

 private:
  std::vector<std::string> frames_;
  std::vector<Totals> totals_;
  std::vector<uint64_t> buyers_;
  std::vector<uint32_t> skus_;
};

struct Workload {
  // As much as is wanted, from `now` on; each producer's in a thread of its own.
  static Workload make(size_t facts, Millis now, const Shape& shape = {});
  Shape shape;
  std::array<Feed, producers> feeds;
  // What producer 0 has said in its first batches[0], and producer 1 in its first batches[1].
  Totals totals(const std::array<size_t, producers>& batches) const;
  uint64_t buyers(const std::array<size_t, producers>& batches) const;
  Day first_day = 0, last_day = 0;  // Of the orders, by the stores' clocks: the same, unless midnight lies between.
  uint64_t skus(const std::array<size_t, producers>& batches) const;
  double payload_bytes = 0;  // Protobuf bytes of a fact, on average.
  double frame_bytes = 0;    // With what stands before them in a batch of ours.
};

std::string store_id(uint32_t store);
std::string sku_name(uint64_t sku);  // The same in each store.
// What says that the stores exist.
std::vector<v1::Fact> store_facts(Millis now, uint32_t stores);

// Calls `see(body)` for the protobuf bytes of each fact.
template <typename See>
void for_each_body(std::string_view frames, See&& see) {
  while (!frames.empty()) {
    const auto frame = split_frame(frames);
    CHECK(frame.has_value(), "the workload's frames hold together");
    see(frame->substr(frame->size() - load<FactHead>(frame->data()).body_bytes));
  }
}

// Packs a feed's frames into a batch as any producer does: one run for each kind.
void add_frames(BatchBuilder& builder, std::string_view frames);

}  // namespace xundian::bench
