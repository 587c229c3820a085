// RehearseRules: the past is played by a process of its own, so that neither the services nor the gateway wait for it.
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "common/bytes.h"
#include "common/time.h"
#include "services/gateway/api.h"
#include "services/gateway/rules_file.h"
#include "xundian/query/v1/rehearsal.pb.h"

extern char** environ;

namespace xundian::gateway {

namespace {

constexpr Millis look_every_ms = 200;  // Whether the caller is still there.
constexpr size_t answer_bytes_max = 64u << 20;

// xundian-rehearsal, which ends with this object at the latest. One stream of bytes leads to it and back.
class Player {
 public:
  static Result<Player> start(const std::string& home) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::string program = (self.parent_path() / "xundian-rehearsal").string();
    if (error || !std::filesystem::exists(program)) return fail(Code::unimplemented, "{} is not there", program);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      return fail(Code::internal, "no socket: {}", std::strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const char* arguments[] = {program.c_str(), "--home", home.c_str(), nullptr};
    Player player;
    const int failed =
        posix_spawn(&player.child_, program.c_str(), &actions, nullptr, const_cast<char* const*>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    player.socket_ = ends[0];
    if (failed != 0) return fail(Code::internal, "{} cannot be started: {}", program, std::strerror(failed));
    return player;
  }
  Player(Player&& other) noexcept : child_(std::exchange(other.child_, 0)), socket_(std::exchange(other.socket_, -1)) {}
  Player& operator=(Player&&) = delete;
  ~Player() {
    if (socket_ >= 0) close(socket_);
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }

  Result<void> ask(const std::string& question) {
    std::string_view rest = question;
    while (!rest.empty()) {
      const ssize_t sent = send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) return fail(Code::internal, "the rehearsal ended before it began; see the gateway's log");
      rest.remove_prefix(static_cast<size_t>(sent));
    }
    shutdown(socket_, SHUT_WR);
    return {};
  }

  // The next message, if it comes within a moment. Code::out_of_range: there are no more.
  Result<std::optional<query::v1::RehearseResponse>> next() {
    query::v1::RehearseResponse message;
    if (take(message)) return message;
    pollfd waits{socket_, POLLIN, 0};
    if (poll(&waits, 1, static_cast<int>(look_every_ms)) <= 0) return std::nullopt;
    char bytes[65536];
    const ssize_t count = read(socket_, bytes, sizeof bytes);
    if (count <= 0) return fail(Code::out_of_range, "it ended");
    came_.append(bytes, static_cast<size_t>(count));
    if (came_.size() > answer_bytes_max) return fail(Code::resource_exhausted, "these are too many alerts; ask for fewer days");
    if (take(message)) return message;
    return std::nullopt;
  }

 private:
  Player() = default;

  bool take(query::v1::RehearseResponse& message) {
    if (came_.size() < sizeof(uint32_t)) return false;
    const auto size = load<uint32_t>(came_.data());
    if (came_.size() - sizeof size < size) return false;
    const bool read = message.ParseFromArray(came_.data() + sizeof size, static_cast<int>(size));
    came_.erase(0, sizeof size + size);
    return read;
  }

  pid_t child_ = 0;
  int socket_ = -1;
  std::string came_;
};

}  // namespace

Result<void> Api::rehearse_rules(const Call& call, const v1::RehearseRulesRequest& request,
                                 const Sink<v1::RehearseRulesResponse>& sink) {
  v1::CheckRulesRequest question;
  question.set_text(request.text());
  const v1::CheckRulesResponse checked = TRY(check_rules(call, question));
  if (!checked.missing().empty())
    return fail(Code::unavailable, "the rules cannot be checked while {} does not answer", fmt::join(checked.missing(), ", "));
  if (TRY(parse_day(request.to())) < TRY(parse_day(request.from())))
    return fail(Code::invalid_argument, "{} lies behind {}", request.from(), request.to());
  v1::RehearseRulesResponse response;
  response.set_rules(checked.rules());
  *response.mutable_errors() = checked.errors();
  if (!checked.errors().empty()) {
    sink(response);
    return {};
  }
  const std::unique_lock one(rehearsal_mutex_, std::try_to_lock);
  if (!one) return fail(Code::resource_exhausted, "another rehearsal is running; try again when it has ended");
  const v1::ListRulesResponse known = TRY(list_rules(call, {}));
  query::v1::RehearseRequest rehearse;
  rehearse.set_tenant(call.tenant());
  rehearse.set_set(request.set().empty() ? "team" : request.set());
  *rehearse.mutable_list() = read_rules(request.text(), {known.rules().begin(), known.rules().end()}).rules;
  rehearse.set_from(request.from());
  rehearse.set_to(request.to());
  Player player = TRY(Player::start(home_.folder()));
  TRY_VOID(player.ask(rehearse.SerializeAsString()));
  for (;;) {
    auto message = player.next();
    if (!message && message.error().code == Code::out_of_range)
      return fail(Code::internal, "the rehearsal ended without a result; see the gateway's log");
    if (!message) return tl::unexpected(message.error());
    if (stopping_) return fail(Code::unavailable, "the gateway is closing");
    if (call.gone && call.gone()) return fail(Code::cancelled, "nobody waits any more");
    if (!*message) continue;
    *response.mutable_result() = std::move(**message);
    if (!sink(response) || response.result().done()) return {};
  }
}

}  // namespace xundian::gateway
