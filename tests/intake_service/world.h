// A home in memory and in a folder of its own: a real journal, real intake folds, and a merge of all that the journal holds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/journal_memory.h"
#include "services/intake/import_job.h"
#include "services/intake/restate.h"
#include "services/intake/state.h"

namespace xundian::intake {

// "store/kind/key/part" to content, for all that counts: what every department's fold makes its numbers of.
using Merged = std::map<std::string, std::string>;

class World final : public Outside {
 public:
  explicit World(Clock clock = Clock::wall);
  ~World() override;

  Clock clock() const override { return clock_; }
  Millis now() const override { return now_ms; }
  std::string path(std::string_view below) const override { return folder_ + "/" + std::string(below); }
  Result<query::v1::WeighResponse> weigh(const query::v1::WeighRequest& request) override;
  void forget(const std::string& scope, uint64_t import_id) override;
  Result<void> put(const std::string& scope, std::string_view frame) override;
  Result<void> flush() override;
  Result<void> settle(const std::string& scope, bool quiet) override;
  Result<std::unique_ptr<JournalReader>> open_journal(const std::string& scope) override;

  // Imports a "file" of these facts; returns how it ended.
  query::v1::GetImportResponse import(const std::vector<v1::Fact>& facts, uint64_t id);
  // The same with several files, read as `read` reads them.
  query::v1::GetImportResponse import_files(const std::vector<std::string>& names, const std::function<ImportFile>& read,
                                            uint64_t id);
  query::v1::GetImportResponse undo(uint64_t import_id);
  // Puts what a webhook says, unweighed.
  void say(const v1::Fact& fact);
  Result<std::string> ask(std::string_view method, const google::protobuf::Message& request);
  std::string make_file(const std::string& name);

  IntakeFold& fold() { return *folds_.at("default/default"); }
  Merged merged();
  // All facts of the journal, in its order.
  std::vector<v1::Fact> facts();

  Millis now_ms = 1'760'000'000'000;
  bool folds_stand_still = false;  // What is durable is not folded until `settle`.
  bool bus_refuses = false;
  Jobs* jobs = nullptr;

 private:
  void fold_all();

  Clock clock_;
  std::string folder_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<JournalWriter> writer_;
  ServiceDefinition definition_;
  std::map<std::string, std::unique_ptr<IntakeFold>> folds_;
  std::map<std::string, BatchBuilder> open_;
  Heads heads_ = Heads(1, 0);
  Position folded_ = 0;
  uint64_t next_job_ = 1'000'000;
};

// Facts as importers make them.
v1::Fact order_fact(const std::string& key, Millis as_of, const std::string& status);
v1::OrderLine& add_line(v1::Fact& order, const std::string& id, int64_t quantity);
v1::Fact store_fact(const std::string& store);

}  // namespace xundian::intake
