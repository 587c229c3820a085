// Writes what the targets begin with: the demo's exports, facts, journals and snapshots of a small world, and a few words of each
// language. The same files each time.
//   fuzz_seeds FOLDER MAPPINGS
#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "services/demo/exports.h"
#include "tests/convergence/facts.h"
#include "tests/convergence/home.h"
#include "xundian/wire/v1/wire.pb.h"

namespace xundian::fuzz {
namespace {

namespace fs = std::filesystem;

class Seeds {
 public:
  explicit Seeds(fs::path folder) : folder_(std::move(folder)) { fs::remove_all(folder_); }

  void add(const char* target, const std::string& bytes) {
    fs::create_directories(folder_ / target);
    const std::string name = fmt::format("seed-{:04}", ++count_);
    std::ofstream file(folder_ / target / name, std::ios::binary);
    file << bytes;
    CHECK(file.good(), "a seed cannot be written");
  }
  fs::path below(const char* name) const { return folder_ / name; }

 private:
  fs::path folder_;
  int count_ = 0;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first lines of a table: enough to be one.
std::string head_of(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  return text.substr(0, text.rfind('\n', bytes) + 1);
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib could not start");
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "a text cannot be packed");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string bytes(1u << 20, '\0');
  size_t used = 0;
  archive* out = archive_write_new();
  archive_write_set_format_zip(out);
  CHECK(archive_write_open_memory(out, bytes.data(), bytes.size(), &used) == ARCHIVE_OK, "no zip can be written");
  for (const auto& [name, text] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(out, entry);
    archive_write_data(out, text.data(), text.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
  bytes.resize(used);
  return bytes;
}

void add_tables(Seeds& seeds, const fs::path& mappings) {
  const fs::path folder = seeds.below("exports");
  const auto paths = demo::write_exports(demo::make_world(1, parse_day("2026-11-12").value(), 4), folder, [](size_t, size_t) {});
  CHECK(paths.has_value(), "the demo writes nothing");
  std::map<std::string, std::string> tables;  // One of each shape: by store and the letters of the name.
  for (const std::string& path : *paths) {
    std::string shape = fs::path(path).parent_path().filename();
    for (const char letter : fs::path(path).filename().string())
      if (std::isalpha(static_cast<unsigned char>(letter))) shape += letter;
    tables[shape] = head_of(read(path), 2'000);
  }
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto& [shape, table] : tables) {
    for (const char how : {'\1', '\2', '\50'}) seeds.add("csv", how + table);
    seeds.add("import", '\0' + table);
    seeds.add("container", table);
    seeds.add("container", gzip(table));
    if (members.size() < 3) members.emplace_back(shape + ".csv", table);
  }
  seeds.add("container", zip(members));
  for (const auto& entry : fs::directory_iterator(mappings)) {
    const std::string mapping = read(entry.path());
    seeds.add("config", mapping);
    seeds.add("import", mapping + '\0' + tables.begin()->second);
  }
  for (const char* records :
       {"[[record]]\nkind = \"order\"\n[record.columns]\nkey = \"id\"\npaid = \"t\"\nline_amount = \"a + b\"\nsku = "
        "\"s\"\nquantity = \"q\"\n",
        "[[record]]\nkind = \"stock_level\"\nwhen = [\"a below 5\"]\n[record.columns]\nsku = \"s\"\navailable = \"a\"\ncounted = "
        "\"t\"\n",
        "[[record]]\nkind = \"ad_report\"\njoin = true\n[record.columns]\nday = \"t\"\ncost = \"a\"\nclicks = \"b\"\n"})
    seeds.add(
        "import",
        std::string(
            "format = \"my.table\"\nplatform = \"other\"\ncurrency = \"CNY\"\ntime_zone = \"Asia/Shanghai\"\nstore = \"s\"\n"
            "detect = [\"id|no\", \"t\"]\n") +
            records + '\0' +
            "id,t,a,b,s,q\n1,2026-11-11 10:00:00,12.5,3,mug,2\n2,2026-11-12,\"1,200\",-1,cup,1\n3,45382.5,1e3,,,0\n");
}

void add_facts(Seeds& seeds) {
  for (char service = 0; service < 6; ++service)
    for (uint64_t first = 0; first < 600; first += 60) {
      std::string facts{service, '\0'}, frames{service, '\1'};
      for (uint64_t seed = first; seed < first + 24; ++seed) {
        const auto& definition = convergence::services()[static_cast<size_t>(service)];
        v1::Fact fact = service != 5    ? convergence::make_fact(seed * 1000, definition.kinds)
                        : seed % 7 == 0 ? convergence::make_handling(seed)
                                        : convergence::make_fact(seed);
        if (service == 5 && seed % 3 != 0) {  // Alerts live on findings.
          fact.set_key("out_of_stock|mug");
          v1::FindingTerms& terms = *fact.mutable_finding()->mutable_terms();
          terms.set_rule("out_of_stock");
          terms.set_entity_kind("sku");
          terms.set_entity("mug");
          terms.set_holds(seed % 2 == 0);
          terms.set_since_ms(fact.occurred_ms());
          terms.set_for_ms(seed % 5 * hour_ms);
          terms.set_severity(static_cast<v1::Severity>(seed % 5));
        }
        fact.clear_group();
        const std::string bytes = fact.SerializeAsString();
        append(facts, static_cast<uint16_t>(bytes.size()));
        facts += bytes;
        CHECK(append_frame(frames, fact).has_value(), "a fact cannot be framed");
        if (fact.has_order_state()) seeds.add("order_scan", fact.order_state().SerializeAsString());
      }
      seeds.add("fold", facts);
      seeds.add("fold", frames);
    }
}

void add_journal(Seeds& seeds) {
  convergence::Dice dice(7);
  std::vector<v1::Fact> facts, handling;
  for (uint64_t seed = 0; seed < 60; ++seed) facts.push_back(convergence::make_fact(seed));
  for (uint64_t seed = 0; seed < 6; ++seed) handling.push_back(convergence::make_handling(seed));
  const convergence::Lived lived = convergence::live(convergence::steps_of(facts, handling, dice), false, dice);
  const auto reader = lived.log.reader();
  for (Position position = 0; position < lived.log.end();)
    position = reader
                   ->read(position, 1u << 20,
                          [&](const CommitView& commit) {
                            for (const char how : {'\0', '\1'})
                              if (commit.position() % 2 == 0) seeds.add("commit", how + std::string(commit.bytes()));
                            return true;
                          })
                   .value();
  char which = 0;
  for (const ServiceDefinition& definition : convergence::services()) {
    for (const Position end : {lived.log.end() / 4, lived.log.end()}) {
      convergence::Worker worker(definition, lived.log);
      worker.read(end);
      seeds.add("snapshot", which + worker.save());
    }
    ++which;
  }
  // Hello, commit; then batches with their sequences, a Wake, a restart, commits in between.
  for (size_t from = 0; from + 4 <= facts.size(); from += 8) {
    std::string steps{static_cast<char>(from / 8 % 2), '\0', '\1', '\1'};
    uint64_t sequence = 0;
    for (std::string batch : convergence::batches_of(
             {facts.begin() + static_cast<std::ptrdiff_t>(from), facts.begin() + static_cast<std::ptrdiff_t>(from) + 4}, 3,
             dice)) {
      auto header = load<BatchHeader>(batch.data());
      header.sequence = ++sequence;
      header.producer = 0;
      write_header(batch, header);
      steps += '\4';
      append(steps, static_cast<uint16_t>(batch.size()));
      steps += batch;
      if (sequence == 2) steps += std::string("\1\5\3\0\1\1", 6), sequence = 2;
    }
    wire::v1::Wake wake;
    wake.set_partition(1);
    wake.set_producer(1);
    wake.set_at_ms(1'790'000'000'100);
    steps += std::string{'\2', static_cast<char>(wire::v1::MESSAGE_TYPE_WAKE)};
    append(steps, static_cast<uint16_t>(wake.ByteSizeLong()));
    steps += wake.SerializeAsString() + std::string("\1\377\3", 3);
    seeds.add("wire", steps);
  }
}

void add_words(Seeds& seeds) {
  const char* requests[] = {
      "{}",
      R"({"store":"s","group":"g","timeZone":"Asia/Shanghai","dayCutMinutes":300,"liveFromMs":"1790000000000"})",
      R"({"metrics":["orders","uv"],"from":"2026-11-01","to":"2026-11-11","by":"sku","grain":"day","stores":["a","b"]})",
      R"({"alert":"00ff","untilMs":"1790000000000","note":"\u5e97 \ud83d\ude00"})",
      R"({"terms":{"rule":"out_of_stock","startMs":1,"endMs":"9"}})",
      R"({"text":"[[rule]]\nid = \"out_of_stock\"\n","requestId":"r","set":"team"})",
      R"({"date":"2026-11-11","format":"xlsx","store":null})",
      R"({"facts":[{"store":"s","key":"o","asOfMs":"5","orderState":{"paid":{"paidMs":"4","amountMicros":"-1"},"lines":[{"lineId":"1","quantity":2}]}}]})",
      R"({"pageToken":"3","pageSize":50,"state":"firing"})"};
  for (char call = 0; call < 21; ++call)
    for (const char* request : requests) {
      seeds.add("json", std::string{call, '\0'} + request);
      if (call % 7 == 0)
        seeds.add("json",
                  std::string{call, '\2'} + std::string("\0\0\0\0", 4) + static_cast<char>(std::strlen(request)) + request);
    }
  const std::string rules[] = {
      "[[rule]]\nid = \"out_of_stock\"\nfire_at = 1.5\nclear_at = 0\nfor = \"30m\"\nseverity = \"high\"\nowner = \"boss\"\n",
      "# a comment\n[[rule]]\nid = \"mine\"\ndetector = \"cover_below\"\nstore = \"s\"\nsample_min = 3\nzh = "
      "'''\n店\n'''\ndisabled = true\n[[rule]]\nid=\"mine\"\n",
      "rule = [{id = \"out_of_stock\", fire_at = -inf}, {id = \"x\", fire_at = nan, typo = 2026-11-11T00:00:00Z}]\n",
      "a.b.c.d = 1\n[x.\"y z\"]\nlist = [\"1\", 2, [3, {e = 0x10}]]\ntime = \"5m\"\nnumber = 1_000\n"};
  for (const std::string& text : rules) {
    seeds.add("rules", text);
    seeds.add("config", text);
  }
  std::string deep = "a";
  for (int depth = 0; depth < 100'000; ++depth) deep += ".a";
  for (const std::string& text :
       {deep + " = 1\n", "[" + deep + "]\n", "a = " + std::string(20'000, '['), std::string("a = ") + deep}) {
    seeds.add("rules_bombs", text);
    seeds.add("config_bombs", text);
  }
  seeds.add("json", std::string("\0\0", 2) + "{\"a\":" + std::string(20'000, '['));
  const std::string book =
      R"(<workbook xmlns="m" xmlns:r="r"><workbookPr date1904="1"/><sheets><sheet name="订单" sheetId="1" r:id="rId1"/></sheets></workbook>)";
  const std::string relations = R"(<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>)";
  const std::string strings = R"(<sst><si><t>id</t></si><si><r><t>a&amp;b</t></r><rPh><t>x</t></rPh></si></sst>)";
  const std::string sheet =
      R"(<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="BC1" t="inlineStr"><is><t>x</t></is></c></row><row><c><v>45382.5</v></c><c t="s"><v>1</v></c></row></sheetData></worksheet>)";
  seeds.add("xlsx", book + '\0' + relations + '\0' + strings + '\0' + sheet);
  seeds.add("xlsx", "<?xml version=\"1.0\"?>" + book + '\0' + relations + '\0' + '\0' + sheet);
  std::string open = "\2h,i\n";  // A quote that never closes, on every line.
  for (int lines = 0; lines < 60'000; ++lines) open += "\"a\n";
  seeds.add("csv_bombs", open);
  std::string shared;  // One long text, in very many cells.
  for (int cells = 0; cells < 3'000; ++cells) shared += "<c t=\"s\"><v>0</v></c>";
  seeds.add("xlsx_bombs", book + '\0' + relations + '\0' + "<sst><si><t>" + std::string(100'000, 'x') + "</t></si></sst>" + '\0' +
                              "<worksheet><sheetData><row>" + shared + "</row></sheetData></worksheet>");
  seeds.add("xlsx_bombs", std::string("<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>") +
                              book + '\0' + relations + '\0' + strings + '\0' + sheet);
  seeds.add("container", zip({{"xl/workbook.xml", book},
                              {"xl/_rels/workbook.xml.rels", relations},
                              {"xl/sharedStrings.xml", strings},
                              {"xl/worksheets/sheet1.xml", sheet}}));
}

}  // namespace
}  // namespace xundian::fuzz

int main(int argc, char** argv) {
  using namespace xundian::fuzz;
  if (argc != 3) return 2;
  Seeds seeds(argv[1]);
  add_tables(seeds, argv[2]);
  add_facts(seeds);
  add_journal(seeds);
  add_words(seeds);
  return 0;
}
