#include "tests/intake_service/world.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xundian::intake {

World::World(Clock clock) : clock_(clock), definition_(definition()) {
  char folder[] = "/tmp/xd.XXXXXX";
  CHECK(::mkdtemp(folder) != nullptr, "a folder for a test");
  folder_ = folder;
  for (const char* below : {"imports", "files"}) std::filesystem::create_directory(path(below));
  writer_ = std::move(*open_memory_writer(disk_));
}

World::~World() { std::filesystem::remove_all(folder_); }

Result<std::string> World::ask(std::string_view method, const google::protobuf::Message& request) {
  if (jobs != nullptr) definition_ = definition(jobs);
  std::vector<Fold*> folds;
  for (const auto& [scope, fold] : folds_) folds.push_back(fold.get());
  return definition_.answer(folds, method, request.SerializeAsString());
}

Result<query::v1::WeighResponse> World::weigh(const query::v1::WeighRequest& request) {
  query::v1::WeighResponse response;
  response.ParseFromString(TRY(ask("Weigh", request)));
  return response;
}

void World::forget(const std::string&, uint64_t import_id) {
  query::v1::ForgetWeighedRequest request;
  request.set_import_id(import_id);
  EXPECT_TRUE(ask("ForgetWeighed", request));
}

Result<void> World::put(const std::string& scope, std::string_view frame) {
  if (bus_refuses) return fail(Code::resource_exhausted, "the bus takes nothing");
  open_[scope].add_frame(frame);
  return {};
}

Result<void> World::flush() {
  if (bus_refuses) return fail(Code::resource_exhausted, "the bus takes nothing");
  for (auto& [scope, builder] : open_) {
    if (builder.empty()) continue;
    const auto count = builder.count();
    BatchHeader header;
    header.base = heads_[0];
    const std::string batch = builder.finish(scope, 1, header);
    const std::string_view batches[] = {batch};
    const auto appended = writer_->append(heads_, batches);
    if (!appended) return tl::unexpected(appended.error());
    heads_[0] += count;
  }
  if (!folds_stand_still) fold_all();
  return {};
}

Result<void> World::settle(const std::string&, bool) {
  fold_all();
  return {};
}

Result<std::unique_ptr<JournalReader>> World::open_journal(const std::string&) { return open_memory_reader(disk_); }

void World::fold_all() {
  const auto reader = std::move(*open_memory_reader(disk_));
  folded_ = *reader->read(folded_, SIZE_MAX, [&](const CommitView& commit) {
    return commit
        .for_each_batch(false,
                        [&](const BatchView& batch) {
                          auto& fold = folds_[std::string(batch.scope())];
                          if (!fold) {
                            fold = std::make_unique<IntakeFold>();
                            fold->scope = batch.scope();
                          }
                          Outbox outbox;
                          const auto done = batch.for_each(is_outside_kind, [&](std::string_view frame, Offset offset) {
                            fold->fold(FactView(frame, offset, 0), outbox);
                          });
                          EXPECT_TRUE(done);
                          EXPECT_TRUE(outbox.facts().empty());
                        })
        .has_value();
  });
}

query::v1::GetImportResponse World::import(const std::vector<v1::Fact>& facts, uint64_t id) {
  return import_files(
      {"facts.csv"},
      [&facts](const std::string&, const ImportOptions&, const auto& tell, const auto&, const auto&) {
        for (v1::Fact fact : facts) tell(std::move(fact));
        return Result<std::vector<FileReport>>(
            std::vector<FileReport>{{"facts.csv", "test.facts", "UTF-8", facts.size(), facts.size(), 0}});
      },
      id);
}

query::v1::GetImportResponse World::import_files(const std::vector<std::string>& names, const std::function<ImportFile>& read,
                                                 uint64_t id) {
  Task task;
  task.id = id;
  task.scope = "default/default";
  for (const std::string& name : names) *task.import.add_paths() = make_file(name);
  query::v1::GetImportResponse state;
  const Watch watch{[&state](const auto& change) { change(state); }, [] { return false; }};
  const auto outcome = run_import(task, *this, read, watch);
  state.set_import_id(id);
  if (!outcome) {
    state.set_error(outcome.error().message);
    state.set_error_code(static_cast<uint32_t>(outcome.error().code));
    open_.clear();
  }
  return state;
}

query::v1::GetImportResponse World::undo(uint64_t import_id) {
  Task task;
  task.id = next_job_++;
  task.scope = "default/default";
  task.undo_id = import_id;
  query::v1::GetImportResponse state;
  const Watch watch{[&state](const auto& change) { change(state); }, [] { return false; }};
  if (const auto outcome = run_undo(task, *this, watch); !outcome) {
    state.set_error(outcome.error().message);
    state.set_error_code(static_cast<uint32_t>(outcome.error().code));
  }
  return state;
}

void World::say(const v1::Fact& fact) {
  std::string frame;
  ASSERT_TRUE(append_frame(frame, fact));
  ASSERT_TRUE(put("default/default", frame));
  ASSERT_TRUE(flush());
}

std::string World::make_file(const std::string& name) {
  const std::string file = path("files/" + name);
  std::ofstream(file) << "rows\n";
  return file;
}

std::vector<v1::Fact> World::facts() {
  std::vector<v1::Fact> facts;
  const auto reader = std::move(*open_memory_reader(disk_));
  const auto read = reader->read(0, SIZE_MAX, [&](const CommitView& commit) {
    return commit
        .for_each_batch(false,
                        [&](const BatchView& batch) {
                          EXPECT_TRUE(batch.for_each([](Kind) { return true; },
                                                     [&](std::string_view frame, Offset offset) {
                                                       EXPECT_TRUE(FactView(frame, offset, 0).parse_fact(facts.emplace_back()));
                                                     }));
                        })
        .has_value();
  });
  EXPECT_TRUE(read);
  return facts;
}

Merged World::merged() {
  struct Held {
    Version version;
    std::string bytes;
  };
  std::map<std::string, std::map<std::string, Held>> things;
  for (const v1::Fact& fact : facts()) {
    if (fact.has_import_state() || fact.has_tick()) continue;
    std::string frame;
    EXPECT_TRUE(append_frame(frame, fact));
    const FactView view(frame, 0, 0);
    auto& thing = things[fmt::format("{}/{}/{}", fact.store(), view.kind(), fact.key())];
    for_each_content(view.payload(), [&](Part part, std::string_view bytes) {
      Held& held = thing[part == withdrawn_aspect ? "withdrawn" : std::to_string(part)];
      const Version version{view.rank(), hash64(bytes)};
      if (version > held.version) held = {version, std::string(bytes)};
    });
  }
  Merged merged;
  for (const auto& [name, thing] : things) {
    const auto withdrawn = thing.find("withdrawn");
    for (const auto& [part, held] : thing) {
      v1::OrderLine line;
      const bool gone = part.size() > 2 && line.ParseFromString(held.bytes) && line.withdrawn();
      if (part == "withdrawn" || gone || held.bytes.empty() ||
          (withdrawn != thing.end() && held.version <= withdrawn->second.version))
        continue;
      merged[name + "/" + part] = held.bytes;
    }
  }
  return merged;
}

v1::Fact order_fact(const std::string& key, Millis as_of, const std::string& status) {
  v1::Fact fact;
  fact.set_store("shop");
  fact.set_key(key);
  fact.set_as_of_ms(as_of);
  fact.set_source("test.orders");
  if (!status.empty()) fact.mutable_order_state()->mutable_status()->set_status(status);
  return fact;
}

v1::OrderLine& add_line(v1::Fact& order, const std::string& id, int64_t quantity) {
  v1::OrderLine& line = *order.mutable_order_state()->add_lines();
  line.set_line_id(id);
  line.set_sku("mug");
  line.set_quantity(quantity);
  return line;
}

v1::Fact store_fact(const std::string& store) {
  v1::Fact fact;
  fact.set_store(store);
  fact.set_key(store);
  fact.set_as_of_ms(1);
  fact.set_source("test.orders");
  fact.mutable_store_state()->mutable_identity()->set_platform("taobao");
  fact.mutable_store_state()->mutable_settings()->set_time_zone("Asia/Shanghai");
  fact.mutable_store_state()->mutable_settings()->set_currency_code("CNY");
  return fact;
}

}  // namespace xundian::intake
