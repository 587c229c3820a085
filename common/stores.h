// The stores that a fold knows, and how each reckons its time and money.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/fact_view.h"
#include "common/time.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian {

// A store as StoreState facts have it so far. A store that nobody described reckons in UTC and has no money of its own.
struct StoreInfo {
  std::string id;
  std::string platform, name;
  std::string currency_code, time_zone, calendar, stock_pool;
  uint32_t day_cut_minutes = 0;
  Millis live_from_ms = 0;
  bool withdrawn = false;
  Zone zone;

  // Whether something that occurred then may be judged; before live_from it only restates numbers.
  bool is_news(Millis occurred_ms) const { return occurred_ms >= live_from_ms; }
};

class Stores {
 public:
  // Takes in a StoreState. True if something changed that counters depend on (zone, day cut, currency).
  bool fold(const FactView& store_state);
  // The store of this hash, made if it was never heard of; `id` is taken from the fact at hand.
  const StoreInfo& of(const FactView& fact);
  const StoreInfo* find(uint64_t store_hash) const;
  const StoreInfo* find(std::string_view id) const { return find(store_hash(id)); }
  // In the order of their ids; those that were withdrawn are left out.
  std::vector<const StoreInfo*> all() const;
  // The same of those that a question names; all if it names none.
  template <typename Ids>
  std::vector<const StoreInfo*> asked(const Ids& ids) const {
    if (ids.empty()) return all();
    std::vector<const StoreInfo*> asked;
    for (const auto& id : ids)
      if (const StoreInfo* info = find(std::string_view(id)); info != nullptr && !info->withdrawn && !info->id.empty())
        asked.push_back(info);
    order(asked);
    return asked;
  }
  query::v1::Store describe(const StoreInfo& store) const;
  void save(std::string& bytes) const;
  bool load(ByteReader& bytes);
  void fingerprint(Fingerprint& sum) const;

 private:
  struct Entry {
    StoreInfo info;
    Version identity, settings, withdrawn;
  };
  static void settle(Entry& entry);
  // By id, each once.
  static void order(std::vector<const StoreInfo*>& stores);
  std::map<uint64_t, Entry> stores_;
};

}  // namespace xundian
