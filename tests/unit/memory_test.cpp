// Memory that is taken ahead is there when it is needed: what is allocated then touches no new page.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/memory_ahead.h"

namespace xundian {
namespace {

constexpr size_t mb = 1 << 20;

size_t resident_bytes() {
  size_t all_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> resident_pages;
  return resident_pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// Of this thread alone.
long page_faults() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_minflt;
}

// Of each thread, as the system has it.
std::vector<int> priorities() {
  std::vector<int> priorities;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    priorities.push_back(::getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoul(entry.path().filename().string()))));
  return priorities;
}

TEST(MemoryAhead, IsThereWhenItIsNeeded) {
  const size_t before = resident_bytes();
  const MemoryAhead ahead(64 * mb);
  for (const Millis until = steady_ms() + 60'000; resident_bytes() < before + 60 * mb;) {
    ASSERT_LT(steady_ms(), until) << "it was not taken";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Who takes it holds the lock of the process's memory: at a lower priority for as long as others want the processors.
  EXPECT_EQ(priorities(), std::vector<int>(2, ::getpriority(PRIO_PROCESS, 0)));
  const long faults = page_faults();
  std::vector<std::unique_ptr<char[]>> tables;
  for (int count = 0; count < 12; ++count) {
    tables.push_back(std::make_unique_for_overwrite<char[]>(4 * mb));
    std::memset(tables.back().get(), 1, 4 * mb);
  }
  EXPECT_LT(page_faults() - faults, 48 * mb / 4096 / 10) << "what was allocated is new to the process";
}

TEST(MemoryAhead, GoesOnAsTheHeapGrows) {
  const MemoryAhead ahead(16 * mb);  // Less than the heap has left from the test before.
  std::vector<std::unique_ptr<char[]>> tables;
  const size_t before = resident_bytes();
  for (int count = 0; count < 60; ++count) tables.push_back(std::make_unique_for_overwrite<char[]>(4 * mb));  // Untouched.
  for (const Millis until = steady_ms() + 60'000; resident_bytes() < before + 100 * mb;) {
    ASSERT_LT(steady_ms(), until) << "what the heap grew by was not taken";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(MemoryAhead, NothingIsTakenWhereNoneIsAsked) {
  const size_t before = resident_bytes();
  const MemoryAhead ahead(0);
  std::this_thread::yield();
  EXPECT_LT(resident_bytes(), before + 4 * mb);
}

}  // namespace
}  // namespace xundian
