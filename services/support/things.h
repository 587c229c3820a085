// What customer service deals with: messages, conversations, buyers who ask, refunds, reviews, scores and cases.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/fact_view.h"
#include "common/packed.h"
#include "common/time.h"

namespace xundian::support {

// A thing with few facts: of each aspect the newest content, and its version.
template <typename State>
struct Merged {
  std::string id;
  std::map<uint32_t, Version> versions;  // By aspect.
  State state;

  // True if anything was newer.
  bool merge(const FactView& fact, const State& stated) {
    bool newer = false;
    const auto* fields = State::descriptor();
    for (int index = 0; index < fields->field_count(); ++index) {
      const auto* field = fields->field(index);
      const auto aspect = static_cast<uint32_t>(field->number());
      if (!fact.states(aspect) || fact.version(aspect) <= versions[aspect]) continue;
      versions[aspect] = fact.version(aspect);
      const auto* access = State::GetReflection();
      access->MutableMessage(&state, field)->CopyFrom(access->GetMessage(stated, field));
      newer = true;
    }
    return newer;
  }
  // Whether an aspect counts: it was said, and not withdrawn since.
  bool counts(uint32_t aspect) const {
    const auto said = versions.find(aspect), withdrawn = versions.find(withdrawn_aspect);
    return said != versions.end() && said->second > (withdrawn == versions.end() ? Version() : withdrawn->second);
  }
};

// Millions are kept of which nothing is ever said again. What is withdrawn stands elsewhere: hardly a message is.
struct Message {
  Version line;
  Millis sent_ms = 0;
  uint64_t buyer = 0;
  Key home;      // The conversation that it is counted in; zero = none.
  Packed words;  // Its Words; aside: who wrote it.

  v1::AuthorKind author() const { return static_cast<v1::AuthorKind>(words.aside); }
  bool from_customer() const { return author() == v1::AUTHOR_KIND_CUSTOMER; }
  bool from_agent() const { return author() == v1::AUTHOR_KIND_AGENT; }
};

// The texts of a message. Read from it they stay until others are written; what was written a moment ago is slow to read.
struct Words {
  std::string_view id = {}, agent = {}, conversation = {}, reply_to = {};

  static Words of(const Message& message);
  void write(Message& message, PackedMemory& memory) const;
};

// How far a conversation has come, message by message in the order of time.
struct Progress {
  bool asked = false;      // A customer wrote.
  bool replied = false;    // And a human answered, be it to this or to something else.
  bool responded = false;  // There is a first response.
  bool waiting = false;
  Millis asked_ms = 0;    // The earliest message of a customer.
  Millis waiting_ms = 0;  // Since when the customer waits.
  Millis newest_ms = 0;   // The last message.
};

inline constexpr size_t messages_in_place = 4;  // Of a conversation; more have memory of their own.

struct Conversation {
  absl::InlinedVector<uint32_t, messages_in_place> messages;  // Their indices, in the order of time.
  Progress progress;
  Millis due = never;   // When somebody has waited too long.
  bool stated = false;  // The source names it.
};

// What is counted in a store's hour for an agent; for no agent, what nobody is credited with.
struct Cell {
  int64_t first_response_seconds = 0, first_responses = 0;
  int64_t response_seconds = 0, responses = 0;  // Closed waiting intervals.
  int64_t replies = 0;                          // Messages of human agents.
  int64_t questions = 0;                        // Messages of customers.
  int64_t conversations = 0, unanswered = 0;    // By the customer's earliest message.

  static constexpr size_t count = 8;
  std::array<int64_t, count> values() const {
    return {first_response_seconds, first_responses, response_seconds, responses, replies, questions, conversations, unanswered};
  }
  bool empty() const { return values() == std::array<int64_t, count>{}; }
  void add(const Cell& other);
};

// Buyers who asked on a day before they had ever paid, and those of them who paid that day or the next.
struct Inquiries {
  int64_t asked = 0, paid = 0;
};

// A day's first responses as far as they are news: what the rule judges.
struct NewsDay {
  int64_t seconds = 0, count = 0;
};

// Times in their order, each with how often it is there. The first lies in place: most buyers have no other.
class Times {
 public:
  void add(Millis time, int sign);
  bool empty() const { return first_count_ == 0; }
  Millis first() const { return first_ms_; }
  // The last one before `time`.
  std::optional<Millis> last_before(Millis time) const;
  void save(std::string& bytes) const;
  // False: the bytes are broken.
  bool load(ByteReader& bytes);
  // Calls `each(time)` until it returns false.
  template <typename Each>
  void walk(Each&& each) const {
    if (empty() || !each(first_ms_) || !later_) return;
    for (const auto& [time, count] : *later_)
      if (!each(time)) return;
  }

 private:
  Millis first_ms_ = 0;
  uint32_t first_count_ = 0;
  using Later = absl::btree_map<Millis, uint32_t>;
  std::unique_ptr<Later> later_;  // Never empty.
};

struct Buyer {
  Times asked;  // When the buyer wrote.
  Times paid;   // When the buyer's orders were paid.
};

// With its key it fills a line of the processor's memory. What is withdrawn stands elsewhere: hardly an order is.
struct Order {
  Version placed, paid;
  uint64_t buyer = 0;
  Millis paid_ms = 0;

  // When the order tells of its buyer's payment; 0 = it does not.
  Millis counted_ms(const Version& withdrawn) const {
    return placed > withdrawn && paid > withdrawn && buyer != 0 && paid_ms > 0 ? paid_ms : 0;
  }
};
static_assert(sizeof(Order) + sizeof(Key) == 64);

}  // namespace xundian::support
