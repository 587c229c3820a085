// A simulated producer: it has a source that it can read again, and puts batch n of it under the sequence n.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/network.h"

namespace xundian::simulation {

class ProducerNode {
 public:
  ProducerNode(std::string name, std::vector<std::string> batches, Dice& dice, const Weather& weather, Network& network,
               const Millis& now)
      : name_(std::move(name)), batches_(std::move(batches)), dice_(dice), weather_(weather), network_(network), now_(now) {
    start();
  }
  void restart() {
    crashes_ += 1;
    start();
  }
  void suffer();
  void turn();
  bool deliver(const Mail& mail);
  bool rests() const { return queued_ == batches_.size() && link_->unacknowledged() == 0; }

  uint64_t id() const { return producer_id(name_); }
  const std::string& name() const { return name_; }
  const std::vector<std::string>& batches() const { return batches_; }
  size_t crashes() const { return crashes_; }
  std::string describe() const;

 private:
  void start();
  void check(const Result<void>& outcome);

  std::string name_;
  std::vector<std::string> batches_;
  Dice& dice_;
  const Weather& weather_;
  Network& network_;
  const Millis& now_;
  std::unique_ptr<NetworkLink> link_;
  size_t queued_ = SIZE_MAX;  // Batches; known when it is welcomed.
  Millis paused_until_ = 0;
  size_t crashes_ = 0;
};

}  // namespace xundian::simulation
