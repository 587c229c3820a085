#include "services/intake/import_job.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "common/time.h"
#include "services/intake/buyer_key.h"
#include "services/intake/fact_pile.h"
#include "services/intake/rejects.h"
#include "services/intake/undo.h"

namespace xundian::intake {

namespace {

namespace fs = std::filesystem;

constexpr size_t facts_together_max = 3'000'000;  // Under the facts clock all facts of a call are sorted together.
constexpr size_t facts_held_back = 100'000;       // Of a file that may yet turn out to be of no use.
constexpr size_t file_names_bytes_max = 500;

// What ImportState says of an import, done or undone.
v1::Fact import_fact(uint64_t id, Clock clock, Millis now, Millis newest_ms) {
  const Millis time = std::max<Millis>(clock == Clock::wall ? now : newest_ms, 1);
  v1::Fact fact;
  fact.set_key(std::to_string(id));
  fact.set_as_of_ms(time);
  fact.set_occurred_ms(time);
  fact.set_source("intake");
  return fact;
}

v1::Fact tick_fact(Millis time) {
  v1::Fact fact;
  fact.set_as_of_ms(time);
  fact.set_occurred_ms(time);
  fact.set_source("intake");
  fact.mutable_tick()->set_time_ms(time);
  return fact;
}

// A folder named "@STORE" says whose files lie in it; empty = it does not.
std::string store_of_folder(const std::string& path) {
  const std::string folder = fs::absolute(path).parent_path().filename();
  return folder.size() > 1 && folder.front() == '@' ? folder.substr(1) : std::string();
}

class ImportJob {
 public:
  ImportJob(const Task& task, Outside& outside, const std::function<ImportFile>& read, const Watch& watch)
      : task_(task),
        outside_(outside),
        read_(read),
        watch_(watch),
        rejects_(outside.path(fmt::format("imports/{}.rejects.csv", task.id))),
        speaker_(outside, task.scope, task.id, [this](Speaker::Tag tag, query::v1::Verdict verdict) {
          paths_[tag.file].verdicts[tag.fact] = static_cast<uint8_t>(verdict);
        }) {}

  Result<void> run() {
    auto outcome = import();
    if (outcome) return {};
    outside_.forget(task_.scope, task_.id);
    if (speaker_.facts_put() == 0) return outcome;
    // What was put stays and can be taken back, once the import is known.
    const bool kept = outside_.flush().has_value() && state_import().has_value();
    return fail(outcome.error().code, "{}; {} facts of it were imported before that{}", outcome.error().message,
                speaker_.facts_put(),
                kept ? fmt::format(": import again, or take them back with `import --undo {}`", task_.id) : std::string());
  }

 private:
  struct Path {
    std::string path;
    uint64_t bytes = 0, bytes_before = 0;
    std::vector<uint8_t> verdicts;  // Of each fact, in the order in which the importer said them.
    std::vector<FileReport> reports;
    uint64_t refused = 0;  // Facts that cannot be stated; rejected beside what the importer rejected.
  };

  Result<void> import() {
    TRY_VOID(list_paths());
    const std::string tenant = task_.scope.substr(0, task_.scope.find('/'));
    buyer_key_ = TRY(BuyerKey::open_or_make(outside_.path("keys"), tenant));
    for (uint32_t file = 0; file < paths_.size(); ++file) TRY_VOID(read_path(file));
    TRY_VOID(rejects_.close());
    TRY_VOID(say_pile());
    TRY_VOID(speaker_.finish());
    TRY_VOID(state_import());
    watch_.phase("settling");
    TRY_VOID(settle());
    report();
    return {};
  }

  Result<void> list_paths() {
    uint64_t bytes = 0;
    for (const std::string& path : task_.import.paths()) {
      std::error_code error;
      if (!fs::is_regular_file(path, error)) return fail(Code::invalid_argument, "{} is not a file", path);
      const uint64_t size = fs::file_size(path, error);
      if (error) return fail(Code::invalid_argument, "{} cannot be read: {}", path, error.message());
      paths_.push_back({path, size, bytes, {}, {}, 0});
      bytes += size;
    }
    watch_.change([bytes](query::v1::GetImportResponse& state) { state.set_bytes_all(bytes); });
    return {};
  }

  Result<void> read_path(uint32_t file) {
    watch_.phase("reading");
    Path& path = paths_[file];
    ImportOptions options;
    options.format = task_.import.format();
    options.mapping_path = task_.import.mapping_path();
    options.store = task_.import.store().empty() ? store_of_folder(path.path) : task_.import.store();
    options.buyer = [this](std::string_view platform, std::string_view buyer) { return buyer_key_->hash(platform, buyer); };
    options.buyer_key_id = buyer_key_->id();
    options.import_id = task_.id;
    const uint64_t rows_before = rows_;
    auto reports = read_(
        path.path, options, [&](v1::Fact&& fact) { take(file, std::move(fact)); },
        [this](const Reject& reject) { rejects_.add(reject); },
        [&](const Progress& progress) {
          rows_ = rows_before + progress.rows;
          const double part =
              progress.bytes_all == 0 ? 0 : static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_all);
          const auto done = path.bytes_before + static_cast<uint64_t>(part * static_cast<double>(path.bytes));
          watch_.change([this, done](query::v1::GetImportResponse& state) {
            state.set_bytes_done(done);
            state.set_rows_done(rows_);
          });
        });
    TRY_VOID(failed_);
    // A file that is too large to be true is unusable; trying later will not help.
    if (!reports && reports.error().code == Code::resource_exhausted) reports.error().code = Code::invalid_argument;
    if (!reports) return tl::unexpected(reports.error());
    path.reports = std::move(*reports);
    rows_ = rows_before;
    for (const FileReport& report : path.reports) rows_ += report.rows;
    // The file is good; what was held back of it may be said.
    return outside_.clock() == Clock::wall ? say_pile() : Result<void>();
  }

  // A fact as the importer says it. After a failure the rest of the file goes by unheard.
  void take(uint32_t file, v1::Fact&& fact) {
    if (!failed_) return;
    if (watch_.stopping()) {
      failed_ = fail(Code::cancelled, "intake was stopped");
      return;
    }
    fact.set_import_id(task_.id);
    fact.clear_cause();
    fact.clear_revision();
    fact.clear_content_rank();
    if (fact.has_store_state()) fill_live_from(fact);
    frame_.clear();
    if (const auto framed = append_frame(frame_, fact); !framed) {
      rejects_.add({fs::path(paths_[file].path).filename(), 0, "", framed.error().message, fact.key()});
      paths_[file].refused += 1;
      return;
    }
    newest_ms_ = std::max(newest_ms_, load<FactHead>(frame_.data()).occurred_ms);
    std::vector<uint8_t>& verdicts = paths_[file].verdicts;
    pile_.add(frame_, {file, static_cast<uint32_t>(verdicts.size())});
    verdicts.push_back(query::v1::VERDICT_UNSPECIFIED);
    if (outside_.clock() == Clock::wall) {
      if (pile_.size() < facts_held_back) return;
      failed_ = say_pile();
      watch_.phase("reading");
    } else if (pile_.size() > facts_together_max) {
      failed_ = fail(Code::invalid_argument, "these files hold more than {} facts; under the facts clock import them in parts",
                     facts_together_max);
    }
  }

  // A store that a format makes is patrolled from the day on which it becomes known. Under the facts clock all of it is judged.
  void fill_live_from(v1::Fact& fact) {
    v1::StoreState& store = *fact.mutable_store_state();
    const bool default_settings = fact.as_of_ms() <= 1 && store.has_settings() && store.settings().live_from_ms() == 0;
    if (!default_settings || outside_.clock() != Clock::wall) return;
    const v1::StoreSettings& settings = store.settings();
    const Zone zone = Zone::find(settings.time_zone(), settings.day_cut_minutes()).value_or(Zone());
    store.mutable_settings()->set_live_from_ms(zone.start_of(zone.day_of(began_ms_)));
  }

  // By their times, as far as they are at hand: folds take what comes behind the rest sooner than what comes before it, and many
  // exports begin with the newest.
  Result<void> say_pile() {
    watch_.phase("sorting");
    pile_.sort();
    watch_.phase("saying");
    for (const FactPile::Entry& entry : pile_.entries()) {
      if (watch_.stopping()) return fail(Code::cancelled, "intake was stopped");
      TRY_VOID(speaker_.say(entry.frame, entry.tag));
    }
    pile_.clear();
    return {};
  }

  Result<void> state_import() {
    v1::Fact fact = import_fact(task_.id, outside_.clock(), outside_.now(), newest_ms_);
    fact.set_import_id(task_.id);
    v1::ImportDone& done = *fact.mutable_import_state()->mutable_done();
    done.set_import_id(task_.id);
    done.set_rows(rows_);
    for (const Path& path : paths_) {
      std::string& names = *done.mutable_file();
      if (names.size() < file_names_bytes_max) names += (names.empty() ? "" : ", ") + fs::path(path.path).filename().string();
      done.set_facts(done.facts() + path.verdicts.size());
      done.set_rejected(done.rejected() + path.refused);
      for (const FileReport& report : path.reports) {
        done.set_rejected(done.rejected() + report.rejected);
        if (done.format().empty()) done.set_format(report.format);
      }
    }
    TRY_VOID(speaker_.put(fact));
    return outside_.flush();
  }

  // Under the facts clock time then comes to the newest fact, and what only time changes is judged.
  Result<void> settle() {
    const bool facts_clock = outside_.clock() == Clock::facts;
    TRY_VOID(outside_.settle(task_.scope, facts_clock));
    if (!facts_clock || newest_ms_ <= 0) return {};
    TRY_VOID(speaker_.put(tick_fact(newest_ms_)));
    TRY_VOID(outside_.flush());
    return outside_.settle(task_.scope, true);
  }

  // Facts belong to the tables of a file in the order in which they were said.
  void report() {
    query::v1::ImportedFile total;
    std::vector<query::v1::ImportedFile> files;
    for (const Path& path : paths_) {
      size_t next = 0;
      for (size_t index = 0; index < path.reports.size(); ++index) {
        const FileReport& from = path.reports[index];
        const bool last = index + 1 == path.reports.size();
        query::v1::ImportedFile& file = files.emplace_back();
        file.set_file(from.file);
        file.set_format(from.format);
        file.set_encoding(from.encoding);
        file.set_rows(from.rows);
        file.set_rejected(from.rejected + (last ? path.refused : 0));
        if (file.rejected() > 0 && rejects_.made()) file.set_rejects_file(rejects_.path());
        const size_t end = last ? path.verdicts.size() : std::min(path.verdicts.size(), next + from.facts);
        for (; next < end; ++next) count(file, path.verdicts[next]);
        add(total, file);
      }
    }
    if (rejects_.made()) total.set_rejects_file(rejects_.path());
    watch_.change([&](query::v1::GetImportResponse& state) {
      for (query::v1::ImportedFile& file : files) *state.add_files() = std::move(file);
      *state.mutable_total() = total;
      state.set_bytes_done(state.bytes_all());
      state.set_rows_done(total.rows());
    });
  }

  static void count(query::v1::ImportedFile& file, uint8_t verdict) {
    file.set_facts(file.facts() + 1);
    if (verdict == query::v1::VERDICT_NEW) file.set_new_facts(file.new_facts() + 1);
    if (verdict == query::v1::VERDICT_UPDATED) file.set_updated(file.updated() + 1);
    if (verdict == query::v1::VERDICT_UNCHANGED) file.set_unchanged(file.unchanged() + 1);
  }

  static void add(query::v1::ImportedFile& total, const query::v1::ImportedFile& file) {
    total.set_rows(total.rows() + file.rows());
    total.set_facts(total.facts() + file.facts());
    total.set_new_facts(total.new_facts() + file.new_facts());
    total.set_updated(total.updated() + file.updated());
    total.set_unchanged(total.unchanged() + file.unchanged());
    total.set_rejected(total.rejected() + file.rejected());
  }

  const Task& task_;
  Outside& outside_;
  const std::function<ImportFile>& read_;
  const Watch& watch_;
  const Millis began_ms_ = outside_.now();
  RejectsFile rejects_;
  std::vector<Path> paths_;
  Speaker speaker_;
  FactPile pile_;
  std::optional<BuyerKey> buyer_key_;
  std::string frame_;
  Result<void> failed_;  // What went wrong inside the importer's callbacks.
  Millis newest_ms_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace

Result<void> run_import(const Task& task, Outside& outside, const std::function<ImportFile>& read, const Watch& watch) {
  return ImportJob(task, outside, read, watch).run();
}

Result<void> run_undo(const Task& task, Outside& outside, const Watch& watch) {
  watch.phase("reading");
  const auto journal = TRY(outside.open_journal(task.scope));
  const UndoPlan plan = TRY(plan_undo(*journal, task.scope, task.undo_id));
  watch.phase("saying");
  Speaker speaker(outside, task.scope, task.id, [](Speaker::Tag, query::v1::Verdict) {});
  const auto say_all = [&]() -> Result<void> {
    for (const v1::Fact& fact : plan.facts) {
      std::string frame;
      TRY_VOID(append_frame(frame, fact));
      TRY_VOID(speaker.say(frame, {}));
    }
    TRY_VOID(speaker.finish());
    v1::Fact undone = import_fact(task.undo_id, outside.clock(), outside.now(), plan.occurred_ms);
    undone.mutable_import_state()->mutable_undone()->set_withdrawn(plan.withdrawn);
    undone.mutable_import_state()->mutable_undone()->set_restored(plan.restored);
    TRY_VOID(speaker.put(undone));
    return outside.flush();
  };
  if (const auto said = say_all(); !said) {
    outside.forget(task.scope, task.id);
    return fail(said.error().code, "{}; undo import {} again, which goes on from there", said.error().message, task.undo_id);
  }
  watch.phase("settling");
  TRY_VOID(outside.settle(task.scope, outside.clock() == Clock::facts));
  watch.change([&](query::v1::GetImportResponse& state) {
    state.set_import_id(task.undo_id);
    state.set_withdrawn(plan.withdrawn);
    state.set_restored(plan.restored);
  });
  return {};
}

}  // namespace xundian::intake
