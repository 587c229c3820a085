// The command line of Xundian: what there is to type. What the commands do is in the other files.
#include <CLI/CLI.hpp>
#include <csignal>

#include "services/cli/commands.h"

namespace {

using namespace xundian;
using namespace xundian::cli;

// One command: its words, an example, and `run`, which gives the exit status.
CLI::App& command(CLI::App& parent, const std::string& name, const std::string& words, const std::string& examples, int& ended,
                  std::function<int()> run) {
  CLI::App& added = *parent.add_subcommand(name, words);
  added.footer("Examples:\n" + examples);
  if (run) added.callback([&ended, run = std::move(run)] { ended = run(); });
  return added;
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "print one JSON object on stdout and nothing else"); }

struct Options {
  bool json = false;
  bool memory = false;
  ImportOptions import;
  StoreOptions store;
  OverviewOptions overview;
  MetricsOptions metrics;
  AlertOptions alert;
  WatchOptions watch;
  ReportOptions report;
  RuleOptions rules;
  FactOptions facts;
  SubscriberOptions subscriber;
  DemoOptions demo;
  std::string folder;
};

void add_reading(CLI::App& app, Options& o, int& ended) {
  CLI::App& status_app = command(app, "status", "how the services are", "  xundian status\n  xundian status --memory --json",
                                 ended, [&o] { return status(o.json, o.memory); });
  status_app.add_flag("--memory", o.memory, "what each service holds in memory, kind by kind");
  add_json(status_app, o.json);

  CLI::App& overview_app = command(app, "overview", "the few figures that tell how stores stand",
                                   "  xundian overview\n  xundian overview --store mall --day 2026-11-11", ended,
                                   [&o] { return overview(o.overview); });
  overview_app.add_option("--store", o.overview.stores, "a store; may be given again")->delimiter(',');
  overview_app.add_option("--day", o.overview.day, "YYYY-MM-DD; otherwise each store's newest day");
  add_json(overview_app, o.overview.json);

  CLI::App& metrics_app =
      command(app, "metrics", "figures by store, thing and time",
              "  xundian metrics --metric paid_amount,orders --from 2026-11-01 --to 2026-11-11 --grain day --by store\n"
              "  xundian metrics --define",
              ended, [&o] { return metrics(o.metrics); });
  auto* define = metrics_app.add_flag("--define", o.metrics.define, "list what the metrics mean");
  metrics_app.add_option("--metric", o.metrics.metrics, "metric ids, joined by commas")->delimiter(',')->excludes(define);
  metrics_app.add_option("--store", o.metrics.stores, "a store; otherwise all together")->delimiter(',');
  metrics_app.add_option("--from", o.metrics.from, "the first day, YYYY-MM-DD");
  metrics_app.add_option("--to", o.metrics.to, "the last day, inclusive");
  metrics_app.add_option("--grain", o.metrics.grain, "total, month, day or hour")
      ->check(CLI::IsMember({"total", "month", "day", "hour"}))
      ->capture_default_str();
  metrics_app.add_option("--by", o.metrics.by, "store, sku, channel, campaign or agent")
      ->check(CLI::IsMember({"store", "sku", "channel", "campaign", "agent"}));
  add_json(metrics_app, o.metrics.json);

  CLI::App& report_app = command(app, "report", "packs for people", "  xundian report morning --date 2026-11-11", ended, nullptr);
  report_app.require_subcommand(1);
  CLI::App& morning = command(
      report_app, "morning", "the morning pack of a day",
      "  xundian report morning --date 2026-11-11\n  xundian report morning --date 2026-11-11 --format xlsx --out morning.xlsx",
      ended, [&o] { return morning_report(o.report); });
  morning.add_option("--date", o.report.date, "the day, YYYY-MM-DD")->required();
  morning.add_option("--store", o.report.store, "one store alone");
  morning.add_option("--format", o.report.format, "json, html, xlsx or md")
      ->check(CLI::IsMember({"json", "html", "xlsx", "md"}))
      ->capture_default_str();
  morning.add_option("--out", o.report.out, "write to this file");
  add_json(morning, o.report.json);

  add_json(command(app, "fingerprint", "sums of the services' states: equal state, equal sum", "  xundian fingerprint --json",
                   ended, [&o] { return fingerprint(o.json); }),
           o.json);
}

void add_writing(CLI::App& app, Options& o, int& ended) {
  CLI::App& import =
      command(app, "import", "import files: CSV, XLSX, plain, gzip or zip; returns when every service has them",
              "  xundian import orders.csv\n  xundian import --format taobao.order_list --store mall ExportOrderList.csv\n"
              "  xundian import --mapping sales.toml sales.xlsx\n  xundian import --undo 12",
              ended, [&o] { return o.import.undo != 0 ? undo_import(o.import) : import_files(o.import); });
  auto* files = import.add_option("FILE", o.import.files, "the files");
  import.add_option("--format", o.import.format, "the format; otherwise it is found out");
  import.add_option("--mapping", o.import.mapping, "a file that says what the columns are");
  import.add_option("--store", o.import.store, "the store; otherwise the file says it");
  import.add_option("--undo", o.import.undo, "take an import back, by its id")->excludes(files)->check(CLI::PositiveNumber);
  add_json(import, o.import.json);

  CLI::App& stores =
      command(app, "stores", "the stores",
              "  xundian stores list\n  xundian stores set mall --platform taobao --zone Asia/Shanghai", ended, nullptr);
  stores.require_subcommand(1);
  add_json(command(stores, "list", "the stores there are", "  xundian stores list --json", ended,
                   [&o] { return list_stores(o.json); }),
           o.json);
  CLI::App& set = command(stores, "set", "make a store, or change what is stated of it",
                          "  xundian stores set mall --platform taobao --name 旗舰店 --currency CNY --zone Asia/Shanghai\n"
                          "  xundian stores set mall --live-from 2026-11-01",
                          ended, [&o] { return set_store(o.store); });
  set.add_option("STORE", o.store.id, "its id")->required();
  set.add_option("--platform", o.store.platform, "taobao, tmall, jd, pinduoduo, douyin, shopify, other");
  set.add_option("--name", o.store.name, "its name");
  set.add_option("--currency", o.store.currency, "ISO 4217 code");
  set.add_option("--zone,--time-zone", o.store.time_zone, "IANA time zone");
  set.add_option("--group", o.store.group, "stores that share stock, buyers or targets");
  set.add_option("--day-cut", o.store.day_cut, "minutes after midnight at which its day begins")->check(CLI::Range(0, 1439));
  set.add_option("--calendar", o.store.calendar, "id of its calendar");
  set.add_option("--stock-pool", o.store.stock_pool, "stores with the same pool share stock");
  set.add_option("--live-from", o.store.live_from, "YYYY-MM-DD: what is older is never news");
  add_json(set, o.store.json);
}

void add_alerts(CLI::App& app, Options& o, int& ended) {
  CLI::App& alerts =
      command(app, "alerts", "alerts", "  xundian alerts list\n  xundian alerts ack KEY --note \"on it\"", ended, nullptr);
  alerts.require_subcommand(1);
  CLI::App& list = command(alerts, "list", "alerts as they stand", "  xundian alerts list --store mall --state firing", ended,
                           [&o] { return list_alerts(o.alert); });
  list.add_option("--store", o.alert.store, "the store");
  list.add_option("--state", o.alert.state, "pending, firing or resolved")
      ->check(CLI::IsMember({"pending", "firing", "resolved"}));
  add_json(list, o.alert.json);
  CLI::App& show =
      command(alerts, "show", "all about one alert", "  xundian alerts show KEY", ended, [&o] { return show_alert(o.alert); });
  show.add_option("KEY", o.alert.key, "the alert's key")->required();
  add_json(show, o.alert.json);
  CLI::App& ack = command(alerts, "ack", "take charge of an alert", "  xundian alerts ack KEY --for 4h --note \"reordered\"",
                          ended, [&o] { return ack_alert(o.alert); });
  ack.add_option("KEY", o.alert.key, "the alert's key")->required();
  ack.add_option("--note", o.alert.note, "in a line");
  ack.add_option("--for", o.alert.duration, "how long, as 30m, 4h, 1d; otherwise 24h");
  add_json(ack, o.alert.json);
  CLI::App& silence = command(
      alerts, "silence", "keep alerts from being delivered for a time",
      "  xundian alerts silence --rule out_of_stock --store mall --for 2h --comment 盘点\n  xundian alerts silence --end ID",
      ended, [&o] { return silence_alerts(o.alert); });
  silence.add_option("--rule", o.alert.rule, "the rule; otherwise all");
  silence.add_option("--store", o.alert.store, "the store; otherwise all");
  silence.add_option("--entity", o.alert.entity, "the SKU, campaign, agent …; otherwise all");
  silence.add_option("--for", o.alert.duration, "how long, as 30m, 2h, 1d; otherwise 1h");
  silence.add_option("--comment", o.alert.comment, "why");
  silence.add_option("--end", o.alert.end, "end the silence of this id");
  add_json(silence, o.alert.json);
  CLI::App& watching =
      command(app, "watch", "every change of an alert, as it comes",
              "  xundian watch\n  xundian watch --from beginning --json --count 10", ended, [&o] { return watch(o.watch); });
  watching.add_option("--store", o.watch.stores, "a store; may be given again")->delimiter(',');
  watching.add_option("--severity", o.watch.severity, "the least: info, warning, high, critical");
  watching.add_option("--from", o.watch.from, "now, beginning, or a position")->capture_default_str();
  watching.add_option("--count", o.watch.count, "end after so many");
  watching.add_flag("--json", o.watch.json, "one JSON object a line");
}

void add_configuration(CLI::App& app, Options& o, int& ended) {
  CLI::App& rules = command(app, "rules", "rules", "  xundian rules list\n  xundian rules check team.toml", ended, nullptr);
  rules.require_subcommand(1);
  add_json(command(rules, "list", "the rules that ship, and what overrides them", "  xundian rules list", ended,
                   [&o] { return list_rules(o.json); }),
           o.json);
  CLI::App& check = command(rules, "check", "whether a file of rules is right", "  xundian rules check team.toml --json", ended,
                            [&o] { return check_rules(o.rules); });
  check.add_option("FILE", o.rules.file, "the file")->required();
  add_json(check, o.rules.json);
  CLI::App& rehearse = command(rules, "rehearse", "what alerts a file of rules would have given",
                               "  xundian rules rehearse team.toml --from 2026-11-01 --to 2026-11-11", ended,
                               [&o] { return rehearse_rules(o.rules); });
  rehearse.add_option("FILE", o.rules.file, "the file")->required();
  rehearse.add_option("--from", o.rules.from, "first day, 2026-11-01")->required();
  rehearse.add_option("--to", o.rules.to, "last day, inclusive")->required();
  rehearse.add_option("--set", o.rules.set, "the set that it would replace; otherwise \"team\"");
  add_json(rehearse, o.rules.json);
  CLI::App& put = command(rules, "put", "put a file of rules in force", "  xundian rules put team.toml", ended,
                          [&o] { return put_rules(o.rules); });
  put.add_option("FILE", o.rules.file, "the file")->required();
  put.add_option("--set", o.rules.set, "the set that it replaces; otherwise \"team\"");
  add_json(put, o.rules.json);

  CLI::App& subscribers = command(app, "subscribers", "who is told of alerts", "  xundian subscribers list", ended, nullptr);
  subscribers.require_subcommand(1);
  add_json(command(subscribers, "list", "the subscribers", "  xundian subscribers list", ended,
                   [&o] { return list_subscribers(o.json); }),
           o.json);
  CLI::App& set = command(
      subscribers, "set", "make or change a subscriber (a webhook)",
      "  xundian subscribers set desk --url https://example.com/hook --secret-file /etc/xundian/desk.secret --severity high",
      ended, [&o] { return set_subscriber(o.subscriber); });
  set.add_option("ID", o.subscriber.id, "the subscriber's id")->required();
  set.add_option("--url", o.subscriber.url, "the address");
  set.add_option("--secret-file", o.subscriber.secret_file, "the file with the signing secret, on the services' machine");
  set.add_option("--severity", o.subscriber.severity, "the least: info, warning, high, critical");
  set.add_option("--stores,--store", o.subscriber.stores, "these stores alone")->delimiter(',');
  set.add_option("--rules,--rule", o.subscriber.rules, "these rules alone")->delimiter(',');
  set.add_flag("--allow-private", o.subscriber.allow_private, "addresses of this machine and of private networks are allowed");
  set.add_flag("--remove", o.subscriber.remove, "take the subscriber away");
  add_json(set, o.subscriber.json);
}

void add_tools(CLI::App& app, Options& o, int& ended, std::vector<std::string>& bench_arguments) {
  CLI::App& read =
      command(app, "facts", "what the journal holds: what was stated, by whom, and what it caused",
              "  xundian facts --kind finding --store shop --count 20\n  xundian facts --partition 3 --offset 1041 --json", ended,
              [&o] { return list_facts(o.facts); });
  read.add_option("--kind", o.facts.kind, "one kind of fact: order_state, finding, alert_state …");
  read.add_option("--store", o.facts.store, "of this store alone");
  read.add_option("--key", o.facts.key, "of this thing alone: an order's id, a finding's rule|entity");
  read.add_option("--partition", o.facts.partition, "of this partition alone");
  read.add_option("--offset", o.facts.offset, "this one; an alert's cause is an offset plus one");
  read.add_option("--count", o.facts.count, "at most so many")->default_val(1'000);
  add_json(read, o.facts.json);
  add_json(command(app, "verify", "read the whole journal and say what is wrong with it", "  xundian verify --json", ended,
                   [&o] { return verify_journal(o.json); }),
           o.json);
  CLI::App& save = command(app, "backup", "copy a running home's journal, settings and keys", "  xundian backup /backups/today",
                           ended, [&o] { return backup(o.folder, o.json); });
  save.add_option("DIR", o.folder, "a folder that is new or empty")->required();
  add_json(save, o.json);
  CLI::App& load = command(app, "restore", "make a home of a backup", "  XUNDIAN_HOME=/srv/new xundian restore /backups/today",
                           ended, [&o] { return restore(o.folder, o.json); });
  load.add_option("DIR", o.folder, "the backup")->required();
  add_json(load, o.json);
  CLI::App& show = command(app, "demo", "make the simulator's stores and import them", "  xundian demo --days 60 --seed 1", ended,
                           [&o] { return demo(o.demo); });
  show.add_option("--days", o.demo.days, "how many days")->check(CLI::Range(1, 400))->capture_default_str();
  show.add_option("--seed", o.demo.seed, "another seed, another trade")->capture_default_str();
  show.add_option("--out", o.demo.out, "where the files go; otherwise into the home");
  add_json(show, o.demo.json);
  CLI::App& measure = command(app, "bench", "measure against its peers", "  xundian bench --secs 10 --json", ended,
                              [&] { return bench(bench_arguments); });
  measure.allow_extras();
  measure.prefix_command();
  measure.set_help_flag();
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  Options options;
  int ended = done;
  std::vector<std::string> bench_arguments;
  // What follows `bench` is the bench's own.
  if (argc > 1 && std::string(argv[1]) == "bench") bench_arguments.assign(argv + 2, argv + argc);
  CLI::App app("巡店 Xundian: patrols every store, all the time", "xundian");
  app.footer(
      "Environment: XUNDIAN_HOME (./var), XUNDIAN_HTTP (127.0.0.1:8080), XUNDIAN_GRPC (127.0.0.1:8081), XUNDIAN_TOKEN (the "
      "home's admin.token).\n"
      "Exit status: 0 done, 1 failed, 2 wrong use or unusable input, 3 done but some rows were rejected.");
  app.require_subcommand(1);
  add_reading(app, options, ended);
  add_writing(app, options, ended);
  add_alerts(app, options, ended);
  add_configuration(app, options, ended);
  add_tools(app, options, ended, bench_arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? done : wrong_use;
  }
  return ended;
}
