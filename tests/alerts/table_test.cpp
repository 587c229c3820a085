// Alerts come back as they were kept, whatever was said of them, and after a restart too.
#include <gtest/gtest.h>

#include "services/alerts/alert.h"
#include "tests/unit/random_message.h"

namespace xundian::alerts {
namespace {

class Table : public ::testing::Test {
 protected:
  // Anything that may be said of an alert. What it found last is often what it stands by, in part or whole.
  Alert anything(uint32_t index) {
    Alert alert = table.read(index);
    alert.store = fmt::format("s{}", random() % 5);
    fill(alert.standing.terms, random);
    alert.standing.terms.set_condition(static_cast<v1::Condition>(random() % v1::Condition_ARRAYSIZE));
    if (random() % 2 == 0) alert.standing.terms.set_alert(to_hex(table.key(index)));
    fill(alert.finding, random);
    const v1::FindingTerms& held = alert.standing.terms.finding();
    if (random() % 3 != 0) {
      alert.finding.set_rule(held.rule());
      alert.finding.set_entity_kind(held.entity_kind());
      alert.finding.set_entity(held.entity());
      alert.finding.set_owner(held.owner());
      alert.finding.set_next(held.next());
    }
    if (random() % 3 == 0) alert.finding = held;
    alert.finding_cause = random();
    if (random() % 2 == 0)
      alert.ack = {{random(), random()}, true, static_cast<uint32_t>(random()), v1::SEVERITY_HIGH, static_cast<Millis>(random())};
    alert.standing.cause = random();
    alert.standing.told = v1::CONDITION_FIRING;
    alert.standing.told_episode = static_cast<uint32_t>(random());
    alert.standing.told_severity = v1::SEVERITY_CRITICAL;
    alert.standing.turns.resize(random() % 20);
    for (Turn& turn : alert.standing.turns) turn = {static_cast<Millis>(random()), random() % 2 == 0};
    alert.notice_change = static_cast<uint32_t>(random());
    alert.outcomes.clear();
    for (uint64_t left = random() % 4; left > 0; --left)
      alert.outcomes.emplace_back(table.subscriber_of(std::to_string(random() % 9)), static_cast<Outcome>(random() % 5));
    return alert;
  }
  static std::string text_of(const Alert& alert) {
    std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {}\n", alert.store, alert.finding_cause, alert.ack.version.rank,
                                   alert.ack.version.digest, alert.ack.given, alert.ack.episode, alert.ack.until_ms,
                                   alert.standing.cause, alert.standing.told_episode, alert.notice_change);
    text += fmt::format("{} {} {}\n", static_cast<int>(alert.ack.severity), static_cast<int>(alert.standing.told),
                        static_cast<int>(alert.standing.told_severity));
    for (const Turn& turn : alert.standing.turns) text += fmt::format("{} {};", turn.changed_ms, turn.turned);
    for (const auto& [subscriber, outcome] : alert.outcomes) text += fmt::format("{} {};", subscriber, static_cast<int>(outcome));
    return text + alert.standing.terms.DebugString() + alert.finding.DebugString();
  }

  Random random{1};
  AlertTable table;
};

TEST_F(Table, GivesBackWhatWasKept) {
  std::vector<std::string> expected;
  for (int number = 0; number < 500; ++number) expected.push_back(text_of(table.read(table.make(std::to_string(number)))));
  int ended = 0;
  for (int step = 0; step < 4'000; ++step) {
    const auto index = static_cast<uint32_t>(random() % expected.size());
    Alert alert = anything(index);
    table.keep(alert);
    if (alert.standing.terms.alert().empty()) alert.standing.terms.set_alert(to_hex(table.key(index)));
    if (!alert.finding.holds() && !alert.standing.open()) {  // How it was said that it ended is left out, and nothing else.
      alert.finding.clear_evidence();
      alert.finding.clear_text_zh();
      alert.finding.clear_text_en();
      ++ended;
    }
    expected[index] = text_of(alert);
    ASSERT_EQ(text_of(table.read(index)), expected[index]) << step;
  }
  EXPECT_GT(ended, 500);
  std::string bytes;
  table.due(7) = 12'345;
  table.save(bytes);
  AlertTable again;
  ByteReader reader(bytes);
  ASSERT_TRUE(again.load(reader) && reader.empty());
  for (uint32_t index = 0; index < expected.size(); ++index) ASSERT_EQ(text_of(again.read(index)), expected[index]) << index;
  EXPECT_EQ(again.due(7), 12'345);
  EXPECT_EQ(again.due(8), never);
}

TEST_F(Table, RefusesASnapshotThatIsCutOff) {
  for (int number = 0; number < 5; ++number) table.keep(anything(table.make(std::to_string(number))));
  std::string bytes;
  table.save(bytes);
  for (size_t left = 0; left < bytes.size(); ++left) {
    AlertTable again;
    ByteReader reader(std::string_view(bytes).substr(0, left));
    ASSERT_FALSE(again.load(reader)) << left << " of " << bytes.size();
  }
}

// A name is nearly always the text of a key; any other is one all the same, and none is taken for another.
TEST_F(Table, FindsEachByItsName) {
  const std::string hex = to_hex(Key{0xabcdef, 0x123456});
  std::string upper = hex;
  for (char& letter : upper) letter = static_cast<char>(std::toupper(letter));
  const std::string names[] = {hex, upper, hex.substr(1), hex + "0", "", "+" + hex.substr(1), to_hex(hash128("")), "an alert"};
  for (const std::string& name : names) {
    const bool same_as_empty = name == to_hex(hash128(""));  // The empty name goes by that key.
    EXPECT_EQ(table.index_of(name).has_value(), same_as_empty) << name;
    const uint32_t before = table.size();
    EXPECT_EQ(table.make(name), same_as_empty ? 4u : before);
    EXPECT_EQ(table.make(name), table.index_of(name)) << name;
  }
  EXPECT_EQ(table.key(0), (Key{0xabcdef, 0x123456}));
}

TEST(Outcomes, TheWorstIsTold) {
  Alert alert;
  EXPECT_EQ(alert.delivery(), "none");
  for (const char* word : {"lost", "delivered", "pending", "retry", "dead"}) {
    alert.outcomes.emplace_back(0, outcome_of(word));
    EXPECT_EQ(alert.delivery(), std::string_view(word) == "lost" ? "none" : word);
    alert.outcomes.emplace_back(0, Outcome::delivered);
    EXPECT_EQ(alert.delivery(), std::string_view(word) == "lost" ? "delivered" : word);
  }
  EXPECT_TRUE(is_final(outcome_of("dead")) && is_final(outcome_of("delivered")));
  EXPECT_FALSE(is_final(outcome_of("retry")) || is_final(outcome_of("pending")) || is_final(outcome_of("")));
}

}  // namespace
}  // namespace xundian::alerts
