// The list of alerts: whichever are asked for, in pages of whatever size, they are those that a walk over all of them finds.
#include <algorithm>
#include <random>

#include "common/patience.h"
#include "common/time.h"
#include "services/alerts/state.h"
#include "tests/support/drive.h"

namespace xundian::alerts {
namespace {

class AlertList : public ::testing::Test {
 protected:
  static constexpr Millis began = 1'793'836'800'000;  // 2026-11-05T00:00:00Z
  using Stores = std::vector<std::string>;
  using Lines = std::vector<std::string>;

  const State& group(size_t number) { return static_cast<const State&>(drives_[number].fold()); }
  void restart() {
    for (tests::Drive& drive : drives_) drive.restart(definition().make_fold());
  }

  void find(size_t group_number, Millis now, const std::string& store, const std::string& entity, bool holds,
            v1::Severity severity = v1::SEVERITY_WARNING, Millis since = began, Millis for_ms = 0) {
    v1::Fact fact;
    fact.set_store(store);
    fact.set_key("out_of_stock|" + entity);
    v1::FindingTerms& terms = *fact.mutable_finding()->mutable_terms();
    terms.set_rule("out_of_stock");
    terms.set_entity_kind("sku");
    terms.set_entity(entity);
    terms.set_holds(holds);
    terms.set_judged_ms(now);
    terms.set_since_ms(since);
    terms.set_for_ms(for_ms);
    terms.set_severity(severity);
    drives_[group_number].put(now, fact);
  }
  // Thousands of alerts at stores of two groups, and of no store under the same keys in both; each comes, goes and changes. Many
  // began at the same time.
  void fill() {
    std::mt19937 random(1);
    const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
    for (int step = 0; step < 8'000; ++step) {
      const size_t number = below(2);
      const uint32_t place = below(4);
      const std::string store = place == 0 ? "" : fmt::format("g{}s{}", number, place);
      const auto severity = static_cast<v1::Severity>(v1::SEVERITY_INFO + below(4));
      const Millis since = began + below(20) * minute_ms;
      const std::string entity = std::to_string(below(place == 0 ? 50 : 800));
      find(number, began + hour_ms + step, store, entity, below(4) != 0, severity, since, below(4) == 0 ? day_ms : 0);
    }
    // Alike in both groups.
    for (const size_t number : {0, 1}) find(number, began + 2 * hour_ms, "", "both", true);
  }

  query::v1::ListAlertsResponse ask(const query::v1::ListAlertsRequest& request) {
    Fold* folds[] = {&drives_[0].fold(), &drives_[1].fold()};
    query::v1::ListAlertsResponse response;
    const auto answer = definition().answer({folds, 2}, "ListAlerts", request.SerializeAsString());
    EXPECT_TRUE(answer && response.ParseFromString(*answer));
    return response;
  }
  static std::string line(const std::string& store, const v1::AlertTerms& terms, uint64_t cause) {
    return fmt::format("{} {} {} {} {} {}", v1::Severity_Name(terms.finding().severity()).substr(9), terms.since_ms() - began,
                       v1::Condition_Name(terms.condition()).substr(10), store, terms.alert(), cause);
  }
  // What is told, page by page; each is full but the last.
  Lines pages(const Stores& stores, const std::string& state, uint32_t size) {
    query::v1::ListAlertsRequest request;
    request.mutable_stores()->Add(stores.begin(), stores.end());
    request.set_state(state);
    request.set_limit(size);
    Lines lines;
    for (bool more = true; more;) {
      request.set_skip(lines.size());
      const auto told = ask(request);
      for (const query::v1::Alert& alert : told.alerts()) lines.push_back(line(alert.store(), alert.terms(), alert.cause()));
      more = told.more();
      if (!more) continue;
      EXPECT_EQ(static_cast<uint32_t>(told.alerts_size()), size);
      if (told.alerts().empty()) break;
    }
    return lines;
  }
  static bool stands(const Alert& alert, const std::string& state) {
    const v1::Condition condition = alert.standing.terms.condition();
    if (state == "resolved") return condition == v1::CONDITION_RESOLVED;
    return (condition == v1::CONDITION_PENDING && state != "firing") || (condition == v1::CONDITION_FIRING && state != "pending");
  }
  // What a walk over all of them finds, put in order afterwards.
  Lines walk(const Stores& stores, const std::string& state) {
    std::vector<Alert> found;
    for (const size_t number : {0, 1})
      for (uint32_t index = 0; index < group(number).alerts().size(); ++index) {
        const Alert alert = group(number).alerts().read(index);
        if (stands(alert, state) && (stores.empty() || std::find(stores.begin(), stores.end(), alert.store) != stores.end()))
          found.push_back(alert);
      }
    std::stable_sort(found.begin(), found.end(), [](const Alert& a, const Alert& b) {
      const v1::AlertTerms &left = a.standing.terms, &right = b.standing.terms;
      if (left.finding().severity() != right.finding().severity()) return left.finding().severity() > right.finding().severity();
      if (left.since_ms() != right.since_ms()) return left.since_ms() > right.since_ms();
      return left.alert() < right.alert();
    });
    Lines lines;
    for (const Alert& alert : found) lines.push_back(line(alert.store, alert.standing.terms, alert.standing.cause));
    return lines;
  }
  // How the one of this key is told to stand, once for each group that has it.
  std::string told_of(const std::string& key, const Stores& stores = {}, const std::string& state = "") {
    query::v1::ListAlertsRequest request;
    request.set_alert(key);
    request.mutable_stores()->Add(stores.begin(), stores.end());
    request.set_state(state);
    const auto told = ask(request);
    std::string text;
    for (const query::v1::Alert& alert : told.alerts()) {
      EXPECT_EQ(alert.terms().alert(), key);
      text += v1::Condition_Name(alert.terms().condition()).substr(10) + " " + alert.store() + ";";
    }
    return text;
  }
  static std::string key_of(const std::string& store, const std::string& entity) {
    v1::FindingTerms terms;
    terms.set_rule("out_of_stock");
    terms.set_entity_kind("sku");
    terms.set_entity(entity);
    return alert_key(terms, store);
  }

 private:
  tests::Drive drives_[2] = {tests::Drive(definition().make_fold()), tests::Drive(definition().make_fold())};
};

TEST_F(AlertList, PagesAreWhatAWalkFinds) {
  fill();
  ASSERT_GT(walk({}, "").size(), 2'000u);
  for (const char* state : {"pending", "firing", "resolved"}) ASSERT_GT(walk({}, state).size(), 100u) << state;
  const Stores asked[] = {Stores{}, Stores{"g0s1"}, Stores{""}, Stores{"g1s2", "g0s3", ""}, Stores{"unknown"}};
  for (const bool restarted : {false, true}) {
    if (restarted) restart();
    for (const Stores& stores : asked) {
      for (const char* state : {"", "pending", "firing", "resolved"}) {
        const Lines all = walk(stores, state);
        for (const uint32_t size : {0u, 97u, 1'000u})
          ASSERT_EQ(pages(stores, state, size), all)
              << fmt::format("stores \"{}\" state \"{}\" size {} restarted {}", fmt::join(stores, ","), state, size, restarted);
      }
    }
  }
}

TEST_F(AlertList, APageEndsOnceItsPatienceIsOver) {
  for (const char* entity : {"a", "b", "c", "d"}) find(0, began, "s", entity, true);
  const Patience none(std::chrono::milliseconds(0));
  EXPECT_EQ(ask({}).alerts_size(), 0);
  EXPECT_TRUE(none.was_over());
}

TEST_F(AlertList, APageThatEndsWithTheListHasNoneBehindIt) {
  for (const char* entity : {"a", "b", "c", "d"}) find(0, began, "s", entity, true);
  query::v1::ListAlertsRequest request;
  request.set_limit(2);
  EXPECT_TRUE(ask(request).more());
  request.set_skip(2);
  EXPECT_FALSE(ask(request).more());
  EXPECT_EQ(ask(request).alerts_size(), 2);
  request.set_skip(UINT64_MAX);
  EXPECT_FALSE(ask(request).more());
  EXPECT_EQ(ask(request).alerts_size(), 0);
}

TEST_F(AlertList, OneIsFoundByItsKey) {
  find(0, began, "s", "fires", true);
  find(1, began, "t", "waits", true, v1::SEVERITY_HIGH, began, day_ms);
  find(0, began, "s", "ended", true);
  find(0, began + 1, "s", "ended", false);
  find(0, began, "s", "never fired", true, v1::SEVERITY_HIGH, began, day_ms);
  find(0, began + 1, "s", "never fired", false, v1::SEVERITY_HIGH, began, day_ms);
  for (const size_t number : {0, 1}) find(number, began, "", "whole group", true);
  for (const bool restarted : {false, true}) {
    if (restarted) restart();
    EXPECT_EQ(told_of(key_of("s", "fires")), "FIRING s;");
    EXPECT_EQ(told_of(key_of("t", "waits")), "PENDING t;");
    EXPECT_EQ(told_of(key_of("s", "ended")), "RESOLVED s;") << "whatever became of it";
    EXPECT_EQ(told_of(key_of("", "whole group")), "FIRING ;FIRING ;") << "a group each";
    EXPECT_EQ(told_of(key_of("s", "never fired")), "");
    EXPECT_EQ(told_of(key_of("s", "unknown")), "");
    EXPECT_EQ(told_of(""), "") << "no key is none's";
  }
  EXPECT_EQ(told_of(key_of("s", "fires"), {"s"}), "FIRING s;");
  EXPECT_EQ(told_of(key_of("s", "fires"), {"t", ""}), "") << "another's";
  EXPECT_EQ(told_of(key_of("s", "ended"), {}, "resolved"), "RESOLVED s;");
  EXPECT_EQ(told_of(key_of("s", "ended"), {}, "firing"), "");
}

}  // namespace
}  // namespace xundian::alerts
