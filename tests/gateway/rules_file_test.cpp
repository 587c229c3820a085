// A team's file of rules: what is right becomes rules, what is wrong is told with its line.
#include "services/gateway/rules_file.h"

#include <gtest/gtest.h>

namespace xundian::gateway {
namespace {

std::vector<query::v1::ShippedRule> shipped() {
  query::v1::ShippedRule rule;
  rule.mutable_rule()->set_id("out_of_stock");
  rule.mutable_rule()->set_detector("available_units");
  rule.set_side("below");
  return {rule};
}

TEST(RulesFile, IsReadWhole) {
  const ReadRules read = read_rules(R"(
[[rule]]
id = "out_of_stock"
store = "mall"
fire_at = 2.5
clear_at = 5
for = "10m"
severity = "critical"
)",
                                    shipped());
  for (const auto& complaint : read.complaints) ADD_FAILURE() << complaint.line << " " << complaint.key << " " << complaint.why;
  ASSERT_EQ(read.rules.rules_size(), 1);
  const facts::v1::Rule& rule = read.rules.rules(0);
  EXPECT_EQ(rule.detector(), "available_units");
  EXPECT_EQ(rule.fire_at_micros(), 2'500'000);
  EXPECT_EQ(rule.clear_at_micros(), 5'000'000);
  EXPECT_EQ(rule.for_ms(), 600'000);
  EXPECT_EQ(rule.severity(), facts::v1::SEVERITY_CRITICAL);
  EXPECT_FALSE(rule.has_sample_min());
}

// The line and key of the first complaint.
std::pair<int, std::string> complaint_of(const std::string& text) {
  const ReadRules read = read_rules(text, shipped());
  if (read.complaints.empty()) return {0, "nothing"};
  return {read.complaints[0].line, read.complaints[0].key};
}

TEST(RulesFile, TellsWhatIsWrongAndWhere) {
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"out_of_stok\"\n").first, 2);
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"mine\"\ndetector = \"avail_units\"\n").first, 3);
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"out_of_stock\"\nseverity = \"loud\"\n").first, 3);
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"out_of_stock\"\nfire_att = 2\n").first, 3);
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"out_of_stock\"\nfire_at = 5\nclear_at = 2\n").first, 4);  // Below: it clears above.
  EXPECT_EQ(complaint_of("[[rule]]\nid = \"out_of_stock\"\nfire_at = 2\nclear_at = 5\n").second, "nothing");
  EXPECT_NE(complaint_of("[[rule]]\nid = \"out_of_stock\"\n[[rule]]\nid = \"out_of_stock\"\n").second, "nothing");
  EXPECT_EQ(complaint_of("[[rule]\n").first, 1);
  EXPECT_NE(complaint_of("").second, "nothing");
}

}  // namespace
}  // namespace xundian::gateway
