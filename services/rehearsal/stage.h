// The folds that judge and the one that makes alerts, over one group of stores and by the facts' own clock.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/replica.h"

namespace xundian::rehearsal {

// An episode of an alert that fired.
struct Episode {
  std::string rule, store, entity;
  Millis fired_ms = 0;
  Millis resolved_ms = 0;  // 0 = it still fires.
};

class Stage {
 public:
  explicit Stage(std::string scope);
  // Hands a batch of facts that people and platforms stated to all folds.
  Result<void> take(const std::string& batch);
  // Time has come to `now`.
  Result<void> tick(Millis now);
  // When time alone will change something.
  Millis next_wake() const;
  const std::map<std::string, Episode>& episodes() const { return episodes_; }

 private:
  Result<void> feed(Replica& replica, std::string batch);
  Result<void> carry_answers();
  void note(const FactView& fact);

  std::string scope_;
  std::vector<std::unique_ptr<Replica>> judges_;
  std::unique_ptr<Replica> alerts_;
  std::map<std::string, Episode> episodes_;  // By alert and episode.
};

}  // namespace xundian::rehearsal
