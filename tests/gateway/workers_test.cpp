// Every task that is taken on is carried out, as many at once as there are threads.
#include "services/gateway/workers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <set>
#include <thread>

namespace xundian::gateway {
namespace {

TEST(Workers, CarryOutAllThatWasTakenOnBeforeTheEnd) {
  std::atomic<int> done = 0;
  {
    Workers workers(3, 1'000);
    for (int task = 0; task < 500; ++task) EXPECT_TRUE(workers.run([&] { ++done; }));
  }
  EXPECT_EQ(done, 500);
}

TEST(Workers, AsManyAtOnceAsThereAreThreads) {
  constexpr int threads = 4;
  std::latch together(threads), carried_out(threads);
  Workers workers(threads, threads);
  for (int task = 0; task < threads; ++task)
    EXPECT_TRUE(workers.run([&] {
      together.arrive_and_wait();  // None goes on unless all are there.
      carried_out.count_down();
    }));
  carried_out.wait();
}

TEST(Workers, RefuseWhatIsTooMuch) {
  std::promise<void> begun, end;
  std::atomic<int> done = 0;
  {
    Workers workers(1, 2);
    EXPECT_TRUE(workers.run([&, until = end.get_future().share()] {
      begun.set_value();
      until.wait();
      ++done;
    }));
    begun.get_future().wait();
    EXPECT_TRUE(workers.run([&] { ++done; }));
    EXPECT_TRUE(workers.run([&] { ++done; }));
    EXPECT_FALSE(workers.run([&] { ++done; }));
    end.set_value();
  }
  EXPECT_EQ(done, 3);
}

TEST(Workers, WhatIsOverSoonIsCarriedOutByItsCallerWhileNoOtherIs) {
  Workers workers(1, 1);
  std::thread::id by, meanwhile_by;
  EXPECT_TRUE(workers.run_soon([&] {
    by = std::this_thread::get_id();
    std::promise<void> carried_out;
    std::thread other([&] {
      EXPECT_TRUE(workers.run_soon([&] {
        meanwhile_by = std::this_thread::get_id();
        carried_out.set_value();
      }));
    });
    carried_out.get_future().wait();
    EXPECT_NE(meanwhile_by, other.get_id());
    other.join();
  }));
  EXPECT_EQ(by, std::this_thread::get_id());
  EXPECT_NE(meanwhile_by, by);
}

TEST(Workers, OneThreadCarriesOutWhatComesOneAtATime) {
  constexpr int threads = 8, calls = 100, rounds_max = 1'000;
  std::latch begun(threads);
  Workers workers(threads, threads);
  for (int thread = 0; thread < threads; ++thread) ASSERT_TRUE(workers.run([&] { begun.arrive_and_wait(); }));
  begun.wait();
  // Round by round, until those that were just begun have come to rest; and a thread that has answered may not rest yet when the
  // next call comes, which another then takes. Where they took turns, each round would use them all.
  size_t used_least = threads;
  for (int round = 0; round < rounds_max && used_least == threads; ++round) {
    std::set<std::thread::id> used;
    for (int call = 0; call < calls; ++call) {
      std::promise<std::thread::id> by;
      ASSERT_TRUE(workers.run([&] { by.set_value(std::this_thread::get_id()); }));
      used.insert(by.get_future().get());
    }
    used_least = std::min(used_least, used.size());
  }
  EXPECT_LT(used_least, size_t{threads});
}

}  // namespace
}  // namespace xundian::gateway
