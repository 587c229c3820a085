#include "common/redis_link.h"

#include <sys/stat.h>
#include <sys/time.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

namespace xundian {

namespace {

timeval to_timeval(Millis milliseconds) {
  return {static_cast<time_t>(milliseconds / 1000), static_cast<suseconds_t>(milliseconds % 1000 * 1000)};
}

// hiredis writes without MSG_NOSIGNAL: a peer that is gone would end the process.
void ignore_broken_pipes() {
  static const auto before = std::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(before);
}

}  // namespace

Code redis_error_code(std::string_view text) {
  static constexpr std::pair<std::string_view, Code> classes[] = {
      {"LOADING", Code::unavailable},
      {"BUSY", Code::unavailable},
      {"MASTERDOWN", Code::unavailable},
      {"CLUSTERDOWN", Code::unavailable},
      {"TRYAGAIN", Code::unavailable},
      {"READONLY", Code::aborted},
      {"MOVED", Code::aborted},
      {"ASK", Code::aborted},
      {"OOM", Code::resource_exhausted},
      {"MISCONF", Code::resource_exhausted},
      {"NOREPLICAS", Code::resource_exhausted},
      {"NOAUTH", Code::invalid_argument},
      {"WRONGPASS", Code::invalid_argument},
      {"NOPERM", Code::invalid_argument},
      {"WRONGTYPE", Code::invalid_argument},
      {"ERR unknown command", Code::invalid_argument},
      {"ERR AUTH", Code::invalid_argument},
      {"ERR Client sent AUTH", Code::invalid_argument},
      {"ERR The ID specified in XADD", Code::already_exists},
  };
  for (const auto& [start, code] : classes)
    if (text.starts_with(start)) return code;
  return Code::internal;
}

RedisLink::RedisLink(RedisAddress address, Millis timeout_ms) : address_(std::move(address)), timeout_ms_(timeout_ms) {
  ignore_broken_pipes();
}

// Never redisReconnect: it forgets the time-outs, and a stalled Redis would then hold us for ever.
Result<void> RedisLink::connect() {
  drop();
  const std::string password = TRY(read_password());
  const timeval timeout = to_timeval(timeout_ms_);
  context_ = address_.socket.empty() ? redisConnectWithTimeout(address_.host.c_str(), address_.port, timeout)
                                     : redisConnectUnixWithTimeout(address_.socket.c_str(), timeout);
  if (context_ == nullptr) return fail(Code::unavailable, "no memory for a connection to the Redis at {}", address_.text());
  if (context_->err != 0 || redisSetTimeout(context_, timeout) != REDIS_OK) {
    const std::string why = context_->errstr;
    drop();
    return fail(Code::unavailable, "the Redis at {} cannot be reached: {}", address_.text(), why);
  }
  if (address_.socket.empty()) redisEnableKeepAlive(context_);
  if (!password.empty()) TRY(ask({"AUTH", password}));
  return {};
}

void RedisLink::drop() {
  if (context_ != nullptr) redisFree(std::exchange(context_, nullptr));
}

Result<RedisReply> RedisLink::ask(const RedisWords& words) { return std::move(ask_all({&words, 1}).front()); }

std::vector<Result<RedisReply>> RedisLink::ask_all(std::span<const RedisWords> commands) {
  std::vector<Result<RedisReply>> replies;
  for (const RedisWords& words : commands) {
    std::vector<const char*> arguments;
    std::vector<size_t> lengths;
    for (const std::string_view word : words) {
      arguments.push_back(word.data());
      lengths.push_back(word.size());
    }
    if (connected() &&
        redisAppendCommandArgv(context_, static_cast<int>(words.size()), arguments.data(), lengths.data()) != REDIS_OK)
      drop();
  }
  while (replies.size() < commands.size()) replies.push_back(take_reply());
  return replies;
}

Result<RedisReply> RedisLink::take_reply() {
  if (!connected()) return fail(Code::unknown, "the connection to the Redis at {} is broken", address_.text());
  void* taken = nullptr;
  if (redisGetReply(context_, &taken) != REDIS_OK || taken == nullptr) return broken("answers");
  RedisReply reply(static_cast<redisReply*>(taken));
  if (reply->type != REDIS_REPLY_ERROR) return reply;
  const std::string_view text = text_of(*reply);
  return fail(redis_error_code(text), "the Redis at {} says: {}", address_.text(), text);
}

tl::unexpected<Error> RedisLink::broken(std::string_view doing) {
  const bool late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  const std::string why = late ? fmt::format("nothing within {} ms", timeout_ms_) : std::string(context_->errstr);
  drop();
  return fail(Code::unknown, "the Redis at {} {}: {}", address_.text(), doing, why);
}

Result<std::string> RedisLink::read_password() const {
  if (address_.password_file.empty()) return std::string();
  struct stat file {};
  if (stat(address_.password_file.c_str(), &file) != 0)
    return fail(Code::invalid_argument, "the password file {} cannot be read: {}", address_.password_file, std::strerror(errno));
  if ((file.st_mode & 077) != 0)
    return fail(Code::invalid_argument, "the password file {} can be read by others; chmod 600 it", address_.password_file);
  std::string password;
  std::ifstream(address_.password_file) >> password;
  if (password.empty()) return fail(Code::invalid_argument, "the password file {} holds no password", address_.password_file);
  return password;
}

}  // namespace xundian
