#include "services/intake/buyer_key.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/hash.h"

namespace xundian::intake {

namespace {

// Writes a new key beside its place and links it there whole; if another process was faster, its key stays.
Result<void> make_key(const std::string& folder, const std::string& path) {
  unsigned char key[32];
  if (::getrandom(key, sizeof key, 0) != static_cast<ssize_t>(sizeof key))
    return fail(Code::internal, "no random bytes for a key: {}", std::strerror(errno));
  const std::string draft = fmt::format("{}.{}", path, ::getpid());
  ::unlink(draft.c_str());  // Of an earlier life with the same process id.
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::failed_precondition, "the key {} cannot be written: {}", draft, std::strerror(errno));
  const bool written = ::write(file, key, sizeof key) == static_cast<ssize_t>(sizeof key) && ::fsync(file) == 0;
  ::close(file);
  const bool linked = written && (::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  ::unlink(draft.c_str());
  if (!linked) return fail(Code::internal, "the key {} cannot be written: {}", path, std::strerror(error));
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  if (directory >= 0) ::close(directory);
  if (!synced) return fail(Code::internal, "the folder {} cannot be synced: {}", folder, std::strerror(errno));
  return {};
}

bool is_file_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' && std::all_of(name.begin(), name.end(), plain);
}

}  // namespace

Result<BuyerKey> BuyerKey::open_or_make(const std::string& folder, std::string_view tenant) {
  if (!is_file_name(tenant))
    return fail(Code::invalid_argument, "the tenant \"{}\" must be of letters, digits, \"-\", \"_\" and \".\"", tenant);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::failed_precondition, "the folder {} cannot be made: {}", folder, std::strerror(errno));
  const std::string path = fmt::format("{}/{}.buyer.key", folder, tenant);
  if (::access(path.c_str(), F_OK) != 0) TRY_VOID(make_key(folder, path));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(Code::failed_precondition, "the key {} cannot be read: {}", path, std::strerror(errno));
  BuyerKey key;
  char more = 0;
  const bool whole =
      ::read(file, key.key_.data(), key.key_.size()) == static_cast<ssize_t>(key.key_.size()) && ::read(file, &more, 1) == 0;
  ::close(file);
  if (!whole) return fail(Code::data_loss, "the key {} is not of 32 bytes; restore it from a backup", path);
  return key;
}

uint64_t BuyerKey::hash(std::string_view platform, std::string_view buyer) const {
  const std::string text = fmt::format("{}\n{}", platform, buyer);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  const auto* made = ::HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &bytes);
  CHECK(made != nullptr && bytes == 32, "HMAC-SHA256 gives 32 bytes");
  const uint64_t hash = hash64({reinterpret_cast<const char*>(mac), bytes});
  return hash == 0 ? 1 : hash;
}

uint32_t BuyerKey::id() const {
  return static_cast<uint32_t>(hash64({reinterpret_cast<const char*>(key_.data()), key_.size()}) & 0x7fffffff);
}

}  // namespace xundian::intake
