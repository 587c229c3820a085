// A connection to one Redis, through hiredis. One thread owns it.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "common/version.h"

namespace xundian {

struct RedisAddress {
  std::string socket;  // A path; if it is empty, host and port.
  std::string host;
  int port = 0;
  std::string password_file;  // Empty = no password. Nobody but its owner may read it.

  std::string text() const { return socket.empty() ? fmt::format("{}:{}", host, port) : socket; }
};

struct RedisReplyCloser {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisReply = std::unique_ptr<redisReply, RedisReplyCloser>;
using RedisWords = std::vector<std::string_view>;

inline std::string_view text_of(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS || reply.type == REDIS_REPLY_ERROR
             ? std::string_view(reply.str, reply.len)
             : std::string_view();
}

// The code of an error that Redis answered; bus.md lists what each means.
//   unavailable         passes by itself (LOADING, BUSY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN)
//   aborted             this Redis does not own the key (READONLY, MOVED, ASK)
//   resource_exhausted  it takes no writes now (OOM, MISCONF, NOREPLICAS)
//   already_exists      an entry's id is not above the last one's
//   invalid_argument    the configuration is wrong (NOAUTH, WRONGPASS, NOPERM, WRONGTYPE, unknown command)
//   internal            all else
Code redis_error_code(std::string_view text);

class RedisLink {
 public:
  explicit RedisLink(RedisAddress address, Millis timeout_ms = 1000);
  ~RedisLink() { drop(); }
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  const RedisAddress& address() const { return address_; }
  bool connected() const { return context_ != nullptr; }
  // A fresh connection with its time-outs set and the password said; an older one is given up. Code::unavailable: nobody is
  // there.
  Result<void> connect();
  void drop();

  // One command and its reply. An error that Redis answered has its code as above. Code::unknown: the connection broke or said
  // nothing in time; it is given up, and what became of the command is not known.
  Result<RedisReply> ask(const RedisWords& words);
  // Several commands in one write; as many replies, or errors, in their order.
  std::vector<Result<RedisReply>> ask_all(std::span<const RedisWords> commands);

 private:
  Result<RedisReply> take_reply();
  tl::unexpected<Error> broken(std::string_view doing);
  Result<std::string> read_password() const;

  RedisAddress address_;
  Millis timeout_ms_;
  redisContext* context_ = nullptr;
};

}  // namespace xundian
