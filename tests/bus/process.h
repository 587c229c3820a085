// A bus as a process of its own, in a home that lasts as long as the test.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "common/home.h"
#include "common/journal.h"

namespace xundian {

class BusProcess {
 public:
  BusProcess();
  // Another bus of the same home.
  BusProcess(const BusProcess& first, uint32_t bus) : folder_(first.folder_), bus_(bus) {}
  ~BusProcess();
  BusProcess(const BusProcess&) = delete;
  BusProcess& operator=(const BusProcess&) = delete;

  // Starts it with further flags; `start` returns when it answers.
  void launch(std::vector<std::string> flags = {});
  void start(std::vector<std::string> flags = {});
  // Sends a signal and waits for the end; the exit status, or minus the signal that ended it.
  int end(int signal);
  // Waits for the end; the same.
  int wait();
  void send(int signal) const;

  Home home() const;
  const std::string& folder() const { return folder_; }
  // What it wrote to its standard error, all lives together.
  std::string said() const;
  pid_t pid() const { return pid_; }

 private:
  std::string folder_;
  uint32_t bus_ = 0;
  pid_t pid_ = 0;
};

// A fact that says which one it is, and the number that such a fact says.
v1::Fact numbered_fact(uint64_t number);
uint64_t number_of(std::string_view frame);

// The numbers of all facts in the journal, by partition, in their order; checks that offsets are dense and crcs right.
std::map<Partition, std::vector<uint64_t>> read_numbers(JournalReader& reader);

}  // namespace xundian
