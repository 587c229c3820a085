#include "tests/bench/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/clock.h"

namespace xundian::bench {

namespace {

constexpr size_t said_bytes = 800;

std::atomic<bool> interrupt_seen{false};

std::string read_all(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Between vfork and exec, in memory that is the parent's own: system calls alone.
[[noreturn]] void become(char* const* arguments, int output, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);  // It ended before that was asked for.
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

Result<Process> Process::start(std::vector<std::string> command, const std::string& log) {
  Process process;
  process.name_ = command[0];
  process.log_ = log;
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::internal, "no pipe: {}", std::strerror(errno));
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t parent = getpid();
  process.pid_ = file < 0 ? -1 : vfork();  // To copy the page tables of a bench takes longer than a service's start.
  if (process.pid_ == 0) become(arguments.data(), ends[1], file, parent);
  close(ends[1]);
  if (file >= 0) close(file);
  process.output_ = ends[0];
  if (process.pid_ < 0) return fail(Code::internal, "{} cannot be started: {}", command[0], std::strerror(errno));
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      output_(std::exchange(other.output_, -1)),
      name_(std::move(other.name_)),
      log_(std::move(other.log_)),
      unread_(std::move(other.unread_)) {}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (output_ >= 0) close(output_);
}

Result<void> Process::wait(Millis timeout_ms) {
  for (const Millis until = steady_ms() + timeout_ms; lives();) {
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "{} did not end in {} ms: {}", name_, timeout_ms, said());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::unavailable, "{} failed: {}", name_, said());
}

void Process::end(int signal, Millis timeout_ms) {
  kill(pid_, signal);
  for (const Millis until = steady_ms() + timeout_ms; lives() && steady_ms() < until;)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

Result<void> Process::stop(Millis timeout_ms) {
  kill(pid_, SIGTERM);
  return wait(timeout_ms);
}

Result<std::string> Process::read_line(Millis timeout_ms) {
  const Millis until = steady_ms() + timeout_ms;
  for (;;) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (interrupted()) return interrupted_error();
    if (steady_ms() >= until) return fail(Code::deadline_exceeded, "{} said nothing for {} ms: {}", name_, timeout_ms, said());
    pollfd readable{output_, POLLIN, 0};
    if (poll(&readable, 1, 100) <= 0) continue;
    char bytes[4096];
    const ssize_t count = read(output_, bytes, sizeof bytes);
    if (count <= 0) return fail(Code::unavailable, "{} ended: {}", name_, said());
    unread_.append(bytes, static_cast<size_t>(count));
  }
}

double Process::cpu_seconds() const {
  const std::string stat = read_all(fmt::format("/proc/{}/stat", pid_));
  std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
  std::string skipped;
  for (int index = 3; index < 14; ++index) fields >> skipped;
  double user = 0, kernel = 0;
  fields >> user >> kernel;
  return (user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Process::memory_bytes() const {
  std::istringstream fields(read_all(fmt::format("/proc/{}/statm", pid_)));
  double all = 0, resident = 0;
  fields >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

bool Process::lives() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

std::string Process::said() const {
  const std::string text = read_all(log_);
  return text.size() <= said_bytes ? text : text.substr(text.size() - said_bytes);
}

TempFolder::TempFolder() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent != nullptr && *parent != 0 ? parent : "/tmp") + "/xdbench.XXXXXX";
  CHECK(mkdtemp(path_.data()) != nullptr, "no temporary folder can be made");
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string first_line(std::vector<std::string> command) {
  TempFolder folder;
  if (access(command[0].c_str(), X_OK) != 0) return {};
  auto program = Process::start(std::move(command), folder.path() + "/log");
  return program ? program->read_line(5'000).value_or("") : std::string();
}

Result<int> free_port() {
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool named = bind(taken, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (taken >= 0) close(taken);
  if (!named) return fail(Code::unavailable, "there is no free port: {}", std::strerror(errno));
  return ntohs(address.sin_port);
}

std::string program_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

bool interrupted() { return interrupt_seen.load(); }

void watch_interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, [](int) { interrupt_seen = true; });
  signal(SIGPIPE, SIG_IGN);
}

tl::unexpected<Error> interrupted_error() { return fail(Code::cancelled, "interrupted"); }

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace xundian::bench
