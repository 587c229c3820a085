#include "services/gateway/auth.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/config.h"
#include "common/log.h"
#include "common/time.h"
#include "services/gateway/base64.h"

namespace xundian::gateway {

namespace {

constexpr std::string_view bearer = "Bearer ";

// What tells two versions of a file apart; empty = it is not there.
std::string file_mark(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return {};
  return fmt::format("{} {} {} {}", about.st_ino, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

Result<void> check_private(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return fail(Code::not_found, "{}: {}", path, std::strerror(errno));
  if (about.st_mode & 077) return fail(Code::failed_precondition, "{} can be read by others; run: chmod 600 {}", path, path);
  return {};
}

Result<std::string> make_admin_token(const std::string& path) {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return fail(Code::internal, "there is no randomness to make a token of");
  std::string token = to_base64({reinterpret_cast<const char*>(bytes), sizeof bytes});
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::internal, "{} cannot be made: {}", path, std::strerror(errno));
  const std::string line = token + "\n";
  const bool written = ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!written) return fail(Code::internal, "{} cannot be written: {}", path, std::strerror(errno));
  return token;
}

Result<std::string> read_first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line) || line.empty()) return fail(Code::failed_precondition, "{} holds no token", path);
  return line;
}

// The end of a local date in UTC: a token that expires on a day holds through that day.
Result<Millis> parse_expiry(const std::string& text) { return Zone().start_of(TRY(parse_day(text)) + 1); }

Result<Principal> read_principal(ConfigTable& table) {
  Principal principal;
  std::vector<std::string> stores, departments, verbs;
  std::string expires;
  table.get("name", principal.name);
  if (!table.get("tenant", principal.tenant)) principal.tenant = "default";
  if (principal.tenant.empty() || principal.tenant.starts_with('.') || principal.tenant.find('/') != std::string::npos)
    table.complain("tenant", "must not be empty, begin with a dot or hold a slash");
  table.get("stores", stores);
  table.get("departments", departments);
  table.get("verbs", verbs);
  if (table.get("expires", expires)) {
    const auto expires_ms = parse_expiry(expires);
    if (expires_ms)
      principal.expires_ms = *expires_ms;
    else
      table.complain("expires", "is no date as YYYY-MM-DD");
  }
  if (stores.empty()) table.complain("stores", "must name the token's stores, or [\"*\"] for all");
  principal.all_stores = std::find(stores.begin(), stores.end(), "*") != stores.end();
  if (!principal.all_stores) principal.stores.insert(stores.begin(), stores.end());
  if (std::find(departments.begin(), departments.end(), "*") == departments.end())
    principal.departments.insert(departments.begin(), departments.end());
  for (const std::string& verb : verbs) {
    if (verb == "read")
      principal.may_read = true;
    else if (verb == "write")
      principal.may_write = true;
    else if (verb == "admin")
      principal.may_admin = true;
    else
      table.complain("verbs", fmt::format("\"{}\" is none of read, write, admin", verb));
  }
  if (verbs.empty()) table.complain("verbs", "must name at least one of read, write, admin");
  return principal;
}

}  // namespace

std::string_view verb_name(Verb verb) {
  switch (verb) {
    case Verb::read:
      return "read";
    case Verb::write:
      return "write";
    case Verb::admin:
      return "admin";
  }
  return "?";
}

Result<void> allow(const Principal& principal, Verb verb, std::span<const std::string> stores, Unnamed unnamed,
                   const std::set<std::string>& foreign) {
  const bool may =
      principal.may_admin || (verb == Verb::read && principal.may_read) || (verb == Verb::write && principal.may_write);
  if (!may)
    return fail(Code::permission_denied, "the token \"{}\" does not have the verb \"{}\"", principal.name, verb_name(verb));
  for (const std::string& store : stores) {
    const bool sees = principal.all_stores ? !foreign.contains(store) : principal.stores.contains(store);
    if (!sees) return fail(Code::permission_denied, "the token \"{}\" is not for a store that was named", principal.name);
  }
  if (stores.empty() && unnamed == Unnamed::every_store && !principal.all_stores)
    return fail(Code::permission_denied, "this concerns all stores, and the token \"{}\" is for some; name a store",
                principal.name);
  return {};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

Result<std::unique_ptr<TokenBook>> TokenBook::open(const std::string& home) {
  std::unique_ptr<TokenBook> book(new TokenBook(home));
  const std::string path = home + "/admin.token";
  std::string token;
  if (file_mark(path).empty()) {
    token = TRY(make_admin_token(path));
  } else {
    TRY_VOID(check_private(path));
    token = TRY(read_first_line(path));
  }
  auto admin = std::make_shared<Principal>();
  admin->name = "admin";
  admin->tenant = "*";
  admin->all_stores = admin->may_read = admin->may_write = admin->may_admin = true;
  book->admin_ = {sha256_hex(token), admin};
  TRY_VOID(book->read_tokens());
  return book;
}

Result<void> TokenBook::read_tokens() {
  const std::string path = home_ + "/tokens.toml";
  seen_ = file_mark(path);
  if (seen_.empty()) {
    entries_.clear();
    return {};
  }
  ConfigTable file = TRY(ConfigTable::read_file(path));
  std::vector<Entry> entries;
  for (ConfigTable& table : file.tables("token")) {
    Entry entry;
    table.get("sha256", entry.sha256);
    if (entry.sha256.size() != 64 || entry.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
      table.complain("sha256", "is not 64 hexadecimal digits; make it with: printf %s TOKEN | sha256sum");
    entry.principal = std::make_shared<const Principal>(TRY(read_principal(table)));
    entries.push_back(std::move(entry));
    table.finish();  // Keys that are not known become complaints of the file.
  }
  TRY_VOID(file.done());
  entries_ = std::move(entries);
  return {};
}

void TokenBook::reread_if_changed(Millis now_ms) {
  if (now_ms - looked_ms_ < 1'000 && now_ms >= looked_ms_) return;
  looked_ms_ = now_ms;
  if (file_mark(home_ + "/tokens.toml") == seen_) return;
  if (const auto read = read_tokens(); !read)
    spdlog::error("tokens_refused why=\"{}\"", read.error().message);
  else
    spdlog::info("tokens_read count={}", entries_.size());
}

Result<std::shared_ptr<const Principal>> TokenBook::authenticate(std::string_view authorization, Millis now_ms) {
  if (authorization.empty())
    return fail(Code::unauthenticated, "there is no token; send the header \"Authorization: Bearer TOKEN\"");
  if (!authorization.starts_with(bearer)) return fail(Code::unauthenticated, "the authorization is not \"Bearer TOKEN\"");
  const std::string digest = sha256_hex(authorization.substr(bearer.size()));
  const std::lock_guard lock(mutex_);
  reread_if_changed(now_ms);
  // All are compared, whichever it is.
  std::shared_ptr<const Principal> found;
  if (equal_in_constant_time(digest, admin_.sha256)) found = admin_.principal;
  for (const Entry& entry : entries_)
    if (equal_in_constant_time(digest, entry.sha256)) found = entry.principal;
  if (!found) return fail(Code::unauthenticated, "the token is not known");
  if (found->expires_ms != 0 && now_ms >= found->expires_ms) return fail(Code::unauthenticated, "the token has expired");
  return found;
}

}  // namespace xundian::gateway
