// Which override holds for a thing: the most specific, among equals the newest, of those that stand now.
#include "common/rules.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/registry.h"
#include "tests/unit/random_message.h"

namespace xundian {
namespace {

constexpr ShippedRule rule_of(std::string_view id, int64_t fire_at_micros) {
  ShippedRule rule;
  rule.id = id;
  rule.fire_at_micros = rule.clear_at_micros = fire_at_micros;
  return rule;
}
constexpr ShippedRule shipped[] = {rule_of("low", 1), rule_of("high", 2)};
constexpr RulePlace low = place_of(shipped, "low"), high = place_of(shipped, "high");

struct Book {
  // A set of rules as text, or its withdrawal where there is none; true if it changed anything.
  bool put(Millis as_of, const std::string& key, const std::string& said) {
    v1::Fact fact;
    const std::string text = said.empty() ? "rule_set { withdrawn {} }" : "rule_set { list { " + said + " } }";
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &fact)) << text;
    fact.set_key(key);
    fact.set_as_of_ms(as_of);
    std::string frame;
    EXPECT_TRUE(append_frame(frame, fact).has_value());
    return rules.fold(FactView(frame, 0, 0));
  }
  int64_t fires_at(RulePlace rule, std::string_view store, std::string_view platform, std::string_view entity) const {
    return rules.find(rule, store, platform, entity).fire_at_micros;
  }

  RuleBook rules{shipped};
};

TEST(RuleBookTest, TheMostSpecificHolds) {
  Book book;
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 1);
  EXPECT_TRUE(book.put(1, "all", "rules { id: 'low' fire_at_micros: 10 } rules { id: 'other' fire_at_micros: 99 }"));
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 10);
  EXPECT_EQ(book.fires_at(high, "a", "jd", "mug"), 2) << "another rule's";
  book.put(2, "jd", "rules { id: 'low' platform: 'jd' fire_at_micros: 11 }");
  book.put(3, "a", "rules { id: 'low' store: 'a' fire_at_micros: 12 } rules { id: 'low' store: 'b' fire_at_micros: 13 }");
  book.put(4, "mug", "rules { id: 'low' entity: 'mug' fire_at_micros: 14 }");
  EXPECT_EQ(book.fires_at(low, "c", "taobao", "cup"), 10);
  EXPECT_EQ(book.fires_at(low, "c", "jd", "cup"), 11);
  EXPECT_EQ(book.fires_at(low, "a", "jd", "cup"), 12);
  EXPECT_EQ(book.fires_at(low, "b", "jd", "cup"), 13);
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 14);
  EXPECT_EQ(book.fires_at(low, "", "", "mug"), 14);
}

TEST(RuleBookTest, ASetIsReplacedAsAWhole) {
  Book book;
  book.put(1, "set", "rules { id: 'low' fire_at_micros: 10 } rules { id: 'low' store: 'a' fire_at_micros: 11 }");
  EXPECT_FALSE(book.put(1, "set", "rules { id: 'low' fire_at_micros: 10 } rules { id: 'low' store: 'a' fire_at_micros: 11 }"));
  EXPECT_TRUE(book.put(2, "set", "rules { id: 'low' fire_at_micros: 20 }"));
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 20);
  EXPECT_FALSE(book.put(1, "set", "rules { id: 'low' fire_at_micros: 5 }")) << "older";
  EXPECT_TRUE(book.put(3, "newer", "rules { id: 'low' fire_at_micros: 30 }"));
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 30) << "among equals the newest";
  EXPECT_TRUE(book.put(4, "newer", ""));
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 20);
  EXPECT_TRUE(book.put(5, "set", ""));
  EXPECT_EQ(book.fires_at(low, "a", "jd", "mug"), 1);
}

TEST(RuleBookTest, AnotherServicesRulesChangeNothing) {
  Book book;
  EXPECT_FALSE(book.put(1, "set", "rules { id: 'other' fire_at_micros: 10 }"));
  EXPECT_TRUE(book.put(2, "set", "rules { id: 'low' fire_at_micros: 10 }"));
  EXPECT_TRUE(book.put(3, "set", "rules { id: 'other' fire_at_micros: 10 }")) << "the one that was there is gone";
  EXPECT_FALSE(book.put(4, "set", ""));
}

TEST(RuleBookTest, OfThousandsOfOverridesThoseHoldThatConcernTheThing) {
  struct Said {
    std::string store, platform, entity;
    int64_t fire_at_micros = 0;
  };
  const auto concerns = [](const std::string& said, const std::string& thing) { return said.empty() || said == thing; };
  std::mt19937 dice(1);
  const auto any_of = [&](std::initializer_list<const char*> words) { return std::data(words)[dice() % words.size()]; };
  std::map<Millis, std::pair<std::string, std::vector<Said>>> sets;  // By when they were said.
  Book book;
  for (Millis as_of = 1; as_of <= 400; ++as_of) {
    const std::string key = std::to_string(dice() % 60);
    std::vector<Said> said;
    std::string text;
    for (size_t left = dice() % 20; left > 0; --left) {
      said.push_back({any_of({"", "a", "b", "a\\n"}), any_of({"", "jd", "tmall"}), any_of({"", "mug", "cup", "\\nmug"}),
                      static_cast<int64_t>(dice() % 1'000'000)});
      text += fmt::format("rules {{ id: 'low' store: '{}' platform: '{}' entity: '{}' fire_at_micros: {} }} ", said.back().store,
                          said.back().platform, said.back().entity, said.back().fire_at_micros);
    }
    book.put(as_of, key, text);
    std::erase_if(sets, [&](const auto& set) { return set.second.first == key; });
    sets[as_of] = {key, said};
    for (const char* store : {"", "a", "b", "a\n"})
      for (const char* entity : {"", "mug", "cup", "\nmug"}) {
        int64_t expected = 1;
        int most = -1;
        for (const auto& [when, set] : sets)
          for (const Said& rule : set.second) {
            const auto plain = [](std::string word) { return word == "a\\n" ? "a\n" : word == "\\nmug" ? "\nmug" : word; };
            if (!concerns(plain(rule.store), store) || !concerns(rule.platform, "jd") || !concerns(plain(rule.entity), entity))
              continue;
            const int how = (rule.entity.empty() ? 0 : 4) + (rule.store.empty() ? 0 : 2) + (rule.platform.empty() ? 0 : 1);
            if (how < most) continue;
            most = how;
            expected = rule.fire_at_micros;
          }
        ASSERT_EQ(book.fires_at(low, store, "jd", entity), expected) << as_of << " " << store << " " << entity;
      }
  }
}

// In whatever order sets come, and after a restart, the same holds.
TEST(RuleBookTest, TheOrderOfArrivalDecidesNothing) {
  const std::vector<std::pair<std::string, std::string>> rules = {
      {"1", "rules { id: 'low' fire_at_micros: 10 } rules { id: 'high' fire_at_micros: 15 }"},
      {"2", "rules { id: 'low' store: 'a' fire_at_micros: 20 }"},
      {"3", "rules { id: 'low' store: 'a' fire_at_micros: 30 } rules { id: 'low' platform: 'jd' for_ms: 5 }"},
      {"1", "rules { id: 'low' fire_at_micros: 40 disabled: true }"},
      {"2", ""},
      {"4", "rules { id: 'high' store: 'b' entity: 'mug' fire_at_micros: 50 }"}};
  const auto all = [&](const RuleBook& book) {
    std::string text;
    for (const RulePlace rule : {low, high})
      for (const char* store : {"a", "b", ""})
        for (const char* entity : {"mug", "cup"}) {
          const EffectiveRule found = book.find(rule, store, "jd", entity);
          text += fmt::format("{} {} {} ", found.fire_at_micros, found.for_ms, found.disabled);
        }
    return text;
  };
  std::vector<size_t> order = {0, 1, 2, 3, 4, 5};
  std::mt19937 dice(1);
  std::string first;
  for (int round = 0; round < 50; ++round) {
    Book book;
    for (const size_t index : order) book.put(static_cast<Millis>(index) + 1, rules[index].first, rules[index].second);
    if (first.empty()) first = all(book.rules);
    EXPECT_EQ(all(book.rules), first);
    std::string bytes;
    book.rules.save(bytes);
    RuleBook again(shipped);
    ByteReader reader(bytes);
    ASSERT_TRUE(again.load(reader));
    EXPECT_EQ(all(again), first);
    std::shuffle(order.begin(), order.end(), dice);
  }
}

TEST(RegistryTest, WhatSeveralGroupsHoldIsListedOnce) {
  struct Group : Book {
    const RuleBook& rules() const { return Book::rules; }
  };
  Group shops, outlet;
  for (Group* group : {&shops, &outlet}) group->put(1, "all", "rules { id: 'low' fire_at_micros: 10 }");
  outlet.put(2, "outlet", "rules { id: 'high' fire_at_micros: 20 } rules { id: 'other' fire_at_micros: 30 }");
  const std::vector<Group*> groups = {&shops, &outlet};
  const query::v1::ListRulesResponse told = list_rules(std::span<Group* const>(groups), shipped, "metrics");
  ASSERT_EQ(told.rules_size(), 2);
  EXPECT_EQ(told.rules(1).rule().id(), "high");
  EXPECT_EQ(told.rules(1).service(), "metrics");
  ASSERT_EQ(told.overrides_size(), 2) << "one of them twice, and another service's";
  EXPECT_EQ(told.overrides(0).fire_at_micros(), 10);
  EXPECT_EQ(told.overrides(1).fire_at_micros(), 20);
}

TEST(RegistryTest, AMetricIsDefinedInItsWords) {
  struct Metric : MetricWords {
    int read = 0;
  };
  constexpr Metric metrics[] = {{"units", "支付件数", "Units", "a sum", "units", "store,sku", "hour", "additive", 1}};
  const query::v1::GetMetricDefinitionsResponse told = define(metrics, "metrics");
  ASSERT_EQ(told.definitions_size(), 1);
  EXPECT_EQ(told.definitions(0).id(), "units");
  EXPECT_EQ(told.definitions(0).name_zh(), "支付件数");
  EXPECT_EQ(told.definitions(0).additivity(), "additive");
  EXPECT_EQ(told.definitions(0).service(), "metrics");
}

// What a service takes in of its own findings is what the parser gives, and of broken ones nothing.
TEST(FindingScanTest, GivesWhatTheParserGives) {
  Random random(1);
  for (int step = 0; step < 3'000; ++step) {
    v1::Finding finding;
    fill(finding, random);
    std::string bytes = finding.SerializeAsString();
    if (step % 2 == 1) {  // Terms that come twice are merged.
      v1::Finding more;
      fill(more, random);
      bytes += more.SerializeAsString();
      ASSERT_TRUE(finding.ParseFromString(bytes));
    }
    FindingScan scan;
    ASSERT_TRUE(scan.scan(bytes));
    ASSERT_EQ(scan.rule, finding.terms().rule());
    ASSERT_EQ(scan.holds, finding.terms().holds());
    ASSERT_EQ(scan.since_ms, finding.terms().since_ms());
    const std::string_view cut(bytes.data(), bytes.empty() ? 0 : random() % bytes.size());
    ASSERT_EQ(FindingScan().scan(cut), v1::Finding().ParseFromArray(cut.data(), static_cast<int>(cut.size())));
  }
  EXPECT_FALSE(FindingScan().scan(std::string_view("\x0a\x01\x20", 3))) << "terms that end within a field";
}

}  // namespace
}  // namespace xundian
