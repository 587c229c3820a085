// Tells what a fact is to those that know what was said before, and remembers what is on its way into the journal.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/intake/state.h"
#include "xundian/query/v1/intake.pb.h"

namespace xundian::intake {

// Two imports at once, and a key that stands twice in a file, are told apart by what was weighed and has not been folded yet. It
// is no part of the fold: it is forgotten when the process ends, and then the import ends too.
class Weigher {
 public:
  // A part that was weighed and is not folded yet.
  struct Coming {
    Part part = 0;
    Version version;
    uint64_t import_id = 0;
    std::optional<uint64_t> content_rank;  // See IntakeFold::content_rank.
  };
  // `fold`: what is known of the scope; null = nothing.
  query::v1::WeighedFact weigh(const IntakeFold* fold, std::string_view scope, const FactView& fact, uint64_t import_id,
                               bool lift);
  // Lets go of what the journal has brought.
  void settle(const IntakeFold* fold, std::string_view scope);
  void forget(uint64_t import_id);
  // Parts of things that are on their way.
  size_t pending() const;

 private:
  struct Order {
    Key thing;
    Part part = 0;
    Version version;
  };
  struct Scope {
    absl::flat_hash_map<Key, std::vector<Coming>, KeyHash> things;
    std::deque<Order> order;  // As they were weighed, which is nearly as they come.
  };
  static void remember(Scope& scope, const Key& thing, const Coming& coming);

  std::map<std::string, Scope, std::less<>> scopes_;
};

}  // namespace xundian::intake
