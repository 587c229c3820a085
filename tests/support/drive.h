// Drives a fold as the runner does: wakes it, folds, and hands it what it says right after; for tests.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/service.h"

namespace xundian::tests {

class Drive {
 public:
  explicit Drive(std::unique_ptr<Fold> fold) : fold_(std::move(fold)) { fold_->scope = "default/default"; }

  // Folds a fact given as text; as_of and occurred are `time` unless it states them. Gives what was said.
  std::vector<v1::Fact> put(Millis time, const std::string& text) {
    v1::Fact fact;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &fact)) << text;
    return put(time, fact);
  }
  std::vector<v1::Fact> put(Millis time, v1::Fact fact) {
    if (fact.as_of_ms() == 0) fact.set_as_of_ms(time);
    if (fact.occurred_ms() == 0) fact.set_occurred_ms(time);
    return take(time, &fact);
  }
  std::vector<v1::Fact> tick(Millis time) { return take(time, nullptr); }

  Fold& fold() { return *fold_; }
  Fold* const* folds() {
    folds_ = fold_.get();
    return &folds_;
  }
  Millis time() const { return time_; }
  std::string fingerprint() const {
    Fingerprint sum;
    fold_->fingerprint(sum);
    return sum.hex();
  }
  // Goes on with a fold made of this one's saved state.
  void restart(std::unique_ptr<Fold> fresh) {
    std::string bytes;
    fold_->save(bytes);
    ASSERT_TRUE(fresh->load(ByteReader(bytes)));
    std::string again;
    fresh->save(again);
    ASSERT_EQ(bytes, again);
    fresh->scope = fold_->scope;
    fold_ = std::move(fresh);
  }

 private:
  std::vector<v1::Fact> take(Millis time, const v1::Fact* fact) {
    time_ = std::max(time_, time);
    Outbox outbox;
    if (fold_->next_wake() <= time_) fold_->wake(time_, outbox);
    if (fact != nullptr) {
      std::string frame;
      const auto framed = append_frame(frame, *fact);
      EXPECT_TRUE(framed.has_value()) << framed.error().message;
      fold_->fold(FactView(frame, offset_, time_), outbox);
      EXPECT_EQ(outbox.rejected(), "");
    }
    std::vector<v1::Fact> said = outbox.facts();
    for (v1::Fact& one : said) {
      one.set_cause(offset_ + 1);
      if (one.as_of_ms() == 0) one.set_as_of_ms(time_);
      if (one.occurred_ms() == 0) one.set_occurred_ms(time_);
      std::string frame;
      EXPECT_TRUE(append_frame(frame, one).has_value());
      fold_->said(FactView(frame, offset_, time_));
    }
    offset_ += 1;
    return said;
  }

  std::unique_ptr<Fold> fold_;
  Fold* folds_ = nullptr;
  Offset offset_ = 0;
  Millis time_ = 0;
};

}  // namespace xundian::tests
