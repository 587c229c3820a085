// What is said a row at a time: stock, movements, listings, chat messages.
#include <absl/container/flat_hash_map.h>

#include <algorithm>

#include "services/intake/formats/books.h"

namespace xundian::intake {

namespace {

Result<std::string> read_sku(RowView& view) {
  std::string sku(TRY(view.id(Field::sku, "SKU")));
  if (sku.empty()) return fail(Code::invalid_argument, "the SKU is empty");
  return sku;
}

class StockLevelBook : public Book {
 public:
  explicit StockLevelBook(const TableFrame& frame) : frame_(frame) {}
  Result<void> add(std::string_view store, RowView& view) override {
    const std::string sku = TRY(read_sku(view));
    const std::string warehouse(view.text(Field::warehouse));
    const Millis counted = TRY(view.time(Field::counted));
    const Millis modified = TRY(view.time(Field::modified));
    v1::Fact fact = frame_.fact(store, sku + "@" + warehouse, modified, std::max(counted, modified));
    v1::StockLevel& level = *fact.mutable_stock_level();
    const auto on_hand = TRY(view.count(Field::on_hand)), reserved = TRY(view.count(Field::reserved)),
               available = TRY(view.count(Field::available)), inbound = TRY(view.count(Field::inbound));
    if (on_hand || reserved || available || inbound) {
      v1::StockCount& count = *level.mutable_count();
      count.set_sku(sku);
      count.set_warehouse(warehouse);
      if (on_hand) count.set_on_hand_units(*on_hand);
      if (reserved) count.set_reserved_units(*reserved);
      if (available) count.set_available_units(*available);
      if (inbound) count.set_inbound_units(*inbound);
      count.set_counted_ms(counted != 0 ? counted : std::max(modified, frame_.exported_ms));
    }
    const auto reorder_point = TRY(view.count(Field::reorder_point)), lead_time = TRY(view.count(Field::lead_time));
    if (reorder_point || lead_time) {
      v1::StockPolicy& policy = *level.mutable_policy();
      policy.set_sku(sku);
      policy.set_warehouse(warehouse);
      if (reorder_point) policy.set_reorder_point_units(*reorder_point);
      if (lead_time) policy.set_lead_time_days(static_cast<uint32_t>(std::clamp<int64_t>(*lead_time, 0, 10'000)));
    }
    if (!level.has_count() && !level.has_policy()) return fail(Code::invalid_argument, "the row says no quantity");
    frame_.say(std::move(fact));
    return {};
  }

 private:
  const TableFrame& frame_;
};

// A movement without an id is told apart by its content and its count among equal ones.
class StockMoveBook : public Book {
 public:
  explicit StockMoveBook(const TableFrame& frame) : frame_(frame) {}
  Result<void> add(std::string_view store, RowView& view) override {
    const Millis moved = TRY(view.time(Field::moved));
    const Millis modified = TRY(view.time(Field::modified));
    std::string key(TRY(view.id(Field::key, "id of the movement")));
    const uint64_t content = view.content_hash();
    key = key.empty() ? line_id_of(content, ++counts_[content]) : key + "/" + line_id_of(content, ++counts_[content]);
    v1::Fact fact = frame_.fact(store, std::move(key), modified, std::max(moved, modified));
    v1::StockMovement& movement = *fact.mutable_stock_move()->mutable_movement();
    movement.set_sku(TRY(read_sku(view)));
    movement.set_warehouse(std::string(view.text(Field::warehouse)));
    const auto quantity = TRY(view.count(Field::quantity));
    if (!quantity) return fail(Code::invalid_argument, "the quantity is empty");
    movement.set_quantity(*quantity);
    movement.set_reason(std::string(view.text(Field::reason)));
    movement.set_moved_ms(moved);
    frame_.say(std::move(fact));
    return {};
  }

 private:
  const TableFrame& frame_;
  absl::flat_hash_map<uint64_t, uint32_t> counts_;
};

class ListingBook : public Book {
 public:
  explicit ListingBook(const TableFrame& frame) : frame_(frame) {}
  Result<void> add(std::string_view store, RowView& view) override {
    const Millis modified = TRY(view.time(Field::modified));
    v1::Fact fact = frame_.fact(store, TRY(read_sku(view)), modified, modified);
    v1::Listing& listing = *fact.mutable_listing();
    if (view.states(Field::title) || view.states(Field::product) || view.states(Field::category)) {
      listing.mutable_identity()->set_title(std::string(view.text(Field::title)));
      listing.mutable_identity()->set_product(std::string(TRY(view.id(Field::product, "product id"))));
      listing.mutable_identity()->set_category(view.joined(Field::category));
    }
    if (const auto price = TRY(view.money(Field::price))) {
      listing.mutable_price()->set_price_micros(*price);
      listing.mutable_price()->set_currency_code(std::string(view.text(Field::currency)));
    }
    const auto cost = TRY(view.money(Field::cost_price)), lead_time = TRY(view.count(Field::lead_time));
    if (cost) listing.mutable_supply()->set_cost_micros(*cost);
    if (lead_time)
      listing.mutable_supply()->set_lead_time_days(static_cast<uint32_t>(std::clamp<int64_t>(*lead_time, 0, 10'000)));
    if (listing.ByteSizeLong() == 0) return fail(Code::invalid_argument, "the row says nothing of the SKU");
    frame_.say(std::move(fact));
    return {};
  }

 private:
  const TableFrame& frame_;
};

// Who wrote when, in answer to what. The words are not read.
class ChatMessageBook : public Book {
 public:
  explicit ChatMessageBook(const TableFrame& frame) : frame_(frame) {}
  Result<void> add(std::string_view store, RowView& view) override {
    const Millis sent = TRY(view.time(Field::sent));
    if (sent == 0) return fail(Code::invalid_argument, "the time of the message is empty");
    std::string key(TRY(view.id(Field::key, "message id")));
    if (view.states(Field::key) && key.empty()) return fail(Code::invalid_argument, "the message id is empty");
    if (key.empty()) {  // A log without ids.
      const uint64_t content = view.content_hash();
      key = line_id_of(content, ++counts_[content]);
    }
    v1::Fact fact = frame_.fact(store, std::move(key), TRY(view.time(Field::modified)), sent);
    v1::ChatLine& line = *fact.mutable_chat_message()->mutable_line();
    line.set_sent_ms(sent);
    line.set_author(TRY(author_kind(view)));
    const std::string_view author = TRY(view.id(Field::author, "author id"));
    const bool customer = line.author() == v1::AUTHOR_KIND_CUSTOMER;
    const std::string_view agent = view.text(Field::agent);
    const std::string_view buyer = view.states(Field::buyer) ? TRY(view.id(Field::buyer, "buyer id")) : customer ? author : "";
    if (!customer) line.set_agent(std::string(agent.empty() ? author : agent));
    if (!buyer.empty() && frame_.options->buyer) line.set_buyer(frame_.options->buyer(frame_.mapping->platform, buyer));
    line.set_conversation(conversation(TRY(view.id(Field::conversation, "conversation id"))));
    line.set_reply_to(std::string(TRY(view.id(Field::reply_to, "id of the message replied to"))));
    frame_.say(std::move(fact));
    return {};
  }

 private:
  Result<v1::AuthorKind> author_kind(RowView& view) const {
    const std::string_view word = view.text(Field::author_kind);
    const auto found = frame_.mapping->authors.find(column_name(word));
    const auto other = found == frame_.mapping->authors.end() ? frame_.mapping->authors.find("*") : found;
    const std::string_view kind = other == frame_.mapping->authors.end() ? word : std::string_view(other->second);
    if (kind == "customer") return v1::AUTHOR_KIND_CUSTOMER;
    if (kind == "agent") return v1::AUTHOR_KIND_AGENT;
    if (kind == "bot") return v1::AUTHOR_KIND_BOT;
    if (kind == "auto_reply") return v1::AUTHOR_KIND_AUTO_REPLY;
    if (kind == "system") return v1::AUTHOR_KIND_SYSTEM;
    return fail(Code::invalid_argument, "\"{}\" says not who wrote; name it under [authors] in the mapping", word);
  }

  // Desks that name a conversation by its buyer would give the buyer away.
  std::string conversation(std::string_view id) const {
    if (id.empty() || !frame_.mapping->conversation_is_buyer || !frame_.options->buyer) return std::string(id);
    return fmt::format("{:016x}", frame_.options->buyer(frame_.mapping->platform, id));
  }

  const TableFrame& frame_;
  absl::flat_hash_map<uint64_t, uint32_t> counts_;
};

}  // namespace

std::unique_ptr<Book> stock_level_book(const TableFrame& frame) { return std::make_unique<StockLevelBook>(frame); }
std::unique_ptr<Book> stock_move_book(const TableFrame& frame) { return std::make_unique<StockMoveBook>(frame); }
std::unique_ptr<Book> listing_book(const TableFrame& frame) { return std::make_unique<ListingBook>(frame); }
std::unique_ptr<Book> chat_message_book(const TableFrame& frame) { return std::make_unique<ChatMessageBook>(frame); }

}  // namespace xundian::intake
