#include "tests/bus/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/clock.h"
#include "common/query.h"
#include "xundian/query/v1/query.pb.h"

extern char** environ;

namespace xundian {

namespace {

std::string make_folder() {
  char folder[] = "/tmp/xd.XXXXXX";
  CHECK(mkdtemp(folder) != nullptr, "no temporary folder");
  return folder;
}

std::string lines_for(const RedisPair& redis) {
  return fmt::format("engine = \"redis\"\nredis_socket = \"{}\"\nredis_replicas = {}\n", redis.primary->address().socket,
                     redis.replica ? 1 : 0);
}

}  // namespace

std::string name_of_place(const testing::TestParamInfo<Where>& where) {
  return where.param == Where::lmdb ? "Lmdb" : where.param == Where::redis ? "Redis" : "RedisWithReplica";
}

BusProcess::BusProcess(Where where) : folder_(make_folder()) {
  if (where != Where::lmdb) journal_lines_ = lines_for(RedisPair::shared(where == Where::redis ? 0 : 1));
  configure("");
}

BusProcess::BusProcess(const RedisPair& redis) : folder_(make_folder()), journal_lines_(lines_for(redis)) { configure(""); }

void BusProcess::configure(const std::string& lines) { std::ofstream(config_path_) << "[bus]\n" << journal_lines_ << lines; }

BusProcess::~BusProcess() {
  if (pid_ > 0) end(SIGKILL);
  std::error_code ignored;
  if (bus_ == 0 && !folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

void BusProcess::launch(std::vector<std::string> flags) {
  flags.insert(flags.begin(),
               {XUNDIAN_BUS, "--home", folder_ + "/home", "--bus", std::to_string(bus_), "--config", config_path_});
  std::vector<char*> arguments;
  for (std::string& flag : flags) arguments.push_back(flag.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int error = posix_spawn(&pid_, XUNDIAN_BUS, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ASSERT_EQ(error, 0);
}

void BusProcess::start(std::vector<std::string> flags) {
  launch(std::move(flags));
  const auto made = Home::open(folder_ + "/home", 20'000);
  ASSERT_TRUE(made.has_value()) << made.error().message << "\n" << said();
  QueryClient client(made->endpoint(fmt::format("bus.{}.query", bus_)));
  const auto status = client.ask_as<query::v1::GetBusStatusResponse>("GetBusStatus", query::v1::GetBusStatusRequest(), 20'000);
  ASSERT_TRUE(status.has_value()) << status.error().message << "\n" << said();
  ASSERT_EQ(status->pid(), static_cast<uint32_t>(pid_));
}

int BusProcess::end(int signal) {
  kill(pid_, signal);
  kill(pid_, SIGCONT);
  return wait();
}

int BusProcess::wait() {
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void BusProcess::send(int signal) const { kill(pid_, signal); }

Home BusProcess::home() const {
  const auto home = Home::open(folder_ + "/home", 20'000);
  EXPECT_TRUE(home.has_value());
  return *home;
}

std::string BusProcess::said() const {
  std::ostringstream text;
  text << std::ifstream(folder_ + "/log").rdbuf();
  return text.str();
}

v1::Fact numbered_fact(uint64_t number) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(std::to_string(number));
  fact.set_as_of_ms(1000);
  fact.mutable_stock_level()->mutable_count()->set_sku("sku");
  return fact;
}

uint64_t number_of(std::string_view frame) {
  const FactView fact(frame, 0, 0);
  const std::string_view text = fact.key_text();
  uint64_t number = UINT64_MAX;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::map<Partition, std::vector<uint64_t>> read_numbers(JournalReader& reader) {
  std::map<Partition, std::vector<uint64_t>> numbers;
  const auto take_batch = [&](const BatchView& batch) {
    if (batch.is_control()) return;
    auto& in_partition = numbers[batch.header().partition];
    EXPECT_EQ(batch.header().base, in_partition.size());
    const auto take_fact = [&](std::string_view frame, Offset) { in_partition.push_back(number_of(frame)); };
    EXPECT_TRUE(batch.for_each([](Kind) { return true; }, take_fact).has_value());
  };
  for (Position position = 0, last = 0;; last = position) {
    const auto read = reader.read(position, 4u << 20, [&](const CommitView& commit) {
      const auto whole = commit.for_each_batch(false, take_batch);
      EXPECT_TRUE(whole.has_value()) << whole.error().message;
      return true;
    });
    EXPECT_TRUE(read.has_value()) << read.error().message;
    if (!read || *read == last) return numbers;
    position = *read;
  }
}

}  // namespace xundian
