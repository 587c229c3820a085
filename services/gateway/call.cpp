#include "services/gateway/call.h"

#include <algorithm>

#include "common/clock.h"

namespace xundian::gateway {

std::string StoreDirectory::scope_of(const std::string& store) const {
  const auto found = stores.find(store);
  return found == stores.end() ? std::string() : found->second.scope();
}

std::string StoreDirectory::tenant_of(const std::string& store) const {
  const std::string scope = scope_of(store);
  return scope.substr(0, scope.find('/'));
}

bool Call::sees(const std::string& store) const {
  if (!principal->all_stores) return principal->stores.contains(store);
  if (principal->tenant == "*") return true;
  // What concerns a whole group names no store; the scope decides there.
  return store.empty() || directory->tenant_of(store) == principal->tenant;
}

bool Call::sees_scope(std::string_view scope) const {
  return principal->tenant == "*" || scope.substr(0, scope.find('/')) == principal->tenant;
}

std::optional<std::vector<std::string>> Call::stores_seen() const {
  if (!principal->all_stores) return std::vector<std::string>(principal->stores.begin(), principal->stores.end());
  if (principal->tenant == "*") return std::nullopt;
  std::vector<std::string> seen;
  for (const auto& [id, store] : directory->stores)
    if (sees(id)) seen.push_back(id);
  if (seen.size() == directory->stores.size()) return std::nullopt;
  return seen;
}

Millis Call::left_ms(Millis most) const { return std::clamp<Millis>(deadline_ms - steady_ms(), 0, most); }

}  // namespace xundian::gateway
