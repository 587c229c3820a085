#include "tests/conformance/redis_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/clock.h"

namespace xundian {

namespace {

constexpr Millis start_ms = 20'000;

void pause_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

}  // namespace

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0, "a port on loopback");
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "its number");
  close(fd);
  return ntohs(address.sin_port);
}

RedisServer::RedisServer(int primary_port, std::vector<std::string> settings) {
  char folder[] = "/tmp/xr.XXXXXX";
  CHECK(mkdtemp(folder) != nullptr, "no temporary folder");
  folder_ = folder;
  if (primary_port >= 0) port_ = free_port();
  settings_ = {"redis-server",
               "--port",
               std::to_string(port_),
               "--bind",
               "127.0.0.1",
               "--unixsocket",
               folder_ + "/redis.sock",
               "--dir",
               folder_,
               "--logfile",
               folder_ + "/redis.log",
               "--appendonly",
               "yes",
               "--appendfsync",
               "always",
               "--no-appendfsync-on-rewrite",
               "no",
               "--save",
               "",
               "--maxmemory-policy",
               "noeviction",
               "--repl-diskless-sync-delay",
               "0"};
  if (primary_port > 0) settings_.insert(settings_.end(), {"--replicaof", fmt::format("127.0.0.1 {}", primary_port)});
  settings_.insert(settings_.end(), settings.begin(), settings.end());
  start();
}

RedisServer::~RedisServer() {
  if (pid_ > 0) end(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::start() {
  std::vector<char*> arguments;
  for (std::string& setting : settings_) arguments.push_back(setting.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  CHECK(pid_ >= 0, "no process");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // A test that crashes leaves nothing behind.
    execvp("redis-server", arguments.data());
    _exit(127);
  }
  RedisLink link(address());
  for (const Millis until = steady_ms() + start_ms; steady_ms() < until; pause_ms(5)) {
    if (link.connect()) {
      const auto pong = link.ask({"PING"});
      if (pong || pong.error().code == Code::invalid_argument) return;  // Or it wants a password.
    }
  }
  CHECK(false, "redis-server does not answer; is the package redis-server there?");
}

void RedisServer::end(int signal) {
  kill(pid_, signal);
  kill(pid_, SIGCONT);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::send(int signal) const { kill(pid_, signal); }

std::string RedisServer::say(const std::vector<std::string>& words) {
  RedisLink link(address(), start_ms);
  CHECK(link.connect().has_value(), "the Redis answers");
  const auto reply = link.ask(RedisWords(words.begin(), words.end()));
  CHECK(reply.has_value(), reply.error().message);
  return (*reply)->type == REDIS_REPLY_INTEGER ? std::to_string((*reply)->integer) : std::string(text_of(**reply));
}

void RedisServer::await_replicas(int count) {
  const std::string wanted = fmt::format("connected_slaves:{}", count);
  for (const Millis until = steady_ms() + start_ms; steady_ms() < until; pause_ms(10)) {
    const std::string info = say({"INFO", "replication"});
    if (info.find(wanted) != info.npos && (count == 0 || info.find("state=online") != info.npos)) return;
  }
  CHECK(false, "the replica does not come");
}

RedisPair RedisPair::make(uint32_t replicas) {
  RedisPair pair;
  pair.primary = std::make_unique<RedisServer>(replicas > 0 ? 0 : -1);
  if (replicas > 0) {
    pair.replica = std::make_unique<RedisServer>(pair.primary->port());
    pair.primary->await_replicas(1);
  }
  return pair;
}

RedisPair& RedisPair::shared(uint32_t replicas) {
  static RedisPair pairs[2];
  if (!pairs[replicas].primary) pairs[replicas] = make(replicas);
  return pairs[replicas];
}

}  // namespace xundian
