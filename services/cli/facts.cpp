// The facts themselves, read from the journal in place: what was stated, by whom, and what it caused.
#include <google/protobuf/util/json_util.h>

#include "common/home.h"
#include "common/pull_reader.h"
#include "common/time.h"
#include "services/cli/commands.h"

namespace xundian::cli {

namespace {

constexpr size_t read_bytes = 1u << 20;

// The field's number of a kind's name; 0 = every kind.
Result<Kind> kind_of(const std::string& name) {
  if (name.empty()) return Kind{0};
  const google::protobuf::OneofDescriptor& kinds = *facts::v1::Fact::descriptor()->oneof_decl(0);
  std::vector<std::string> names;
  for (int index = 0; index < kinds.field_count(); ++index) {
    if (kinds.field(index)->name() == name) return static_cast<Kind>(kinds.field(index)->number());
    names.push_back(kinds.field(index)->name());
  }
  return fail(Code::invalid_argument, "\"{}\" is no kind of fact; there are {}", name, fmt::join(names, ", "));
}

class Printer {
 public:
  Printer(const FactOptions& options, Kind kind) : options_(options), kind_(kind) {}

  bool wants(Kind kind) const { return kind_ == 0 || kind == kind_; }
  // False: enough was printed.
  bool print(std::string_view scope, Partition partition, std::string_view frame, Offset offset) {
    if (options_.offset != -1 && offset != static_cast<Offset>(options_.offset)) return true;
    const FactView view(frame, offset, 0);
    if (!options_.store.empty() && view.store() != store_hash(options_.store)) return true;
    if (!options_.key.empty() && view.key_text() != options_.key) return true;
    if (printed_ == options_.count) return false;
    facts::v1::Fact fact;
    const bool readable = view.parse_fact(fact);
    if (options_.json) {
      std::string text;
      if (!readable || !google::protobuf::util::MessageToJsonString(fact, &text).ok()) text = "null";
      fmt::print("{}\n{{\"partition\":{},\"offset\":{},\"group\":{},\"fact\":{}}}", printed_ == 0 ? "" : ",", partition, offset,
                 quoted(scope), text);
    } else {
      fmt::print("{}/{} {} {} {} {}\n", partition, offset, format_utc(view.occurred_ms()), scope, fact.source(),
                 readable ? fact.ShortDebugString() : "cannot be read");
    }
    printed_ += 1;
    return true;
  }

 private:
  static std::string quoted(std::string_view text) {
    Json json;
    json.value(text);
    return json.text();
  }

  const FactOptions& options_;
  Kind kind_;
  uint64_t printed_ = 0;
};

// Prints what lies in a bus's journal up to now. False: enough was printed.
Result<bool> print_journal(JournalReader& reader, const FactOptions& options, Printer& printer) {
  const auto range = TRY(reader.range());
  bool more = true;
  Result<void> walked;
  for (Position position = range.low; more && position < range.next;) {
    position = TRY(reader.read(position, read_bytes, [&](const CommitView& commit) {
      walked = commit.for_each_batch(false, [&](const BatchView& batch) {
        const Partition partition = batch.header().partition;
        if (!more || batch.is_control() || (options.partition != -1 && partition != options.partition)) return;
        const auto read = batch.for_each([&](Kind kind) { return printer.wants(kind); },
                                         [&](std::string_view frame, Offset offset) {
                                           more = more && printer.print(batch.scope(), partition, frame, offset);
                                         });
        if (!read)
          fmt::print(stderr, "xundian: partition {} offset {}: {}\n", partition, batch.header().base, read.error().message);
      });
      return more && walked.has_value();
    }));
    if (!walked) return tl::unexpected(walked.error());
  }
  return more;
}

Result<int> print_facts(const FactOptions& options) {
  const Kind kind = TRY(kind_of(options.kind));
  const Home home = TRY(Home::open(Home::folder_from_environment(), 0));
  Printer printer(options, kind);
  if (options.json) fmt::print("{{\"facts\":[");
  for (uint32_t bus = 0; bus < home.settings().buses; ++bus) {
    const auto reader = TRY(open_home_reader(home, bus));
    if (!TRY(print_journal(*reader, options, printer))) break;
  }
  if (options.json) fmt::print("]}}\n");
  return done;
}

}  // namespace

int list_facts(const FactOptions& options) {
  const Result<int> ended = print_facts(options);
  return ended ? *ended : complain(ended.error());
}

}  // namespace xundian::cli
