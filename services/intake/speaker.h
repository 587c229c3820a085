// Says facts: weighs them in slices, puts what is new or newer, and lifts what an undo holds down.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/intake/outside.h"

namespace xundian::intake {

class Speaker {
 public:
  // Which of a job's facts it is.
  struct Tag {
    uint32_t file = 0;
    uint32_t fact = 0;
  };
  using Found = std::function<void(Tag tag, query::v1::Verdict verdict)>;
  // `job` tells what this job weighed from what others did. `found` hears of each fact, not always in order.
  Speaker(Outside& outside, std::string scope, uint64_t job, Found found);

  Result<void> say(std::string_view frame, Tag tag);
  // Puts a fact that needs no weighing.
  Result<void> put(const v1::Fact& fact);
  // Says what is left; all is durable when it returns.
  Result<void> finish();
  uint64_t facts_put() const { return facts_put_; }

 private:
  struct Aside {
    std::string frame;
    Tag tag;
  };
  Result<void> weigh(bool lift);
  Result<void> answer(std::string_view frame, Tag tag, const query::v1::WeighedFact& weighed, bool lift);
  Result<void> put_lifted(std::string_view frame, const query::v1::WeighedFact& weighed);

  Outside& outside_;
  Found found_;
  query::v1::WeighRequest slice_;
  std::vector<Tag> tags_;
  size_t slice_bytes_ = 0;
  std::vector<Aside> aside_;
  uint64_t facts_put_ = 0;
};

}  // namespace xundian::intake
