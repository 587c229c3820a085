// The simulated delivery of notices: the courier that runs in production, between alerts services and a receiver that fails.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/alerts/courier.h"
#include "tests/simulation/fold_node.h"

namespace xundian::simulation {

// The world outside: it takes notices, or does not, or does and nobody hears of it.
class Receiver {
 public:
  Receiver(Dice& dice, const Weather& weather, const Millis& now) : dice_(dice), weather_(weather), now_(now) {}
  // Takes a request; when its answer comes, and what it is.
  struct Answer {
    Millis at = 0;
    alerts::HttpOutcome outcome;
  };
  Answer take(const alerts::HttpRequest& request);
  void note_crash() { crashes_ += 1; }

  struct Notice {
    size_t requests = 0, accepted = 0;
    size_t faults = 0;           // Requests that were refused, or taken without an answer.
    size_t repeats_allowed = 0;  // One for each answer that was lost.
    size_t crashes_before = 0;   // When it was first sent.
  };
  const std::map<std::string, Notice>& notices() const { return notices_; }
  // How often a notice may have been accepted.
  size_t accepted_max(const Notice& notice) const { return 1 + notice.repeats_allowed + (crashes_ - notice.crashes_before); }

 private:
  Dice& dice_;
  const Weather& weather_;
  const Millis& now_;
  std::map<std::string, Notice> notices_;  // By url and webhook-id.
  size_t crashes_ = 0;
};

class Notifier {
 public:
  Notifier(Receiver& receiver, Dice& dice, const Weather& weather, Network& network, Clock clock, const Millis& now,
           const Millis& wall);
  // What was under way is given up.
  void restart();
  void suffer();
  void turn(const std::vector<std::unique_ptr<FoldNode>>& nodes);
  bool deliver(const Mail& mail);
  bool rests() const { return unsaid_.empty() && courier_->in_flight() == 0; }
  size_t crashes() const { return crashes_; }
  std::string describe() const;

 private:
  void start();
  void ask(const std::vector<std::unique_ptr<FoldNode>>& nodes);
  void say();
  void check(const Result<void>& outcome);

  Receiver& receiver_;
  Dice& dice_;
  const Weather& weather_;
  Network& network_;
  Clock clock_;
  const Millis& now_;
  const Millis& wall_;
  std::unique_ptr<alerts::Courier> courier_;
  std::unique_ptr<NetworkLink> link_;
  std::vector<alerts::Courier::Report> unsaid_;
  bool putting_ = false;
  Millis ask_at_ = 0;
  size_t crashes_ = 0;
};

// A file with a signing secret, for as long as the program runs.
const std::string& secret_file();

}  // namespace xundian::simulation
