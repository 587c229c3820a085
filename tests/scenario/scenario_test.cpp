// Scenarios: facts in, findings out, as text that anyone can read. REWRITE=1 writes what the services say now; read the diff.
//
//   # A comment.
//   @2026-11-01T10:00:00Z store: "s1" key: "mug@" stock_level { count { sku: "mug" available_units: 1 counted_ms: $now-2h } }
//   @2026-11-01T11:00:00Z tick
//   ----
//   out_of_stock mug holds 0
//
// A block ends with an empty line; the state goes on through the file. $now is the time at the line's start, in milliseconds.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "common/money.h"
#include "common/replica.h"
#include "common/time.h"
#include "services/campaigns/state.h"
#include "services/inventory/state.h"
#include "services/metrics/state.h"
#include "services/support/state.h"

namespace xundian {
namespace {

namespace fs = std::filesystem;

ServiceDefinition definition_of(const std::string& service) {
  if (service == "metrics") return metrics::definition();
  if (service == "campaigns") return campaigns::definition();
  if (service == "inventory") return inventory::definition();
  if (service == "support") return support::definition();
  ADD_FAILURE() << "tests/scenarios/" << service << " is no service";
  return {};
}

Millis parse_time(const std::string& text) {
  static const std::regex shape(R"((\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)Z)");
  std::smatch parts;
  if (!std::regex_match(text, parts, shape)) throw std::runtime_error("\"" + text + "\" is no time; write 2026-11-01T10:00:00Z");
  return Millis{parse_day(parts[1].str()).value()} * day_ms + std::stoi(parts[2]) * hour_ms + std::stoi(parts[3]) * minute_ms +
         std::stoi(parts[4]) * second_ms;
}

// Replaces $now, $now-2h, $now+30m, $now+15s, $now-3d.
std::string with_times(const std::string& text, Millis now) {
  static const std::regex mark(R"(\$now(?:([+-])(\d+)([smhd]))?)");
  std::string out;
  auto last = text.cbegin();
  for (std::sregex_iterator it(text.begin(), text.end(), mark), end; it != end; ++it) {
    out.append(last, (*it)[0].first);
    Millis time = now;
    if ((*it)[1].matched) {
      const std::string unit = (*it)[3];
      const Millis factor = unit == "s" ? second_ms : unit == "m" ? minute_ms : unit == "h" ? hour_ms : day_ms;
      time += ((*it)[1] == "-" ? -1 : 1) * std::stoll((*it)[2]) * factor;
    }
    out += std::to_string(time);
    last = (*it)[0].second;
  }
  out.append(last, text.cend());
  return out;
}

v1::Fact parse_fact(const std::string& line) {
  const size_t space = line.find(' ');
  const Millis now = parse_time(line.substr(1, space - 1));
  const std::string rest = line.substr(space + 1);
  v1::Fact fact;
  if (rest == "tick")
    fact.mutable_tick()->set_time_ms(now);
  else if (!google::protobuf::TextFormat::ParseFromString(with_times(rest, now), &fact))
    throw std::runtime_error("cannot be read as a fact: " + line);
  if (fact.as_of_ms() == 0) fact.set_as_of_ms(now);
  if (fact.occurred_ms() == 0) fact.set_occurred_ms(now);
  return fact;
}

// One service over one partition, fed fact by fact through the replica that production runs.
class Stage {
 public:
  explicit Stage(const std::string& service) : definition_(definition_of(service)), replica_(definition_, options()) {}

  std::vector<std::string> tell(const v1::Fact& fact) {
    BatchBuilder builder;
    EXPECT_TRUE(builder.add(fact).has_value());
    BatchHeader header;
    header.base = offset_;
    const std::string batch = builder.finish("default/default", 1, header);
    const std::string_view batches[] = {batch};
    const std::string commit = make_commit({offset_}, batches);
    const auto took = replica_.take(CommitView::open(offset_, commit).value(), nullptr);
    EXPECT_TRUE(took.has_value()) << (took ? "" : took.error().message);
    offset_ += 1;
    std::vector<std::string> said;
    for (const Replica::Answer& answer : replica_.flush()) {
      EXPECT_TRUE(BatchView::trust(answer.batch)
                      .for_each([](Kind) { return true; }, [&](std::string_view frame, Offset) { describe(frame, said); })
                      .has_value());
    }
    return said;
  }

 private:
  static Replica::Options options() {
    Replica::Options options;
    options.partitions = {0};
    options.partitions_all = 1;
    options.clock = Clock::facts;
    return options;
  }
  static void describe(std::string_view frame, std::vector<std::string>& said) {
    v1::Fact fact;
    ASSERT_TRUE(FactView(frame, 0, 0).parse_fact(fact));
    if (!fact.has_finding()) return;
    const v1::FindingTerms& terms = fact.finding().terms();
    EXPECT_FALSE(terms.text_zh().empty() || terms.text_en().empty()) << terms.rule() << " has no words";
    EXPECT_EQ(terms.text_en().find('{'), std::string::npos) << "not filled in: " << terms.text_en();
    EXPECT_EQ(terms.text_zh().find('{'), std::string::npos) << "not filled in: " << terms.text_zh();
    said.push_back(fmt::format("{} {} {} {}", terms.rule(), terms.entity(), terms.holds() ? "holds" : "clears",
                               format_micros(terms.value_micros())));
  }

  ServiceDefinition definition_;
  Replica replica_;
  Offset offset_ = 0;
};

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, SaysWhatIsWritten) {
  const fs::path path = fs::path(SCENARIOS) / GetParam();
  Stage stage(path.parent_path().filename());
  std::ifstream in(path);
  std::string expected_file, actual_file;
  std::vector<std::string> said;
  bool expecting = false;
  size_t blocks = 0;
  const auto end_block = [&] {
    if (!expecting) return;
    for (const std::string& line : said) actual_file += line + "\n";
    said.clear();
    expecting = false;
    blocks += 1;
  };
  for (std::string line; std::getline(in, line);) {
    expected_file += line + "\n";
    if (line == "----") {
      expecting = true;
      actual_file += line + "\n";
    } else if (line.empty()) {
      end_block();
      actual_file += "\n";
    } else if (!expecting) {
      actual_file += line + "\n";
      if (line[0] == '@')
        for (std::string& finding : stage.tell(parse_fact(line))) said.push_back(std::move(finding));
      else
        ASSERT_EQ(line[0], '#') << "neither a fact nor a comment: " << line;
    }
  }
  end_block();
  EXPECT_GT(blocks, 0u) << "no block has an expectation";
  if (std::getenv("REWRITE") != nullptr)
    std::ofstream(path) << actual_file;
  else
    EXPECT_EQ(expected_file, actual_file) << GetParam();
}

std::vector<std::string> scenario_files() {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(SCENARIOS))
    if (entry.path().extension() == ".txt") files.push_back(fs::relative(entry.path(), SCENARIOS));
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(scenario_files()), [](const auto& parameter) {
  std::string name = parameter.param.substr(0, parameter.param.size() - 4);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace xundian
