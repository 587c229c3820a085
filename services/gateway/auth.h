// Who may do what: tokens, and the one function that allows or denies.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "common/version.h"

namespace xundian::gateway {

enum class Verb : uint8_t { read, write, admin };
std::string_view verb_name(Verb verb);

// What it means that a request names no store.
enum class Unnamed {
  filtered,     // It is about whatever stores the token may see; the answer is filtered.
  every_store,  // It is about all stores, so that the token must be for all.
};

// Who calls.
struct Principal {
  std::string name;
  std::string tenant;                 // "*" = all tenants.
  bool all_stores = false;            // Of the tenant.
  std::set<std::string> stores;       // Otherwise these.
  std::set<std::string> departments;  // Services whose answers it may see; empty = all.
  bool may_read = false, may_write = false, may_admin = false;
  Millis expires_ms = 0;  // 0 = never.

  bool may_see_department(const std::string& service) const { return departments.empty() || departments.contains(service); }
};

// Allows a verb on the named stores, or says PERMISSION_DENIED. `foreign` are stores known to be another tenant's. Whatever is
// not allowed here is denied; the same words for a store that is forbidden and for one that is not there.
Result<void> allow(const Principal& principal, Verb verb, std::span<const std::string> stores, Unnamed unnamed,
                   const std::set<std::string>& foreign);

// Compares without saying, by the time it takes, where two texts part.
bool equal_in_constant_time(std::string_view a, std::string_view b);
// SHA-256 in 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// The tokens of a home: admin.token, made at the first start, and tokens.toml.
class TokenBook {
 public:
  // Makes admin.token (0600) if it is not there. Fails if a file is readable by others or tokens.toml is wrong.
  static Result<std::unique_ptr<TokenBook>> open(const std::string& home);

  // The principal of an "Authorization: Bearer …" header's value, or UNAUTHENTICATED. Looks at most once a second whether
  // tokens.toml has changed; a file that has become wrong leaves the last good one in force.
  Result<std::shared_ptr<const Principal>> authenticate(std::string_view authorization, Millis now_ms);

 private:
  struct Entry {
    std::string sha256;
    std::shared_ptr<const Principal> principal;
  };
  explicit TokenBook(std::string home) : home_(std::move(home)) {}
  Result<void> read_tokens();
  void reread_if_changed(Millis now_ms);

  std::string home_;
  std::mutex mutex_;
  Entry admin_;
  std::vector<Entry> entries_;
  std::string seen_;  // Size and time of the tokens.toml that was read.
  Millis looked_ms_ = 0;
};

}  // namespace xundian::gateway
