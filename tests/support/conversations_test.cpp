// Waiting intervals and first responses, counted by hand.
#include "tests/support/desk.h"

namespace xundian::support {
namespace {

TEST_F(Desk1, AWaitBeginsWithTheFirstOfSeveralQuestions) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  say({.id = "m2", .author = "CUSTOMER", .at = 20, .conversation = "c1"});
  say({.id = "m3", .author = "AGENT", .at = 50, .conversation = "c1", .agent = "li"});
  say({.id = "m4", .author = "CUSTOMER", .at = 60, .conversation = "c1"});
  say({.id = "m5", .author = "AGENT", .at = 70, .conversation = "c1", .agent = "wang"});
  say({.id = "m6", .author = "AGENT", .at = 80, .conversation = "c1", .agent = "wang"});
  // Waits: 0 to 50 (li), 60 to 70 (wang); first response 50.
  EXPECT_EQ(ask("average_response_s"), "||2026-11-01|60/2");
  EXPECT_EQ(ask("average_response_s", "agent"), "|li|2026-11-01|50/1 |wang|2026-11-01|10/1");
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|50/1");
  EXPECT_EQ(ask("first_response_s", "agent"), "|li|2026-11-01|50/1");
  EXPECT_EQ(ask("replies", "agent"), "|li|2026-11-01|1 |wang|2026-11-01|2");
  EXPECT_EQ(ask("conversations"), "||2026-11-01|1");
  EXPECT_EQ(ask("conversations", "agent"), "") << "nobody is credited with a question";
  EXPECT_EQ(ask("unanswered"), "||2026-11-01|0");
  EXPECT_EQ(ask("reply_rate"), "||2026-11-01|1/1");
  EXPECT_EQ(ask("answer_ratio"), "||2026-11-01|3/3");
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|0");
}

TEST_F(Desk1, RobotsAndAutomaticRepliesStopNoClock) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  say({.id = "m2", .author = "AUTO_REPLY", .at = 1, .conversation = "c1", .agent = "auto"});
  say({.id = "m3", .author = "BOT", .at = 2, .conversation = "c1", .agent = "bot"});
  say({.id = "m4", .author = "SYSTEM", .at = 3, .conversation = "c1"});
  EXPECT_EQ(ask("unanswered"), "||2026-11-01|1");
  EXPECT_EQ(ask("reply_rate"), "||2026-11-01|0/1");
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|1");
  EXPECT_EQ(ask("first_response_s"), "") << "unknown, not 0";
  EXPECT_EQ(ask("replies"), "");
  say({.id = "m5", .author = "AGENT", .at = 90, .conversation = "c1", .agent = "li"});
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|90/1");
}

TEST_F(Desk1, AnAgentWhoSpeaksFirstHasNotResponded) {
  say({.id = "m1", .author = "AGENT", .at = 0, .conversation = "c1", .agent = "li"});
  say({.id = "m2", .author = "CUSTOMER", .at = 100, .conversation = "c1"});
  EXPECT_EQ(ask("unanswered"), "||2026-11-01|1");
  say({.id = "m3", .author = "AGENT", .at = 130, .conversation = "c1", .agent = "li"});
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|30/1");
  EXPECT_EQ(ask("unanswered"), "||2026-11-01|0");
}

TEST_F(Desk1, FirstResponseOfAReplyTreeAnswersACustomersMessage) {
  // Two questions, a word of the agent to himself, and the answer to the second question.
  say({.id = "q1", .author = "CUSTOMER", .at = 0});
  say({.id = "q2", .author = "CUSTOMER", .at = 30, .reply_to = "q1"});
  say({.id = "a1", .author = "AGENT", .at = 40, .reply_to = "q2", .agent = "sprint"});
  say({.id = "a2", .author = "AGENT", .at = 45, .reply_to = "a1", .agent = "other"});
  EXPECT_EQ(ask("first_response_s", "agent"), "|sprint|2026-11-01|40/1");
  EXPECT_EQ(ask("conversations"), "||2026-11-01|1");
  EXPECT_EQ(ask("average_response_s"), "||2026-11-01|40/1");
}

TEST_F(Desk1, AReplyToAnAgentIsNoFirstResponse) {
  say({.id = "a0", .author = "AGENT", .at = 0, .agent = "one"});
  say({.id = "q1", .author = "CUSTOMER", .at = 10, .reply_to = "a0"});
  say({.id = "a1", .author = "AGENT", .at = 20, .reply_to = "a0", .agent = "two"});
  EXPECT_EQ(ask("first_responses"), "");
  say({.id = "a2", .author = "AGENT", .at = 70, .reply_to = "q1", .agent = "three"});
  EXPECT_EQ(ask("first_response_s", "agent"), "|three|2026-11-01|60/1");
}

TEST_F(Desk1, AParentThatComesLateJoinsTheTree) {
  say({.id = "a1", .author = "AGENT", .at = 100, .reply_to = "q1", .agent = "li"});
  EXPECT_EQ(ask("first_response_s"), "") << "what it answers is not known yet";
  say({.id = "q2", .author = "CUSTOMER", .at = 50, .reply_to = "q1"});
  EXPECT_EQ(ask("conversations"), "||2026-11-01|1");
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|1");
  say({.id = "q1", .author = "CUSTOMER", .at = 10});
  EXPECT_EQ(ask("conversations"), "||2026-11-01|1");
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|90/1");
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|0");
  // And apart again when it is withdrawn.
  put(start + 200 * second_ms, R"(store: "s1" key: "q1" chat_message { withdrawn {} })");
  EXPECT_EQ(ask("first_response_s"), "");
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|1");
}

TEST_F(Desk1, MessagesThatReplyToEachOtherAreOneConversation) {
  say({.id = "x", .author = "CUSTOMER", .at = 0, .reply_to = "y"});
  say({.id = "y", .author = "AGENT", .at = 12, .reply_to = "x", .agent = "li"});
  say({.id = "z", .author = "CUSTOMER", .at = 20, .reply_to = "z"});
  EXPECT_EQ(ask("conversations"), "||2026-11-01|2");
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|12/1");
}

TEST_F(Desk1, ATreeUnderAStatedConversationBelongsToIt) {
  say({.id = "q1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  say({.id = "q2", .author = "CUSTOMER", .at = 5, .reply_to = "q1"});
  say({.id = "a1", .author = "AGENT", .at = 9, .reply_to = "q2", .agent = "li"});
  EXPECT_EQ(ask("conversations"), "||2026-11-01|1");
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|9/1");
}

TEST_F(Desk1, ANewerWordReplacesTheOlder) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  say({.id = "m2", .author = "AGENT", .at = 50, .conversation = "c1", .agent = "li"});
  // The agent's message was sent at 20, as a later export knows.
  v1::Fact corrected = message({.id = "m2", .author = "AGENT", .at = 20, .conversation = "c1", .agent = "wang"});
  corrected.set_as_of_ms(start + hour_ms);
  drive.put(start + hour_ms, corrected);
  EXPECT_EQ(ask("first_response_s", "agent"), "|wang|2026-11-01|20/1");
  drive.put(start + 2 * hour_ms, message({.id = "m2", .author = "AGENT", .at = 50, .conversation = "c1", .agent = "li"}));
  EXPECT_EQ(ask("first_response_s", "agent"), "|wang|2026-11-01|20/1") << "older news change nothing";
}

TEST_F(Desk1, HalfASecondIsRoundedUp) {
  const auto sent = [&](const std::string& id, const std::string& author, Millis at) {
    v1::Fact fact =
        message({.id = id, .author = author, .at = 0, .conversation = id.substr(1), .agent = author == "AGENT" ? "li" : ""});
    fact.mutable_chat_message()->mutable_line()->set_sent_ms(start + at);
    drive.put(start, fact);
  };
  sent("q1", "CUSTOMER", 0);
  sent("a1", "AGENT", 1'499);
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|1/1");
  sent("q2", "CUSTOMER", 0);
  sent("a2", "AGENT", 1'500);
  EXPECT_EQ(ask("first_response_s"), "||2026-11-01|3/2");
}

TEST_F(Desk1, FiguresBelongToTheStoresDayAndHour) {
  // Asked at 23:59:30 in Shanghai, answered at 00:00:30: the response counts where it was given, the question where it was asked.
  const Millis midnight = 16 * 3600;  // Of start's day, in seconds.
  say({.id = "m1", .author = "CUSTOMER", .at = midnight - 30, .conversation = "c1"});
  say({.id = "m2", .author = "AGENT", .at = midnight + 30, .conversation = "c1", .agent = "li"});
  EXPECT_EQ(ask("conversations", "", "day"), "||2026-11-05|1");
  EXPECT_EQ(ask("first_response_s", "", "day"), "||2026-11-06|60/1");
  EXPECT_EQ(ask("conversations", "", "hour"), "||2026-11-05T23|1");
  EXPECT_EQ(ask("first_response_s", "", "hour"), "||2026-11-06T00|60/1");
  EXPECT_EQ(ask("first_response_s", "", "month", "2026-10-20", "2026-12-31"), "||2026-11-01|60/1");
  EXPECT_EQ(ask("first_response_s", "store", "total", "2026-11-06", "2026-11-06"), "s1||2026-11-06|60/1");
  EXPECT_EQ(ask("first_response_s", "", "total", "2026-11-05", "2026-11-05"), "");
  // The store turns out to reckon in UTC: all of it is counted anew.
  put(start + 2 * day_ms, R"(store: "s1" key: "s1" store_state { settings { time_zone: "Etc/UTC" } })");
  EXPECT_EQ(ask("first_response_s", "", "hour"), "||2026-11-05T16|60/1");
  EXPECT_EQ(ask("conversations", "", "hour"), "||2026-11-05T15|1");
}

}  // namespace
}  // namespace xundian::support
