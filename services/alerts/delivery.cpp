#include "services/alerts/delivery.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <filesystem>

#include "common/bell.h"
#include "common/beside_loop.h"
#include "common/clock.h"
#include "common/home.h"
#include "common/producer.h"
#include "common/query.h"
#include "services/alerts/courier.h"

namespace xundian::alerts {

namespace {

constexpr Millis ask_timeout_ms = 1'000, ask_at_least_ms = 1'000, flush_timeout_ms = 2'000, home_wait_ms = 200;
constexpr uint32_t due_at_once = 256;
constexpr Kind news_kinds[] = {facts::v1::Fact::kAlertState, facts::v1::Fact::kSubscriberState};  // Of what is to be sent.

}  // namespace

std::optional<std::string> home_to_deliver(int argc, char** argv) {
  std::string home = Home::folder_from_environment();
  for (int index = 1; index < argc; ++index) {
    const std::string_view flag = argv[index];
    const auto value_of = [&](std::string_view name) -> std::optional<std::string> {
      if (flag == name && index + 1 < argc) return argv[index + 1];
      if (flag.size() > name.size() && flag.starts_with(name) && flag[name.size()] == '=')
        return std::string(flag.substr(name.size() + 1));
      return std::nullopt;
    };
    if (flag == "--check" || flag == "--print-config" || flag == "--version" || flag == "--help") return std::nullopt;
    if (const auto folder = value_of("--home")) home = *folder;
    if (const auto instance = value_of("--instance"); instance && *instance != "0") return std::nullopt;
  }
  return home;
}

struct Delivery::Work {
  explicit Work(std::string folder_) : folder(std::move(folder_)) {}

  void run();
  bool open_home();
  bool bells_rang();
  void ask();
  void say(std::vector<Courier::Report> reports);

  std::string folder;
  std::atomic<bool> stop{false};
  std::atomic<Courier*> waiting{nullptr};
  std::optional<Home> home;
  std::optional<Courier> courier;
  std::vector<std::unique_ptr<BellListener>> bells;
  std::map<size_t, uint64_t> heard;            // By bus: how far its journal had come.
  std::map<std::string, QueryClient> clients;  // By endpoint, one for each instance of the service.
  std::unique_ptr<Publisher> publisher;
  std::vector<Courier::Report> unsaid;  // Sent, and not yet durable that it was.
  Millis ask_at_ms = 0, asked_ms = 0, look_around_ms = 0;
};

Delivery::Delivery(std::string home_folder) : work_(std::make_unique<Work>(std::move(home_folder))) {
  const NoSignals none;
  thread_ = std::thread([work = work_.get()] { work->run(); });
}

Delivery::~Delivery() {
  work_->stop = true;
  if (Courier* courier = work_->waiting) courier->wake();
  thread_.join();
}

bool Delivery::Work::open_home() {
  auto opened = Home::open(folder, home_wait_ms);
  if (!opened) return false;
  home = std::move(*opened);
  Courier::Options options;
  options.facts_clock = home->settings().clock == Clock::facts;
  courier.emplace(options);
  for (uint32_t bus = 0; bus < home->settings().buses; ++bus)
    bells.push_back(std::make_unique<BellListener>(home->endpoint(fmt::format("bus.{}.bell", bus)), news_kinds));
  waiting = &*courier;
  return true;
}

void Delivery::Work::run() {
  while (!stop && !open_home()) continue;
  bool news = false;
  while (!stop) {
    news = bells_rang() || news;
    const Millis now = wall_ms();
    if (unsaid.empty() && (news || now >= ask_at_ms)) {
      ask();
      news = false;
    }
    // One bell can be waited for together with the answers; several are looked at in turn.
    const Millis wait_max = bells.size() == 1 ? ask_at_least_ms : 5;
    const Millis wait_ms = std::clamp<Millis>(ask_at_ms - wall_ms(), 0, wait_max);
    say(courier->turn(unsaid.empty() ? static_cast<int>(wait_ms) : 100, bells[0]->socket().get(zmq::sockopt::fd)));
  }
  waiting = nullptr;
}

// Whether any journal has grown since the last look.
bool Delivery::Work::bells_rang() {
  bool grown = false;
  for (size_t bus = 0; bus < bells.size(); ++bus) {
    const auto bell = bells[bus]->newest();
    if (!bell || bell->home() != home->settings().id || bell->next_position() == heard[bus]) continue;
    heard[bus] = bell->next_position();
    grown = true;
  }
  return grown;
}

void Delivery::Work::ask() {
  asked_ms = wall_ms();
  ask_at_ms = asked_ms + ask_at_least_ms;
  if (asked_ms >= look_around_ms) {  // Instances may come and go.
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(home->path("run"), ignored)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("alerts.") && name.ends_with(".query")) clients.try_emplace(name, home->endpoint(name));
    }
    look_around_ms = asked_ms + (clients.empty() ? 0 : 5'000);
    if (clients.empty()) ask_at_ms = asked_ms + 50;  // They are starting.
  }
  query::v1::ListDueNoticesRequest request;
  request.set_now_ms(asked_ms);
  request.set_limit(due_at_once);
  for (auto& [name, client] : clients) {
    const auto due = client.ask_as<query::v1::ListDueNoticesResponse>("ListDueNotices", request, ask_timeout_ms);
    if (!due) continue;  // It is starting, or away; the next question finds it.
    courier->take(*due);
    if (due->next_due_ms() != 0) ask_at_ms = std::min(ask_at_ms, due->next_due_ms());
  }
}

// What was sent is forgotten only when it is durable that it was.
void Delivery::Work::say(std::vector<Courier::Report> reports) {
  std::move(reports.begin(), reports.end(), std::back_inserter(unsaid));
  if (unsaid.empty()) return;
  if (!publisher) publisher = std::make_unique<Publisher>(*home, "alerts-delivery");
  Result<void> said;
  for (const Courier::Report& report : unsaid)
    if (said) said = publisher->put(report.scope, report.fact);
  if (said) {
    if (const auto flushed = publisher->flush(flush_timeout_ms); !flushed) said = tl::unexpected(flushed.error());
  }
  if (said) {
    unsaid.clear();
    return;
  }
  spdlog::warn("delivery_unsaid count={} why=\"{}\"", unsaid.size(), said.error().message);
  publisher.reset();
}

}  // namespace xundian::alerts
