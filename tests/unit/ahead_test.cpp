// What is read of facts ahead is found again when they come, and never taken for another fact's.
#include "common/ahead.h"

#include <gtest/gtest.h>

namespace xundian {
namespace {

std::string frame_of(const std::string& key) {
  v1::Fact fact;
  fact.set_store("s");
  fact.set_key(key);
  fact.mutable_order_state()->mutable_paid()->set_paid_ms(1);
  std::string frame;
  EXPECT_TRUE(append_frame(frame, fact).has_value());
  return frame;
}

TEST(Ahead, FindsWhatWasRead) {
  std::vector<std::string> frames;
  for (int number = 0; number < 40; ++number) frames.push_back(frame_of(std::to_string(number)));
  const auto view = [&](size_t number) { return FactView(frames[number], number, 0); };
  Ahead<size_t> ahead;
  EXPECT_EQ(ahead.take(view(0)), nullptr);
  EXPECT_EQ(ahead.before_last(0), nullptr);
  for (size_t number = 0; number < 5; ++number) ahead.add(view(number)) = number;
  EXPECT_EQ(*ahead.before_last(4), 0u);
  EXPECT_EQ(ahead.before_last(5), nullptr);
  EXPECT_EQ(*ahead.take(view(0)), 0u);
  EXPECT_EQ(*ahead.take(view(3)), 3u);  // Those before it were not asked for.
  EXPECT_EQ(ahead.take(view(2)), nullptr);
  EXPECT_EQ(ahead.take(view(4)), nullptr) << "it was passed while another was looked for";
  for (size_t number = 0; number < 40; ++number) ahead.add(view(number)) = number;
  EXPECT_EQ(*ahead.take(view(39)), 39u);
  ahead.add(view(1)) = 1;
  ahead.clear();
  EXPECT_EQ(ahead.take(view(1)), nullptr);
}

// The same place in the journal, other bytes; the same bytes, another place.
TEST(Ahead, TakesNoOtherFactForIt) {
  const std::string one = frame_of("one"), other = frame_of("other");
  Ahead<int> ahead;
  ahead.add(FactView(one, 7, 0)) = 1;
  EXPECT_EQ(ahead.take(FactView(other, 7, 0)), nullptr);
  ahead.add(FactView(one, 7, 0)) = 1;
  EXPECT_EQ(ahead.take(FactView(one, 8, 0)), nullptr);
}

}  // namespace
}  // namespace xundian
