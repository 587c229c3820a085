#include "tests/bench/report.h"

#include "services/cli/json.h"
#include "services/cli/terminal.h"

namespace xundian::bench {

namespace {

constexpr const char* our_durability =
    "every acknowledgement after the journal's sync (LMDB, default flags); folded by six services, each in a process of its own";

struct Spread {
  double median = 0, low = 0, high = 0;
};

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

double value_of(const Figures& figures, std::string_view name) {
  for (const auto& [known, value] : figures.all())
    if (known == name) return value;
  return 0;
}

Spread spread_of(const std::vector<Figures>& rounds, std::string_view name) {
  std::vector<double> values;
  for (const Figures& figures : rounds) values.push_back(value_of(figures, name));
  return spread_of(std::move(values));
}

// How many times better ours is, round by round: what ran one after the other meets the same machine.
Spread ratio_to(const Report& report, const Comparison& compared, const std::vector<Figures>& peer) {
  std::vector<double> ratios;
  for (size_t round = 0; round < std::min(report.ours.size(), peer.size()); ++round) {
    const double ours = value_of(report.ours[round], compared.ours), theirs = value_of(peer[round], compared.theirs);
    if (ours > 0 && theirs > 0) ratios.push_back(compared.less_is_better ? theirs / ours : ours / theirs);
  }
  return spread_of(std::move(ratios));
}

// Calls `each(name, ratio)` for all that is compared.
template <typename Each>
void for_each_ratio(const Report& report, Each&& each) {
  for (const auto& [kind, rounds] : report.peers)
    for (const Comparison& compared : kind->compared) {
      const bool first = &compared == &kind->compared.front();
      each(first ? kind->name : fmt::format("{}.{}", kind->name, compared.theirs), ratio_to(report, compared, rounds));
    }
}

// Three digits are more than a noisy machine gives.
double rounded(double value) {
  if (value == 0) return 0;
  const double scale = std::pow(10, 3 - static_cast<int>(std::ceil(std::log10(std::abs(value)))));
  return scale > 1 ? std::round(value * scale) / scale : std::round(value);
}

void write_range(cli::Json& json, const Spread& spread) {
  json.begin_array().value(rounded(spread.low)).value(rounded(spread.high)).end_array();
}

// Every figure's median under its name, ranges beside them.
void write_figures(cli::Json& json, const std::vector<Figures>& rounds) {
  if (rounds.empty()) return;
  std::string group;
  for (const auto& [name, first] : rounds.front().all()) {
    const size_t dot = name.find('.');
    const std::string wanted = dot == std::string::npos ? std::string() : name.substr(0, dot);
    if (wanted != group) {
      if (!group.empty()) json.end_object();
      if (!wanted.empty()) json.key(wanted).begin_object();
      group = wanted;
    }
    json.field(dot == std::string::npos ? name : name.substr(dot + 1), rounded(spread_of(rounds, name).median));
  }
  if (!group.empty()) json.end_object();
  json.key("ranges").begin_object();
  for (const auto& [name, first] : rounds.front().all()) {
    if (name.find('.') != std::string::npos) continue;
    json.key(name);
    write_range(json, spread_of(rounds, name));
  }
  json.end_object();
}

void write_machine(cli::Json& json, const Report& report) {
  const Machine& machine = report.machine;
  json.key("machine").begin_object().field("cpus", uint64_t{machine.cpus}).field("model", std::string_view(machine.model));
  json.field("memory_gb", rounded(machine.memory_gb)).field("kernel", std::string_view(machine.kernel));
  json.field("filesystem", std::string_view(machine.filesystem));
  json.field("fdatasync_p50_us", rounded(quantile(report.sync_us, 0.5)))
      .field("fdatasync_p99_us", rounded(quantile(report.sync_us, 0.99)));
  json.key("settings").begin_object();
  for (const auto& [name, value] : report.settings) json.field(name, std::string_view(value));
  json.end_object();
  json.key("durability").begin_object().field("ours", our_durability);
  for (const auto& [kind, rounds] : report.peers) json.field(kind->name, std::string_view(kind->durability));
  json.end_object().end_object();
}

std::string number(double value) {
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.0f} k", value / 1e3);
  if (value >= 100) return fmt::format("{:.0f}", value);
  return fmt::format("{:.2f}", value);
}

std::string with_range(const Spread& spread) {
  return spread.low == spread.high ? number(spread.median)
                                   : fmt::format("{} [{} .. {}]", number(spread.median), number(spread.low), number(spread.high));
}

std::string table_of_legs(const Report& report) {
  cli::Table table(
      {"谁 Who", ">事实/秒 Facts/s", ">确认 ack p50 µs", ">p99 µs", ">我们的倍数 Ours ÷ it", "承诺 What an ack means"});
  const auto add = [&](const std::string& who, const std::vector<Figures>& rounds, const std::string& prefix,
                       const std::string& ratio, const std::string& durability) {
    table.add({who, with_range(spread_of(rounds, prefix == "ack" ? "facts_per_s" : prefix + "_facts_per_s")),
               with_range(spread_of(rounds, prefix + "_p50_us")), with_range(spread_of(rounds, prefix + "_p99_us")), ratio,
               durability});
  };
  add("ours, 100 a batch", report.ours, "ack", "", our_durability);
  add("ours, 50 × 1 fact", report.ours, "single", "", "the same");
  add("ours, 50 × 1 fact, one link", report.ours, "shared", "",
      "the same; the fifty share a connection, as those of one program may");
  for (const auto& [kind, rounds] : report.peers) {
    if (spread_of(rounds, "facts_per_s").median == 0) continue;  // It is compared by something else.
    const Spread ratio = ratio_to(report, kind->compared.front(), rounds);
    add(kind->name, rounds, "ack", fmt::format("{:.2f} [{:.2f} .. {:.2f}]", ratio.median, ratio.low, ratio.high),
        kind->durability);
  }
  return table.text();
}

// What is compared by anything but facts a second.
std::string table_of_others(const Report& report) {
  cli::Table table({"谁 Who", "什么 What", ">它 It", ">我们 Ours", ">我们的倍数 Times better", "承诺 What it is"});
  bool any = false;
  for (const auto& [kind, rounds] : report.peers)
    for (const Comparison& compared : kind->compared) {
      if (compared.theirs == "facts_per_s") continue;
      const Spread ratio = ratio_to(report, compared, rounds);
      table.add({kind->name, compared.theirs, with_range(spread_of(rounds, compared.theirs)),
                 with_range(spread_of(report.ours, compared.ours)),
                 fmt::format("{:.2f} [{:.2f} .. {:.2f}]", ratio.median, ratio.low, ratio.high), kind->durability});
      any = true;
    }
  return any ? table.text() + "\n" : "";
}

std::string table_of_work(const Report& report) {
  cli::Table table({"进程 Process", ">CPU µs/fact", ">内存 MB"});
  if (report.ours.empty()) return {};
  for (const auto& [name, first] : report.ours.front().all()) {
    constexpr std::string_view group = "cpu_us_per_fact.";
    if (!name.starts_with(group)) continue;
    const std::string process = name.substr(group.size());
    const double memory = spread_of(report.ours, "memory_mb." + process).median;
    table.add({process, with_range(spread_of(report.ours, name)), memory > 0 ? number(memory) : ""});
  }
  return table.text();
}

}  // namespace

std::string report_json(const Report& report) {
  cli::Json json;
  json.begin_object();
  write_machine(json, report);
  json.key("ours").begin_object();
  write_figures(json, report.ours);
  json.end_object().key("peers").begin_object();
  for (const auto& [kind, rounds] : report.peers) {
    json.key(kind->name).begin_object();
    write_figures(json, rounds);
    json.end_object();
  }
  json.end_object().key("ratio").begin_object();
  for_each_ratio(report, [&](const std::string& name, const Spread& ratio) { json.field(name, rounded(ratio.median)); });
  json.end_object().key("ratio_range").begin_object();
  for_each_ratio(report, [&](const std::string& name, const Spread& ratio) {
    json.key(name);
    write_range(json, ratio);
  });
  json.end_object().end_object();
  return json.text();
}

std::string report_text(const Report& report) {
  const Machine& machine = report.machine;
  std::string text = fmt::format("{} × {}, {:.1f} GB, {}, {}; fdatasync p50 {:.0f} µs, p99 {:.0f} µs\n", machine.cpus,
                                 machine.model, machine.memory_gb, machine.kernel, machine.filesystem,
                                 quantile(report.sync_us, 0.5), quantile(report.sync_us, 0.99));
  for (const auto& [name, value] : report.settings) text += fmt::format("{}={} ", name, value);
  text += "\n\n" + table_of_legs(report) + "\n";
  text +=
      fmt::format("one batch in flight: ack p50 {} µs, p99 {} µs\n", with_range(spread_of(report.ours, "ack_one_batch_p50_us")),
                  with_range(spread_of(report.ours, "ack_one_batch_p99_us")));
  text += fmt::format("idle, put to the subscriber's receiver: p50 {} µs, p99 {} µs\n",
                      with_range(spread_of(report.ours, "alert_p50_us")), with_range(spread_of(report.ours, "alert_p99_us")));
  text += fmt::format("beside {} facts/s, half of what it takes: p50 {} µs, p99 {} µs\n",
                      with_range(spread_of(report.ours, "alert_busy_beside_facts_per_s")),
                      with_range(spread_of(report.ours, "alert_busy_p50_us")),
                      with_range(spread_of(report.ours, "alert_busy_p99_us")));
  text += fmt::format(
      "started, all answering: in an empty home {} ms, from snapshots of {} SKUs and {} facts {} ms; replay {} facts/s\n\n",
      with_range(spread_of(report.ours, "start_empty_ms")), with_range(spread_of(report.ours, "snapshot_skus")),
      with_range(spread_of(report.ours, "snapshot_facts")), with_range(spread_of(report.ours, "start_snapshot_ms")),
      with_range(spread_of(report.ours, "replay_facts_per_s")));
  return text + table_of_others(report) + table_of_work(report);
}

std::string report_svg(const Report& report) {
  constexpr double width = 860, names = 330, row = 24, top = 40, decades_left = 2, decades_right = 5;
  constexpr double decade = (width - names - 60) / (decades_left + decades_right), one = names + decades_left * decade;
  std::string bars;
  double y = top;
  for_each_ratio(report, [&](const std::string& name, const Spread& ratio) {
    if (ratio.median <= 0) return;  // It was not measured.
    const auto place = [&](double value) { return one + decade * std::clamp(std::log10(value), -decades_left, decades_right); };
    const double from = std::min(one, place(ratio.median)), to = std::max(one, place(ratio.median));
    bars += fmt::format(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="end">{}</text>)", names - 8, y + 15, name) + "\n";
    bars += fmt::format(R"(<rect x="{:.1f}" y="{:.0f}" width="{:.1f}" height="14" fill="{}"/>)", from, y + 4, to - from,
                        ratio.median >= 1 ? "#2a7" : "#c63") +
            "\n";
    bars += fmt::format(R"(<line x1="{0:.1f}" x2="{1:.1f}" y1="{2:.0f}" y2="{2:.0f}" stroke="#222"/>)", place(ratio.low),
                        place(ratio.high), y + 11) +
            "\n";
    bars += fmt::format(R"(<text x="{:.1f}" y="{:.0f}">{}×</text>)", std::max(to, one) + 6, y + 15, number(ratio.median)) + "\n";
    y += row;
  });
  std::string scale;
  for (double power = -decades_left; power <= decades_right; ++power) {
    const double x = one + power * decade;
    scale +=
        fmt::format(R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.0f}" y2="{2:.0f}" stroke="{3}"/>)", x, top, y,
                    power == 0 ? "#222" : "#ccc") +
        fmt::format(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="middle">{}×</text>)", x, top - 6, number(std::pow(10, power))) +
        "\n";
  }
  return fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" )"
                     R"(font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>)"
                     "\n<text x=\"8\" y=\"16\">How many times better than each peer, in the same round; the line spans the "
                     "rounds</text>\n{2}{3}</svg>\n",
                     width, y + 10, scale, bars);
}

}  // namespace xundian::bench
