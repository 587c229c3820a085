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
#include "tests/unit/query_door.h"

namespace xundian {
namespace {

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

}  // namespace
}  // namespace xundian
