// The state as bytes, and what of it the fingerprint sums up. What follows from the things is not saved but made again.
#include <algorithm>
#include <numeric>

#include "services/support/touched.h"

namespace xundian::support {

namespace {

// Whose buyer it is; what of the buyer is known follows for all.
struct SavedBuyer {
  uint64_t buyer = 0;
  uint64_t desk = 0;  // Its place among the desks.
};

// The words of a message that count; its buyer does not, because the key that hides buyers is another one in every home.
void append_line(std::string& bytes, const Message& message) {
  const Words words = Words::of(message);
  append(bytes, message.sent_ms);
  append(bytes, static_cast<uint32_t>(message.author()));
  for (const std::string_view text : {words.agent, words.conversation, words.reply_to}) append_text(bytes, text);
}

// The messages' indices, by their keys.
std::vector<uint32_t> sorted(const Things<Message, 8, 16>& messages) {
  std::vector<uint32_t> sorted(messages.size());
  std::iota(sorted.begin(), sorted.end(), 0u);
  std::ranges::sort(sorted, {}, [&](uint32_t index) { return messages.key(index); });
  return sorted;
}

template <typename Thing>
void save_things(std::string& bytes, const std::map<Key, Merged<Thing>>& things) {
  append(bytes, static_cast<uint32_t>(things.size()));
  for (const auto& [key, thing] : things) {
    append(bytes, key);
    append_text(bytes, thing.id);
    append(bytes, static_cast<uint32_t>(thing.versions.size()));
    for (const auto& [aspect, version] : thing.versions) {
      append(bytes, aspect);
      append(bytes, version);
    }
    append_text(bytes, thing.state.SerializeAsString());
  }
}

template <typename Thing>
bool load_things(ByteReader& bytes, std::map<Key, Merged<Thing>>& things) {
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    Merged<Thing>& thing = things[bytes.take<Key>()];
    thing.id = bytes.take_text();
    for (uint32_t versions = bytes.take<uint32_t>(); versions > 0 && bytes.ok(); --versions) {
      const auto aspect = bytes.take<uint32_t>();
      thing.versions[aspect] = bytes.take<Version>();
    }
    const std::string_view state = bytes.take_text();
    if (!thing.state.ParseFromArray(state.data(), static_cast<int>(state.size()))) return false;
  }
  return bytes.ok();
}

template <typename Thing>
void add_things(Fingerprint& sum, std::string_view kind, const std::string& store, const std::map<Key, Merged<Thing>>& things) {
  for (const auto& [key, thing] : things) {
    std::vector<const google::protobuf::FieldDescriptor*> stated;
    Thing::GetReflection()->ListFields(thing.state, &stated);
    for (const auto* aspect : stated)
      if (thing.counts(static_cast<uint32_t>(aspect->number())))
        sum.add(fmt::format("{}/{}/{}/{}", kind, store, thing.id, aspect->name()),
                Thing::GetReflection()->GetMessage(thing.state, aspect).SerializeAsString());
  }
}

void save_desk(std::string& bytes, const Desk& desk) {
  append(bytes, desk.newest_ms);
  append(bytes, desk.messages.size());
  for (const uint32_t index : sorted(desk.messages)) {
    const Message& message = desk.messages[index];
    append(bytes, desk.messages.key(index));
    append_text(bytes, Words::of(message).id);
    append(bytes, message.line);
    append(bytes, withdrawal_of(desk, index));
    append_line(bytes, message);
    append(bytes, message.buyer);
  }
  save_things(bytes, desk.refunds);
  save_things(bytes, desk.reviews);
  save_things(bytes, desk.scores);
  save_things(bytes, desk.cases);
}

}  // namespace

bool State::load_messages(ByteReader& bytes, Desk& desk) {
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto [index, is_new] = desk.messages.of(bytes.take<Key>());
    if (!is_new) return false;
    Message& message = desk.messages[index];
    Words words{.id = bytes.take_text()};
    message.line = bytes.take<Version>();
    if (const auto withdrawn = bytes.take<Version>(); withdrawn > Version()) desk.withdrawn_messages[index] = withdrawn;
    message.sent_ms = bytes.take<Millis>();
    message.words.aside = bytes.take<uint32_t>();
    for (std::string_view* text : {&words.agent, &words.conversation, &words.reply_to}) *text = bytes.take_text();
    words.write(message, words_);
    message.buyer = bytes.take<uint64_t>();
  }
  return bytes.ok();
}

void State::save_orders(std::string& bytes) const {
  orders_.save_keys(bytes);
  orders_.for_each([&](const Key&, const Order& order) { append(bytes, order); });
  append(bytes, static_cast<uint32_t>(withdrawn_orders_.size()));
  for (const auto& [index, version] : withdrawn_orders_) append(bytes, index), append(bytes, version);
}

bool State::load_orders(ByteReader& bytes) {
  orders_.clear();
  withdrawn_orders_.clear();
  if (!orders_.load_keys(bytes)) return false;
  for (uint32_t index = 0; index < orders_.size() && bytes.ok(); ++index) orders_[index] = bytes.take<Order>();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto index = bytes.take<uint32_t>();
    if (index >= orders_.size()) return false;
    withdrawn_orders_[index] = bytes.take<Version>();
  }
  return bytes.ok();
}

// What is known of buyers follows from orders and messages, but to add up millions takes longer than to read it.
void State::save_buyers(std::string& bytes) const {
  std::vector<uint64_t> desks(buyers_.size());
  uint64_t number = 0;
  for (const auto& [store, desk] : desks_) {
    for (const uint32_t index : desk.buyers) desks[index] = number;
    ++number;
  }
  append(bytes, buyers_.size());
  for (uint32_t index = 0; index < buyers_.size(); ++index) append(bytes, SavedBuyer{buyers_.key(index).high, desks[index]});
  buyers_.for_each([&](const Key&, const Buyer& buyer) { buyer.asked.save(bytes), buyer.paid.save(bytes); });
}

bool State::load_buyers(ByteReader& bytes) {
  buyers_.clear();
  std::vector<Desk*> desks;
  for (auto& [store, desk] : desks_) desks.push_back(&desk);
  const auto count = bytes.take<uint32_t>();
  const std::string_view saved = bytes.take_bytes(size_t{count} * sizeof(SavedBuyer));
  if (!bytes.ok()) return false;
  const auto buyer_at = [&](uint32_t index) { return xundian::load<SavedBuyer>(saved.data() + index * sizeof(SavedBuyer)); };
  for (uint32_t index = 0; index < count; ++index)
    if (buyer_at(index).desk >= desks.size()) return false;
  const auto key_of = [&](uint32_t index) { return buyer_key(desks[buyer_at(index).desk]->store, buyer_at(index).buyer); };
  if (!buyers_.make(count, key_of)) return false;
  for (uint32_t index = 0; index < count; ++index) {
    Desk& desk = *desks[buyer_at(index).desk];
    Buyer& buyer = buyers_[index];
    if (!buyer.asked.load(bytes) || !buyer.paid.load(bytes)) return false;
    desk.buyers.push_back(index);
    count_buyer(desk, buyer, 1);
  }
  return true;
}

void State::save(std::string& bytes) const {
  append(bytes, now_);
  stores_.save(bytes);
  rules_.save(bytes);
  judge_.save(bytes);
  append(bytes, static_cast<uint32_t>(desks_.size()));
  for (const auto& [store, desk] : desks_) {
    append(bytes, store);
    save_desk(bytes, desk);
  }
  save_orders(bytes);
  save_buyers(bytes);
  append(bytes, static_cast<uint32_t>(due_.size()));
  for (const Due& due : due_) {
    append(bytes, due.at);
    append(bytes, due.store);
    append(bytes, due.key);
    append(bytes, static_cast<uint8_t>(due.refund));
  }
}

bool State::load(ByteReader bytes) {
  ahead_.clear();
  now_ = bytes.take<Millis>();
  if (!stores_.load(bytes) || !rules_.load(bytes) || !judge_.load(bytes)) return false;
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto store = bytes.take<uint64_t>();
    const auto [entry, fresh] = desks_.try_emplace(store);
    if (!fresh) return false;
    Desk& desk = entry->second;
    desk_index_[store] = &desk;
    desk.store = store;
    const StoreInfo* known = stores_.find(store);
    desk.info = known;
    if (known == nullptr) return false;
    desk.newest_ms = bytes.take<Millis>();
    if (!load_messages(bytes, desk) || !load_things(bytes, desk.refunds) || !load_things(bytes, desk.reviews) ||
        !load_things(bytes, desk.scores) || !load_things(bytes, desk.cases))
      return false;
    for (const auto& [key, refund] : desk.refunds)
      if (is_open(refund)) desk.open_refunds.insert(key);
    for (const auto& [key, one] : desk.cases)
      if (is_open(one)) desk.open_cases.insert(key);
    for (const auto& [key, score] : desk.scores)
      if (const auto day = scored_day(score)) desk.scored_days.emplace(*day, key);
    group_all(desk);
  }
  if (!load_orders(bytes) || !load_buyers(bytes)) return false;
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto at = bytes.take<Millis>();
    const auto desk = desks_.find(bytes.take<uint64_t>());
    const Key key = bytes.take<Key>();
    const bool refund = bytes.take<uint8_t>() != 0;
    if (!bytes.ok() || desk == desks_.end()) return false;
    if (refund) {
      schedule_refund(desk->second, key, at);
      continue;
    }
    const auto conversation = desk->second.conversations.find(key);
    if (conversation == desk->second.conversations.end()) return false;
    schedule(desk->second, key, conversation->second, at);
  }
  return bytes.ok() && bytes.empty();
}

void State::fingerprint(Fingerprint& sum) const {
  stores_.fingerprint(sum);
  for (const auto& [hash, desk] : desks_) {
    const std::string& store = info(desk).id;
    for (uint32_t index = 0; index < desk.messages.size(); ++index) {
      if (!counts(desk, index)) continue;
      std::string line;
      append_line(line, desk.messages[index]);
      sum.add(fmt::format("message/{}/{}", store, Words::of(desk.messages[index]).id), line);
    }
    for (const auto& [agent, hours] : desk.cells)
      for (const auto& [hour, cell] : hours)
        if (!cell.empty()) {
          std::string values;
          for (const int64_t value : cell.values()) append(values, value);
          sum.add(fmt::format("desk/{}/{}/{}", store, agent, hour), values);
        }
    for (const auto& [day, inquiries] : desk.inquiries)
      if (inquiries.asked != 0)
        sum.add(fmt::format("inquiries/{}/{}", store, day), fmt::format("{}/{}", inquiries.paid, inquiries.asked));
    if (!desk.waiting.empty()) sum.add("waiting/" + store, std::to_string(desk.waiting.size()));
    add_things(sum, "refund", store, desk.refunds);
    add_things(sum, "review", store, desk.reviews);
    add_things(sum, "score", store, desk.scores);
    add_things(sum, "case", store, desk.cases);
  }
}

std::vector<Held> State::held() const {
  const Held orders{"orders", orders_.size(), orders_.bytes() + tree_bytes(withdrawn_orders_)};
  Held buyers{"buyers", buyers_.size(), buyers_.bytes()}, messages{"messages", 0, words_.bytes()}, conversations{"conversations"},
      cells{"cells of an agent's hour"};
  for (const auto& [store, desk] : desks_) {
    buyers.bytes += vector_bytes(desk.buyers);
    messages.count += desk.messages.size();
    messages.bytes += desk.messages.bytes() + tree_bytes(desk.withdrawn_messages);
    conversations.count += desk.conversations.size();
    conversations.bytes += desk.conversations.capacity() * (sizeof(void*) + 1);  // A byte beside each place.
    for (const auto& [key, conversation] : desk.conversations) {
      conversations.bytes += sizeof(key) + sizeof(conversation);
      if (const auto& messages_of_it = conversation.messages; messages_of_it.capacity() > messages_in_place)
        conversations.bytes += messages_of_it.capacity() * sizeof(uint32_t);
    }
    for (const auto& [agent, hours] : desk.cells) {
      cells.count += hours.size();
      cells.bytes += tree_bytes(hours) + text_bytes(agent);
    }
  }
  return {orders, buyers, messages, conversations, cells};
}

}  // namespace xundian::support
