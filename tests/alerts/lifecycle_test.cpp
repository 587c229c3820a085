// The life of an alert, change by change.
#include <random>

#include "common/time.h"
#include "services/alerts/state.h"
#include "tests/support/drive.h"

namespace xundian::alerts {
namespace {

constexpr Millis start = 1'793'836'800'000;  // 2026-11-05T00:00:00Z

struct Found {
  bool holds = true;
  Millis for_ms = 0;
  v1::Severity severity = v1::SEVERITY_WARNING;
  Millis since = 0;  // 0 = now.
  std::string entity = "mug";
};

class Lifecycle : public ::testing::Test {
 protected:
  tests::Drive drive{definition().make_fold()};

  // "FIRING e1 c2 OPEN ACTIVE notify", one a change.
  static std::vector<std::string> lines(const std::vector<v1::Fact>& said) {
    std::vector<std::string> lines;
    for (const v1::Fact& fact : said) {
      const v1::AlertTerms& terms = fact.alert_state().terms();
      lines.push_back(fmt::format("{} e{} c{} {} {}{}", v1::Condition_Name(terms.condition()).substr(10), terms.episode(),
                                  terms.change(), v1::Handling_Name(terms.handling()).substr(9),
                                  v1::Muting_Name(terms.muting()).substr(7), terms.notify() ? " notify" : ""));
    }
    return lines;
  }
  using Lines = std::vector<std::string>;

  static v1::Fact finding(Millis now, const Found& found) {
    v1::Fact fact;
    fact.set_store("s1");
    fact.set_key("out_of_stock|" + found.entity);
    fact.set_cause(7);
    v1::FindingTerms& terms = *fact.mutable_finding()->mutable_terms();
    terms.set_rule("out_of_stock");
    terms.set_entity_kind("sku");
    terms.set_entity(found.entity);
    terms.set_holds(found.holds);
    terms.set_judged_ms(now);
    terms.set_since_ms(found.since == 0 ? now : found.since);
    terms.set_for_ms(found.for_ms);
    terms.set_severity(found.severity);
    return fact;
  }
  Lines find(Millis now, const Found& found) { return lines(drive.put(now, finding(now, found))); }
  Lines put(Millis now, const std::string& text) { return lines(drive.put(now, text)); }
  Lines tick(Millis now) { return lines(drive.tick(now)); }
  const State& state() { return static_cast<const State&>(drive.fold()); }
  std::string delivery() { return std::string(state().alerts().read(state().alerts().index_of(key()).value()).delivery()); }
  static std::string key() {
    v1::FindingTerms terms;
    terms.set_rule("out_of_stock");
    terms.set_entity_kind("sku");
    terms.set_entity("mug");
    return alert_key(terms, "s1");
  }
  Lines subscribe(Millis now, const std::string& id, const std::string& more = "") {
    return put(
        now, fmt::format(R"(key: "{}" subscriber_state {{ terms {{ channel: "webhook" url: "https://a.example/{}" {} }} }})", id,
                         id, more));
  }
  std::vector<std::string> due(Millis now) {
    std::vector<std::string> due;
    for (const Notices::Due& one : state().notices().due(now, 100))
      due.push_back(fmt::format("{} c{} a{}", one.subscriber, one.notice->terms.change(), one.attempts));
    return due;
  }
  void deliver(Millis now, const std::string& subscriber, uint32_t change, uint32_t attempt, const std::string& outcome,
               Millis retry = 0) {
    put(now, fmt::format(R"(store: "s1" key: "{0}.{1}@{2}" delivery {{ attempt {{ notice: "{0}.{1}" subscriber: "{2}" attempt: {3}
                            outcome: "{4}" retry_ms: {5} }} }})",
                         key(), change, subscriber, attempt, outcome, retry));
  }
};

TEST_F(Lifecycle, KeyIsRuleAndIdentity) { EXPECT_EQ(key(), to_hex(hash128("out_of_stock\ns1\nsku\nmug"))); }

TEST_F(Lifecycle, FiresAndResolves) {
  EXPECT_EQ(find(start, {}), Lines{"FIRING e1 c1 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + 1, {.since = start}), Lines{}) << "said again, it is one alert";
  EXPECT_EQ(find(start + hour_ms, {.holds = false, .since = start}), Lines{"RESOLVED e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + hour_ms + 1, {.holds = false, .since = start}), Lines{});
  EXPECT_EQ(find(start + 5 * hour_ms, {}), Lines{"FIRING e2 c3 OPEN ACTIVE notify"});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, WhatNeverHeldIsNoAlert) {
  EXPECT_EQ(find(start, {.holds = false}), Lines{});
  EXPECT_EQ(state().alerts().size(), 0u);
}

TEST_F(Lifecycle, StatesWhereItComesFrom) {
  const auto said = drive.put(start, finding(start, {}));
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].store(), "s1");
  EXPECT_EQ(said[0].key(), key());
  EXPECT_EQ(said[0].alert_state().terms().finding_cause(), 7u);
  EXPECT_EQ(said[0].alert_state().terms().since_ms(), start);
}

TEST_F(Lifecycle, HoldsLongEnoughByTime) {
  EXPECT_EQ(find(start, {.for_ms = minute_ms}), Lines{"PENDING e1 c1 OPEN ACTIVE"});
  EXPECT_EQ(drive.fold().next_wake(), start + minute_ms);
  EXPECT_EQ(tick(start + minute_ms - 1), Lines{}) << "a millisecond short";
  EXPECT_EQ(tick(start + minute_ms), Lines{"FIRING e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, EndsBeforeItHeldLongEnough) {
  find(start, {.for_ms = minute_ms});
  EXPECT_EQ(find(start + minute_ms - 1, {.holds = false, .for_ms = minute_ms, .since = start}),
            Lines{"INACTIVE e1 c2 OPEN ACTIVE"});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, FiredBetweenTwoRecords) {
  // Time and the end come with one record: it held exactly long enough.
  find(start, {.for_ms = minute_ms});
  EXPECT_EQ(find(start + minute_ms, {.holds = false, .for_ms = minute_ms, .since = start}),
            (Lines{"FIRING e1 c2 OPEN ACTIVE notify", "RESOLVED e1 c3 OPEN ACTIVE notify"}));
}

TEST_F(Lifecycle, FiredBetweenWithoutAWake) {
  // The end is judged later than the record's time says, so no timer was due.
  find(start, {.for_ms = minute_ms});
  v1::Fact end = finding(start + minute_ms, {.holds = false, .for_ms = minute_ms, .since = start});
  EXPECT_EQ(lines(drive.put(start + 1, end)), (Lines{"FIRING e1 c2 OPEN ACTIVE notify", "RESOLVED e1 c3 OPEN ACTIVE notify"}));
}

TEST_F(Lifecycle, SeverityRaisesOneAlert) {
  find(start, {});
  EXPECT_EQ(find(start + 1, {.severity = v1::SEVERITY_HIGH, .since = start}), Lines{"FIRING e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + 2, {.severity = v1::SEVERITY_INFO, .since = start}), Lines{"FIRING e1 c3 OPEN ACTIVE"});
}

TEST_F(Lifecycle, FlapsWithTheFourthTurnInAnHour) {
  EXPECT_EQ(find(start, {}), Lines{"FIRING e1 c1 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + 10 * minute_ms, {.holds = false}), Lines{"RESOLVED e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + 20 * minute_ms, {}), Lines{"FIRING e2 c3 OPEN ACTIVE notify"});
  EXPECT_EQ(find(start + 30 * minute_ms, {.holds = false}), Lines{"RESOLVED e2 c4 OPEN FLAPPING notify"});
  EXPECT_EQ(find(start + 31 * minute_ms, {}), Lines{"FIRING e3 c5 OPEN FLAPPING"});
  EXPECT_EQ(drive.fold().next_wake(), start + 61 * minute_ms);
  EXPECT_EQ(tick(start + 61 * minute_ms - 1), Lines{});
  // Quiet for half an hour, and not as it was told last.
  EXPECT_EQ(tick(start + 61 * minute_ms), Lines{"FIRING e3 c6 OPEN ACTIVE notify"});
}

TEST_F(Lifecycle, CalmAsItWasToldSaysNothingMore) {
  for (const int turn : {0, 1, 2, 3}) find(start + turn * minute_ms, {.holds = turn % 2 == 0});
  EXPECT_EQ(tick(start + 33 * minute_ms), Lines{"RESOLVED e2 c5 OPEN ACTIVE"});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, ThreeTurnsInAnHourDoNotFlap) {
  find(start, {});
  find(start + 10 * minute_ms, {.holds = false});
  find(start + 20 * minute_ms, {});
  // The first turn is an hour old by now.
  EXPECT_EQ(find(start + 60 * minute_ms, {.holds = false}), Lines{"RESOLVED e2 c4 OPEN ACTIVE notify"});
}

TEST_F(Lifecycle, SilenceHoldsBackAndItsEndTellsOnce) {
  put(start,
      fmt::format(R"(key: "q" silence_state {{ terms {{ rule: "out_of_stock" start_ms: {} end_ms: {} comment: "moving" }} }})",
                  start + minute_ms, start + hour_ms));
  EXPECT_EQ(find(start + minute_ms, {}), Lines{"FIRING e1 c1 OPEN SILENCED"});
  EXPECT_EQ(tick(start + hour_ms - 1), Lines{});
  EXPECT_EQ(tick(start + hour_ms), Lines{"FIRING e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(tick(start + 2 * hour_ms), Lines{});
}

TEST_F(Lifecycle, SilenceStopsNothingBeforeItBegins) {
  put(start, fmt::format(R"(key: "q" silence_state {{ terms {{ start_ms: {} end_ms: {} comment: "x" }} }})", start + 2,
                         start + hour_ms));
  EXPECT_EQ(find(start + 1, {}), Lines{"FIRING e1 c1 OPEN ACTIVE notify"});
  EXPECT_EQ(tick(start + 2), Lines{"FIRING e1 c2 OPEN SILENCED"});
  // What was told to fire is told to have ended, silence or not.
  EXPECT_EQ(find(start + 3, {.holds = false}), Lines{"RESOLVED e1 c3 OPEN SILENCED notify"});
  EXPECT_EQ(tick(start + hour_ms), Lines{});
}

TEST_F(Lifecycle, SilencedFromBeginToEndIsNeverTold) {
  put(start, fmt::format(R"(key: "q" silence_state {{ terms {{ entity: "mug" start_ms: {} end_ms: {} comment: "x" }} }})", start,
                         start + hour_ms));
  EXPECT_EQ(find(start + 1, {}), Lines{"FIRING e1 c1 OPEN SILENCED"});
  EXPECT_EQ(find(start + 2, {.holds = false}), Lines{"RESOLVED e1 c2 OPEN SILENCED"});
  EXPECT_EQ(find(start + 3, {.entity = "cup"}), Lines{"FIRING e1 c1 OPEN ACTIVE notify"}) << "another entity";
}

TEST_F(Lifecycle, SilenceTakenBackTellsOnce) {
  put(start, fmt::format(R"(key: "q" silence_state {{ terms {{ store: "s1" start_ms: {} end_ms: {} comment: "x" }} }})", start,
                         start + hour_ms));
  find(start + 1, {});
  EXPECT_EQ(put(start + 2, R"(key: "q" silence_state { withdrawn {} })"), Lines{"FIRING e1 c2 OPEN ACTIVE notify"});
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, SilenceOfAStoreConcernsItsAlerts) {
  const auto silence = [](const std::string& store, Millis end) {
    return fmt::format(R"(key: "q" silence_state {{ terms {{ store: "{}" start_ms: {} end_ms: {} comment: "x" }} }})", store,
                       start, end);
  };
  find(start, {});
  EXPECT_EQ(put(start + 1, silence("s1", start + hour_ms)), Lines{"FIRING e1 c2 OPEN SILENCED"});
  EXPECT_EQ(put(start + 2, silence("s2", start + hour_ms)), Lines{"FIRING e1 c3 OPEN ACTIVE notify"}) << "it was another's";
  EXPECT_EQ(put(start + 3, silence("s1", start + 9)), Lines{"FIRING e1 c4 OPEN SILENCED"});
  EXPECT_EQ(tick(start + 8), Lines{});
  EXPECT_EQ(tick(start + 9), Lines{"FIRING e1 c5 OPEN ACTIVE notify"});
  EXPECT_EQ(put(start + 10, silence("s2", start + hour_ms)), Lines{});
  EXPECT_EQ(drive.fold().next_wake(), start + hour_ms);
}

TEST_F(Lifecycle, ChargeLastsUntilItsTime) {
  find(start, {});
  const std::string ack = fmt::format(R"(key: "{}" ack_state {{ terms {{ alert: "{}" author: "li" until_ms: {} }} }})", key(),
                                      key(), start + hour_ms);
  EXPECT_EQ(put(start + 1, ack), Lines{"FIRING e1 c2 ACKED ACTIVE"});
  EXPECT_EQ(tick(start + hour_ms - 1), Lines{});
  EXPECT_EQ(tick(start + hour_ms), Lines{"FIRING e1 c3 OPEN ACTIVE"});
}

TEST_F(Lifecycle, ChargeIsVoidInANewEpisodeOrWhenWorse) {
  const std::string ack =
      fmt::format(R"(key: "{}" ack_state {{ terms {{ alert: "{}" until_ms: {} }} }})", key(), key(), start + day_ms);
  find(start, {});
  put(start + 1, ack);
  EXPECT_EQ(find(start + 2, {.severity = v1::SEVERITY_CRITICAL, .since = start}), Lines{"FIRING e1 c3 OPEN ACTIVE notify"});
  EXPECT_EQ(put(start + 3, ack), Lines{"FIRING e1 c4 ACKED ACTIVE"});
  EXPECT_EQ(find(start + 4, {.holds = false, .severity = v1::SEVERITY_CRITICAL}), Lines{"RESOLVED e1 c5 ACKED ACTIVE notify"});
  EXPECT_EQ(find(start + hour_ms, {.severity = v1::SEVERITY_CRITICAL}), Lines{"FIRING e2 c6 OPEN ACTIVE notify"});
}

TEST_F(Lifecycle, OneHeldByManySilencesEndsInTurns) {
  put(start,
      fmt::format(R"(key: "q" silence_state {{ terms {{ start_ms: {} end_ms: {} comment: "x" }} }})", start, start + hour_ms));
  for (int sku = 0; sku < 600; ++sku) find(start + 1, {.entity = std::to_string(sku)});
  // As many as fit into an answer, the rest with the records that follow.
  EXPECT_EQ(tick(start + hour_ms).size(), 256u);
  EXPECT_EQ(tick(start + hour_ms).size(), 256u);
  EXPECT_EQ(tick(start + hour_ms).size(), 88u);
  EXPECT_EQ(drive.fold().next_wake(), never);
}

TEST_F(Lifecycle, NoticesGoToWhoWantsThem) {
  subscribe(start, "all");
  subscribe(start, "severe", "severity_min: SEVERITY_HIGH");
  subscribe(start, "other-store", R"(stores: "s2")");
  subscribe(start, "rule", R"(rules: "out_of_stock")");
  EXPECT_EQ(due(start), Lines{});
  find(start + 1, {});
  EXPECT_EQ(due(start + 1), (Lines{"all c1 a0", "rule c1 a0"}));
  subscribe(start + 2, "late");
  EXPECT_EQ(due(start + 2).size(), 2u) << "only what comes after the subscriber";
  find(start + 3, {.severity = v1::SEVERITY_HIGH});
  EXPECT_EQ(due(start + 3), (Lines{"all c1 a0", "late c2 a0", "rule c1 a0", "severe c2 a0"}));
  put(start + 4, R"(key: "rule" subscriber_state { withdrawn {} })");
  EXPECT_EQ(due(start + 4), (Lines{"all c1 a0", "late c2 a0", "severe c2 a0"}));
}

TEST_F(Lifecycle, NoticesOfAnAlertKeepTheirOrder) {
  subscribe(start, "all");
  find(start, {});
  find(start + 1, {.holds = false});
  EXPECT_EQ(due(start + 1), Lines{"all c1 a0"});
  deliver(start + 2, "all", 1, 1, "retry", start + 10);
  EXPECT_EQ(due(start + 9), Lines{}) << "the second waits for the first";
  EXPECT_EQ(state().notices().next_due(start + 2), start + 10);
  EXPECT_EQ(state().notices().next_due(start + 9), start + 10);
  EXPECT_EQ(state().notices().next_due(start + 10), never) << "what is due already is not to come";
  EXPECT_EQ(due(start + 10), Lines{"all c1 a1"});
  deliver(start + 11, "all", 1, 2, "delivered");
  EXPECT_EQ(due(start + 11), Lines{"all c2 a0"});
  EXPECT_EQ(delivery(), "pending");
  deliver(start + 12, "all", 2, 1, "dead");
  EXPECT_EQ(due(start + 12), Lines{});
  EXPECT_EQ(delivery(), "dead");
  EXPECT_EQ(state().notices().next_due(start), never);
}

TEST_F(Lifecycle, ListsTheMostSevereAndNewestFirst) {
  find(start, {.entity = "a"});
  find(start + 1, {.severity = v1::SEVERITY_HIGH, .entity = "b"});
  find(start + 2, {.entity = "c"});
  find(start + 3, {.for_ms = minute_ms, .entity = "d"});
  find(start + 4, {.holds = false, .entity = "a"});
  const auto list = [&](const std::string& state) {
    query::v1::ListAlertsRequest request;
    request.set_state(state);
    query::v1::ListAlertsResponse response;
    const auto answer = definition().answer({drive.folds(), 1}, "ListAlerts", request.SerializeAsString());
    EXPECT_TRUE(answer && response.ParseFromString(*answer));
    std::string entities;
    for (const auto& alert : response.alerts()) entities += alert.terms().finding().entity();
    return entities;
  };
  EXPECT_EQ(list(""), "bdc");
  EXPECT_EQ(list("pending"), "d");
  EXPECT_EQ(list("resolved"), "a");
  EXPECT_FALSE(definition().answer({drive.folds(), 1}, "ListAlerts", "\x12\x01x").has_value());
}

TEST_F(Lifecycle, CountsWhatFiresByStoreAndSeverity) {
  const auto counts = [&](const std::string& store) {
    query::v1::GetOverviewRequest request;
    if (!store.empty()) request.add_stores(store);
    query::v1::GetOverviewResponse response;
    const auto answer = definition().answer({drive.folds(), 1}, "GetOverview", request.SerializeAsString());
    EXPECT_TRUE(answer && response.ParseFromString(*answer));
    std::string text;
    for (const auto& count : response.firing())
      text += fmt::format("{}x{} ", v1::Severity_Name(count.severity()).substr(9), count.count());
    return text;
  };
  EXPECT_EQ(counts(""), "");
  find(start, {.entity = "a"});
  find(start + 1, {.severity = v1::SEVERITY_HIGH, .entity = "b"});
  find(start + 2, {.entity = "c"});
  find(start + 3, {.for_ms = minute_ms, .entity = "d"});  // Pending.
  EXPECT_EQ(counts(""), "WARNINGx2 HIGHx1 ");
  find(start + 4, {.holds = false, .entity = "a"});
  find(start + 5, {.severity = v1::SEVERITY_HIGH, .entity = "c"});
  EXPECT_EQ(counts("s1"), "HIGHx2 ") << "it counts as it was told last";
  EXPECT_EQ(counts("s2"), "");
  drive.restart(definition().make_fold());
  EXPECT_EQ(counts("s1"), "HIGHx2 ");
}

// Whatever the run, a restart anywhere changes nothing that is said, and alerts alternate between firing and resolved.
TEST_F(Lifecycle, RestartsChangeNothing) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::vector<std::string> said[2];
    for (const bool restarts : {false, true}) {
      std::mt19937 random(seed);
      drive = tests::Drive(definition().make_fold());
      subscribe(start, "all");
      Millis now = start;
      std::map<std::string, bool> firing;
      for (int step = 0; step < 200; ++step) {
        now += random() % (10 * minute_ms);
        const std::string entity(1, static_cast<char>('a' + random() % 3));
        const auto choice = random() % 10;
        std::vector<v1::Fact> facts;
        if (choice < 6)
          facts = drive.put(now, finding(now, {.holds = random() % 2 == 0,
                                               .for_ms = static_cast<Millis>(random() % 2) * 5 * minute_ms,
                                               .entity = entity}));
        else if (choice < 7)
          facts = drive.put(
              now, fmt::format(R"(key: "{}" silence_state {{ terms {{ entity: "{}" start_ms: {} end_ms: {} comment: "x" }} }})",
                               random() % 3, entity, now + random() % hour_ms, now + random() % (2 * hour_ms)));
        else
          facts = drive.tick(now);
        for (const v1::Fact& fact : facts) {
          const v1::AlertTerms& terms = fact.alert_state().terms();
          said[restarts].push_back(terms.ShortDebugString());
          if (terms.condition() == v1::CONDITION_RESOLVED && terms.muting() == v1::MUTING_ACTIVE && terms.notify()) {
            EXPECT_TRUE(firing[terms.alert()]) << "resolved is told only of what was told to fire";
          }
          if (terms.notify()) firing[terms.alert()] = terms.condition() == v1::CONDITION_FIRING;
        }
        const bool restart = random() % 4 == 0;
        if (restarts && restart) drive.restart(definition().make_fold());
      }
    }
    ASSERT_EQ(said[0], said[1]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace xundian::alerts
