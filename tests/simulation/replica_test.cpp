// What a replica tells its folds, and answers while it still replays.
#include "common/replica.h"

#include <gtest/gtest.h>

#include "services/alerts/state.h"

namespace xundian {
namespace {

// Writes down what it is told of and given: "?1" for a fact that is expected, "1" for one that is folded, "w" for a wake.
class Diary final : public Fold {
 public:
  explicit Diary(std::string& pages) : pages_(pages) {}
  void expect(const FactView& fact) override {
    if (fact.kind() != 0) pages_ += fmt::format("?{} ", fact.key_text());
  }
  void fold(const FactView& fact, Outbox&) override { pages_ += fmt::format("{} ", fact.key_text()); }
  void wake(Millis now, Outbox&) override {
    pages_ += "w ";
    wake_ms_ = now + 10;
  }
  Millis next_wake() const override { return wake_ms_; }
  void save(std::string&) const override {}
  bool load(ByteReader) override { return true; }
  void fingerprint(Fingerprint&) const override {}

 private:
  std::string& pages_;
  Millis wake_ms_ = 1'000;
};

class Pages {
 public:
  explicit Pages(Clock clock) {
    definition_.name = "diary";
    definition_.kinds = {v1::Fact::kStockLevel};
    definition_.make_fold = [this] { return std::make_unique<Diary>(pages_); };
    replica_ = std::make_unique<Replica>(definition_, Replica::Options{.partitions = {partition_}, .clock = clock, .skips = {}});
  }
  // Adds a batch to the commit that is made next: stock levels by their keys, orders where a key begins with an o.
  void batch(std::initializer_list<std::string> keys, Millis time_ms) {
    BatchBuilder builder;
    for (const std::string& key : keys) {
      v1::Fact fact;
      fact.set_store("s");
      fact.set_key(key);
      if (key[0] == 'o')
        fact.mutable_order_state()->mutable_status()->set_status("paid");
      else
        fact.mutable_stock_level()->mutable_count()->set_sku(key);
      EXPECT_TRUE(builder.add(fact).has_value());
    }
    BatchHeader header;
    header.base = head_ += std::exchange(last_, keys.size());
    header.producer = 1;
    header.time_ms = time_ms;
    batches_.push_back(builder.finish(scope_, 16, header));
  }
  std::string commit() {
    const std::vector<std::string_view> views(batches_.begin(), batches_.end());
    const std::string bytes = make_commit(Heads(16), views);
    EXPECT_TRUE(replica_->take(*CommitView::open(0, bytes), nullptr).has_value());
    batches_.clear();
    return std::exchange(pages_, {});
  }

 private:
  const std::string scope_ = "t/g";
  const Partition partition_ = partition_of(group_hash(scope_), 16);
  ServiceDefinition definition_;
  std::string pages_;
  std::vector<std::string> batches_;
  Offset head_ = 0;
  size_t last_ = 0;
  std::unique_ptr<Replica> replica_;
};

// Memory is asked ahead though each fact is a batch of its own. A group that was never heard of is told nothing yet.
TEST(ReplicaTest, FoldsAreToldOfTheWholeCommitAhead) {
  Pages pages(Clock::wall);
  pages.batch({"a"}, 1);
  EXPECT_EQ(pages.commit(), "a ");
  for (const char* key : {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}) pages.batch({key}, 1);
  EXPECT_EQ(pages.commit(), "?1 ?2 ?3 ?4 ?5 ?6 ?7 ?8 1 ?9 2 ?10 3 4 5 6 7 8 9 10 ");
}

// What a fold does not want wakes it all the same, when its time has come and the record stands first in its batch.
TEST(ReplicaTest, WhatIsNotWantedBringsTime) {
  Pages pages(Clock::wall);
  pages.batch({"o1", "1"}, 5);
  EXPECT_EQ(pages.commit(), "1 ");
  pages.batch({"o2", "o3", "2"}, 999);
  pages.batch({"o4"}, 1'000);
  pages.batch({"3", "o5"}, 1'005);
  pages.batch({"4"}, 1'010);
  pages.batch({"o6"}, 1'020);
  EXPECT_EQ(pages.commit(), "?2 ?3 ?4 2 w 3 w 4 w ");
  // By the facts' clock what a fold does not take brings none.
  Pages facts(Clock::facts);
  facts.batch({"o1"}, 5'000);
  EXPECT_EQ(facts.commit(), "");
}

// In the middle of a replay the outbox holds what was delivered long ago: to answer from it would send it all again (row 22).
TEST(ReplicaTest, WhatIsActedUponIsNotAnsweredFromThePast) {
  const ServiceDefinition definition = alerts::definition();
  Replica::Options options;
  options.partitions = {0};
  const Replica replica(definition, options);
  const auto past = replica.answer("ListDueNotices", "", false);
  ASSERT_FALSE(past.has_value());
  EXPECT_EQ(past.error().code, Code::unavailable);
  EXPECT_TRUE(replica.answer("ListDueNotices", "", true).has_value());
  EXPECT_TRUE(replica.answer("tenant|ListAlerts", "", false).has_value()) << "people may look at what there is so far";
}

}  // namespace
}  // namespace xundian
