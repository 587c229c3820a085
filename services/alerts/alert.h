// An alert with all that is known of it, and how millions of them are kept: most have ended long ago, and are packed.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "common/packed.h"
#include "common/service.h"
#include "common/things.h"

namespace xundian::alerts {

// A change of an alert, as far as flapping goes.
struct Turn {
  Millis changed_ms = 0;
  bool turned = false;  // It began or ceased to fire.
};

// How an alert stands by what was said of it. Made of AlertState facts alone, because what is said next follows from it.
struct Standing {
  v1::AlertTerms terms;                            // Condition unspecified: nothing was said yet.
  uint64_t cause = 0;                              // Of the fact that said it.
  v1::Condition told = v1::CONDITION_UNSPECIFIED;  // What subscribers were told last, of which episode, how severe.
  uint32_t told_episode = 0;
  v1::Severity told_severity = v1::SEVERITY_UNSPECIFIED;
  std::deque<Turn> turns;  // The last changes, oldest first.

  bool firing() const { return terms.condition() == v1::CONDITION_FIRING; }
  bool open() const { return firing() || terms.condition() == v1::CONDITION_PENDING; }
  // People are shown it. What ended before it fired is nothing to them.
  bool listed() const { return open() || terms.condition() == v1::CONDITION_RESOLVED; }
  void take(const v1::AlertTerms& said, uint64_t said_cause);
};

// Somebody has taken charge, of one episode, as severe as it was then.
struct Ack {
  Version version;
  bool given = false;
  uint32_t episode = 0;
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  Millis until_ms = 0;  // 0 = while the episode lasts.

  bool holds(uint32_t of_episode, v1::Severity of_severity, Millis now) const {
    return given && episode == of_episode && of_severity <= severity && (until_ms == 0 || now < until_ms);
  }
};

// What became of a notice at one subscriber, the worst first.
enum class Outcome : uint8_t { dead, retry, pending, delivered, other };
// "dead", "retry", "pending", "delivered"; any other word is another outcome, and that has none.
Outcome outcome_of(std::string_view word);
inline bool is_final(Outcome outcome) { return outcome == Outcome::dead || outcome == Outcome::delivered; }

struct Alert {
  uint32_t index = 0;  // Where it lies in the table.
  std::string store;
  v1::FindingTerms finding;  // The newest.
  uint64_t finding_cause = 0;
  Ack ack;
  Standing standing;
  // What became of its newest notice, by subscriber.
  uint32_t notice_change = 0;
  std::vector<std::pair<NameId, Outcome>> outcomes;

  // The worst of its outcomes, in words; "none" where there is none.
  std::string_view delivery() const;
};

// The key of the alert of this name, as alert_key made it.
Key key_of(std::string_view alert);

// A message preceded by its length, and back; false: the bytes are broken.
inline void append_message(std::string& bytes, const google::protobuf::Message& message) {
  append_text(bytes, message.SerializeAsString());
}
template <typename Message>
bool take_message(ByteReader& bytes, Message& message) {
  const std::string_view text = bytes.take_text();
  return message.ParseFromArray(text.data(), static_cast<int>(text.size()));
}

class AlertTable {
 public:
  // Where the alert of this name lies; absent: there is none.
  std::optional<uint32_t> index_of(std::string_view alert) const { return alerts_.index_of(key_of(alert)); }
  // One that knows nothing yet, unless there is one of this name.
  uint32_t make(std::string_view alert) { return alerts_.of(key_of(alert)).first; }
  uint32_t size() const { return alerts_.size(); }
  const Key& key(uint32_t index) const { return alerts_.key(index); }
  // As it was kept last.
  Alert read(uint32_t index) const;
  void keep(const Alert& alert);
  // When time alone may change how it stands.
  Millis& due(uint32_t index) { return alerts_[index].due; }

  // What a subscriber is called in outcomes. find_subscriber gives 0 for one that was told of nothing yet.
  NameId subscriber_of(std::string_view id) { return subscribers_.of(id); }
  NameId find_subscriber(std::string_view id) const { return subscribers_.find(id); }
  void save(std::string& bytes) const;
  // False: the bytes are broken.
  bool load(ByteReader& bytes);
  size_t bytes() const { return alerts_.bytes() + memory_.bytes() + subscribers_.held().bytes; }

 private:
  struct Kept {
    Packed alert;
    Millis due = never;
  };
  bool unpack(uint32_t index, Alert& alert) const;

  Things<Kept> alerts_;
  PackedMemory memory_;
  Names subscribers_;
};

}  // namespace xundian::alerts
