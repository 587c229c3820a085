// Inquiries, refunds, scores, and what is judged.
#include "tests/support/desk.h"

#include "tests/support/overview.h"

namespace xundian::support {
namespace {

std::string text(const std::string& id, Millis at_ms) {
  return fmt::format(
      R"(store: "s1" key: "{}" chat_message {{ line {{ sent_ms: {} author: AUTHOR_KIND_CUSTOMER
                                conversation: "{}" buyer: 7 }} }})",
      id, at_ms, id);
}

TEST_F(Desk1, InquiriesBecomePaymentsTheSameOrTheNextDay) {
  // Buyers 1 and 2 ask on the 5th and pay on the 5th and 6th; buyer 3 pays on the 7th; buyer 4 never.
  for (uint64_t buyer = 1; buyer <= 4; ++buyer)
    say({.id = "m" + std::to_string(buyer),
         .author = "CUSTOMER",
         .at = 60,
         .conversation = std::to_string(buyer),
         .buyer = buyer});
  EXPECT_EQ(ask("consulting_buyers"), "||2026-11-01|4");
  EXPECT_EQ(ask("inquiry_conversion"), "||2026-11-01|0/4");
  pay(start + hour_ms, "o1", 1);
  pay(start + day_ms, "o2", 2);
  EXPECT_EQ(ask_with_status("inquiry_conversion", "2026-11-05"), "||2026-11-05|2/4~") << "the 6th is not over";
  pay(start + 2 * day_ms, "o3", 3);
  EXPECT_EQ(ask("inquiry_conversion"), "||2026-11-01|2/4");
  EXPECT_EQ(ask_with_status("inquiry_conversion", "2026-11-05"), "||2026-11-05|2/4");
}

TEST_F(Desk1, WhoHadPaidBeforeAsksForSomethingElse) {
  pay(start + second_ms, "o1", 7);
  put(start + 2 * second_ms, text("m1", start + 2 * second_ms));
  EXPECT_EQ(ask("consulting_buyers"), "");
  EXPECT_EQ(ask("inquiry_conversion"), "");
  // The order turns out to be nobody's payment.
  put(start + day_ms, R"(store: "s1" key: "o1" order_state { paid {} })");
  EXPECT_EQ(ask("consulting_buyers"), "||2026-11-01|1");
}

TEST_F(Desk1, AWithdrawnOrderPaysNothing) {
  pay(start + second_ms, "o1", 7);
  pay(start + second_ms, "o2", 8);
  put(start + 2 * second_ms, text("m1", start + 2 * second_ms));
  put(start + day_ms, R"(store: "s1" key: "o1" order_state { withdrawn {} })");
  EXPECT_EQ(ask("inquiry_conversion"), "||2026-11-01|0/1");
  std::string saved, again;
  drive.fold().save(saved);
  State started;
  ASSERT_TRUE(started.load(ByteReader(saved)));
  started.save(again);
  EXPECT_EQ(saved, again);
  Fold* const folds[] = {&started};
  drive.put(start, R"(store: "s1" key: "o1" order_state { paid { paid_ms: 1 } })");
  EXPECT_EQ(ask("consulting_buyers"), "||2026-11-01|1") << "what is older than the end says nothing";
  pay(start + 2 * day_ms, "o1", 7);
  EXPECT_EQ(ask("inquiry_conversion"), "||2026-11-01|0/1") << "it is there again, and paid too late";
  query::v1::QueryMetricsRequest request;
  request.add_metrics("inquiry_conversion");
  request.set_from("2026-11-01");
  request.set_to("2026-11-30");
  request.set_grain("total");
  const auto bytes = definition().answer(folds, "QueryMetrics", request.SerializeAsString());
  query::v1::QueryMetricsResponse response;
  ASSERT_TRUE(bytes && response.ParseFromString(*bytes));
  ASSERT_EQ(1, response.rows_size());
  EXPECT_EQ(0, response.rows(0).numerator()) << "the order is withdrawn after a restart too";
  EXPECT_EQ(1, response.rows(0).denominator());
}

TEST_F(Desk1, ABuyerIsCountedOnceADay) {
  put(start, text("m1", start));
  put(start + 1, text("m2", start + 1));
  put(start + day_ms, text("m3", start + day_ms));
  EXPECT_EQ(ask("consulting_buyers", "", "day"), "||2026-11-05|1 ||2026-11-06|1");
  // Paid on the 6th after the third message: converts both days.
  pay(start + day_ms + 5, "o1", 7);
  EXPECT_EQ(ask("inquiry_conversion", "", "day"), "||2026-11-05|1/1 ||2026-11-06|1/1");
  put(start + 2 * day_ms, R"(store: "s1" key: "m1" chat_message { withdrawn {} })");
  put(start + 2 * day_ms, R"(store: "s1" key: "m2" chat_message { withdrawn {} })");
  EXPECT_EQ(ask("consulting_buyers", "", "day"), "||2026-11-06|1");
}

TEST_F(Desk1, WaitingIsJudgedByTime) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  EXPECT_EQ(drive.fold().next_wake(), start + 100 * second_ms);
  EXPECT_EQ(tick(start + 100 * second_ms - 1), Lines{});
  EXPECT_EQ(tick(start + 100 * second_ms), Lines{"reply_due c1 holds"});
  EXPECT_EQ(drive.fold().next_wake(), start + 180 * second_ms);
  EXPECT_EQ(tick(start + 180 * second_ms - 1), Lines{});
  EXPECT_EQ(tick(start + 180 * second_ms), Lines{"reply_missed c1 holds"});
  EXPECT_EQ(drive.fold().next_wake(), never);
  EXPECT_EQ(say({.id = "b", .author = "BOT", .at = 190, .conversation = "c1"}), Lines{});
  EXPECT_EQ(say({.id = "m2", .author = "AGENT", .at = 200, .conversation = "c1", .agent = "li"}),
            (Lines{"reply_due c1 clears", "reply_missed c1 clears"}));
}

TEST_F(Desk1, ReplyAndDeadlineInOneRecordSayBoth) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  EXPECT_EQ(say({.id = "m2", .author = "AGENT", .at = 100, .conversation = "c1", .agent = "li"}),
            (Lines{"reply_due c1 holds", "reply_due c1 clears"}));
}

TEST_F(Desk1, RepliedInTimeSaysNothing) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  EXPECT_EQ(say({.id = "m2", .author = "AGENT", .at = 99, .conversation = "c1", .agent = "li"}), Lines{});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Desk1, WhatWasSaidBeforeTheStoreWasLiveIsNoNews) {
  put(start, fmt::format(R"(store: "s1" key: "s1" store_state {{ settings {{ time_zone: "Asia/Shanghai" live_from_ms: {} }} }})",
                         start + 10 * second_ms));
  say({.id = "m1", .author = "CUSTOMER", .at = 9, .conversation = "c1"});
  say({.id = "m2", .author = "CUSTOMER", .at = 10, .conversation = "c2"});
  EXPECT_EQ(tick(start + hour_ms), (Lines{"reply_due c2 holds", "reply_missed c2 holds"}));
  EXPECT_EQ(ask("waiting_now"), "||2026-11-01|2") << "it restates numbers all the same";
}

TEST_F(Desk1, AConversationThatMergesTakesItsFindingsAlong) {
  say({.id = "q2", .author = "CUSTOMER", .at = 0, .reply_to = "q1"});
  EXPECT_EQ(tick(start + 100 * second_ms), Lines{"reply_due q2 holds"});
  v1::Fact root = message({.id = "q1", .author = "CUSTOMER", .at = -1});
  EXPECT_EQ(findings(drive.put(start + 101 * second_ms, root)), (Lines{"reply_due q1 holds", "reply_due q2 clears"}));
}

TEST_F(Desk1, ARuleMovesTheTimer) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  put(start + second_ms, R"(key: "team" rule_set { list { rules { id: "reply_due" fire_at_micros: 30000000 } } })");
  EXPECT_EQ(drive.fold().next_wake(), start + 30 * second_ms);
  EXPECT_EQ(tick(start + 30 * second_ms), Lines{"reply_due c1 holds"});
  EXPECT_EQ(put(start + 31 * second_ms, R"(key: "team" rule_set { list { rules { id: "reply_due" disabled: true } } })"),
            Lines{"reply_due c1 clears"});
}

TEST_F(Desk1, FirstResponsesAreJudgedFromTwentyOn) {
  const auto talk = [&](int index, Millis seconds) {
    const std::string id = std::to_string(index);
    say({.id = "q" + id, .author = "CUSTOMER", .at = index * 1000, .conversation = id});
    return say({.id = "a" + id, .author = "AGENT", .at = index * 1000 + seconds, .conversation = id, .agent = "li"});
  };
  for (int index = 1; index < 20; ++index) EXPECT_EQ(talk(index, 60), Lines{}) << index;
  EXPECT_EQ(talk(20, 60), Lines{"first_response_slow s1 holds"});
  EXPECT_EQ(talk(21, 59), Lines{"first_response_slow s1 clears"}) << "1,259 seconds over 21";
}

TEST_F(Desk1, ADayJustBelowAMinuteIsNotSlow) {
  for (int index = 1; index <= 20; ++index) {
    const std::string id = std::to_string(index);
    say({.id = "q" + id, .author = "CUSTOMER", .at = index * 1000, .conversation = id});
    EXPECT_EQ(
        say({.id = "a" + id, .author = "AGENT", .at = index * 1000 + (index == 20 ? 59 : 60), .conversation = id, .agent = "li"}),
        Lines{});
  }
}

TEST_F(Desk1, RefundsAreWatchedUntilTheyAreSettled) {
  const auto refund = [](const std::string& more) {
    return R"(store: "s1" key: "r1" refund_state { opened { order: "o1" amount_micros: 5000000 deadline_ms: )" +
           std::to_string(start + day_ms) + " } " + more + " }";
  };
  EXPECT_EQ(put(start, refund(R"(status { status: "open" })")), Lines{});
  EXPECT_EQ(drive.fold().next_wake(), start + 18 * hour_ms);
  EXPECT_EQ(ask("open_refunds"), "||2026-11-01|1");
  EXPECT_EQ(tick(start + 18 * hour_ms - 1), Lines{});
  EXPECT_EQ(tick(start + 18 * hour_ms), Lines{"refund_deadline_near r1 holds"});
  EXPECT_EQ(drive.fold().next_wake(), never);
  EXPECT_EQ(put(start + 19 * hour_ms, refund(R"(status { status: "settled" })")), Lines{"refund_deadline_near r1 clears"});
  EXPECT_EQ(ask("open_refunds"), "||2026-11-01|0");
}

TEST_F(Desk1, AScoreIsComparedWithTheLastKnownOne) {
  const auto score = [&](const std::string& day, int description) {
    return put(start,
               fmt::format(R"(store: "s1" key: "{}" service_score {{ card {{ day: "{}" scale_milli: 5000 description_milli: {}
                                     service_milli: 4900 }} }})",
                           day, day, description));
  };
  EXPECT_EQ(score("2026-11-01", 4860), Lines{});
  EXPECT_EQ(score("2026-11-03", 4851), Lines{}) << "nine thousandths";
  EXPECT_EQ(score("2026-11-05", 4841), Lines{"score_drop s1 holds"});
  EXPECT_EQ(score("2026-11-06", 4841), Lines{"score_drop s1 clears"});
  EXPECT_EQ(ask("dsr_description"), "||2026-11-01|4841/1000");
  EXPECT_EQ(ask("dsr_description", "store", "day", "2026-11-02", "2026-11-04"), "s1||2026-11-03|4851/1000");
  EXPECT_EQ(ask("dsr_service"), "||2026-11-01|4900/1000");
  EXPECT_EQ(ask("dsr_logistics"), "");
}

TEST_F(Desk1, CasesAreOpenUntilClosed) {
  put(start,
      fmt::format(R"(store: "s1" key: "k1" case_state {{ opened {{ opened_ms: {} }} status {{ status: "open" }} }})", start));
  EXPECT_EQ(ask("open_cases"), "||2026-11-01|1");
  put(start + 1, R"(store: "s1" key: "k1" case_state { status { status: "closed" } })");
  EXPECT_EQ(ask("open_cases"), "||2026-11-01|0");
}

TEST_F(Desk1, DefinesAndOverviewsItsOwnFigures) {
  say({.id = "m1", .author = "CUSTOMER", .at = 0, .conversation = "c1"});
  const auto service = definition();
  const std::span<Fold* const> folds{drive.folds(), 1};
  EXPECT_EQ(tests::ask_overview(service, folds).as_of_ms(), start);
  const std::string overview = tests::overview(service, folds);
  EXPECT_NE(overview.find("s1 2026-11-05 waiting_now 1 count  provisional\n"), std::string::npos) << overview;
  EXPECT_EQ(overview, tests::queried(service, folds,
                                     {"average_response_s", "conversations", "dsr_description", "first_response_s",
                                      "inquiry_conversion", "open_refunds", "reply_rate", "unanswered", "waiting_now"},
                                     "s1", "2026-11-05"));
  query::v1::GetOverviewRequest elsewhere;
  elsewhere.add_stores("s2");
  EXPECT_EQ(tests::overview(service, folds, elsewhere), "");
  const auto definitions = metric_definitions();
  for (int index = 1; index < definitions.definitions_size(); ++index)
    EXPECT_LT(definitions.definitions(index - 1).id(), definitions.definitions(index).id());
  EXPECT_EQ(ask("paid_amount"), "") << "another service's";
  EXPECT_EQ(definition().answer({drive.folds(), 1}, "NoSuch", "").error().code, Code::unimplemented);
}

}  // namespace
}  // namespace xundian::support
