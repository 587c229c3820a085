// The straight design's load: two producers that send batches of a hundred and wait for acks with the same window as ours.
#include "tests/bench/peer_straight.h"

#include <deque>
#include <sstream>
#include <thread>

#include "common/clock.h"
#include "common/query.h"
#include "common/wire.h"
#include "tests/bench/alert_samples.h"
#include "tests/bench/leg.h"
#include "tests/bench/redis.h"

namespace xundian::bench {

namespace {

constexpr size_t window_batches = 64;  // Of a producer, as ours.
constexpr Millis silence_ms = 60'000;

struct Put {
  size_t batches = 0;
  std::vector<float> ack_us;
  Result<void> outcome;
};

// Facts as length and protobuf bytes, one behind the other.
std::string pack(std::string_view frames) {
  std::string packed;
  packed.reserve(frames.size());
  for_each_body(frames, [&](std::string_view body) {
    append(packed, static_cast<uint32_t>(body.size()));
    packed += body;
  });
  return packed;
}

// Takes acks, each the number of batches that are now durable, waiting for one if nothing may be sent.
Result<void> hear_acks(zmq::socket_t& socket, bool wait, std::deque<int64_t>& sent_ns, Put& put) {
  if (wait && !poll_socket(socket, silence_ms) && !interrupted()) return fail(Code::deadline_exceeded, "the gate is silent");
  if (interrupted()) return interrupted_error();
  for (std::vector<zmq::message_t> frames; take_frames(socket, frames);) {
    const int64_t now = now_ns();
    for (auto count = load<uint64_t>(static_cast<const char*>(frames.at(0).data())); count > 0; --count) {
      put.ack_us.push_back(static_cast<float>(now - sent_ns.front()) / 1000.0f);
      sent_ns.pop_front();
    }
  }
  return {};
}

Result<void> put_feed(zmq::socket_t& socket, const Feed& feed, double secs, Put& put) {
  const int64_t until = now_ns() + static_cast<int64_t>(secs * 1e9);
  std::deque<int64_t> sent_ns;
  while (now_ns() < until && put.batches < feed.batches()) {
    while (sent_ns.size() < window_batches && put.batches < feed.batches()) {
      sent_ns.push_back(now_ns());
      if (!send_frames(socket, {pack(feed.frames(put.batches))})) return fail(Code::internal, "the gate's socket takes no more");
      put.batches += 1;
      TRY_VOID(hear_acks(socket, false, sent_ns, put));
    }
    TRY_VOID(hear_acks(socket, true, sent_ns, put));
  }
  while (!sent_ns.empty()) TRY_VOID(hear_acks(socket, true, sent_ns, put));
  return {};
}

Result<Totals> read_totals(std::istream& line) {
  Totals totals;
  if (line >> totals.facts >> totals.orders >> totals.units >> totals.conversations >> totals.replies >> totals.amount_micros >>
      totals.stock_units >> totals.impressions)
    return totals;
  return fail(Code::internal, "a fold of the straight design said no totals");
}

// When the last fold had folded the last fact; fails if any counted wrong.
Result<int64_t> last_folded_ns(std::vector<Process>& processes, const Totals& said) {
  int64_t last_ns = 0;
  for (size_t index = 0; index < straight::parts.size(); ++index) {
    std::istringstream line(TRY(processes[index].read_line(folded_ms)));
    int64_t ended_ns = 0;
    line >> ended_ns;
    const Totals counted = TRY(read_totals(line));
    TRY_VOID(check_totals(straight::parts[index].name, counted, straight::share_of(said, straight::parts[index])));
    last_ns = std::max(last_ns, ended_ns);
  }
  return last_ns;
}

// Redis, the gate and the folds; who hears of stock that runs low, if anybody.
struct Set {
  TempFolder folder;
  std::optional<RedisServer> redis;
  std::vector<Process> processes;  // The folds in the order of `parts`, then the gate.
  std::string endpoint() const { return "ipc://" + folder.path() + "/gate"; }

  Result<void> start(const std::string& receiver) {
    redis.emplace(TRY(RedisServer::start(folder.path())));
    const std::string program = program_folder() + "/xundian-bench";
    for (const straight::Part& part : straight::parts)
      processes.push_back(TRY(Process::start({program, "straight-fold", redis->socket(), part.name, part.stock ? receiver : ""},
                                             folder.path() + "/" + part.name + ".log")));
    processes.push_back(
        TRY(Process::start({program, "straight-gate", redis->socket(), endpoint()}, folder.path() + "/gate.log")));
    for (Process& process : processes)
      if (TRY(process.read_line(start_ms)) != "ready") return fail(Code::internal, "a part of the straight design is not ready");
    return {};
  }
  Result<zmq::socket_t> connect() const {
    zmq::socket_t socket = make_socket(zmq::socket_type::dealer, put_message_bytes_max);
    TRY_VOID(connect_socket(socket, endpoint()));
    return socket;
  }
};

// Puts a feed at an even pace until it is told to stop.
Result<void> put_paced(zmq::socket_t& socket, const Feed& feed, double facts_per_s, std::stop_token stop, Put& put,
                       double& secs) {
  std::deque<int64_t> sent_ns;
  for (const int64_t began = now_ns(); !stop.stop_requested();) {
    secs = static_cast<double>(now_ns() - began) / 1e9;
    const auto due = static_cast<size_t>(secs * facts_per_s / facts_of_batch);
    while (put.batches < due && sent_ns.size() < window_batches && put.batches < feed.batches()) {
      sent_ns.push_back(now_ns());
      if (!send_frames(socket, {pack(feed.frames(put.batches++))}))
        return fail(Code::internal, "the gate's socket takes no more");
    }
    poll_socket(socket, 2);
    TRY_VOID(hear_acks(socket, false, sent_ns, put));
  }
  while (!sent_ns.empty()) TRY_VOID(hear_acks(socket, true, sent_ns, put));
  return {};
}

// As ours are timed, beside facts at an even pace.
Result<void> measure_alerts(const Plan& plan, const std::string& name, double facts_per_s, Figures& figures) {
  Receiver receiver("entity");
  Set set;
  TRY_VOID(set.start(receiver.origin()));
  zmq::socket_t socket = TRY(set.connect()), loading = TRY(set.connect());
  Put put;
  std::deque<int64_t> sent_ns;
  const auto put_one = [&](const v1::Fact& fact) -> Result<double> {
    std::string frames;
    TRY_VOID(append_frame(frames, fact));
    sent_ns.push_back(now_ns());
    if (!send_frames(socket, {pack(frames)})) return fail(Code::internal, "the gate's socket takes no more");
    while (!sent_ns.empty()) TRY_VOID(hear_acks(socket, true, sent_ns, put));
    return put.ack_us.back();
  };
  const size_t samples = alert_samples(plan);
  for (size_t sample = 0; sample < samples; ++sample) TRY(put_one(sample_setup(sample, wall_ms())));
  Put paced;
  double secs = 0;
  std::jthread load([&](std::stop_token stop) {
    paced.outcome = put_paced(loading, plan.workload->feeds[0], facts_per_s, std::move(stop), paced, secs);
  });
  const auto times = time_alerts(0, samples, put_one, receiver);
  load.request_stop();
  load.join();
  TRY_VOID(paced.outcome);
  if (!times) return tl::unexpected(times.error());
  figures.add(name + "_p50_us", quantile(times->put_us, 0.5));
  figures.add(name + "_p99_us", quantile(times->put_us, 0.99));
  figures.add(name + "_beside_facts_per_s", static_cast<double>(paced.batches * facts_of_batch) / std::max(secs, 1e-9));
  return {};
}

}  // namespace

Totals straight::share_of(const Totals& all, const Part& part) {
  Totals share;
  share.facts = all.facts;
  if (part.orders) {
    share.orders = all.orders;
    share.units = all.units;
    share.amount_micros = all.amount_micros;
  }
  if (part.stock) share.stock_units = all.stock_units;
  if (part.ads) share.impressions = all.impressions;
  if (part.chats) {
    share.conversations = all.conversations;
    share.replies = all.replies;
  }
  return share;
}

Result<Figures> run_straight(const Plan& plan) {
  Set set;
  TRY_VOID(set.start(""));
  std::array<zmq::socket_t, producers> sockets;
  for (zmq::socket_t& socket : sockets) socket = TRY(set.connect());
  std::array<Put, producers> puts;
  const int64_t began = now_ns();
  {
    std::vector<std::jthread> threads;
    for (size_t index = 0; index < producers; ++index)
      threads.emplace_back(
          [&, index] { puts[index].outcome = put_feed(sockets[index], plan.workload->feeds[index], plan.secs, puts[index]); });
  }
  for (const Put& put : puts) TRY_VOID(put.outcome);
  const int64_t acknowledged = now_ns();
  send_frames(sockets[0], {straight::end_message});
  const int64_t last_ns = TRY(last_folded_ns(set.processes, plan.workload->totals({puts[0].batches, puts[1].batches})));
  const auto facts = static_cast<double>((puts[0].batches + puts[1].batches) * facts_of_batch);
  const double secs = static_cast<double>(last_ns - began) / 1e9;
  std::vector<float> ack_us = puts[0].ack_us;
  ack_us.insert(ack_us.end(), puts[1].ack_us.begin(), puts[1].ack_us.end());
  Figures figures;
  figures.add("facts_per_s", facts / secs);
  figures.add("acknowledged_per_s", facts / (static_cast<double>(acknowledged - began) / 1e9));
  figures.add("ack_p50_us", quantile(ack_us, 0.5));
  figures.add("ack_p99_us", quantile(ack_us, 0.99));
  figures.add("facts", facts);
  figures.add("secs", secs);
  double cpu_all = 0;
  const auto add_cpu = [&](const std::string& name, const Process& process) {
    const double used = process.cpu_seconds();
    cpu_all += used;
    figures.add("cpu_us_per_fact." + name, used * 1e6 / facts);
  };
  add_cpu("redis", set.redis->process());
  add_cpu("gate", set.processes.back());
  for (size_t index = 0; index < straight::parts.size(); ++index) add_cpu(straight::parts[index].name, set.processes[index]);
  figures.add("cpu_us_per_fact.all_but_producers", cpu_all * 1e6 / facts);
  TRY_VOID(measure_alerts(plan, "alert_busy", facts / secs / 2, figures));
  TRY_VOID(measure_alerts(plan, "alert_full", facts / secs, figures));
  return figures;
}

int run_straight_role(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "straight-gate") return straight::run_gate(arguments[1], arguments[2]);
  if (arguments.size() == 4 && arguments[0] == "straight-fold")
    return straight::run_fold(arguments[1], arguments[2], arguments[3]);
  return 2;
}

}  // namespace xundian::bench
