#include "common/stores.h"

#include <algorithm>

namespace xundian {

namespace {

constexpr uint32_t identity_aspect = 1, settings_aspect = 2;

// Takes a stated aspect's version if it is newer than what was held.
bool take_newer(const FactView& fact, uint32_t aspect, Version& held) {
  if (!fact.states(aspect) || fact.version(aspect) <= held) return false;
  held = fact.version(aspect);
  return true;
}

}  // namespace

// What follows from the merged aspects.
void Stores::settle(Entry& entry) {
  StoreInfo& info = entry.info;
  info.withdrawn = entry.withdrawn > entry.identity && entry.withdrawn > entry.settings;
  const auto zone = Zone::find(info.time_zone.empty() ? "Etc/UTC" : info.time_zone, info.day_cut_minutes);
  info.zone = zone.value_or(Zone());
}

bool Stores::fold(const FactView& fact) {
  Entry& entry = stores_[fact.store()];
  StoreInfo& info = entry.info;
  if (info.id.empty()) info.id = fact.store_id();
  v1::StoreState state;
  if (!fact.parse(state)) return false;
  const StoreInfo before = info;
  if (take_newer(fact, identity_aspect, entry.identity)) {
    info.platform = state.identity().platform();
    info.name = state.identity().name();
  }
  if (take_newer(fact, settings_aspect, entry.settings)) {
    const v1::StoreSettings& settings = state.settings();
    info.currency_code = settings.currency_code();
    info.time_zone = settings.time_zone();
    info.day_cut_minutes = std::min(settings.day_cut_minutes(), 1439u);
    info.calendar = settings.calendar();
    info.stock_pool = settings.stock_pool();
    info.live_from_ms = settings.live_from_ms();
  }
  take_newer(fact, withdrawn_aspect, entry.withdrawn);
  settle(entry);
  return !(before.zone == info.zone) || before.currency_code != info.currency_code || before.withdrawn != info.withdrawn;
}

const StoreInfo& Stores::of(const FactView& fact) {
  Entry& entry = stores_[fact.store()];
  if (entry.info.id.empty()) entry.info.id = fact.store_id();
  return entry.info;
}

const StoreInfo* Stores::find(uint64_t hash) const {
  const auto found = stores_.find(hash);
  return found == stores_.end() ? nullptr : &found->second.info;
}

std::vector<const StoreInfo*> Stores::all() const {
  std::vector<const StoreInfo*> all;
  for (const auto& [hash, entry] : stores_)
    if (!entry.info.withdrawn && !entry.info.id.empty()) all.push_back(&entry.info);
  order(all);
  return all;
}

void Stores::order(std::vector<const StoreInfo*>& stores) {
  std::ranges::sort(stores, {}, [](const StoreInfo* info) -> const std::string& { return info->id; });
  stores.erase(std::unique(stores.begin(), stores.end()), stores.end());
}

query::v1::Store Stores::describe(const StoreInfo& info) const {
  query::v1::Store store;
  store.set_id(info.id);
  store.set_platform(info.platform);
  store.set_name(info.name);
  store.set_currency_code(info.currency_code);
  store.set_time_zone(info.time_zone.empty() ? "Etc/UTC" : info.time_zone);
  store.set_day_cut_minutes(info.day_cut_minutes);
  store.set_calendar(info.calendar);
  store.set_live_from_ms(info.live_from_ms);
  store.set_stock_pool(info.stock_pool);
  return store;
}

void Stores::save(std::string& bytes) const {
  append(bytes, static_cast<uint32_t>(stores_.size()));
  for (const auto& [hash, entry] : stores_) {
    append(bytes, hash);
    for (const Version& version : {entry.identity, entry.settings, entry.withdrawn}) append(bytes, version);
    const StoreInfo& info = entry.info;
    for (const std::string* text :
         {&info.id, &info.platform, &info.name, &info.currency_code, &info.time_zone, &info.calendar, &info.stock_pool})
      append_text(bytes, *text);
    append(bytes, info.day_cut_minutes);
    append(bytes, info.live_from_ms);
  }
}

bool Stores::load(ByteReader& bytes) {
  stores_.clear();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    Entry& entry = stores_[bytes.take<uint64_t>()];
    for (Version* version : {&entry.identity, &entry.settings, &entry.withdrawn}) *version = bytes.take<Version>();
    StoreInfo& info = entry.info;
    for (std::string* text :
         {&info.id, &info.platform, &info.name, &info.currency_code, &info.time_zone, &info.calendar, &info.stock_pool})
      *text = bytes.take_text();
    info.day_cut_minutes = bytes.take<uint32_t>();
    info.live_from_ms = bytes.take<Millis>();
    settle(entry);
  }
  return bytes.ok();
}

// live_from is made from the clock of the first import, so it is no part of what the sources said.
void Stores::fingerprint(Fingerprint& sum) const {
  for (const StoreInfo* info : all()) {
    std::string value;
    for (const std::string* text :
         {&info->platform, &info->name, &info->currency_code, &info->time_zone, &info->calendar, &info->stock_pool})
      append_text(value, *text);
    append(value, info->day_cut_minutes);
    sum.add("store/" + info->id, value);
  }
}

}  // namespace xundian
