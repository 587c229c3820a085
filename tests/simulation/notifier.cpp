#include "tests/simulation/notifier.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace xundian::simulation {

namespace {

constexpr Millis ask_every_ms = 50;
constexpr uint32_t due_at_once = 64;
constexpr size_t faults_max = 2;  // Of one notice; each costs minutes or hours of the world's time.

// Requests under way, of one life of the notifier.
class SimulatedCarrier final : public alerts::Carrier {
 public:
  SimulatedCarrier(Receiver& receiver, const Millis& now) : receiver_(receiver), now_(now) {}
  Result<void> start(uint64_t number, alerts::HttpRequest request) override {
    Receiver::Answer answer = receiver_.take(request);
    under_way_.emplace(answer.at, Ended{number, std::move(answer.outcome)});
    return {};
  }
  std::vector<Ended> turn(int, int) override {
    std::vector<Ended> ended;
    while (!under_way_.empty() && under_way_.begin()->first <= now_) {
      ended.push_back(std::move(under_way_.begin()->second));
      under_way_.erase(under_way_.begin());
    }
    return ended;
  }
  void wake() override {}

 private:
  Receiver& receiver_;
  const Millis& now_;
  std::multimap<Millis, Ended> under_way_;
};

struct SecretFile {
  SecretFile() {
    const int file = ::mkstemp(path.data());
    static constexpr std::string_view secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n";
    if (file < 0 || ::write(file, secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
      throw std::runtime_error("no file for the secret");
    ::close(file);
  }
  ~SecretFile() { ::unlink(path.c_str()); }
  std::string path = "/tmp/xundian-simulation-XXXXXX";
};

}  // namespace

const std::string& secret_file() {
  static const SecretFile file;
  return file.path;
}

Receiver::Answer Receiver::take(const alerts::HttpRequest& request) {
  std::string id = request.url + " ";
  for (const std::string& header : request.headers)
    if (header.starts_with("webhook-id: ")) id += header.substr(12);
  Notice& notice = notices_[id];
  if (notice.requests++ == 0) notice.crashes_before = crashes_;
  const Millis at = now_ + 1 + static_cast<Millis>(roll(dice_, 40));
  const bool fault = notice.faults < faults_max && happens(dice_, weather_.receiver_fault);
  if (fault) notice.faults += 1;
  const uint64_t kind = fault ? roll(dice_, 4) : 4;
  if (kind == 0) return {at, {.status = 503, .retry_after_ms = 1'000, .error = {}}};
  if (kind == 1) return {at, {.status = 500, .retry_after_ms = 0, .error = {}}};
  if (kind == 2) return {at, {.status = 0, .retry_after_ms = 0, .error = "connection refused"}};
  if (++notice.accepted > accepted_max(notice))
    throw std::runtime_error(
        fmt::format("notice {} was delivered {} times, at most {} are allowed", id, notice.accepted, accepted_max(notice)));
  if (kind == 3) {
    notice.repeats_allowed += 1;
    return {at, {.status = 0, .retry_after_ms = 0, .error = "the answer was lost"}};
  }
  return {at, {.status = 200, .retry_after_ms = 0, .error = {}}};
}

Notifier::Notifier(Receiver& receiver, Dice& dice, const Weather& weather, Network& network, Clock clock, const Millis& now,
                   const Millis& wall)
    : receiver_(receiver), dice_(dice), weather_(weather), network_(network), clock_(clock), now_(now), wall_(wall) {
  start();
}

void Notifier::start() {
  alerts::Courier::Options options;
  options.facts_clock = clock_ == Clock::facts;
  options.wall = [this] { return wall_; };
  options.steady = [this] { return now_; };
  courier_ = std::make_unique<alerts::Courier>(options, std::make_unique<SimulatedCarrier>(receiver_, now_));
  link_.reset();
  unsaid_.clear();
  putting_ = false;
}

void Notifier::restart() {
  crashes_ += 1;
  receiver_.note_crash();
  start();
}

void Notifier::suffer() {
  if (link_ && happens(dice_, weather_.cut)) link_->cut();
}

void Notifier::turn(const std::vector<std::unique_ptr<FoldNode>>& nodes) {
  if (link_) check(link_->turn(now_));
  if (putting_ && link_->unacknowledged() == 0) {
    unsaid_.clear();
    putting_ = false;
  }
  if (putting_) return;
  if (unsaid_.empty() && now_ >= ask_at_) ask(nodes);
  for (alerts::Courier::Report& report : courier_->turn(0, -1)) unsaid_.push_back(std::move(report));
  say();
}

void Notifier::ask(const std::vector<std::unique_ptr<FoldNode>>& nodes) {
  ask_at_ = now_ + ask_every_ms;
  query::v1::ListDueNoticesRequest request;
  request.set_now_ms(wall_);
  request.set_limit(due_at_once);
  const std::string question = request.SerializeAsString();
  for (const auto& node : nodes) {
    if (node->definition().name != "alerts") continue;
    const auto answer = node->replica().answer("ListDueNotices", question, node->replayed());
    if (!answer) continue;
    query::v1::ListDueNoticesResponse due;
    due.ParseFromString(*answer);
    courier_->take(due);
  }
}

// What was sent is forgotten only when it is durable that it was.
void Notifier::say() {
  if (unsaid_.empty()) return;
  if (!link_)
    link_ = std::make_unique<NetworkLink>(Link::Options{"alerts-delivery", {producer_id("alerts-delivery")}, false, dice_() | 1},
                                          network_, now_);
  for (const alerts::Courier::Report& report : unsaid_) {
    BatchBuilder builder;
    if (const auto added = builder.add(report.fact); !added) throw std::runtime_error(added.error().message);
    link_->send(0, builder.finish(report.scope, partitions, {}));
  }
  putting_ = true;
}

// Somebody else's word was heard under our name, from an earlier life: it is said again under a new one.
void Notifier::check(const Result<void>& outcome) {
  if (outcome) return;
  if (outcome.error().code != Code::aborted) throw std::runtime_error(outcome.error().message);
  link_.reset();
  putting_ = false;
}

std::string Notifier::describe() const {
  return fmt::format("notifier has {} in flight, {} unsaid, {} waiting for the bus", courier_->in_flight(), unsaid_.size(),
                     link_ ? link_->unacknowledged() : 0);
}

bool Notifier::deliver(const Mail& mail) {
  if (!link_ || mail.to != link_->connection()) return false;
  if (link_->listens()) check(link_->take(mail.type, mail.body, now_));
  return true;
}

}  // namespace xundian::simulation
