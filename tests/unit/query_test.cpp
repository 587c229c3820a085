// Questions come through whole or not at all, whoever else is at the door.
#include "common/query.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/patience.h"

namespace xundian {
namespace {

constexpr Millis long_ms = 10'000;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/xd.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string endpoint() const { return "ipc://" + path_ + "/query"; }
  std::string socket() const { return path_ + "/query"; }
  sockaddr_un address() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }

 private:
  std::string path_;
};

// Answers in a thread, as a service does in its loop: "echo" gives back the request, "large" as many bytes as the request says,
// all else is an error.
class Service {
 public:
  explicit Service(const Folder& folder)
      : server_(folder.endpoint(), [this](auto method, auto request) { return answer(method, request); }),
        thread_([this](const std::stop_token& stop) {
          pollfd readable{server_.descriptor(), POLLIN, 0};
          while (!stop.stop_requested())
            if (::poll(&readable, 1, 10) > 0) server_.serve_one();
        }) {}
  int answered() const { return answered_; }

 private:
  Result<std::string> answer(std::string_view method, std::string_view request) {
    answered_ += 1;
    if (method == "echo") return std::string(request);
    if (method == "large") return std::string(std::stoul(std::string(request)), 'x');
    return fail(Code::unimplemented, "nobody answers {}", method);
  }

  std::atomic<int> answered_ = 0;
  QueryServer server_;
  std::jthread thread_;
};

// Whoever comes to the door without being a client of ours.
class Stranger {
 public:
  explicit Stranger(const Folder& folder) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = folder.address();
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  bool says(std::string_view bytes) const {
    return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  void say(std::string_view bytes) const { EXPECT_TRUE(says(bytes)); }
  // Though a child of this process may hold the socket open.
  void leave() const { ::shutdown(socket_.get(), SHUT_RDWR); }
  // What comes until the other side ends it, or the time is over.
  std::string hear(size_t at_most = SIZE_MAX) const {
    std::string heard;
    pollfd readable{socket_.get(), POLLIN, 0};
    while (heard.size() < at_most && ::poll(&readable, 1, static_cast<int>(long_ms)) > 0) {
      char piece[4096];
      const ssize_t count = ::recv(socket_.get(), piece, std::min(sizeof piece, at_most - heard.size()), 0);
      if (count <= 0) return heard;
      heard.append(piece, static_cast<size_t>(count));
    }
    return heard;
  }
  bool is_cut_off() const {
    pollfd readable{socket_.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&readable, 1, static_cast<int>(long_ms)) == 1 && ::recv(socket_.get(), &byte, 1, 0) <= 0;
  }

 private:
  Descriptor socket_;
};

// A listener that does not answer as a service does.
class Impostor {
 public:
  explicit Impostor(const Folder& folder) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = folder.address();
    ::unlink(address.sun_path);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_.get(), 8), 0);
  }
  Descriptor let_in() const {
    pollfd readable{socket_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, static_cast<int>(long_ms)), 1) << "nobody came";
    return readable.revents != 0 ? Descriptor(::accept(socket_.get(), nullptr, nullptr)) : Descriptor();
  }

 private:
  Descriptor socket_;
};

std::string question(std::string_view method, std::string_view request) {
  std::string frame;
  append(frame, static_cast<uint32_t>(4 + method.size() + request.size()));
  append_text(frame, method);
  frame.append(request);
  return frame;
}

std::string answer(uint32_t code, std::string_view said) {
  std::string frame;
  append(frame, static_cast<uint32_t>(4 + said.size()));
  append(frame, code);
  frame.append(said);
  return frame;
}

void expect_echo(QueryClient& client, const std::string& request) {
  const auto said = client.ask("echo", request, long_ms);
  ASSERT_TRUE(said.has_value()) << said.error().message;
  EXPECT_EQ(said->size(), request.size());
  EXPECT_EQ(*said, request);
}

TEST(Query, AnswersWhatIsAsked) {
  const Folder folder;
  const Service service(folder);
  QueryClient client(folder.endpoint());
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{70'000}, size_t{3'000'000}})
    expect_echo(client, std::string(bytes, 'q'));
  const auto refused = client.ask("sing", "", long_ms);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::unimplemented);
  EXPECT_EQ(refused.error().message, "nobody answers sing");
  expect_echo(client, "after an error");
}

TEST(Query, AnswersManyAtOnce) {
  const Folder folder;
  const Service service(folder);
  std::vector<std::unique_ptr<QueryClient>> clients;
  for (int number = 0; number < 50; ++number) clients.push_back(std::make_unique<QueryClient>(folder.endpoint()));
  for (int round = 0; round < 20; ++round) {
    for (size_t index = 0; index < clients.size(); ++index) clients[index]->send("echo", std::to_string(index), long_ms);
    for (size_t index = 0; index < clients.size(); ++index)
      EXPECT_EQ(clients[index]->receive().value_or("none"), std::to_string(index));
  }
  EXPECT_EQ(service.answered(), 1000);
}

TEST(Query, TellsWhatIsTooLarge) {
  const Folder folder;
  const Service service(folder);
  QueryClient client(folder.endpoint());
  const auto largest = client.ask("large", std::to_string(query_bytes_max - 4), 6 * long_ms);
  ASSERT_TRUE(largest.has_value()) << largest.error().message;
  EXPECT_EQ(largest->size(), query_bytes_max - 4);
  const auto larger = client.ask("large", std::to_string(query_bytes_max - 3), 6 * long_ms);
  ASSERT_FALSE(larger.has_value());
  EXPECT_EQ(larger.error().code, Code::resource_exhausted);
  const auto asked = client.ask("echo", std::string(query_bytes_max, 'q'), long_ms);
  ASSERT_FALSE(asked.has_value());
  EXPECT_EQ(asked.error().code, Code::resource_exhausted);
  expect_echo(client, "after what was too large");
}

TEST(Query, WaitsForAServiceThatIsNotThereYet) {
  const Folder folder;
  QueryClient client(folder.endpoint());
  const auto silence = client.ask("echo", "too early", 30);
  ASSERT_FALSE(silence.has_value());
  EXPECT_EQ(silence.error().code, Code::unavailable);
  client.send("echo", "early", long_ms);
  const Service service(folder);
  EXPECT_EQ(client.receive().value_or("none"), "early");
}

TEST(Query, FindsTheServicesNextLife) {
  const Folder folder;
  QueryClient client(folder.endpoint());
  for (int life = 0; life < 3; ++life) {
    const Service service(folder);
    expect_echo(client, std::to_string(life));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.socket())) << "what is left would be taken for a service";
}

// A life that ends takes away its own socket, not that of the life that has taken its place.
TEST(Query, LeavesAnothersSocketAlone) {
  const Folder folder;
  std::optional<Service> earlier(std::in_place, folder);
  const Service later(folder);
  earlier.reset();
  QueryClient client(folder.endpoint());
  expect_echo(client, "the later");
}

TEST(Query, ALateAnswerIsNotTakenForTheNextQuestions) {
  const Folder folder;
  const Impostor slow(folder);
  QueryClient client(folder.endpoint());
  const auto late = client.ask("echo", "first", 20);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::unavailable);
  const Descriptor first = slow.let_in();
  std::thread serving([&] {
    const std::string wrong = answer(0, "wrong"), right = answer(0, "right");
    ::send(first.get(), wrong.data(), wrong.size(), MSG_NOSIGNAL);
    const Descriptor second = slow.let_in();
    char taken[100];
    EXPECT_GT(::recv(second.get(), taken, sizeof taken, 0), 0);
    ::send(second.get(), right.data(), right.size(), MSG_NOSIGNAL);
  });
  EXPECT_EQ(client.ask("echo", "second", long_ms).value_or("none"), "right");
  serving.join();
}

// Who reads a question and ends may have done what was asked.
TEST(Query, NoQuestionIsTakenTwice) {
  const Folder folder;
  const Impostor dying(folder);
  QueryClient client(folder.endpoint());
  client.send("echo", "once", long_ms);
  {
    const Descriptor asker = dying.let_in();
    char taken[100];
    ASSERT_EQ(::recv(asker.get(), taken, sizeof taken, 0), static_cast<ssize_t>(question("echo", "once").size()));
  }
  const Millis began = steady_ms();
  const auto told = client.receive();
  ASSERT_FALSE(told.has_value());
  EXPECT_EQ(told.error().code, Code::unavailable);
  EXPECT_NE(told.error().message.find("ended while it was asked echo"), std::string::npos) << told.error().message;
  EXPECT_LT(steady_ms() - began, long_ms / 2) << "it is known at once";
}

// Who is turned away before he was heard comes again.
TEST(Query, WhatWasNotHeardIsAskedAgain) {
  const Folder folder;
  const Impostor full(folder);
  QueryClient client(folder.endpoint());
  client.send("echo", "again", long_ms);
  std::thread serving([&] {
    { const Descriptor turned_away = full.let_in(); }
    const Descriptor asker = full.let_in();
    char taken[100];
    EXPECT_EQ(::recv(asker.get(), taken, sizeof taken, 0), static_cast<ssize_t>(question("echo", "again").size()));
    const std::string said = answer(0, "heard");
    ::send(asker.get(), said.data(), said.size(), MSG_NOSIGNAL);
  });
  EXPECT_EQ(client.receive().value_or("none"), "heard");
  serving.join();
}

TEST(Query, AnAnswerThatIsNoneIsAnError) {
  for (const std::string& wrong : {std::string("\xff\xff\xff\xff", 4), std::string("\0\0\0\0", 4), std::string("\3\0\0\0abc", 7),
                                   answer(0, "good") + "more"}) {
    const Folder folder;
    const Impostor garbling(folder);
    QueryClient client(folder.endpoint());
    client.send("echo", "", long_ms);
    const Descriptor asker = garbling.let_in();
    ASSERT_EQ(::send(asker.get(), wrong.data(), wrong.size(), MSG_NOSIGNAL), static_cast<ssize_t>(wrong.size()));
    const auto told = client.receive();
    ASSERT_FALSE(told.has_value()) << *told;
    EXPECT_EQ(told.error().code, Code::unavailable);
  }
}

TEST(Query, WhoAsksOtherwiseIsCutOff) {
  const Folder folder;
  const Service service(folder);
  QueryClient client(folder.endpoint());
  std::string too_long, no_method = question("echo", "");
  append(too_long, static_cast<uint32_t>(query_bytes_max + 1));
  store(no_method.data() + 4, uint32_t{5});  // Of four letters.
  for (const std::string& wrong : {too_long, no_method, std::string("\0\0\0\0", 4), std::string("GET / HTTP/1.1\r\n\r\n"),
                                   question("echo", "one") + question("echo", "two")}) {
    const Stranger stranger(folder);
    stranger.say(wrong);
    EXPECT_TRUE(stranger.is_cut_off());
    expect_echo(client, "beside a stranger");
  }
  EXPECT_EQ(service.answered(), 5);
}

TEST(Query, HalfAQuestionIsNone) {
  const Folder folder;
  const Service service(folder);
  const std::string whole = question("echo", "request");
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) Stranger(folder).say(std::string_view(whole).substr(0, bytes));
  const Stranger slow(folder);
  for (const char byte : whole) slow.say({&byte, 1});
  EXPECT_EQ(slow.hear(15), answer(0, "request"));
  EXPECT_EQ(service.answered(), 1);
}

TEST(Query, NoiseDoesNoHarm) {
  const Folder folder;
  const Service service(folder);
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string noise = question("echo", std::string(random() % 40, 'q'));
    for (uint64_t changes = random() % 4; changes > 0; --changes) noise[random() % noise.size()] = static_cast<char>(random());
    noise.resize(random() % noise.size());
    const Stranger stranger(folder);
    for (std::string_view left = noise; !left.empty();) {
      const size_t piece = 1 + random() % left.size();
      if (!stranger.says(left.substr(0, piece))) break;  // Cut off by now.
      left.remove_prefix(piece);
    }
  }
  QueryClient client(folder.endpoint());
  expect_echo(client, "after the noise");
}

TEST(Query, WhoDoesNotReadHoldsUpNobody) {
  const Folder folder;
  const Service service(folder);
  constexpr size_t bytes = 20'000'000;
  const Stranger deaf(folder);
  deaf.say(question("large", std::to_string(bytes)));
  QueryClient client(folder.endpoint());
  for (int round = 0; round < 100; ++round) expect_echo(client, std::to_string(round));
  EXPECT_EQ(deaf.hear(bytes + 8), answer(0, std::string(bytes, 'x'))) << "he reads it later";
  deaf.say(question("echo", "and asks again"));
  EXPECT_EQ(deaf.hear(22), answer(0, "and asks again"));
}

// A loop that is told of nothing new rests.
TEST(Query, NothingIsToldOnceAllIsRead) {
  const Folder folder;
  constexpr size_t bytes = 2'000'000;
  QueryServer server(folder.endpoint(), [](auto, auto) { return std::string(bytes, 'x'); });
  pollfd readable{server.descriptor(), POLLIN, 0};
  const auto is_told = [&] { return ::poll(&readable, 1, 0) == 1; };
  const Stranger slow(folder);
  slow.say(question("large", ""));
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(server.serve_one());
  EXPECT_FALSE(is_told()) << "he has not read what was sent";
  size_t heard = 0;
  for (int turns = 0; heard < bytes + 8 && turns < 10'000; ++turns) {
    heard += slow.hear(std::min<size_t>(bytes + 8 - heard, 4096)).size();
    server.serve_one();
  }
  EXPECT_EQ(heard, bytes + 8);
  EXPECT_FALSE(is_told());
}

// A service that writes a snapshot has a child, which holds open what it held.
TEST(Query, AnAskerIsForgottenThoughAChildHoldsHisSocket) {
  const Folder folder;
  QueryServer server(folder.endpoint(), [](auto, auto) { return std::string(); });
  std::optional<Stranger> gone(std::in_place, folder);
  EXPECT_FALSE(server.serve_one());  // He is let in.
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    gone.reset();
    ::close(ready[0]);
    ::close(ready[1]);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char none = 0;
  EXPECT_EQ(::read(ready[0], &none, 1), 0);  // The child has let go of his end.
  ::close(ready[0]);
  gone.reset();
  EXPECT_FALSE(server.serve_one());
  pollfd readable{server.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// Where descriptors run out newcomers wait outside, and come in once there are some.
TEST(Query, FewDescriptorsKeepNewcomersOutForAWhile) {
  const Folder folder;
  const Service service(folder);
  QueryClient old(folder.endpoint()), newcomer(folder.endpoint());
  expect_echo(old, "before");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor next(::dup(0));
  const rlimit few{static_cast<rlim_t>(next.get()) + 8, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto outside = newcomer.ask("echo", "outside", 100);
  expect_echo(old, "meanwhile");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(outside.has_value());
  expect_echo(newcomer, "inside");
}

TEST(Query, AllWhoCannotComeInAreToldSo) {
  const Folder folder;
  QueryServer server(folder.endpoint(), [](auto, auto) { return std::string(); });
  const Stranger one(folder), other(folder);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor next(::dup(0));
  const rlimit few{static_cast<rlim_t>(next.get()) + 8, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_FALSE(server.serve_one());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(one.is_cut_off());
  EXPECT_TRUE(other.is_cut_off());
}

// Two ends of a pipe, which children of this process have too.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    from_ = Descriptor(ends[0]), to_ = Descriptor(ends[1]);
  }
  void put(pid_t number) const { EXPECT_EQ(::write(to_.get(), &number, sizeof number), static_cast<ssize_t>(sizeof number)); }
  pid_t take() const {
    pid_t number = 0;
    return has_some(long_ms) && ::read(from_.get(), &number, sizeof number) == sizeof number ? number : -1;
  }
  bool has_some(Millis wait_ms) const {
    pollfd readable{from_.get(), POLLIN, 0};
    return ::poll(&readable, 1, static_cast<int>(wait_ms)) == 1;
  }

 private:
  Descriptor from_, to_;
};

// A service some of whose answers take long: that of "known" is known to, that of "grows" is found to. Either says that it has
// begun, waits until it may go on, and says which process gave it.
class LongService {
 public:
  explicit LongService(const Folder& folder)
      : server_(folder.endpoint(), [this](auto method, auto request) { return answer(method, request); },
                {[](auto method, auto) { return method != "grows" && method != "echo"; }, 1}),
        thread_([this](const std::stop_token& stop) {
          pollfd readable{server_.descriptor(), POLLIN, 0};
          while (!stop.stop_requested())
            if (::poll(&readable, 1, 10) > 0) server_.serve_one();
        }) {}
  Pipe begun, may_go_on;

 private:
  Result<std::string> answer(std::string_view method, std::string_view request) {
    if (method == "echo") return std::string(request);
    if (method == "large") return std::string(std::stoul(std::string(request)), 'x');
    if (method == "dies") ::raise(SIGKILL);
    while (method == "grows" && ::getpid() == service_)
      if (Patience::is_over()) return std::string("as far as it went");
    begun.put(::getpid());
    may_go_on.take();
    return std::to_string(::getpid());
  }

  const pid_t service_ = ::getpid();
  QueryServer server_;
  std::jthread thread_;
};

// Whether a child has ended, or does so soon.
bool ends(pid_t child) {
  const Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd readable{ended.get(), POLLIN, 0};
  return !ended.is_open() || ::poll(&readable, 1, static_cast<int>(long_ms / 2)) == 1;
}

TEST(LongQuery, IsAnsweredByAChildWhileOthersAreAnsweredToo) {
  const Folder folder;
  LongService service(folder);
  for (const char* method : {"known", "grows"}) {
    QueryClient asks_much(folder.endpoint()), asks_little(folder.endpoint());
    asks_much.send(method, "", long_ms);
    const pid_t child = service.begun.take();
    EXPECT_NE(child, ::getpid());
    for (int time = 0; time < 3; ++time) EXPECT_EQ(asks_little.ask("echo", "hello", long_ms).value(), "hello") << method;
    service.may_go_on.put(0);
    EXPECT_EQ(asks_much.receive().value(), std::to_string(child)) << method;
    EXPECT_TRUE(ends(child));
    EXPECT_EQ(asks_much.ask("echo", "again", long_ms).value(), "again") << "on the same connection";
  }
}

TEST(LongQuery, TwoAreAnsweredAtATimeAndTheOthersAfterThem) {
  const Folder folder;
  LongService service(folder);
  std::vector<std::unique_ptr<QueryClient>> askers;
  for (int number = 0; number < 4; ++number) {
    askers.push_back(std::make_unique<QueryClient>(folder.endpoint()));
    askers.back()->send("known", "", long_ms);
  }
  service.begun.take(), service.begun.take();
  const Stranger leaves(folder);
  leaves.say(question("known", ""));
  EXPECT_FALSE(service.begun.has_some(100)) << "a third began";
  leaves.leave();
  for (int left = 4; left > 0; --left) {
    service.may_go_on.put(0);
    if (left > 2) {
      EXPECT_GT(service.begun.take(), 0);
    }
  }
  std::set<std::string> children;
  for (const auto& asker : askers) children.insert(asker->receive().value());
  EXPECT_EQ(children.size(), 4u);
  EXPECT_EQ(askers[0]->ask("echo", "on", long_ms).value(), "on");
  EXPECT_FALSE(service.begun.has_some(100)) << "a child answers who is gone";
}

TEST(LongQuery, AChildEndsWithWhoeverAsked) {
  const Folder folder;
  LongService service(folder);
  const Stranger asker(folder);
  asker.say(question("known", ""));
  const pid_t child = service.begun.take();
  asker.leave();
  EXPECT_TRUE(ends(child));
  EXPECT_FALSE(service.may_go_on.has_some(0)) << "it was told to go on";
  EXPECT_EQ(QueryClient(folder.endpoint()).ask("echo", "on", long_ms).value(), "on");
}

TEST(LongQuery, AChildEndsWithItsService) {
  const Folder folder;
  QueryClient asker(folder.endpoint());
  pid_t child = 0;
  {
    LongService service(folder);
    asker.send("known", "", long_ms);
    child = service.begun.take();
  }
  EXPECT_TRUE(ends(child));
  EXPECT_EQ(asker.receive().error().code, Code::unavailable);
}

TEST(LongQuery, WhoseChildDiesIsToldSo) {
  const Folder folder;
  LongService service(folder);
  QueryClient asker(folder.endpoint());
  const auto answer = asker.ask("dies", "", long_ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_NE(answer.error().message.find("ended while it was asked dies"), std::string::npos) << answer.error().message;
  EXPECT_EQ(asker.ask("echo", "on", long_ms).value(), "on");
}

TEST(LongQuery, AChildsAnswerComesWholeOrIsAnError) {
  const Folder folder;
  LongService service(folder);
  QueryClient asker(folder.endpoint());
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{20'000'000}, query_bytes_max - 4})
    EXPECT_EQ(asker.ask("large", std::to_string(bytes), long_ms).value(), std::string(bytes, 'x'));
  const auto too_large = asker.ask("large", std::to_string(query_bytes_max), long_ms);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Code::resource_exhausted) << too_large.error().message;
}

TEST(Patience, IsOverOnceForAllAndOnlyWhereItWasSet) {
  EXPECT_FALSE(Patience::is_over());
  {
    const Patience much(std::chrono::hours(1));
    EXPECT_FALSE(Patience::is_over() || much.was_over());
    std::thread([] { EXPECT_FALSE(Patience::is_over()) << "another thread's"; }).join();
  }
  {
    const Patience none(std::chrono::milliseconds(0));
    EXPECT_FALSE(none.was_over()) << "nobody was told";
    EXPECT_TRUE(Patience::is_over() && Patience::is_over() && none.was_over());
  }
  EXPECT_FALSE(Patience::is_over());
}

}  // namespace
}  // namespace xundian
