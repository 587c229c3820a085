#include "common/query.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/patience.h"

namespace xundian {

namespace {

constexpr size_t length_bytes = sizeof(uint32_t), read_at_once = 64u << 10;
constexpr uint32_t good = 0;  // Where an answer has an error's code.
constexpr int looks_at_once = 64;
constexpr Millis come_again_ms = 20;
constexpr size_t children_max = 2;
constexpr int unread_ms = 10'000;  // A child ends if nothing of its answer is read for so long.

sockaddr_un address_of(const std::string& endpoint) {
  constexpr std::string_view scheme = "ipc://";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(endpoint.starts_with(scheme) && endpoint.size() - scheme.size() < sizeof address.sun_path,
        fmt::format("{} is no local endpoint", endpoint));
  endpoint.copy(address.sun_path, std::string::npos, scheme.size());
  return address;
}

Descriptor open_socket() { return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

// Not open: nobody listens there now.
Descriptor connect_to(const std::string& endpoint) {
  const sockaddr_un address = address_of(endpoint);
  Descriptor socket = open_socket();
  if (!socket.is_open() || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

// 0: there is no such file.
uint64_t inode_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_ino : 0;
}

enum class Came { some, nothing_yet, end, broken };

Came read_more(int socket, std::string& bytes) {
  char piece[read_at_once];
  ssize_t count = -1;
  do count = ::recv(socket, piece, sizeof piece, 0);
  while (count < 0 && errno == EINTR);
  if (count == 0) return Came::end;
  if (count < 0) return errno == EAGAIN ? Came::nothing_yet : Came::broken;
  bytes.append(piece, static_cast<size_t>(count));
  return Came::some;
}

// How many of the bytes could be sent now; nothing: there is nobody any more.
std::optional<size_t> write_some(int socket, std::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      if (errno == EAGAIN) break;
      return std::nullopt;
    }
  }
  return sent;
}

// The same, waiting for whoever reads them.
bool write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = write_some(socket, bytes);
    if (!sent) return false;
    bytes.remove_prefix(*sent);
    pollfd writable{socket, POLLOUT, 0};
    if (!bytes.empty() && ::poll(&writable, 1, unread_ms) <= 0) return false;
  }
  return true;
}

enum class Frame { part, whole, wrong };

// What a frame is that has come as far as this.
Frame look_at(std::string_view frame) {
  if (frame.size() < length_bytes) return Frame::part;
  const size_t length = load<uint32_t>(frame.data());
  if (length > query_bytes_max || frame.size() > length_bytes + length) return Frame::wrong;
  return frame.size() == length_bytes + length ? Frame::whole : Frame::part;
}

std::string frame_of_question(std::string_view method, std::string_view request) {
  std::string frame;
  append(frame, static_cast<uint32_t>(length_bytes + method.size() + request.size()));
  append_text(frame, method);
  frame.append(request);
  return frame;
}

std::string frame_of_answer(const Result<std::string>& answer) {
  const std::string& said = answer ? *answer : answer.error().message;
  std::string frame;
  append(frame, static_cast<uint32_t>(sizeof good + said.size()));
  append(frame, answer ? good : static_cast<uint32_t>(answer.error().code));
  frame.append(said);
  return frame;
}

}  // namespace

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

QueryServer::QueryServer(const std::string& endpoint, Answer answer, Long of_long)
    : listener_(open_socket()), poll_(::epoll_create1(EPOLL_CLOEXEC)), answer_(std::move(answer)), long_(std::move(of_long)) {
  const sockaddr_un address = address_of(endpoint);
  path_ = address.sun_path;
  ::unlink(address.sun_path);
  const bool bound = ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(listener_.get(), SOMAXCONN) == 0;
  CHECK(bound, fmt::format("{} cannot be bound: {}", endpoint, std::strerror(errno)));
  inode_ = inode_of(path_);
  // Told once for each who comes: where no descriptor is left they wait until the next comes, and the loop does not spin.
  CHECK(watch(listener_.get(), EPOLL_CTL_ADD, EPOLLIN | EPOLLET), std::strerror(errno));
}

QueryServer::~QueryServer() {
  for (const auto& [ended, child] : children_) ::kill(child.process, SIGKILL), ::waitpid(child.process, nullptr, 0);
  if (inode_of(path_) == inode_) ::unlink(path_.c_str());
}

void QueryServer::let_in() {
  for (;;) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    const int fd = socket.get();
    // Where the system watches no more sockets he is turned away.
    if (watch(fd, EPOLL_CTL_ADD, EPOLLIN)) askers_[fd].socket = std::move(socket);
  }
}

bool QueryServer::watch(int socket, int operation, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  return ::epoll_ctl(poll_.get(), operation, socket, &event) == 0;
}

bool QueryServer::serve_one() {
  for (int looks = 0; looks < looks_at_once; ++looks) {
    epoll_event event{};
    if (::epoll_wait(poll_.get(), &event, 1, 0) <= 0) return false;
    if (event.data.fd == listener_.get()) {
      let_in();
      continue;
    }
    if (children_.contains(event.data.fd)) {
      end_child(event.data.fd);
      continue;
    }
    const Turn turn = take_turn(askers_.at(event.data.fd));
    if (turn == Turn::answered) return true;
    if (turn == Turn::gone) forget(event.data.fd);
  }
  return false;
}

// Nobody waits for what a child would tell him.
void QueryServer::forget(int asker) {
  for (auto& [ended, child] : children_) {
    if (child.asker != asker) continue;
    ::kill(child.process, SIGKILL);
    child.asker = -1;
  }
  std::erase(waiting_, asker);
  watch(asker, EPOLL_CTL_DEL, 0);  // By hand, for a child of this process may hold the socket open.
  askers_.erase(asker);
}

QueryServer::Turn QueryServer::take_turn(Asker& asker) {
  if (asker.is_long) return Turn::gone;  // Nothing is heard of him but that.
  if (!asker.answer.empty()) return send(asker) ? Turn::waits : Turn::gone;
  const Came came = read_more(asker.socket.get(), asker.question);
  if (came == Came::end || came == Came::broken) return Turn::gone;
  const Frame frame = look_at(asker.question);
  if (frame != Frame::whole) return frame == Frame::part ? Turn::waits : Turn::gone;
  ByteReader question(std::string_view(asker.question).substr(length_bytes));
  const std::string_view method = question.take_text(), request = question.take_bytes(question.left());
  if (!question.ok()) return Turn::gone;
  if (long_.is_known && long_.is_known(method, request)) return take_long(asker);
  std::optional<Patience> patience;
  if (long_.patience_ms > 0) patience.emplace(std::chrono::milliseconds(long_.patience_ms));
  const Result<std::string> answer = this->answer(method, request);
  if (patience && patience->was_over()) return patience.reset(), take_long(asker);
  return tell(asker, answer);
}

QueryServer::Turn QueryServer::tell(Asker& asker, const Result<std::string>& answer) {
  asker.answer = frame_of_answer(answer);
  asker.question = {};
  return send(asker) ? Turn::answered : Turn::gone;
}

Result<std::string> QueryServer::answer(std::string_view method, std::string_view request) {
  Result<std::string> answer = answer_(method, request);
  if (answer && answer->size() > query_bytes_max - sizeof good)
    return fail(Code::resource_exhausted, "the answer to {} has {} bytes; ask for less at once", method, answer->size());
  return answer;
}

// Nothing is heard of him until he has his answer, but that he is gone.
QueryServer::Turn QueryServer::take_long(Asker& asker) {
  asker.is_long = true;
  if (!watch(asker.socket.get(), EPOLL_CTL_MOD, 0)) return Turn::gone;
  if (children_.size() >= children_max) {
    waiting_.push_back(asker.socket.get());
    return Turn::waits;
  }
  if (answer_beside(asker)) return Turn::answered;
  asker.is_long = false;
  const Result<std::string> none = fail(Code::resource_exhausted, "the system has no room for a process that answers this");
  return watch(asker.socket.get(), EPOLL_CTL_MOD, EPOLLIN) ? tell(asker, none) : Turn::gone;
}

bool QueryServer::answer_beside(Asker& asker) {
  const pid_t parent = ::getpid(), process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ByteReader question(std::string_view(asker.question).substr(length_bytes));
    const std::string_view method = question.take_text(), request = question.take_bytes(question.left());
    ::_exit(write_all(asker.socket.get(), frame_of_answer(answer(method, request))) ? 0 : 1);
  }
  if (process < 0) return false;
  Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  const int fd = ended.get();
  if (!ended.is_open() || !watch(fd, EPOLL_CTL_ADD, EPOLLIN)) {
    ::kill(process, SIGKILL), ::waitpid(process, nullptr, 0);
    return false;
  }
  children_[fd] = {std::move(ended), process, asker.socket.get()};
  asker.question = {};
  return true;
}

void QueryServer::end_child(int ended) {
  watch(ended, EPOLL_CTL_DEL, 0);
  const Child child = std::move(children_.at(ended));
  children_.erase(ended);
  int status = 0;
  ::waitpid(child.process, &status, 0);
  large_pages_.mend();
  if (child.asker >= 0) {
    Asker& asker = askers_.at(child.asker);
    asker.is_long = false;
    const bool is_answered = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!is_answered || !watch(child.asker, EPOLL_CTL_MOD, EPOLLIN)) forget(child.asker);
  }
  while (!waiting_.empty() && children_.size() < children_max) {
    const int next = waiting_.front();
    waiting_.pop_front();
    if (take_long(askers_.at(next)) == Turn::gone) forget(next);
  }
}

// What cannot be sent now is sent when its asker has read what was; until then nothing else of his is heard.
bool QueryServer::send(Asker& asker) {
  const auto sent = write_some(asker.socket.get(), std::string_view(asker.answer).substr(asker.sent));
  if (!sent) return false;
  asker.sent += *sent;
  const bool left = asker.sent < asker.answer.size();
  const bool turns = left != std::exchange(asker.is_held, left);
  if (turns && !watch(asker.socket.get(), EPOLL_CTL_MOD, left ? EPOLLOUT : EPOLLIN)) return false;
  if (left) return true;
  asker.answer = {};
  asker.sent = 0;
  return true;
}

QueryClient::QueryClient(std::string endpoint) : endpoint_(std::move(endpoint)) {}

Result<std::string> QueryClient::ask(std::string_view method, std::string_view request, Millis timeout_ms) {
  send(method, request, timeout_ms);
  return receive();
}

void QueryClient::send(std::string_view method, std::string_view request, Millis timeout_ms) {
  method_ = method;
  question_ = frame_of_question(method, request);
  answer_.clear();
  sent_ = 0;
  timeout_ms_ = timeout_ms;
  until_ms_ = steady_ms() + timeout_ms;
  go_on();
}

// A connection of long ago may be to a life of the service that has ended; then it is made anew.
void QueryClient::go_on() {
  if (question_.size() > length_bytes + query_bytes_max) return;
  for (int tries = 0; tries < 2 && sent_ < question_.size(); ++tries) {
    if (!socket_.is_open()) socket_ = connect_to(endpoint_);
    if (!socket_.is_open()) return;
    if (const auto sent = write_some(socket_.get(), std::string_view(question_).substr(sent_))) {
      sent_ += *sent;
      return;
    }
    begin_again();
  }
}

void QueryClient::begin_again() {
  socket_ = Descriptor();
  sent_ = 0;
  answer_.clear();
}

QueryClient::Heard QueryClient::hear() {
  while (socket_.is_open() && look_at(answer_) == Frame::part) {
    const Came came = read_more(socket_.get(), answer_);
    if (came == Came::nothing_yet) return Heard::nothing;
    if (came == Came::end && sent_ == question_.size()) return Heard::end;
    // What it has not read of a question makes an end into a broken connection: the question was not taken, and is asked again.
    if (came != Came::some) begin_again();
  }
  if (!socket_.is_open()) return Heard::nothing;
  return look_at(answer_) == Frame::whole && answer_.size() >= length_bytes + sizeof good ? Heard::answer : Heard::end;
}

void QueryClient::wait(Millis left_ms) {
  pollfd socket{socket_.get(), static_cast<short>(sent_ < question_.size() ? POLLIN | POLLOUT : POLLIN), 0};
  const bool connected = socket_.is_open();
  ::poll(&socket, connected ? 1 : 0, static_cast<int>(connected ? left_ms : std::min(left_ms, come_again_ms)));
}

Result<std::string> QueryClient::receive() {
  if (question_.size() > length_bytes + query_bytes_max)
    return fail(Code::resource_exhausted, "a question of {} bytes is too large for {}", question_.size(), endpoint_);
  for (bool over = false; !over;) {
    go_on();
    // What has come is taken though the time be over: who has several questions open may have waited for another's answer.
    const Heard heard = hear();
    if (heard == Heard::answer) {
      ByteReader answer(std::string_view(answer_).substr(length_bytes));
      const auto code = answer.take<uint32_t>();
      std::string said(answer.take_bytes(answer.left()));
      if (code == good) return said;
      return fail(static_cast<Code>(code), "{}", said);
    }
    if (heard == Heard::end) {
      begin_again();
      return fail(Code::unavailable, "{} ended while it was asked {}", endpoint_, method_);
    }
    const Millis left_ms = until_ms_ - steady_ms();
    over = left_ms <= 0;
    if (!over) wait(left_ms);
  }
  begin_again();  // What was asked in vain is not to be answered later.
  return fail(Code::unavailable, "no answer to {} from {} within {} ms; is the service running?", method_, endpoint_,
              timeout_ms_);
}

}  // namespace xundian
