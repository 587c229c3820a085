// Questions and answers between processes of a home, over its local sockets. A question is answered in the loop of whoever folds,
// so what it costs is who wakes for it: the asker and the asked, and no thread between them. One that takes long is answered by a
// child of that process, from the state as it stood when it was asked, and the loop goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/error.h"
#include "common/large_pages.h"
#include "common/version.h"

namespace xundian {

// Endpoint names: "bus.<b>.query", "<service>.<instance>.query" (Home::endpoint).
// On a connection a question and its answer take turns. Each is a length (4 bytes) and so many bytes: of a question the length of
// its method (4 bytes), the method and the request; of an answer its code (4 bytes; 0 = good) and what is said.
inline constexpr size_t query_bytes_max = 64u << 20;

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// Answers questions; the owner polls `descriptor()` and calls `serve_one` when it can be read.
class QueryServer {
 public:
  using Answer = std::function<Result<std::string>(std::string_view method, std::string_view request)>;
  // Which questions take long: those that are known to, and whatever finds that its patience is over (common/patience.h). A child
  // answers them, two at a time; the others wait. `answer` touches neither journal, sockets nor log.
  struct Long {
    std::function<bool(std::string_view method, std::string_view request)> is_known;
    Millis patience_ms = 0;
  };
  // Takes the endpoint from whoever had it. Ends the process where it cannot be bound.
  QueryServer(const std::string& endpoint, Answer answer) : QueryServer(endpoint, std::move(answer), Long{}) {}
  QueryServer(const std::string& endpoint, Answer answer, Long of_long);
  ~QueryServer();
  int descriptor() const { return poll_.get(); }
  // Answers one waiting question; false if there is none. It never waits: who does not read his answer holds up nobody, and who
  // does not ask as it is done here is cut off.
  bool serve_one();

 private:
  struct Asker {
    Descriptor socket;
    std::string question;  // As much of it as has come.
    std::string answer;    // That is being sent.
    size_t sent = 0;       // Of it.
    bool is_held = false;  // Until he has read some of it.
    bool is_long = false;  // A child answers him, or will.
  };
  struct Child {
    Descriptor ended;  // Can be read when it has.
    pid_t process = 0;
    int asker = -1;  // His socket; -1: he is gone.
  };
  enum class Turn { waits, answered, gone };
  void let_in();
  Turn take_turn(Asker& asker);
  Result<std::string> answer(std::string_view method, std::string_view request);
  Turn tell(Asker& asker, const Result<std::string>& answer);
  Turn take_long(Asker& asker);
  bool answer_beside(Asker& asker);  // False: the system has no room for a child now.
  void end_child(int ended);
  void forget(int asker);
  bool send(Asker& asker);                                       // False: there is nobody any more.
  bool watch(int socket, int operation, uint32_t events) const;  // False: the system does not.

  std::string path_;
  uint64_t inode_ = 0;  // Of our socket; another may have taken the path since.
  Descriptor listener_, poll_;
  Answer answer_;
  Long long_;
  std::map<int, Asker> askers_;
  std::map<int, Child> children_;  // By `ended`.
  std::deque<int> waiting_;        // Whose questions are long and wait for a child to end.
  LargePages large_pages_;         // Of this process, which children break up.
};

// Asks one service. Not thread safe; cheap to make.
class QueryClient {
 public:
  explicit QueryClient(std::string endpoint);
  // Code::unavailable if no answer comes in time, or the service ended while it was asked; the client may be used again. A
  // service that is not there yet is waited for. No question is taken twice.
  Result<std::string> ask(std::string_view method, std::string_view request, Millis timeout_ms);
  // The two halves of `ask`, so that one thread may have a question open at several services. One at a time for each client.
  void send(std::string_view method, std::string_view request, Millis timeout_ms);
  Result<std::string> receive();
  template <typename Response, typename Request>
  Result<Response> ask_as(std::string_view method, const Request& request, Millis timeout_ms) {
    const std::string bytes = TRY(ask(method, request.SerializeAsString(), timeout_ms));
    Response response;
    if (!response.ParseFromString(bytes)) return fail(Code::internal, "the answer to {} cannot be read", method);
    return response;
  }

 private:
  enum class Heard { nothing, answer, end };
  void go_on();  // Sends what is left of the question, as far as it can be sent now.
  void begin_again();
  Heard hear();
  void wait(Millis left_ms);

  std::string endpoint_;
  Descriptor socket_;
  // The question that is open.
  std::string method_, question_, answer_;
  size_t sent_ = 0;
  Millis timeout_ms_ = 0, until_ms_ = 0;
};

}  // namespace xundian
