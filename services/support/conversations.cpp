// Conversations: which messages belong together, and what follows from their order. All of it is a function of the set of
// messages.
#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "services/support/touched.h"

namespace xundian::support {

namespace {

constexpr uint32_t line_aspect = 1;

// In the same millisecond a customer asks before an agent answers.
bool earlier(const Message* a, const Message* b) {
  const auto order = [](const Message& message) { return std::tuple(message.sent_ms, !message.from_customer(), message.key); };
  return order(*a) < order(*b);
}

Key stated_home(const std::string& conversation) { return hash128("conversation\n" + conversation); }

// The message that this one continues in its reply tree; null if it is known of none.
Message* parent_of(Desk& desk, const Message& message) {
  if (!message.conversation.empty() || message.parent == Key()) return nullptr;
  Message* const parent = desk.messages.find(message.parent);
  return parent != nullptr && parent->counts() ? parent : nullptr;
}

// Where a reply tree begins: at a message of a stated conversation, at one that continues none, or, where messages reply to each
// other in a circle, at the one of the circle with the least key.
const Message* root_of(Desk& desk, Message& message, std::unordered_map<const Message*, const Message*>& roots) {
  std::vector<Message*> path;
  const Message* root = nullptr;
  for (Message* at = &message; root == nullptr;) {
    if (const auto known = roots.find(at); known != roots.end()) {
      root = known->second;
    } else if (const auto again = std::find(path.begin(), path.end(), at); again != path.end()) {
      root = *std::min_element(again, path.end(), [](const Message* a, const Message* b) { return a->key < b->key; });
    } else {
      path.push_back(at);
      Message* parent = parent_of(desk, *at);
      if (parent == nullptr) root = at;
      at = parent;
    }
  }
  for (const Message* passed : path) roots[passed] = root;
  return root;
}

}  // namespace

int64_t whole_seconds(Millis length) { return (length + second_ms / 2) / second_ms; }

void State::take_message(Desk& desk, const FactView& fact, Outbox& outbox) {
  if (!fact.parse(chat_)) return outbox.reject("the chat message cannot be read");
  Message& message = desk.messages[fact.key()];
  if (message.id.empty()) {
    message.key = fact.key();
    message.id = fact.key_text();
  }
  const bool line_newer = fact.states(line_aspect) && fact.version(line_aspect) > message.line;
  const bool end_newer = fact.withdrawn() && fact.version(withdrawn_aspect) > message.withdrawn;
  if (!line_newer && !end_newer) return;
  Touched touched;
  std::vector<Message*> loose;
  const bool counted = message.counts();
  // Whose contribution rests on the message is taken out while the message is as it was.
  if (const auto replies = desk.replies.find(message.key); replies != desk.replies.end())
    for (const Key& reply : replies->second) dissolve(desk, desk.messages.find(reply)->home, loose, touched);
  if (counted) {
    dissolve(desk, message.home, loose, touched);
    link(desk, message, false);
    if (message.from_customer()) count_message(desk, message.buyer, message.sent_ms, -1);
  }
  if (line_newer) {
    message.line = fact.version(line_aspect);
    const v1::ChatLine& line = chat_.line();
    message.sent_ms = line.sent_ms();
    message.author = line.author();
    message.agent = line.agent();
    message.buyer = line.buyer();
    message.conversation = line.conversation();
    message.reply_to = line.reply_to();
    message.parent = line.reply_to().empty() ? Key() : thing_key(v1::Fact::kChatMessage, info(desk).id, line.reply_to());
  }
  if (end_newer) message.withdrawn = fact.version(withdrawn_aspect);
  if (message.counts()) {
    link(desk, message, true);
    if (message.from_customer()) count_message(desk, message.buyer, message.sent_ms, 1);
  }
  const bool usual = message.counts() && !counted && loose.empty() && extend(desk, message, touched);
  if (usual) {
    touched.formed.insert(message.home);
  } else {
    if (message.counts() && !counted) loose.push_back(&message);
    if (message.counts()) meet(desk, message, loose, touched);
    group(desk, loose, touched);
  }
  for (const Key& home : touched.formed) judge_conversation(desk, home, now_, outbox);
  for (const auto& [home, name] : touched.gone)
    if (!desk.conversations.contains(home)) judge_gone(desk, name, now_, outbox);
  if (touched.responded) judge_first_response(desk, now_, outbox);
}

// Remembers what replies to what, so that a message that comes late finds its replies.
void State::link(Desk& desk, const Message& message, bool linked) {
  if (!message.conversation.empty() || message.parent == Key()) return;
  std::vector<Key>& replies = desk.replies[message.parent];
  if (linked)
    replies.push_back(message.key);
  else
    std::erase(replies, message.key);
  if (replies.empty()) desk.replies.erase(message.parent);
}

// Takes apart the conversations that the message now belongs to; those of its replies are already.
void State::meet(Desk& desk, const Message& message, std::vector<Message*>& loose, Touched& touched) {
  if (!message.conversation.empty()) dissolve(desk, stated_home(message.conversation), loose, touched);
  if (const Message* parent = parent_of(desk, message)) dissolve(desk, parent->home, loose, touched);
}

// Puts messages together that are in no conversation.
void State::group(Desk& desk, const std::vector<Message*>& loose, Touched& touched) {
  std::unordered_map<const Message*, const Message*> roots;
  std::map<Key, std::vector<const Message*>> groups;
  for (Message* one : loose) {
    if (!one->counts()) continue;
    const Message& root = *root_of(desk, *one, roots);
    one->home = root.conversation.empty() ? root.key : stated_home(root.conversation);
    Conversation& conversation = desk.conversations[one->home];
    conversation.stated = !root.conversation.empty();
    conversation.name = conversation.stated ? root.conversation : root.id;
    groups[one->home].push_back(one);
  }
  for (auto& [home, messages] : groups) {
    std::sort(messages.begin(), messages.end(), earlier);
    Conversation& conversation = desk.conversations.at(home);
    CHECK(conversation.messages.empty(), "a conversation was not taken apart before it was put together");
    conversation.messages = std::move(messages);
    walk(desk, conversation, 1, touched);
    touched.formed.insert(home);
  }
}

// Adds a message that is the newest of its conversation, and to which nothing replies yet. False: it is not so, nothing was done.
bool State::extend(Desk& desk, Message& message, Touched& touched) {
  if (desk.replies.contains(message.key)) return false;
  const Message* parent = parent_of(desk, message);
  const Key home = !message.conversation.empty() ? stated_home(message.conversation)
                   : parent != nullptr           ? parent->home
                                                 : message.key;
  const auto found = desk.conversations.find(home);
  const bool is_new = found == desk.conversations.end();
  if (!is_new && !earlier(found->second.messages.back(), &message)) return false;
  Conversation& conversation = is_new ? desk.conversations[home] : found->second;
  if (is_new) {
    conversation.stated = !message.conversation.empty();
    conversation.name = conversation.stated ? message.conversation : message.id;
  }
  message.home = home;
  conversation.messages.push_back(&message);
  desk.waiting -= conversation.progress.waiting;
  step(desk, conversation, message, conversation.progress, 1, touched);
  desk.waiting += conversation.progress.waiting;
  return true;
}

// Puts all messages together, as if they had just been stated.
void State::group_all(Desk& desk) {
  Touched touched;
  std::vector<Message*> loose;
  for (uint32_t index = 0; index < desk.messages.size(); ++index) {
    Message& message = desk.messages[index];
    if (!message.counts()) continue;
    loose.push_back(&message);
    link(desk, message, true);
  }
  if (!desk.replies.empty()) return group(desk, loose, touched);
  // Where none replies to another each is the newest of its conversation in its turn.
  std::sort(loose.begin(), loose.end(), earlier);
  for (Message* message : loose) CHECK(extend(desk, *message, touched), "a message is put behind those before it");
}

// Takes a conversation's contribution out, and its messages apart.
void State::dissolve(Desk& desk, Key home, std::vector<Message*>& loose, Touched& touched) {
  const auto found = desk.conversations.find(home);
  if (found == desk.conversations.end()) return;
  Conversation& conversation = found->second;
  walk(desk, conversation, -1, touched);
  for (const Message* one : conversation.messages) {
    Message& message = *desk.messages.find(one->key);
    message.home = Key();
    loose.push_back(&message);
  }
  touched.gone[home] = conversation.name;
  touched.formed.erase(home);
  schedule(desk, home, conversation, never);
  desk.conversations.erase(found);
}

void State::walk(Desk& desk, Conversation& conversation, int sign, Touched& touched) {
  Progress progress;
  for (const Message* message : conversation.messages) step(desk, conversation, *message, progress, sign, touched);
  conversation.progress = progress;
  desk.waiting += sign * progress.waiting;
}

// What one message means after those before it; sign -1 takes the same out again.
void State::step(Desk& desk, const Conversation& conversation, const Message& message, Progress& progress, int sign,
                 Touched& touched) {
  const Zone& zone = info(desk).zone;
  const auto cell = [&](Millis time, const std::string& agent) -> Cell& {
    return desk.cells[agent][int64_t{zone.day_of(time)} * 24 + zone.hour_of(time)];
  };
  if (message.from_customer()) {
    if (!progress.asked) {
      progress.asked = true;
      progress.asked_ms = message.sent_ms;
      Cell& asked = cell(message.sent_ms, {});
      asked.conversations += sign;
      asked.unanswered += sign;
    }
    if (!progress.waiting) progress.waiting_ms = message.sent_ms;
    progress.waiting = true;
    cell(message.sent_ms, {}).questions += sign;
  }
  if (!message.from_agent()) return;  // An automatic reply, a robot, the system: no clock stops.
  Cell& credited = cell(message.sent_ms, message.agent);
  credited.replies += sign;
  if (!progress.asked) return;
  if (!progress.replied) {
    progress.replied = true;
    cell(progress.asked_ms, {}).unanswered -= sign;
  }
  if (progress.waiting) {
    progress.waiting = false;
    credited.responses += sign;
    credited.response_seconds += sign * whole_seconds(message.sent_ms - progress.waiting_ms);
  }
  const Message* parent = parent_of(desk, message);
  if (progress.responded || !(conversation.stated || (parent != nullptr && parent->from_customer()))) return;
  progress.responded = true;
  const int64_t seconds = whole_seconds(message.sent_ms - progress.asked_ms);
  credited.first_responses += sign;
  credited.first_response_seconds += sign * seconds;
  if (!info(desk).is_news(progress.asked_ms)) return;
  NewsDay& news = desk.news[zone.day_of(message.sent_ms)];
  news.count += sign;
  news.seconds += sign * seconds;
  touched.responded = true;
}

// Makes all of a store's counts anew, because its days or what is news in them changed.
void State::recount(Desk& desk) {
  desk.cells.clear();
  desk.news.clear();
  desk.inquiries.clear();
  desk.waiting = 0;
  Touched touched;
  for (auto& [home, conversation] : desk.conversations) walk(desk, conversation, 1, touched);
  for (const uint32_t index : desk.buyers) count_buyer(desk, buyers_[index], 1);
}

}  // namespace xundian::support
