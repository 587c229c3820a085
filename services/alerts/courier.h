// Carries due notices to their subscribers and tells what became of each attempt; it knows no journal.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "services/alerts/sender.h"
#include "xundian/facts/v1/fact.pb.h"

namespace xundian::alerts {

class Courier {
 public:
  struct Options {
    Sender::Options sender;
    size_t in_flight_max = 4;          // To one subscriber at a time.
    bool facts_clock = false;          // A delivery must not move the time of a home whose clock is its facts.
    Millis remember_ms = 10 * 60'000;  // How long a settled notice is not sent again, while what became of it is on its way.
    std::function<Millis()> wall = wall_ms, steady = steady_ms;
  };
  explicit Courier(const Options& options) : Courier(options, std::make_unique<Sender>(options.sender)) {}
  Courier(Options options, std::unique_ptr<Carrier> carrier) : options_(std::move(options)), carrier_(std::move(carrier)) {}

  // Begins what is due and not under way.
  void take(const query::v1::ListDueNoticesResponse& due);
  // A Delivery fact for the journal, with its scope.
  struct Report {
    std::string scope;
    facts::v1::Fact fact;
  };
  // Waits as Carrier::turn does.
  std::vector<Report> turn(int wait_ms, int also_readable = -1);
  size_t in_flight() const { return jobs_.size(); }
  void wake() { carrier_->wake(); }

 private:
  struct Job {
    std::string scope, store, notice, subscriber;
    uint32_t attempt = 0;
    Millis changed_ms = 0;

    std::string lane() const { return scope + "\n" + subscriber; }
    std::string key() const { return notice + "@" + subscriber; }
    std::string name() const { return scope + "\n" + key(); }
  };
  struct Settled {
    uint32_t attempt = 0;
    Millis forget_at_ms = 0;  // By the steady clock.
  };
  Result<void> start(const query::v1::DueNotice& due, uint64_t number);
  void report(const Job& job, const HttpOutcome& outcome);
  void forget();

  Options options_;
  std::unique_ptr<Carrier> carrier_;
  std::map<uint64_t, Job> jobs_;
  std::set<std::string> under_way_;         // Names of jobs.
  std::map<std::string, size_t> lanes_;     // In flight, by scope and subscriber.
  std::map<std::string, Settled> settled_;  // By name of the job.
  std::vector<Report> reports_;
  uint64_t next_number_ = 1;
  Millis forget_at_ms_ = 0;
};

}  // namespace xundian::alerts
