// The mappings of deploy/mappings, compiled in, so that a service needs no path to them.
#include <algorithm>

#include "services/intake/formats/mapping.h"
#include "services/intake/mappings_data.h"

namespace xundian::intake {

const std::vector<Mapping>& built_in_mappings() {
  static const std::vector<Mapping> all = [] {
    std::vector<Mapping> mappings;
    for (const auto& [name, toml] : mapping_texts) {
      auto mapping = parse_mapping(toml, name);
      CHECK(mapping.has_value(), mapping ? "" : mapping.error().message);
      mappings.push_back(std::move(*mapping));
    }
    std::sort(mappings.begin(), mappings.end(), [](const Mapping& a, const Mapping& b) { return a.format < b.format; });
    return mappings;
  }();
  return all;
}

}  // namespace xundian::intake
