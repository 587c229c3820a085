#include "services/intake/outside.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "common/clock.h"
#include "common/producer.h"
#include "common/pull_reader.h"
#include "common/query.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::intake {

namespace {

namespace fs = std::filesystem;

constexpr Millis weigh_ms = 60'000;  // A fold that replays answers late; one that weighed must not be asked again.
constexpr Millis status_ms = 2'000;
constexpr Millis flush_ms = 60'000;
constexpr Millis glance_ms = 5;

class HomeOutside final : public Outside {
 public:
  HomeOutside(Home home, const HomeOptions& options, std::function<bool()> stopping)
      : home_(std::move(home)),
        options_(options),
        stopping_(std::move(stopping)),
        publisher_(home_, fmt::format("intake/{}", options.instance)) {}

  Clock clock() const override { return home_.settings().clock; }
  Millis now() const override { return wall_ms(); }
  std::string path(std::string_view below) const override { return home_.path(below); }

  Result<query::v1::WeighResponse> weigh(const query::v1::WeighRequest& request) override {
    return own(request.scope()).ask_as<query::v1::WeighResponse>("Weigh", request, weigh_ms);
  }

  void forget(const std::string& scope, uint64_t import_id) override {
    query::v1::ForgetWeighedRequest request;
    request.set_import_id(import_id);
    const auto done = own(scope).ask_as<query::v1::ForgetWeighedResponse>("ForgetWeighed", request, status_ms);
    if (!done) spdlog::warn("weighed_kept import={} why=\"{}\"", import_id, done.error().message);
  }

  Result<void> put(const std::string& scope, std::string_view frame) override { return publisher_.put_frame(scope, frame); }

  // A refusal is waited out: the facts are with the publisher, and it sends them again.
  Result<void> flush() override {
    for (const Millis until = steady_ms() + options_.refused_ms;;) {
      const auto flushed = publisher_.flush(std::min(flush_ms, options_.refused_ms));
      if (flushed) return {};
      const Code code = flushed.error().code;
      const bool passing = code == Code::resource_exhausted || code == Code::unavailable || code == Code::deadline_exceeded;
      if (!passing || steady_ms() >= until || stopping_()) return tl::unexpected(flushed.error());
      spdlog::warn("import_refused why=\"{}\"", flushed.error().message);
    }
  }

  Result<void> settle(const std::string& scope, bool quiet) override {
    const Partition partition = partition_of(group_hash(scope), home_.settings().partitions);
    for (Offset head = TRY(read_head(partition));;) {
      TRY_VOID(wait_for(partition, head));
      const Offset later = TRY(read_head(partition));
      if (!quiet || later == head) return {};
      head = later;
    }
  }

  Result<std::unique_ptr<JournalReader>> open_journal(const std::string& scope) override {
    return open_home_reader(home_, home_.bus_of(partition_of(group_hash(scope), home_.settings().partitions)));
  }

 private:
  QueryClient& client(const std::string& name) {
    const auto found = clients_.find(name);
    return found != clients_.end() ? found->second : clients_.emplace(name, QueryClient(home_.endpoint(name))).first->second;
  }

  // The instance that folds the scope.
  QueryClient& own(const std::string& scope) {
    const Partition partition = partition_of(group_hash(scope), home_.settings().partitions);
    return client(fmt::format("intake.{}.query", partition % options_.instances));
  }

  Result<Offset> read_head(Partition partition) {
    const std::string name = fmt::format("bus.{}.query", home_.bus_of(partition));
    const auto status =
        TRY(client(name).ask_as<query::v1::GetBusStatusResponse>("GetBusStatus", query::v1::GetBusStatusRequest(), status_ms));
    return partition < status.heads_size() ? status.heads(partition) : Offset{0};
  }

  // The services that have a socket for questions, except buses.
  std::vector<std::string> services() const {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(home_.path("run"), ignored)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".query") && !name.starts_with("bus.")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // Where a service stands in the partition; nothing if it folds nothing there.
  Result<std::optional<Offset>> settled_offset(const std::string& name, Partition partition) {
    const auto status = client(name).ask_as<query::v1::GetStatusResponse>("GetStatus", query::v1::GetStatusRequest(), status_ms);
    if (!status && (status.error().code == Code::unimplemented || status.error().code == Code::not_found))
      return std::optional<Offset>();
    if (!status) return tl::unexpected(status.error());
    for (const query::v1::PartitionStatus& entry : status->partitions())
      if (entry.partition() == partition) return std::optional<Offset>(std::min(entry.offset(), entry.settled_offset()));
    return std::optional<Offset>();
  }

  Result<void> wait_for(Partition partition, Offset head) {
    std::map<std::string, Offset> stood;
    Millis moved = steady_ms();
    std::vector<std::string> waiting = services();
    for (Millis pause = glance_ms; !waiting.empty(); pause = std::min<Millis>(2 * pause, 50)) {
      std::string lagging;
      std::erase_if(waiting, [&](const std::string& name) {
        const auto offset = settled_offset(name, partition);
        if (offset && (!*offset || **offset >= head)) return true;
        if (offset && stood[name] != **offset) moved = steady_ms();
        if (offset) stood[name] = **offset;
        lagging = fmt::format("{} {}", name.substr(0, name.find('.')),
                              offset ? fmt::format("has folded {} of {} facts in partition {}", **offset, head, partition)
                                     : fmt::format("does not answer ({})", offset.error().message));
        return false;
      });
      if (waiting.empty()) break;
      if (stopping_()) return fail(Code::cancelled, "intake was stopped");
      if (steady_ms() - moved >= options_.stuck_ms)
        return fail(Code::deadline_exceeded, "the facts are durable, but {} and has stood still for {} s; see `xundian status`",
                    lagging, options_.stuck_ms / 1000);
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
    return {};
  }

  Home home_;
  HomeOptions options_;
  std::function<bool()> stopping_;
  Publisher publisher_;
  std::map<std::string, QueryClient> clients_;
};

}  // namespace

Result<std::unique_ptr<Outside>> open_outside(const HomeOptions& options, std::function<bool()> stopping) {
  Home home = TRY(Home::open(options.folder.empty() ? Home::folder_from_environment() : options.folder));
  try {
    return std::make_unique<HomeOutside>(std::move(home), options, std::move(stopping));
  } catch (const std::exception& error) {  // Of ZeroMQ: no more sockets.
    return fail(Code::unavailable, "the bus cannot be reached: {}", error.what());
  }
}

}  // namespace xundian::intake
