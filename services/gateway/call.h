// One call: who makes it, what may be seen in it, and how long it may take.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/error.h"
#include "services/gateway/auth.h"
#include "xundian/gateway/v1/gateway.pb.h"

namespace xundian::gateway {

// The stores as metrics last told them.
struct StoreDirectory {
  bool known = false;  // It was told at least once.
  std::map<std::string, query::v1::Store> stores;

  // The store's tenant; empty = the store is not known.
  std::string tenant_of(const std::string& store) const;
  // "tenant/group" of a store; empty = the store is not known.
  std::string scope_of(const std::string& store) const;
};

struct Call {
  std::shared_ptr<const Principal> principal;
  std::shared_ptr<const StoreDirectory> directory;
  Millis deadline_ms = 0;                 // By the steady clock.
  std::function<bool()> gone;             // The caller no longer waits; may be empty.
  std::function<Result<void>()> recheck;  // The token still holds; for streams.

  // The token's own tenant, for what the call states.
  std::string tenant() const { return principal->tenant == "*" ? "default" : principal->tenant; }
  bool sees(const std::string& store) const;
  // Whether the token may see a scope at all.
  bool sees_scope(std::string_view scope) const;
  // The stores to ask services for, where the request names `named`; nothing = all there are. An empty list is: none.
  template <typename Names>
  std::optional<std::vector<std::string>> stores_asked(const Names& named) const {
    if (named.size() > 0) return std::vector<std::string>(named.begin(), named.end());
    return stores_seen();
  }
  std::optional<std::vector<std::string>> stores_seen() const;
  // Milliseconds that are left, at most `most`.
  Millis left_ms(Millis most) const;
};

// Where a stream's messages go. False: nobody reads them any more.
template <typename Response>
using Sink = std::function<bool(const Response&)>;

}  // namespace xundian::gateway
