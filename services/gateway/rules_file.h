// A team's file of rules: TOML in, rules or complaints with their lines out.
#pragma once

#include <string>
#include <vector>

#include "common/config.h"
#include "xundian/query/v1/query.pb.h"

namespace xundian::gateway {

struct ReadRules {
  facts::v1::RuleList rules;
  std::vector<ConfigTable::Complaint> complaints;
};

// `shipped` are the rules that services ship; with none of them known, detectors and ids are not checked.
ReadRules read_rules(const std::string& text, const std::vector<query::v1::ShippedRule>& shipped);

}  // namespace xundian::gateway
