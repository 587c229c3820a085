// What the command line can do; each returns the exit status.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/cli/client.h"
#include "services/cli/json.h"

namespace xundian::cli {

struct ImportOptions {
  std::vector<std::string> files;
  std::string format, mapping, store;
  uint64_t undo = 0;
  bool json = false;
};
struct StoreOptions {
  std::string id, platform, name, currency, time_zone, group;
  std::optional<uint32_t> day_cut;
  std::optional<std::string> calendar, stock_pool, live_from;
  bool json = false;
};
struct OverviewOptions {
  std::vector<std::string> stores;
  std::string day;
  bool json = false;
};
struct MetricsOptions {
  std::vector<std::string> metrics, stores;
  std::string from, to, grain = "total", by;
  bool define = false, json = false;
};
struct AlertOptions {
  std::string store, state, key, note, rule, entity, comment, duration, end;
  bool json = false;
};
struct WatchOptions {
  std::vector<std::string> stores;
  std::string from = "now", severity;
  uint64_t count = 0;
  bool json = false;
};
struct ReportOptions {
  std::string date, store, format = "md", out;
  bool json = false;
};
struct RuleOptions {
  std::string file, set, from, to;
  bool json = false;
};
struct SubscriberOptions {
  std::string id, url, secret_file, severity;
  std::vector<std::string> stores, rules;
  bool allow_private = false, remove = false, json = false;
};
struct DemoOptions {
  uint32_t days = 60, seed = 1;
  std::string out;
  bool json = false;
};
struct FactOptions {
  std::string kind, store, key;
  int64_t partition = -1, offset = -1;  // -1 = all.
  uint64_t count = 0;
  bool json = false;
};

int status(bool json, bool memory);
int import_files(const ImportOptions& options);
int undo_import(const ImportOptions& options);
int list_stores(bool json);
int set_store(const StoreOptions& options);
int overview(const OverviewOptions& options);
int metrics(const MetricsOptions& options);
int list_alerts(const AlertOptions& options);
int show_alert(const AlertOptions& options);
int ack_alert(const AlertOptions& options);
int silence_alerts(const AlertOptions& options);
int watch(const WatchOptions& options);
int morning_report(const ReportOptions& options);
int list_rules(bool json);
int check_rules(const RuleOptions& options);
int put_rules(const RuleOptions& options);
int rehearse_rules(const RuleOptions& options);
int list_subscribers(bool json);
int set_subscriber(const SubscriberOptions& options);
int fingerprint(bool json);
int list_facts(const FactOptions& options);
int verify_journal(bool json);
int backup(const std::string& folder, bool json);
int restore(const std::string& folder, bool json);
int demo(const DemoOptions& options);
int bench(const std::vector<std::string>& arguments);

// A client with the environment's address and token; `use` gets it.
template <typename Use>
int with_client(Use&& use) {
  const auto environment = read_environment();
  if (!environment) return complain(environment.error());
  Client client(*environment);
  const Result<int> ended = use(client);
  return ended ? *ended : complain(ended.error());
}

// Waits until every fold has what the journal has, and has said what it has to say to it.
Result<void> wait_until_folded(Client& client);
// A name for a mutating call, so that a retry changes nothing.
std::string new_request_id();
// "90s", "30m", "2h", "1d" in milliseconds; empty = 0.
Result<Millis> parse_duration(const std::string& text);
void print_json(const Json& json);

// The objects of the outside contract.
void write_value(Json& json, const google::protobuf::Value& value);
void write_time(Json& json, const google::protobuf::Timestamp& time);
void write_alert(Json& json, const v1::Alert& alert);
void write_store(Json& json, const query::v1::Store& store);
Json import_json(const v1::ImportFileResponse& result);
Json metrics_json(const std::vector<v1::MetricRow>& rows, const google::protobuf::Timestamp* as_of,
                  const std::vector<std::string>& missing);
Json status_json(const v1::GetStatusResponse& status);
Json fingerprint_json(const v1::GetFingerprintResponse& answer);
Json rehearsal_json(const query::v1::RehearseResponse& result);
Json rules_check_json(uint32_t rules, const google::protobuf::RepeatedPtrField<v1::RuleProblem>& errors);
Json report_json(const v1::Report& report);
std::string value_text(const google::protobuf::Value& value, const std::string& unit);

}  // namespace xundian::cli
