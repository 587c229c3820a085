// The one property that matters: what is known is a function of the set of facts, not of their order or number.
#include <algorithm>
#include <random>

#include "tests/support/desk.h"

namespace xundian::support {
namespace {

using Random = std::mt19937;

v1::Fact random_message(Random& random) {
  static const char* authors[] = {"CUSTOMER", "CUSTOMER", "AGENT", "AGENT", "BOT", "AUTO_REPLY"};
  Said said{.id = std::to_string(random() % 40), .author = authors[random() % 6], .at = static_cast<Millis>(random() % 400'000)};
  if (random() % 3 == 0) said.conversation = "c" + std::to_string(random() % 3);
  if (random() % 3 != 0) said.reply_to = std::to_string(random() % 40);
  if (said.author == "AGENT") said.agent = random() % 2 == 0 ? "li" : "wang";
  if (said.author == "CUSTOMER") said.buyer = random() % 6;
  v1::Fact fact = message(said);
  fact.set_as_of_ms(start + static_cast<Millis>(random() % 5));
  if (random() % 6 == 0) fact.mutable_chat_message()->mutable_withdrawn();
  if (random() % 9 == 0) fact.mutable_chat_message()->clear_line(), fact.mutable_chat_message()->mutable_withdrawn();
  return fact;
}

v1::Fact random_thing(Random& random) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(std::to_string(random() % 5));
  fact.set_as_of_ms(start + static_cast<Millis>(random() % 5));
  const Millis time = start + static_cast<Millis>(random() % 400'000) * second_ms;
  fact.set_occurred_ms(time);
  switch (random() % 5) {
    case 0: {
      v1::OrderState& order = *fact.mutable_order_state();
      if (random() % 2 == 0) order.mutable_placed()->set_buyer(random() % 6);
      order.mutable_paid()->set_paid_ms(random() % 4 == 0 ? 0 : time);
      if (random() % 6 == 0) order.mutable_withdrawn();
      break;
    }
    case 1: {
      v1::RefundState& refund = *fact.mutable_refund_state();
      refund.mutable_opened()->set_deadline_ms(time);
      if (random() % 2 == 0) refund.mutable_status()->set_status(random() % 2 == 0 ? "open" : "settled");
      break;
    }
    case 2: {
      v1::ScoreCard& card = *fact.mutable_service_score()->mutable_card();
      card.set_day(format_day(20'760 + static_cast<Day>(random() % 5)));
      fact.set_key(card.day());
      card.set_description_milli(4'800 + random() % 20);
      break;
    }
    case 3:
      fact.mutable_review_state()->mutable_given()->set_score(random() % 6);
      break;
    default: {
      v1::StoreSettings& settings = *fact.mutable_store_state()->mutable_settings();
      fact.set_key("s1");
      settings.set_time_zone(random() % 2 == 0 ? "Asia/Shanghai" : "Europe/London");
      settings.set_day_cut_minutes(random() % 2 * 240);
      break;
    }
  }
  return fact;
}

std::string everything(tests::Drive& drive) {
  std::string all = drive.fingerprint();
  const auto definitions = metric_definitions();
  for (const auto& metric : definitions.definitions())
    for (const char* grain : {"total", "day", "hour"})
      for (const char* by : {"", "store", "agent"})
        all += "\n" + metric.id() + " " + grain + " " + by + ": " +
               rows_of(drive, metric.id(), by, grain, "2026-10-01", "2026-12-31");
  return all;
}

TEST(OrderOfArrival, ChangesNothing) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    std::vector<v1::Fact> facts;
    for (int index = 0; index < 120; ++index) facts.push_back(random() % 3 == 0 ? random_thing(random) : random_message(random));
    const Millis end = start + 400'000 * second_ms;
    std::string first;
    for (int run = 0; run < 4; ++run) {
      tests::Drive drive(definition().make_fold());
      for (const v1::Fact& fact : facts) {
        drive.put(fact.occurred_ms(), fact);
        if (random() % 4 == 0) drive.put(fact.occurred_ms(), facts[random() % facts.size()]);
        if (run == 3 && random() % 10 == 0) drive.restart(definition().make_fold());
      }
      // Duplicates may have come before their turn; once more all of them.
      for (const v1::Fact& fact : facts) drive.put(end, fact);
      const std::string known = everything(drive);
      if (run == 0) first = known;
      ASSERT_EQ(first, known) << "seed " << seed << " run " << run;
      std::shuffle(facts.begin(), facts.end(), random);
    }
  }
}

// The same set in another order, nothing said twice: no duplicate may heal what order broke.
TEST(OrderOfArrival, ChangesNothingWithoutDuplicates) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    std::vector<v1::Fact> facts;
    for (int index = 0; index < 60; ++index) facts.push_back(random() % 4 == 0 ? random_thing(random) : random_message(random));
    const Millis end = start + 400'000 * second_ms;
    std::string first;
    for (int run = 0; run < 3; ++run) {
      tests::Drive drive(definition().make_fold());
      for (const v1::Fact& fact : facts) drive.put(end, fact);
      const std::string known = everything(drive);
      if (run == 0) first = known;
      ASSERT_EQ(first, known) << "seed " << seed << " run " << run;
      std::shuffle(facts.begin(), facts.end(), random);
    }
  }
}

// A restart in the middle changes nothing that is said.
TEST(OrderOfArrival, RestartsChangeNothing) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::vector<std::string> said[2];
    for (const bool restarts : {false, true}) {
      Random random(seed);
      tests::Drive drive(definition().make_fold());
      Millis now = start;
      for (int index = 0; index < 150; ++index) {
        now += static_cast<Millis>(random() % 90'000);
        v1::Fact fact = random() % 4 == 0 ? random_thing(random) : random_message(random);
        if (fact.chat_message().has_line()) fact.mutable_chat_message()->mutable_line()->set_sent_ms(now);
        fact.set_as_of_ms(now);
        fact.set_occurred_ms(now);
        for (const v1::Fact& finding : random() % 3 == 0 ? drive.tick(now) : drive.put(now, fact))
          said[restarts].push_back(finding.ShortDebugString());
        const bool restart = random() % 4 == 0;
        if (restarts && restart) drive.restart(definition().make_fold());
      }
    }
    ASSERT_FALSE(said[0].empty());
    ASSERT_EQ(said[0], said[1]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace xundian::support
