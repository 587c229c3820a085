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
bool earlier(const Desk& desk, uint32_t a, uint32_t b) {
  const auto order = [&](uint32_t index) {
    const Message& message = desk.messages[index];
    return std::tuple(message.sent_ms, !message.from_customer(), desk.messages.key(index));
  };
  return order(a) < order(b);
}

auto by_time(const Desk& desk) {
  return [&desk](uint32_t a, uint32_t b) { return earlier(desk, a, b); };
}

Key stated_home(std::string_view conversation) { return hash128(std::string("conversation\n").append(conversation)); }

// Of the message that this one continues in its reply tree; nothing if it continues none.
std::optional<Key> parent_key(const Desk& desk, const Words& words) {
  if (!words.conversation.empty() || words.reply_to.empty()) return std::nullopt;
  return thing_key(v1::Fact::kChatMessage, desk.info->id, words.reply_to);
}

// The message itself, if it is known.
std::optional<uint32_t> parent_of(const Desk& desk, const Words& words) {
  const auto key = parent_key(desk, words);
  const auto parent = key ? desk.messages.index_of(*key) : std::nullopt;
  return parent && counts(desk, *parent) ? parent : std::nullopt;
}

// Where a reply tree begins: at a message of a stated conversation, at one that continues none, or, where messages reply to each
// other in a circle, at the one of the circle with the least key.
uint32_t root_of(const Desk& desk, uint32_t message, std::unordered_map<uint32_t, uint32_t>& roots) {
  std::vector<uint32_t> path;
  std::optional<uint32_t> root;
  for (uint32_t at = message; !root;) {
    if (const auto known = roots.find(at); known != roots.end()) {
      root = known->second;
    } else if (const auto again = std::find(path.begin(), path.end(), at); again != path.end()) {
      root = *std::min_element(again, path.end(),
                               [&](uint32_t a, uint32_t b) { return desk.messages.key(a) < desk.messages.key(b); });
    } else {
      path.push_back(at);
      const auto parent = parent_of(desk, Words::of(desk.messages[at]));
      if (!parent) root = at;
      at = parent.value_or(at);
    }
  }
  for (const uint32_t passed : path) roots[passed] = *root;
  return *root;
}

}  // namespace

Words Words::of(const Message& message) {
  ByteReader bytes(message.words.bytes());
  Words words;
  for (std::string_view* text : {&words.id, &words.agent, &words.conversation, &words.reply_to}) *text = bytes.take_text();
  return words;
}

void Words::write(Message& message, PackedMemory& memory) const {
  const std::string_view texts[] = {id, agent, conversation, reply_to};
  size_t size = 0;
  for (const std::string_view text : texts) size += sizeof(uint32_t) + text.size();
  char* const from = memory.ahead(size);
  char* to = from;
  for (const std::string_view text : texts) {
    store(to, static_cast<uint32_t>(text.size()));
    to += sizeof(uint32_t) + text.copy(to + sizeof(uint32_t), text.size());
  }
  memory.put(message.words, {from, size});
}

Version withdrawal_of(const Desk& desk, uint32_t message) {
  const auto found = desk.withdrawn_messages.find(message);
  return found == desk.withdrawn_messages.end() ? Version() : found->second;
}

bool counts(const Desk& desk, uint32_t message) { return desk.messages[message].line > withdrawal_of(desk, message); }

std::string name_of(const Desk& desk, const Key& home, const Conversation& conversation) {
  if (!conversation.stated) return std::string(Words::of(*desk.messages.find(home)).id);
  // Some may reply to one of it without naming it. Of the newest the processor has the words at hand.
  for (size_t left = conversation.messages.size(); left > 0; --left)
    if (const auto name = Words::of(desk.messages[conversation.messages[left - 1]]).conversation; !name.empty())
      return std::string(name);
  return {};
}

int64_t whole_seconds(Millis length) { return (length + second_ms / 2) / second_ms; }

void State::take_message(Desk& desk, const FactView& fact, Outbox& outbox) {
  if (!fact.parse(chat_)) return outbox.reject("the chat message cannot be read");
  const uint32_t index = desk.messages.of(fact.key()).first;
  Message& message = desk.messages[index];
  const bool line_newer = fact.states(line_aspect) && fact.version(line_aspect) > message.line;
  const bool end_newer = fact.withdrawn() && fact.version(withdrawn_aspect) > withdrawal_of(desk, index);
  if (!line_newer && !end_newer) return;
  const bool counted = counts(desk, index);
  // An export that overlaps the one before says the same once more.
  if (counted && line_newer && !end_newer && fact.version(line_aspect).digest == message.line.digest) {
    message.line = fact.version(line_aspect);
    return;
  }
  Touched touched;
  std::vector<uint32_t> loose;
  // Whose contribution rests on the message is taken out while the message is as it was.
  if (const auto replies = desk.replies.find(fact.key()); replies != desk.replies.end())
    for (const Key& reply : replies->second) dissolve(desk, desk.messages.find(reply)->home, loose, touched);
  if (counted) {
    dissolve(desk, message.home, loose, touched);
    link(desk, index, Words::of(message), false);
    if (message.from_customer()) count_message(desk, message.buyer, message.sent_ms, -1);
  }
  Words words;
  if (line_newer) {
    message.line = fact.version(line_aspect);
    const v1::ChatLine& line = chat_.line();
    message.sent_ms = line.sent_ms();
    message.buyer = line.buyer();
    message.words.aside = static_cast<uint32_t>(line.author());
    words = {fact.key_text(), line.agent(), line.conversation(), line.reply_to()};
    words.write(message, words_);
  }
  if (end_newer) desk.withdrawn_messages[index] = fact.version(withdrawn_aspect);
  const bool counting = counts(desk, index);
  if (counting) {
    if (!line_newer) words = Words::of(message);
    link(desk, index, words, true);
    if (message.from_customer()) count_message(desk, message.buyer, message.sent_ms, 1);
  }
  const bool usual = counting && !counted && loose.empty() && extend(desk, index, words, touched);
  if (usual) {
    touched.formed.insert(message.home);
  } else {
    if (counting && !counted) loose.push_back(index);
    if (counting) meet(desk, words, loose, touched);
    group(desk, loose, touched);
  }
  for (const Key& home : touched.formed) judge_conversation(desk, home, now_, outbox);
  for (const auto& [home, name] : touched.gone)
    if (!desk.conversations.contains(home)) judge_gone(desk, name, now_, outbox);
  if (touched.responded) judge_first_response(desk, now_, outbox);
}

// Remembers what replies to what, so that a message that comes late finds its replies.
void State::link(Desk& desk, uint32_t message, const Words& words, bool linked) {
  const auto parent = parent_key(desk, words);
  if (!parent) return;
  std::vector<Key>& replies = desk.replies[*parent];
  if (linked)
    replies.push_back(desk.messages.key(message));
  else
    std::erase(replies, desk.messages.key(message));
  if (replies.empty()) desk.replies.erase(*parent);
}

// Takes apart the conversations that the message now belongs to; those of its replies are already.
void State::meet(Desk& desk, const Words& words, std::vector<uint32_t>& loose, Touched& touched) {
  if (!words.conversation.empty()) dissolve(desk, stated_home(words.conversation), loose, touched);
  if (const auto parent = parent_of(desk, words)) dissolve(desk, desk.messages[*parent].home, loose, touched);
}

// Puts messages together that are in no conversation.
void State::group(Desk& desk, const std::vector<uint32_t>& loose, Touched& touched) {
  std::unordered_map<uint32_t, uint32_t> roots;
  std::map<Key, std::vector<uint32_t>> groups;
  for (const uint32_t one : loose) {
    if (!counts(desk, one)) continue;
    const uint32_t root = root_of(desk, one, roots);
    const std::string_view stated = Words::of(desk.messages[root]).conversation;
    const Key home = stated.empty() ? desk.messages.key(root) : stated_home(stated);
    desk.messages[one].home = home;
    desk.conversations[home].stated = !stated.empty();
    groups[home].push_back(one);
  }
  for (auto& [home, messages] : groups) {
    std::sort(messages.begin(), messages.end(), by_time(desk));
    Conversation& conversation = desk.conversations.at(home);
    CHECK(conversation.messages.empty(), "a conversation was not taken apart before it was put together");
    conversation.messages.assign(messages.begin(), messages.end());
    walk(desk, home, conversation, 1, touched);
    touched.formed.insert(home);
  }
}

// Adds a message that is the newest of its conversation, and to which nothing replies yet. False: it is not so, nothing was done.
bool State::extend(Desk& desk, uint32_t message, const Words& words, Touched& touched) {
  if (desk.replies.contains(desk.messages.key(message))) return false;
  const bool stated = !words.conversation.empty();
  const auto parent = parent_of(desk, words);
  const Key home = stated ? stated_home(words.conversation) : parent ? desk.messages[*parent].home : desk.messages.key(message);
  const auto [found, is_new] = desk.conversations.try_emplace(home);
  Conversation& conversation = found->second;
  if (is_new) conversation.stated = stated;
  const bool is_newest = is_new || desk.messages[message].sent_ms > conversation.progress.newest_ms;
  if (!is_newest && !earlier(desk, conversation.messages.back(), message)) return false;
  desk.messages[message].home = home;
  conversation.messages.push_back(message);
  const bool waited = conversation.progress.waiting;
  step(desk, conversation, message, words, conversation.progress, 1, touched);
  if (conversation.progress.waiting && !waited) desk.waiting.insert(home);
  if (waited && !conversation.progress.waiting) desk.waiting.erase(home);
  return true;
}

// Puts all messages together, as if they had just been stated.
void State::group_all(Desk& desk) {
  Touched touched;
  std::vector<uint32_t> loose;
  for (uint32_t message = 0; message < desk.messages.size(); ++message) {
    if (!counts(desk, message)) continue;
    loose.push_back(message);
    link(desk, message, Words::of(desk.messages[message]), true);
  }
  if (!desk.replies.empty()) return group(desk, loose, touched);
  // Where none replies to another each is the newest of its conversation in its turn.
  std::sort(loose.begin(), loose.end(), by_time(desk));
  for (const uint32_t message : loose)
    CHECK(extend(desk, message, Words::of(desk.messages[message]), touched), "a message is put behind those before it");
}

// Takes a conversation's contribution out, and its messages apart.
void State::dissolve(Desk& desk, Key home, std::vector<uint32_t>& loose, Touched& touched) {
  const auto found = desk.conversations.find(home);
  if (found == desk.conversations.end()) return;
  Conversation& conversation = found->second;
  walk(desk, home, conversation, -1, touched);
  for (const uint32_t message : conversation.messages) {
    desk.messages[message].home = Key();
    loose.push_back(message);
  }
  touched.gone[home] = name_of(desk, home, conversation);
  touched.formed.erase(home);
  schedule(desk, home, conversation, never);
  desk.conversations.erase(found);
}

void State::walk(Desk& desk, const Key& home, Conversation& conversation, int sign, Touched& touched) {
  Progress progress;
  for (const uint32_t message : conversation.messages)
    step(desk, conversation, message, Words::of(desk.messages[message]), progress, sign, touched);
  conversation.progress = progress;
  if (sign > 0 && progress.waiting)
    desk.waiting.insert(home);
  else
    desk.waiting.erase(home);
}

// What one message means after those before it; sign -1 takes the same out again.
void State::step(Desk& desk, const Conversation& conversation, uint32_t index, const Words& words, Progress& progress, int sign,
                 Touched& touched) {
  const Message& message = desk.messages[index];
  progress.newest_ms = message.sent_ms;
  const Zone& zone = info(desk).zone;
  const auto cell = [&](Millis time, std::string_view agent) -> Cell& {
    auto found = desk.cells.find(agent);
    if (found == desk.cells.end()) found = desk.cells.try_emplace(std::string(agent)).first;
    return found->second[int64_t{zone.day_of(time)} * 24 + zone.hour_of(time)];
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
  Cell& credited = cell(message.sent_ms, words.agent);
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
  if (progress.responded) return;
  const auto parent = conversation.stated ? std::nullopt : parent_of(desk, words);
  if (!conversation.stated && !(parent && desk.messages[*parent].from_customer())) return;
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
  desk.waiting.clear();
  Touched touched;
  for (auto& [home, conversation] : desk.conversations) walk(desk, home, conversation, 1, touched);
  for (const uint32_t index : desk.buyers) count_buyer(desk, buyers_[index], 1);
}

}  // namespace xundian::support
