// A service desk under test, spoken to in short.
#pragma once

#include "common/time.h"
#include "services/support/state.h"
#include "tests/support/drive.h"

namespace xundian::support {

inline constexpr Millis start = 1'793'836'800'000;  // 2026-11-05T00:00:00Z, in Shanghai 08:00.

struct Said {
  std::string id, author;
  Millis at = 0;  // After `start`, in seconds.
  std::string conversation{}, reply_to{}, agent{};
  uint64_t buyer = 0;
};

v1::Fact message(const Said& said);
// Rows joined by a blank; "~" behind one that is not final.
std::string rows_of(tests::Drive& drive, const std::string& metric, const std::string& by, const std::string& grain,
                    const std::string& from, const std::string& to);

class Desk1 : public ::testing::Test {
 protected:
  Desk1();
  // Each gives the findings in short, "reply_due c1 holds".
  std::vector<std::string> say(const Said& said) { return findings(drive.put(start + said.at * second_ms, message(said))); }
  std::vector<std::string> put(Millis time, const std::string& text) { return findings(drive.put(time, text)); }
  std::vector<std::string> tick(Millis time) { return findings(drive.tick(time)); }
  void pay(Millis time, const std::string& order, uint64_t buyer);

  // "store|key|from|numerator/denominator", rows joined by a blank.
  std::string ask(const std::string& metric, const std::string& by = "", const std::string& grain = "total",
                  const std::string& from = "2026-11-01", const std::string& to = "2026-11-30");
  // The same of one day, with "~" where it is not final.
  std::string ask_with_status(const std::string& metric, const std::string& day) {
    return rows_of(drive, metric, "", "total", day, day);
  }

 public:
  static std::vector<std::string> findings(const std::vector<v1::Fact>& said);

  using Lines = std::vector<std::string>;
  tests::Drive drive{definition().make_fold()};
};

}  // namespace xundian::support
