// Programs that a leg of the bench starts, and the folder that it works in; both are gone when it ends, also when it fails.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/version.h"

namespace xundian::bench {

// Longer, and what was started does not answer, or a leg does not come to its end.
inline constexpr Millis start_ms = 20'000, folded_ms = 300'000;

class Process {
 public:
  // What the program writes to standard error goes to `log`; what it writes to standard output can be read by line.
  static Result<Process> start(std::vector<std::string> command, const std::string& log);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();  // Ends it, by its id.
  // Asks it to end, and waits until it has.
  Result<void> stop(Millis timeout_ms);

  // Until it has ended by itself; fails if it does not in time, or not well.
  Result<void> wait(Millis timeout_ms);
  // Asks it to end, for what would leave something behind if it were killed.
  void end(int signal, Millis timeout_ms);

  // Its next line, without the end; fails if the program ends first or says nothing in time.
  Result<std::string> read_line(Millis timeout_ms);
  // Seconds of processor time that it took so far.
  double cpu_seconds() const;
  // Resident, in bytes.
  double memory_bytes() const;
  bool lives() const;
  // The last it wrote to its log.
  std::string said() const;

 private:
  Process() = default;
  pid_t pid_ = 0;
  int output_ = -1;
  std::string name_, log_, unread_;
};

class TempFolder {
 public:
  // In TMPDIR, else /tmp: on the disk that is measured.
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The first line that a program says; empty if it cannot be started or says none.
std::string first_line(std::vector<std::string> command);

// A port of the loopback that was free a moment ago.
Result<int> free_port();

// The folder of this program, where the services' lie too.
std::string program_folder();

// Whether somebody asked the bench to stop; long loops look at it.
bool interrupted();
void watch_interrupts();
tl::unexpected<Error> interrupted_error();

// Nanoseconds of the clock that all processes of the machine share.
int64_t now_ns();

}  // namespace xundian::bench
