// Questions that take long are answered by children, and nobody else waits for them.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "common/patience.h"
#include "tests/unit/query_door.h"

namespace xundian {
namespace {

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

TEST(LongQuery, WhereNoChildCanBeMadeItIsSaid) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP()
      << "the sanitizers open descriptors of their own to look at an object's type, and take one that they cannot for wrong";
#endif
  const Folder folder;
  LongService service(folder);
  QueryClient asker(folder.endpoint());
  EXPECT_EQ(asker.ask("echo", "before", long_ms).value(), "before");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor next(::dup(0));
  const rlimit none{static_cast<rlim_t>(next.get()), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto answer = asker.ask("known", "", long_ms);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::resource_exhausted) << answer.error().message;
  EXPECT_EQ(asker.ask("echo", "after", long_ms).value(), "after");
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
