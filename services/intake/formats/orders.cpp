// Orders: rows of one order are joined wherever they stand; a column that is there is stated even where it is empty.
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <map>

#include "common/money.h"
#include "services/intake/formats/books.h"
#include "services/intake/formats/status_ranks.h"

namespace xundian::intake {

namespace {

struct Line {
  uint64_t content = 0;
  std::string id;  // Empty = by content.
  std::string sku, product;
  int64_t quantity = 0, amount_micros = 0;
  Millis newest_ms = 0;
  auto tie() const { return std::tie(id, content, newest_ms, quantity, amount_micros, sku, product); }
};

struct Status {
  StatusPlace place;
  std::string platform_words;
};

// What the rows of one order say together.
struct Order {
  std::string store, key;
  size_t key_column = SIZE_MAX;  // Which of the key's columns it came from; the first is the best.
  uint64_t line = 0;
  const RecordMapping* mapping = nullptr;
  std::string buyer, currency, channel, agent, flag, carrier, close_reason;
  Millis created_ms = 0, paid_ms = 0, shipped_ms = 0, promised_ms = 0, received_ms = 0, closed_ms = 0, modified_ms = 0,
         newest_ms = 0;
  std::optional<int64_t> paid_micros, refunded_micros;
  std::optional<Status> status;
  bool waybill = false, row_unshipped = false;
  uint32_t aspects = 0;
  std::vector<Line> lines;
};

constexpr uint32_t bit(uint32_t aspect) { return 1u << aspect; }
constexpr uint32_t placed_bit = bit(1), paid_bit = bit(2), status_bit = bit(3), shipped_bit = bit(4), received_bit = bit(5),
                   closed_bit = bit(6), refunded_bit = bit(7), note_bit = bit(8);

class OrderBook : public Book {
 public:
  explicit OrderBook(const TableFrame& frame) : frame_(frame) {}

  Result<void> add(std::string_view store, RowView& view) override {
    size_t key_column = 0;
    const std::string_view key = TRY(view.id(Field::key, "order id", &key_column));
    const std::string_view group = view.states(Field::group) ? TRY(view.id(Field::group, "order id")) : key;
    if (group.empty()) return fail(Code::invalid_argument, "the order id is empty");
    Order row = TRY(read(store, view));
    row.key = key;
    row.key_column = key.empty() ? SIZE_MAX : key_column;
    if (view.states(Field::quantity)) TRY_VOID(read_line(view, row));
    place_.assign(store);
    place_ += '\n';
    place_ += group;
    const auto [found, fresh] = index_.try_emplace(place_, orders_.size());
    if (fresh) {
      orders_.push_back(std::move(row));
      return {};
    }
    join(orders_[found->second], std::move(row));
    return {};
  }

  void close() override {
    size_t long_ids = 0, rounded = 0;
    for (const Order& order : orders_) {
      long_ids += is_long_id(order.key);
      rounded += looks_rounded(order.key);
    }
    // One id in a hundred ends so by chance; that most do is a spreadsheet's doing.
    const bool damaged = rounded * 2 > long_ids;
    for (Order& order : orders_) {
      if (damaged && looks_rounded(order.key)) {
        frame_.reject(order.line, {},
                      fmt::format("order id damaged by a spreadsheet: {} is rounded to 15 digits; export again and do "
                                  "not open it in Excel",
                                  order.key));
        continue;
      }
      say(order);
    }
    orders_.clear();
    index_.clear();
  }

 private:
  Result<Order> read(std::string_view store, RowView& view) {
    Order row;
    row.store = store;
    row.line = view.row().line;
    row.mapping = view.record().mapping;
    row.aspects = aspects_of(view);
    row.created_ms = TRY(view.time(Field::created));
    row.paid_ms = TRY(view.time(Field::paid));
    row.shipped_ms = TRY(view.time(Field::shipped));
    row.promised_ms = TRY(view.time(Field::promised));
    row.received_ms = TRY(view.time(Field::received));
    row.closed_ms = TRY(view.time(Field::closed));
    row.modified_ms = TRY(view.time(Field::modified));
    row.paid_micros = TRY(view.money(Field::paid_amount));
    row.refunded_micros = TRY(view.money(Field::refunded));
    row.buyer = TRY(parse_id(view.text(Field::buyer), "buyer id"));
    row.currency = view.text(Field::currency);
    row.channel = view.text(Field::channel);
    row.agent = view.text(Field::agent);
    row.flag = view.text(Field::flag);
    row.carrier = view.text(Field::carrier);
    row.waybill = !view.text(Field::waybill).empty();
    row.close_reason = view.text(Field::close_reason);
    if (row.close_reason == "订单未关闭") row.close_reason.clear();
    read_status(view, row);
    if (!row.mapping->key_date.empty()) TRY_VOID(date_from_key(view, row));
    if (row.mapping->paid_by_status && !view.states(Field::paid) && row.status) {
      row.aspects |= paid_bit;
      const uint32_t rank = row.status->place.rank;
      if (rank > status_unpaid.rank && rank != status_closed.rank) row.paid_ms = row.created_ms;
    }
    row.newest_ms = std::max({row.created_ms, row.paid_ms, row.shipped_ms, row.received_ms, row.closed_ms, row.modified_ms});
    return row;
  }

  static uint32_t aspects_of(const RowView& view) {
    const auto any = [&](std::initializer_list<Field> fields, uint32_t aspect) {
      return std::any_of(fields.begin(), fields.end(), [&](Field field) { return view.states(field); }) ? aspect : 0;
    };
    return any({Field::created}, placed_bit) | any({Field::paid}, paid_bit) | any({Field::status}, status_bit) |
           any({Field::shipped, Field::waybill}, shipped_bit) | any({Field::received}, received_bit) |
           any({Field::closed, Field::close_reason, Field::status}, closed_bit) | any({Field::refunded}, refunded_bit) |
           any({Field::flag}, note_bit);
  }

  std::optional<StatusPlace> place(std::string_view words) {
    const auto [known, fresh] = places_.try_emplace(std::string(words));
    if (!fresh) return known->second;
    const std::string name = column_name(words);
    const auto own = frame_.mapping->status.find(name);
    known->second = own != frame_.mapping->status.end() ? place_of(own->second) : find_status(frame_.mapping->platform, name);
    return known->second;
  }

  void read_status(RowView& view, Order& row) {
    const std::string_view words = view.text(Field::status);
    const std::string_view after_sale = view.text(Field::after_sale);
    if (words.empty() && after_sale.empty()) return;
    Status status{place(words).value_or(StatusPlace{}), std::string(words)};
    if (status.place.rank == 0 && !words.empty()) status.place = by_times(row);  // Words that nobody knows yet.
    if (!after_sale.empty()) {
      const auto second = place(after_sale);
      if (second && second->rank > status.place.rank) status.place = *second;
    }
    row.row_unshipped = status.place.rank < status_shipped.rank && row.shipped_ms == 0 && !row.waybill;
    row.status = std::move(status);
  }

  static StatusPlace by_times(const Order& row) {
    if (row.closed_ms != 0) return status_closed;
    if (row.received_ms != 0) return status_received;
    if (row.shipped_ms != 0 || row.waybill) return status_shipped;
    return row.paid_ms != 0 ? status_paid : status_unpaid;
  }

  // 260517-607198974342268 was placed on 2026-05-17.
  Result<void> date_from_key(RowView& view, Order& row) {
    const std::string_view key = view.text(Field::key);
    const std::string& form = row.mapping->key_date;
    const bool paid = !row.status || row.status->place.rank > status_unpaid.rank;
    if (key.size() < form.size() || (row.created_ms != 0 && (row.paid_ms != 0 || !paid))) return {};
    const std::string digits = (form.size() == 6 ? "20" : "") + std::string(key.substr(0, form.size()));
    const Millis day = TRY(view.times().parse(digits));
    if (row.created_ms == 0) row.created_ms = day;
    const bool closed_unpaid = row.status && row.status->place.rank == status_closed.rank;
    if (row.paid_ms == 0 && paid && !closed_unpaid) row.paid_ms = row.created_ms;
    return {};
  }

  Result<void> read_line(RowView& view, Order& row) {
    const auto quantity = TRY(view.count(Field::quantity));
    if (!quantity) return {};  // A row of the order alone.
    if (*quantity <= 0) return fail(Code::invalid_argument, "the quantity {} is not above 0", *quantity);
    Line line;
    line.quantity = *quantity;
    line.id = TRY(view.id(Field::line_id, "line id"));
    if (line.id.empty()) line.content = view.content_hash();
    line.sku = TRY(view.id(Field::sku, "SKU"));
    line.product = TRY(view.id(Field::product, "product id"));
    if (line.sku.empty()) line.sku = line.product.empty() ? std::string(view.text(Field::title)) : line.product;
    const auto amount = TRY(view.money(Field::line_amount));
    const auto price = amount ? std::nullopt : TRY(view.money(Field::price));
    if (amount) line.amount_micros = *amount;
    if (price && __builtin_mul_overflow(*price, *quantity, &line.amount_micros))
      return fail(Code::out_of_range, "price times quantity is too large");
    line.newest_ms = row.newest_ms;
    row.lines.push_back(std::move(line));
    return {};
  }

  static void join(Order& order, Order&& row) {
    if (row.key_column < order.key_column) order.key = std::move(row.key), order.key_column = row.key_column;
    order.line = std::min(order.line, row.line);
    order.aspects |= row.aspects;
    keep_first(order.created_ms, row.created_ms);
    keep_first(order.paid_ms, row.paid_ms);
    keep_first(order.promised_ms, row.promised_ms);
    order.shipped_ms = std::max(order.shipped_ms, row.shipped_ms);
    order.received_ms = std::max(order.received_ms, row.received_ms);
    order.closed_ms = std::max(order.closed_ms, row.closed_ms);
    order.modified_ms = std::max(order.modified_ms, row.modified_ms);
    order.newest_ms = std::max(order.newest_ms, row.newest_ms);
    order.waybill |= row.waybill;
    order.row_unshipped |= row.row_unshipped;
    join_amount(order.paid_micros, row.paid_micros, order.mapping->sums[static_cast<size_t>(Field::paid_amount)]);
    join_amount(order.refunded_micros, row.refunded_micros, order.mapping->sums[static_cast<size_t>(Field::refunded)]);
    for (auto text :
         {&Order::buyer, &Order::currency, &Order::channel, &Order::agent, &Order::flag, &Order::carrier, &Order::close_reason})
      keep_text(order.*text, row.*text);
    if (row.status && (!order.status || before(*row.status, *order.status))) order.status = std::move(row.status);
    for (Line& line : row.lines) order.lines.push_back(std::move(line));
  }

  static void join_amount(std::optional<int64_t>& kept, std::optional<int64_t> amount, bool sum) {
    if (!amount) return;
    if (!kept)
      kept = amount;
    else
      kept = sum ? *kept + *amount : std::max(*kept, *amount);
  }

  // An order stands where its least advanced line stands, leaving closed and refunded lines aside.
  static bool before(const Status& one, const Status& other) {
    const auto standing = [](const Status& status) { return status.place.rank >= status_refunded.rank; };
    return std::tuple(standing(one), one.place.rank, one.platform_words) <
           std::tuple(standing(other), other.place.rank, other.platform_words);
  }

  void say(Order& order) {
    const uint32_t rank = order.status ? order.status->place.rank : 0;
    v1::Fact fact = frame_.fact(order.store, order.key, order.modified_ms, order.newest_ms, rank);
    v1::OrderState& state = *fact.mutable_order_state();
    const std::string_view word = order.status ? order.status->place.status : std::string_view();
    if (order.aspects & placed_bit) {
      v1::OrderPlaced& placed = *state.mutable_placed();
      placed.set_created_ms(order.created_ms);
      if (!order.buyer.empty() && frame_.options->buyer) {
        placed.set_buyer(frame_.options->buyer(frame_.mapping->platform, order.buyer));
        placed.set_buyer_key_id(frame_.options->buyer_key_id);
      }
      placed.set_currency_code(order.currency);
      placed.set_channel(order.channel);
      placed.set_agent(order.agent);
    }
    if (order.aspects & paid_bit) {
      v1::OrderPaid& paid = *state.mutable_paid();
      paid.set_paid_ms(order.paid_ms);
      if (order.paid_ms != 0 && order.paid_micros) paid.set_amount_micros(*order.paid_micros);
    }
    if (order.aspects & status_bit) {
      state.mutable_status()->set_status(std::string(word));
      if (order.status) state.mutable_status()->set_platform_status(order.status->platform_words);
    }
    if (order.aspects & shipped_bit) {
      v1::OrderShipped& shipped = *state.mutable_shipped();
      const bool gone = order.waybill || word == "shipped" || word == "received";
      shipped.set_shipped_ms(order.row_unshipped ? 0 : order.shipped_ms != 0 ? order.shipped_ms : gone ? -1 : 0);
      if (shipped.shipped_ms() != 0) shipped.set_carrier(order.carrier);
      shipped.set_promised_ms(order.promised_ms);
    }
    if (order.aspects & received_bit) state.mutable_received()->set_received_ms(order.received_ms);
    if (order.aspects & closed_bit) {
      const bool closed = word == "closed" || order.closed_ms != 0;
      state.mutable_closed()->set_closed_ms(order.closed_ms != 0 ? order.closed_ms : closed ? -1 : 0);
      if (closed) state.mutable_closed()->set_reason(order.close_reason);
    }
    if (order.aspects & refunded_bit) state.mutable_refunded()->set_amount_micros(order.refunded_micros.value_or(0));
    if (order.aspects & note_bit) state.mutable_note()->set_flag(order.flag);
    say_lines(order, state);
    if (state.ByteSizeLong() == 0) return frame_.reject(order.line, {}, "the row says nothing of the order");
    frame_.say(std::move(fact));
  }

  static void say_lines(Order& order, v1::OrderState& state) {
    std::sort(order.lines.begin(), order.lines.end(), [](const Line& a, const Line& b) { return a.tie() < b.tie(); });
    uint32_t ordinal = 0;
    for (size_t index = 0; index < order.lines.size(); ++index) {
      Line& line = order.lines[index];
      if (!line.id.empty() && index + 1 < order.lines.size() && order.lines[index + 1].id == line.id)
        continue;  // The newest stands.
      ordinal = index > 0 && line.id.empty() && order.lines[index - 1].content == line.content ? ordinal + 1 : 1;
      v1::OrderLine& said = *state.add_lines();
      said.set_line_id(line.id.empty() ? line_id_of(line.content, ordinal) : std::move(line.id));
      said.set_sku(std::move(line.sku));
      said.set_product(std::move(line.product));
      said.set_quantity(line.quantity);
      said.set_amount_micros(line.amount_micros);
    }
  }

  const TableFrame& frame_;
  std::vector<Order> orders_;
  absl::flat_hash_map<std::string, size_t> index_;
  std::map<std::string, std::optional<StatusPlace>, std::less<>> places_;
  std::string place_;
};

}  // namespace

std::unique_ptr<Book> order_book(const TableFrame& frame) { return std::make_unique<OrderBook>(frame); }

}  // namespace xundian::intake
