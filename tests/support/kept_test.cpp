// What is kept for questions and rules is what is found anew, whatever was said, corrected and withdrawn before.
#include <random>

#include "tests/support/desk.h"
#include "tests/support/overview.h"

namespace xundian::support {
namespace {

class Speaker {
 public:
  explicit Speaker(uint32_t seed) : dice_(seed) {}

  std::string next() {
    time_ms += upto(5) * 10 * 60'000;
    const auto withdrawn = [&](const char* kind) { return fmt::format("{} {{ withdrawn {{}} }}", kind); };
    switch (upto(5)) {
      case 0: {
        const std::string key = fmt::format("store: 's1' key: 'r{}' ", upto(8));
        if (upto(6) == 0) return key + withdrawn("refund_state");
        if (upto(2) == 0)
          return key +
                 fmt::format("refund_state {{ opened {{ amount_micros: 5 deadline_ms: {} }} }}", time_ms + upto(90) * hour_ms);
        return key + fmt::format("refund_state {{ status {{ status: '{}' }} }}", upto(2) == 0 ? "open" : "closed");
      }
      case 1: {
        const std::string key = fmt::format("store: 's1' key: 'k{}' ", upto(8));
        if (upto(6) == 0) return key + withdrawn("case_state");
        if (upto(2) == 0) return key + "case_state { opened { kind: 'dispute' } }";
        return key + fmt::format("case_state {{ status {{ status: '{}' }} }}", upto(2) == 0 ? "answered" : "closed");
      }
      case 2: {
        const std::string key = fmt::format("store: 's1' key: 'd{}' ", upto(8));
        if (upto(6) == 0) return key + withdrawn("service_score");
        const std::string which[] = {"description_milli", "service_milli", "logistics_milli"};
        return key + fmt::format("service_score {{ card {{ day: '{}' {}: {} }} }}",
                                 format_day(static_cast<Day>(start / day_ms) + static_cast<Day>(upto(5))), which[upto(3)],
                                 4'000 + upto(1'000));
      }
      default: {
        const uint32_t number = upto(40);
        const std::string key = fmt::format("store: 's1' key: 'm{}' ", number);
        if (upto(10) == 0) return key + withdrawn("chat_message");
        return key + fmt::format("chat_message {{ line {{ conversation: 'c{}' author: {} sent_ms: {} agent: '{}' }} }}",
                                 number % 12, upto(2) == 0 ? "AUTHOR_KIND_CUSTOMER" : "AUTHOR_KIND_AGENT",
                                 upto(3) == 0 ? start + number * hour_ms : time_ms, upto(2) == 0 ? "小红" : "小明");
      }
    }
  }

  Millis time_ms = start;

 private:
  uint32_t upto(uint32_t count) { return dice_() % count; }
  std::mt19937 dice_;
};

std::string all_answers(tests::Drive& drive) {
  std::string text = tests::overview(definition(), {drive.folds(), 1});
  query::v1::QueryMetricsRequest request;
  const auto definitions = metric_definitions();
  for (const auto& metric : definitions.definitions()) request.add_metrics(metric.id());
  request.set_from("2026-11-01");
  request.set_to("2026-11-30");
  for (const char* by : {"", "store", "agent"})
    for (const char* grain : {"total", "month", "day", "hour"}) {
      request.set_by(by);
      request.set_grain(grain);
      query::v1::QueryMetricsResponse response;
      const auto bytes = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
      EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
      text += response.DebugString();
    }
  return text;
}

TEST(Kept, IsWhatIsFoundAnew) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Speaker speaker(seed);
    tests::Drive kept(definition().make_fold()), anew(definition().make_fold());
    for (int turn = 0; turn < 400; ++turn) {
      const std::string said =
          turn % 90 == 89 ? fmt::format("key: 'set' rule_set {{ list {{ rules {{ id: 'reply_missed' fire_at_micros: {} }} }} }}",
                                        (turn + 1) * micros)
                          : speaker.next();
      // What follows from the things is found anew when a state is loaded.
      if (turn % 5 == 0) anew.restart(definition().make_fold());
      const auto by_kept = Desk1::findings(kept.put(speaker.time_ms, said)),
                 by_anew = Desk1::findings(anew.put(speaker.time_ms, said));
      ASSERT_EQ(by_kept, by_anew) << said;
      if (turn % 20 > 0) continue;
      ASSERT_EQ(all_answers(kept), all_answers(anew)) << said;
    }
    ASSERT_EQ(kept.fingerprint(), anew.fingerprint());
  }
}

}  // namespace
}  // namespace xundian::support
