#include "services/intake/importer.h"

#include <algorithm>
#include <filesystem>

#include "common/config.h"
#include "services/intake/formats/table_import.h"
#include "services/intake/readers/archive.h"
#include "services/intake/readers/csv.h"
#include "services/intake/readers/xlsx.h"

namespace xundian::intake {

namespace {

class FileImport {
 public:
  FileImport(const ImportOptions& options, std::vector<const Mapping*> candidates, TableSinks sinks)
      : options_(options), candidates_(std::move(candidates)), sinks_(std::move(sinks)) {}

  Result<std::vector<FileReport>> run(const std::string& path, const std::string& name) {
    Opened opened = TRY(open_bytes(path, name));
    if (opened.container != Container::zip) {
      TRY_VOID(import_text(std::move(opened.source), name, name));
      return std::move(reports_);
    }
    const ArchiveInput input{path, {}, name};
    const std::vector<ArchiveMember> members = TRY(list_members(input));
    if (is_workbook(members)) {
      TRY_VOID(import_workbook(input, name));
    } else {
      TRY_VOID(import_zip(input, members));
    }
    if (!reports_.empty()) {
      reports_.insert(reports_.end(), left_out_.begin(), left_out_.end());
      return std::move(reports_);
    }
    if (first_error_) return tl::unexpected<Error>(*first_error_);
    return fail(Code::invalid_argument, "{}: no table is in it; import CSV or XLSX files", name);
  }

 private:
  Result<void> import_table(RowReader& rows, const std::string& name, const std::string& file_name) {
    TableImport table(rows, name, file_name, options_, candidates_, sinks_);
    reports_.push_back(TRY(table.run()));
    return {};
  }

  Result<void> import_text(std::unique_ptr<ByteSource> source, const std::string& name, const std::string& file_name) {
    const auto reader = TRY(CsvReader::open(std::move(source), name));
    return import_table(*reader, name, file_name);
  }

  Result<void> import_workbook(const ArchiveInput& input, const std::string& name) {
    std::vector<Sheet> sheets = TRY(open_workbook(input));
    if (sheets.empty())
      return fail(Code::invalid_argument, "{}: the workbook has no sheet with a row in it; export it again", name);
    const size_t before = reports_.size();
    std::vector<std::pair<std::string, Error>> unknown;
    for (const Sheet& sheet : sheets) {
      const std::string sheet_name = sheets.size() == 1 ? name : name + "#" + sheet.name;
      const auto imported = import_table(*sheet.rows, sheet_name, input.name.substr(input.name.find_last_of('/') + 1));
      if (!imported) unknown.emplace_back(sheet_name, imported.error());
    }
    if (reports_.size() == before) return tl::unexpected<Error>(unknown.front().second);
    for (const auto& [sheet, error] : unknown) leave_out(sheet, error);
    return {};
  }

  Result<void> import_zip(const ArchiveInput& input, const std::vector<ArchiveMember>& members) {
    const auto wanted = [](const ArchiveMember& member) {
      return !member.base.starts_with('.') && !member.name.starts_with("__MACOSX/");
    };
    const auto each = [&](const ArchiveMember& member, std::unique_ptr<ByteSource> source) -> Result<void> {
      const std::string name = members.size() == 1 ? input.name : input.name + "/" + member.base;
      auto imported = import_member(member, std::move(source), name);
      if (imported) return {};
      if (imported.error().code == Code::resource_exhausted) return imported;  // A bomb is no slip.
      leave_out(name, imported.error());
      return {};
    };
    return read_members(input, wanted, each, [&](const ArchiveMember& member, const std::string& why) {
      leave_out(input.name + "/" + member.base, {Code::data_loss, fmt::format("{}/{}: {}", input.name, member.base, why)});
    });
  }

  Result<void> import_member(const ArchiveMember& member, std::unique_ptr<ByteSource> source, const std::string& name) {
    auto peeked = std::make_unique<PeekedSource>(std::move(source));
    const std::string_view head = TRY(peeked->peek());
    if (!head.starts_with("PK\x03\x04")) return import_text(std::move(peeked), name, member.base);
    ArchiveInput inner{{}, TRY(read_all(*peeked)), name};
    if (!is_workbook(TRY(list_members(inner))))
      return fail(Code::invalid_argument, "{}: this member is a zip of its own; unpack it and import what is in it", name);
    return import_workbook(inner, name);
  }

  // A source whose first bytes were looked at.
  class PeekedSource : public ByteSource {
   public:
    explicit PeekedSource(std::unique_ptr<ByteSource> inner) : inner_(std::move(inner)) {}
    Result<std::string_view> peek() {
      head_.resize(4096);
      head_.resize(TRY(inner_->read(head_.data(), head_.size())));
      return std::string_view(head_);
    }
    Result<size_t> read(char* to, size_t size) override {
      if (at_ == head_.size()) return inner_->read(to, size);
      const size_t count = head_.copy(to, size, at_);
      at_ += count;
      return count;
    }
    uint64_t consumed() const override { return inner_->consumed(); }

   private:
    std::unique_ptr<ByteSource> inner_;
    std::string head_;
    size_t at_ = 0;
  };

  // A table that cannot be used while others can: one reject says so.
  void leave_out(const std::string& name, const Error& error) {
    if (!first_error_) first_error_ = error;
    FileReport report;
    report.file = name;
    report.rejected = 1;
    left_out_.push_back(report);
    sinks_.reject({name, 0, {}, error.message, {}});
  }

  const ImportOptions& options_;
  std::vector<const Mapping*> candidates_;
  TableSinks sinks_;
  std::vector<FileReport> reports_;
  std::vector<FileReport> left_out_;
  std::optional<Error> first_error_;
};

Result<std::vector<const Mapping*>> choose(const ImportOptions& options, const std::optional<Mapping>& own) {
  if (own) return std::vector<const Mapping*>{&*own};
  std::vector<const Mapping*> all;
  for (const Mapping& mapping : built_in_mappings()) {
    if (mapping.format == options.format) return std::vector<const Mapping*>{&mapping};
    all.push_back(&mapping);
  }
  if (options.format.empty()) return all;
  const std::string near = nearest(options.format, known_formats());
  return fail(Code::invalid_argument, "no format is named \"{}\"{}; leave --format out to go by the columns", options.format,
              near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace

Result<std::vector<FileReport>> import_file(const std::string& path, const ImportOptions& options,
                                            const std::function<void(v1::Fact&&)>& say,
                                            const std::function<void(const Reject&)>& reject,
                                            const std::function<void(const Progress&)>& progress) {
  std::optional<Mapping> own;
  if (!options.mapping_path.empty()) own = TRY(read_mapping(options.mapping_path));
  std::vector<const Mapping*> candidates = TRY(choose(options, own));
  const std::string name = options.name.empty() ? std::filesystem::path(path).filename().string() : options.name;
  std::error_code ignored;
  const uint64_t bytes_all = std::filesystem::file_size(path, ignored);
  TableSinks sinks{say, reject, {}};
  if (progress) sinks.progress = [&](uint64_t bytes, uint64_t rows) { progress({std::min(bytes, bytes_all), bytes_all, rows}); };
  FileImport import(options, std::move(candidates), std::move(sinks));
  return import.run(path, name);
}

std::vector<std::string> known_formats() {
  std::vector<std::string> names;
  for (const Mapping& mapping : built_in_mappings()) names.push_back(mapping.format);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace xundian::intake
