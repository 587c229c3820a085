// A real Redis for a test, in a folder of its own, set up as deploy/redis does it; gone with its scope.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/journal_redis.h"

namespace xundian {

class RedisServer {
 public:
  // With a port on loopback too, for replicas, if `primary_port` is not -1: that port's replica if it is one, else a primary.
  explicit RedisServer(int primary_port = -1, std::vector<std::string> settings = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Starts it (again), on what it left behind; returns when it answers.
  void start();
  // Sends a signal and waits for the end.
  void end(int signal);
  void send(int signal) const;
  // One command; CHECKs that it worked. Returns the text of the reply.
  std::string say(const std::vector<std::string>& words);
  // Waits until this primary has so many replicas that have all.
  void await_replicas(int count);

  RedisAddress address() const { return {folder_ + "/redis.sock", "", 0, ""}; }
  int port() const { return port_; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  int port_ = 0;
  std::vector<std::string> settings_;
  pid_t pid_ = 0;
};

// A free port on loopback.
int free_port();

// A Redis with so many replicas, one for all the tests of a process. `replicas` is 0 or 1.
struct RedisPair {
  std::unique_ptr<RedisServer> primary, replica;

  static RedisPair make(uint32_t replicas);
  static RedisPair& shared(uint32_t replicas);
};

}  // namespace xundian
