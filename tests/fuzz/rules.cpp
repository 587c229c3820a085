// A team's file of rules is rules, or complaints that each have their line.
#include "services/gateway/rules_file.h"
#include "services/inventory/state.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xundian;
  static const std::vector<query::v1::ShippedRule> shipped = [] {
    const auto list = RuleBook(inventory::shipped_rules()).list("inventory");
    return std::vector<query::v1::ShippedRule>(list.rules().begin(), list.rules().end());
  }();
  const std::string text(fuzz::as_text(data, size));
  for (const auto& known : {shipped, std::vector<query::v1::ShippedRule>()}) {
    const gateway::ReadRules read = gateway::read_rules(text, known);
    CHECK(!read.complaints.empty() || !read.rules.rules().empty(), "a file has neither rules nor complaints");
    for (const auto& complaint : read.complaints)
      CHECK(complaint.line >= 0 && !complaint.why.empty(), "a complaint says nothing");
    if (read.complaints.empty())
      CHECK(read.rules.SerializeAsString().size() < 16 * size + 1'024, "rules are larger than their file");
  }
  return 0;
}
