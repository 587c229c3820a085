// A bus as a process of its own, in a home that lasts as long as the test.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "common/home.h"
#include "common/journal.h"
#include "tests/conformance/redis_server.h"

namespace xundian {

// Where a bus under test keeps its journal. The Redis is one that all tests of the process share.
enum class Where { lmdb, redis, redis_with_replica };
std::string name_of_place(const testing::TestParamInfo<Where>& where);

class BusProcess {
 public:
  explicit BusProcess(Where where = Where::lmdb);
  // In a Redis that is the test's own.
  explicit BusProcess(const RedisPair& redis);
  // Another bus of the same home.
  BusProcess(const BusProcess& first, uint32_t bus) : folder_(first.folder_), bus_(bus) {}
  ~BusProcess();
  BusProcess(const BusProcess&) = delete;
  BusProcess& operator=(const BusProcess&) = delete;

  // Lines of the section [bus], beside those that say where the journal lies.
  void configure(const std::string& lines);
  const std::string& config_path() const { return config_path_; }
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
  std::string config_path_ = folder_ + "/xundian.toml";
  std::string journal_lines_;
  uint32_t bus_ = 0;
  pid_t pid_ = 0;
};

// A fact that says which one it is, and the number that such a fact says.
v1::Fact numbered_fact(uint64_t number);
uint64_t number_of(std::string_view frame);

// The numbers of all facts in the journal, by partition, in their order; checks that offsets are dense and crcs right.
std::map<Partition, std::vector<uint64_t>> read_numbers(JournalReader& reader);

}  // namespace xundian
