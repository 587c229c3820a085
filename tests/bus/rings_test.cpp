// When the sequencer rings, and for whom.
#include "tests/bus/harness.h"

namespace xundian::bus {
namespace {

class RingsTest : public HarnessTest {
 protected:
  // Of the rings since the last look.
  std::vector<BellTopic> topics() {
    std::vector<BellTopic> topics;
    for (const Output& output : harness_.heard())
      if (output.type == wire::v1::MESSAGE_TYPE_BELL) topics.push_back(output.topic);
    harness_.forget();
    return topics;
  }
};

TEST_F(RingsTest, RingsBehindTheAcknowledgements) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.forget();
  harness_.put("a", welcome, alice, 1, {.facts = 2});
  commit();
  const auto heard = harness_.heard();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].type, wire::v1::MESSAGE_TYPE_ACK);
  EXPECT_EQ(heard[0].to, "a");
  EXPECT_EQ(heard[1].type, wire::v1::MESSAGE_TYPE_BELL);
  const auto bells = harness_.bells();
  ASSERT_EQ(bells.size(), 1u);
  EXPECT_EQ(bells[0].next_position(), 2u);
  EXPECT_EQ(bells[0].heads(3), 2u);
}

// The last bell may be lost, and then nothing happens: without a beat nobody would ever come to know (row 10).
TEST_F(RingsTest, RingsWhenItHasBeenSilentForABeat) {
  harness_.bus().beat(1'000);
  harness_.bells();
  const Millis next = harness_.bus().beat(1'050);
  EXPECT_TRUE(harness_.bells().empty()) << "it rang a moment ago";
  EXPECT_EQ(next, 1'100);
  harness_.bus().beat(next);
  EXPECT_EQ(harness_.bells().size(), 1u);
  harness_.bus().ring();
  EXPECT_EQ(harness_.bus().beat(1'150), 1'250) << "a bell of another kind is as good";
}

// What is of few kinds wakes those who fold them; the others hear of it once those have had time, and not later.
TEST_F(RingsTest, RingsFirstForThoseWhoFoldWhatCame) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.bus().beat(1'000);
  harness_.forget();
  uint64_t sequence = 0;
  const auto topics_after = [&](std::vector<v1::Fact> facts, uint16_t flags = 0) {
    BatchHeader header;
    header.flags = flags;
    header.epoch = welcome.epoch();
    header.session = welcome.session();
    header.producer = alice;
    header.sequence = ++sequence;
    BatchBuilder builder;
    for (const v1::Fact& fact : facts) EXPECT_TRUE(builder.add(fact).has_value());
    harness_.put("a", builder.finish(scope_in(3), 16, header));
    commit();
    return topics();
  };
  v1::Fact order = numbered_fact(1), chat = numbered_fact(2), finding = numbered_fact(3);
  order.mutable_order_state()->mutable_status()->set_status("paid");
  chat.mutable_chat_message()->mutable_line()->set_sent_ms(1);
  finding.mutable_finding()->mutable_terms()->set_rule("out");
  using Topics = std::vector<BellTopic>;
  EXPECT_EQ(topics_after({numbered_fact(0)}), Topics{40});
  EXPECT_EQ(harness_.bus().beat(1'000), 1'005);
  EXPECT_EQ(topics(), Topics());
  EXPECT_EQ(topics_after({finding, numbered_fact(0), finding}), (Topics{40, 91}));
  EXPECT_EQ(harness_.bus().beat(1'004), 1'005) << "the others have waited since the first";
  EXPECT_EQ(harness_.bus().beat(1'005), 1'105);
  EXPECT_EQ(topics(), Topics{bell_for_all});
  EXPECT_EQ(topics_after({order, chat, numbered_fact(0)}), Topics{bell_for_all}) << "as good as for all";
  // Under load: at once for what a service says and for news alone, and for all together with the next ring.
  for (int count = 0; count < 20; ++count) topics_after({order});
  EXPECT_EQ(topics_after({order}), Topics());
  harness_.put("a", welcome, alice, ++sequence, {.facts = 9});
  EXPECT_EQ(topics_after({finding}, fold_answer), Topics{91}) << "not for what comes with it";
  EXPECT_EQ(harness_.bus().beat(1'007), 1'010);
  EXPECT_EQ(topics(), Topics()) << "news may come again by now, the others may not";
  harness_.put("a", welcome, alice, ++sequence, {.facts = 9});
  EXPECT_EQ(topics_after({chat}), (Topics{bell_topic_of(v1::Fact::kChatMessage)})) << "not for what comes with it";
  EXPECT_EQ(topics_after({order}), Topics()) << "so many are no news";
  EXPECT_EQ(harness_.bus().beat(1'009), 1'010);
  EXPECT_EQ(topics(), Topics());
  harness_.bus().beat(1'010);
  EXPECT_EQ(topics(), Topics{bell_for_all});
  for (int count = 0; count < 20; ++count) topics_after({order});
  harness_.bus().beat(1'012);
  EXPECT_EQ(topics_after({order, chat, numbered_fact(0)}), Topics{bell_for_all}) << "as good as for all";
}

// Each ring wakes every service: many commits are rung for together, and none is forgotten.
TEST_F(RingsTest, UnderLoadRingsComeTogether) {
  const auto welcome = harness_.hello("a", {alice});
  harness_.bus().beat(1'000);
  harness_.bells();
  uint64_t sequence = 0;
  const auto bells_of = [&](int commits) {
    for (int count = 0; count < commits; ++count) {
      harness_.put("a", welcome, alice, ++sequence, {.facts = 9});
      commit();
    }
    return harness_.bells();
  };
  EXPECT_EQ(bells_of(3).size(), 3u) << "a few come at once";
  EXPECT_LE(bells_of(100).size(), 5u);
  harness_.put("a", welcome, alice, sequence += 10, {.flags = fold_answer});
  commit();
  EXPECT_EQ(harness_.bells().size(), 1u) << "the next on an alert's way waits for it";
  EXPECT_TRUE(bells_of(1).empty());
  EXPECT_EQ(harness_.bus().beat(1'004), 1'005);
  EXPECT_TRUE(harness_.bells().empty());
  EXPECT_GT(harness_.bus().beat(1'005), 1'010) << "nothing is owed any more";
  const auto bells = harness_.bells();
  ASSERT_EQ(bells.size(), 1u);
  EXPECT_EQ(bells[0].next_position(), harness_.bus().next_position());
  EXPECT_EQ(bells_of(1).size(), 0u);
  harness_.bus().beat(2'000);
  EXPECT_EQ(harness_.bells().size(), 1u);
  EXPECT_EQ(bells_of(3).size(), 3u) << "who has rested may ring at once again";
}

}  // namespace
}  // namespace xundian::bus
