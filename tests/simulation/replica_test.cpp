// What a replica answers while it still replays.
#include "common/replica.h"

#include <gtest/gtest.h>

#include "services/alerts/state.h"

namespace xundian {
namespace {

// In the middle of a replay the outbox holds what was delivered long ago: to answer from it would send it all again (row 22).
TEST(ReplicaTest, WhatIsActedUponIsNotAnsweredFromThePast) {
  const ServiceDefinition definition = alerts::definition();
  Replica::Options options;
  options.partitions = {0};
  const Replica replica(definition, options);
  const auto past = replica.answer("ListDueNotices", "", false);
  ASSERT_FALSE(past.has_value());
  EXPECT_EQ(past.error().code, Code::unavailable);
  EXPECT_TRUE(replica.answer("ListDueNotices", "", true).has_value());
  EXPECT_TRUE(replica.answer("tenant|ListAlerts", "", false).has_value()) << "people may look at what there is so far";
}

}  // namespace
}  // namespace xundian
