// What a job needs of the world around it: the clock, the service's own fold, the bus, the journal, the other folds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/home.h"
#include "common/journal.h"
#include "xundian/query/v1/intake.pb.h"

namespace xundian::intake {

class Outside {
 public:
  virtual ~Outside() = default;
  virtual Clock clock() const = 0;
  virtual Millis now() const = 0;
  // Of a file in the home.
  virtual std::string path(std::string_view below) const = 0;
  virtual Result<query::v1::WeighResponse> weigh(const query::v1::WeighRequest& request) = 0;
  // What this import weighed and did not put will not come.
  virtual void forget(const std::string& scope, uint64_t import_id) = 0;
  virtual Result<void> put(const std::string& scope, std::string_view frame) = 0;
  // All that was put is durable when it returns.
  virtual Result<void> flush() = 0;
  // Returns when every fold has folded what the journal holds of the scope's partition, and what it said to it is durable.
  // `quiet`: also what folds said to what folds said, until nothing is left to say.
  virtual Result<void> settle(const std::string& scope, bool quiet) = 0;
  virtual Result<std::unique_ptr<JournalReader>> open_journal(const std::string& scope) = 0;
};

// The world as it is in a home.
struct HomeOptions {
  std::string folder;           // Empty: XUNDIAN_HOME, or ./var.
  uint32_t instance = 0;        // Of this process.
  uint32_t instances = 1;       // Instance i serves the partitions p with p mod instances = i.
  Millis refused_ms = 300'000;  // How long the bus may take nothing.
  Millis stuck_ms = 60'000;     // How long the folds may stand still.
};
Result<std::unique_ptr<Outside>> open_outside(const HomeOptions& options, std::function<bool()> stopping);

}  // namespace xundian::intake
