// Refunds, one a row or one of many lines.
#include <absl/container/flat_hash_map.h>

#include <algorithm>

#include "services/intake/formats/books.h"
#include "services/intake/formats/status_ranks.h"

namespace xundian::intake {

namespace {

struct RefundLine {
  std::string sku;
  int64_t quantity = 0, amount_micros = 0;
  auto tie() const { return std::tie(sku, quantity, amount_micros); }
};

struct Refund {
  std::string store, key, order, currency, reason, status;
  uint32_t rank = 0;
  std::optional<int64_t> amount_micros;
  Millis opened_ms = 0, deadline_ms = 0, settled_ms = 0, modified_ms = 0, newest_ms = 0;
  bool states_opening = false, states_status = false;
  std::vector<RefundLine> lines;
};

class RefundBook : public Book {
 public:
  explicit RefundBook(const TableFrame& frame) : frame_(frame) {}

  Result<void> add(std::string_view store, RowView& view) override {
    Refund row;
    row.store = store;
    row.key = TRY(view.id(Field::key, "refund id"));
    if (row.key.empty()) return fail(Code::invalid_argument, "the refund id is empty");
    row.order = TRY(view.id(Field::order, "order id"));
    row.currency = view.text(Field::currency);
    row.reason = view.text(Field::reason);
    row.amount_micros = TRY(view.money(Field::amount));
    row.opened_ms = TRY(view.time(Field::opened));
    row.deadline_ms = TRY(view.time(Field::deadline));
    row.settled_ms = TRY(view.time(Field::settled));
    row.modified_ms = TRY(view.time(Field::modified));
    row.newest_ms = std::max({row.opened_ms, row.settled_ms, row.modified_ms});
    row.states_opening = view.states(Field::amount) || view.states(Field::opened) || view.states(Field::quantity);
    row.states_status = view.states(Field::status);
    read_status(view, row);
    if (view.states(Field::quantity)) TRY_VOID(read_line(view, row));
    place_.assign(store);
    place_ += '\n';
    place_ += row.key;
    const auto [found, fresh] = index_.try_emplace(place_, refunds_.size());
    if (fresh)
      refunds_.push_back(std::move(row));
    else
      join(refunds_[found->second], std::move(row));
    return {};
  }

  void close() override {
    for (Refund& refund : refunds_) say(refund);
    refunds_.clear();
    index_.clear();
  }

 private:
  void read_status(RowView& view, Refund& row) const {
    const std::string_view words = view.text(Field::status);
    if (words.empty()) return;
    const std::string name = column_name(words);
    const auto own = frame_.mapping->status.find(name);
    row.status = "open";  // Whatever is neither settled nor closed is still to be dealt with.
    row.rank = 10;
    for (const RefundWord& word : refund_words)
      if (own != frame_.mapping->status.end() ? word.words == own->second : word.words == name) {
        row.status = word.status;
        row.rank = word.rank;
      }
    if (row.status == "open") row.settled_ms = 0;
  }

  static Result<void> read_line(RowView& view, Refund& row) {
    const auto quantity = TRY(view.count(Field::quantity));
    if (!quantity) return {};
    RefundLine line;
    line.quantity = std::abs(*quantity);  // A cancellation is written as a negative sale.
    line.sku = TRY(view.id(Field::sku, "SKU"));
    const auto amount = TRY(view.money(Field::line_amount));
    const auto price = amount ? std::nullopt : TRY(view.money(Field::price));
    if (amount) line.amount_micros = std::abs(*amount);
    if (price && __builtin_mul_overflow(std::abs(*price), line.quantity, &line.amount_micros))
      return fail(Code::out_of_range, "price times quantity is too large");
    row.lines.push_back(std::move(line));
    return {};
  }

  static void join(Refund& refund, Refund&& row) {
    keep_text(refund.order, row.order);
    keep_text(refund.currency, row.currency);
    keep_text(refund.reason, row.reason);
    if (row.amount_micros) refund.amount_micros = std::max(refund.amount_micros.value_or(*row.amount_micros), *row.amount_micros);
    keep_first(refund.opened_ms, row.opened_ms);
    keep_first(refund.deadline_ms, row.deadline_ms);
    keep_first(refund.settled_ms, row.settled_ms);
    refund.modified_ms = std::max(refund.modified_ms, row.modified_ms);
    refund.newest_ms = std::max(refund.newest_ms, row.newest_ms);
    if (std::tie(row.rank, row.status) > std::tie(refund.rank, refund.status)) refund.rank = row.rank, refund.status = row.status;
    for (RefundLine& line : row.lines) refund.lines.push_back(std::move(line));
  }

  void say(Refund& refund) {
    v1::Fact fact = frame_.fact(refund.store, refund.key, refund.modified_ms, refund.newest_ms, refund.rank);
    v1::RefundState& state = *fact.mutable_refund_state();
    if (refund.states_opening) {
      v1::RefundOpened& opened = *state.mutable_opened();
      opened.set_order(refund.order);
      opened.set_currency_code(refund.currency);
      opened.set_opened_ms(refund.opened_ms);
      opened.set_deadline_ms(refund.deadline_ms);
      opened.set_reason(refund.reason);
      std::sort(refund.lines.begin(), refund.lines.end(),
                [](const RefundLine& a, const RefundLine& b) { return a.tie() < b.tie(); });
      int64_t sum = 0;
      for (RefundLine& line : refund.lines) {
        sum += line.amount_micros;
        v1::RefundLine& said = *opened.add_lines();
        said.set_sku(std::move(line.sku));
        said.set_quantity(line.quantity);
        said.set_amount_micros(line.amount_micros);
      }
      opened.set_amount_micros(refund.amount_micros.value_or(sum));
    }
    if (refund.states_status) {
      state.mutable_status()->set_status(refund.status.empty() ? "open" : refund.status);
      state.mutable_status()->set_settled_ms(refund.settled_ms);
    }
    if (state.ByteSizeLong() > 0) frame_.say(std::move(fact));
  }

  const TableFrame& frame_;
  std::vector<Refund> refunds_;
  absl::flat_hash_map<std::string, size_t> index_;
  std::string place_;
};

}  // namespace

std::unique_ptr<Book> refund_book(const TableFrame& frame) { return std::make_unique<RefundBook>(frame); }

}  // namespace xundian::intake
