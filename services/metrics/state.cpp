// The state as bytes, and its fingerprint. Cells follow from the things, but to add up millions takes longer than to read them,
// so those of orders and refunds are saved too.
#include "services/metrics/state.h"

#include <algorithm>

namespace xundian::metrics {

namespace {

// The fields of each thing, named once for writing and reading.
template <typename Thing, typename Visit>
void visit_refund(Thing& refund, Visit&& visit) {
  visit(refund.opened), visit(refund.status), visit(refund.withdrawn), visit(refund.order), visit(refund.amount_micros);
  visit(refund.opened_ms), visit(refund.settled_ms), visit(refund.store), visit(refund.currency), visit(refund.status_text);
  visit(refund.names_order), visit(refund.settled);
}

template <typename Thing, typename Visit>
void visit_report(Thing& report, Visit&& visit) {
  visit(report.version), visit(report.from), visit(report.to), visit(report.store), visit(report.cut), visit(report.subject);
  visit(report.device), visit(report.stated), visit(report.hour), visit(report.is_product), visit(report.has_period);
}

template <typename Cut, typename Visit>
void visit_cut(Cut& cut, Visit&& visit) {
  visit(cut.dimensions), visit(cut.grain), visit(cut.attribution_days);
}

template <typename Thing, typename Visit>
void visit_book(Thing& book, Visit&& visit) {
  visit(book.store), visit(book.newest_ms), visit(book.due_ms), visit(book.last_paid_ms), visit(book.holding);
  visit(book.finished_from_ms), visit(book.finished_to_ms), visit(book.waits_for_ms);
}

template <typename Table>
void save_table(std::string& bytes, const Table& table) {
  const size_t before = bytes.size();
  uint32_t count = 0;  // Known when all are there.
  append(bytes, count);
  table.for_each([&](uint64_t key, const auto& entry) {
    append(bytes, key), append(bytes, entry);
    ++count;
  });
  store(bytes.data() + before, count);
}

template <typename Table>
void save_table(std::string& bytes, const PackedTable<Table>& table) {
  append(bytes, table.is_packed());
  if (table.is_packed())
    append_text(bytes, table.packed());
  else
    save_table(bytes, table.table());
}

// `is_key(key)` says whether there may be such an entry.
template <typename Table, typename IsKey>
bool load_table(ByteReader& bytes, Table& table, IsKey&& is_key) {
  using Entry = typename Table::Entry;
  auto left = bytes.take<uint32_t>();
  table.reserve(std::min<size_t>(left, bytes.left() / (sizeof(uint64_t) + sizeof(Entry))));
  for (; left > 0 && bytes.ok(); --left) {
    const auto key = bytes.take<uint64_t>();
    const auto entry = bytes.take<Entry>();
    if (!is_key(key) || entry.empty() || table.contains(key)) return false;
    table.put(key, entry);
  }
  return bytes.ok();
}

template <typename Table, typename IsKey>
bool load_table(ByteReader& bytes, PackedTable<Table>& table, IsKey&& is_key) {
  if (!bytes.take<bool>()) return load_table(bytes, table.open(), is_key);
  return table.take_packed(bytes.take_text(), [&](uint64_t key, const auto& entry) { return is_key(key) && !entry.empty(); });
}

struct Writer {
  std::string& bytes;
  void operator()(const auto& value) const { append(bytes, value); }
};
Writer writer(std::string& bytes) { return {bytes}; }

struct Reader {
  ByteReader& bytes;
  void operator()(auto& value) const { value = bytes.take<std::remove_reference_t<decltype(value)>>(); }
};
Reader reader(ByteReader& bytes) { return {bytes}; }

}  // namespace

void MetricsFold::save(std::string& bytes) const {
  names_.save(bytes);
  stores_.save(bytes);
  rules_.save(bytes);
  judge_.save(bytes);
  append(bytes, static_cast<uint32_t>(books_.size()));
  for (const StoreBook& book : books_) visit_book(book, writer(bytes));
  orders_.save_keys(bytes);
  for (uint32_t i = 0; i < orders_.size(); ++i) {
    append(bytes, orders_[i].aside);
    append_text(bytes, orders_[i].bytes());
  }
  append(bytes, refunds_.size());
  for (uint32_t i = 0; i < refunds_.size(); ++i) {
    append(bytes, refunds_.key(i));
    visit_refund(refunds_[i], writer(bytes));
    append(bytes, static_cast<uint32_t>(refunds_[i].lines.size()));
    for (const RefundLine& line : refunds_[i].lines)
      append(bytes, line.sku), append(bytes, line.quantity), append(bytes, line.amount_micros);
  }
  append(bytes, static_cast<uint32_t>(cuts_.size()));
  for (uint32_t number = 0; number < cuts_.size(); ++number) visit_cut(cuts_.stated(number), writer(bytes));
  append(bytes, reports_.size());
  for (uint32_t i = 0; i < reports_.size(); ++i) {
    append(bytes, reports_.key(i));
    visit_report(reports_[i], writer(bytes));
    bytes += reports_[i].figures.bytes();
  }
  append(bytes, static_cast<uint32_t>(withdrawn_reports_.size()));
  for (const auto& [index, version] : withdrawn_reports_) append(bytes, index), append(bytes, version);
  for (const StoreBook& book : books_) save_cells(bytes, book);
}

void MetricsFold::save_cells(std::string& bytes, const StoreBook& book) {
  append(bytes, book.paid_orders);
  append(bytes, static_cast<uint32_t>(book.days.size()));
  for (const auto& [day, cell] : book.days) {
    append(bytes, day);
    append(bytes, static_cast<uint32_t>(cell.currencies.size()));
    for (const CurrencyDay& one : cell.currencies) {
      append(bytes, one.currency);
      append(bytes, one.total);
      save_table(bytes, one.buyers);
    }
    save_table(bytes, cell.hours), save_table(bytes, cell.channels), save_table(bytes, cell.skus);
  }
}

bool MetricsFold::load(ByteReader bytes) {
  ahead_.clear();
  book_index_.clear();
  books_.clear();
  orders_.clear();
  order_memory_.clear();
  refunds_.clear();
  reports_.clear();
  report_memory_.clear();
  cuts_.clear();
  withdrawn_reports_.clear();
  refunds_by_order_.clear();
  timers_.clear();
  if (!names_.load(bytes) || !stores_.load(bytes) || !rules_.load(bytes) || !judge_.load(bytes)) return false;
  if (!load_books(bytes) || !load_orders(bytes) || !load_refunds(bytes) || !load_reports(bytes)) return false;
  for (StoreBook& book : books_) {
    if (!load_cells(bytes, book)) return false;
    for (const uint32_t index : book.reports) place_report(book, index, true);
  }
  return bytes.ok() && bytes.empty();
}

bool MetricsFold::load_cells(ByteReader& bytes, StoreBook& book) const {
  const auto is_text = [&](uint64_t id) { return id <= UINT32_MAX && names_.has(static_cast<NameId>(id)); };
  const auto is_of_text = [&](uint64_t key) { return is_text(key >> 32) && is_text(key & UINT32_MAX); };
  book.paid_orders = bytes.take<int64_t>();
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    DayCell& cell = book.days[bytes.take<Day>()];
    for (uint32_t currencies = bytes.take<uint32_t>(); currencies > 0 && bytes.ok(); --currencies) {
      CurrencyDay& one = cell.currencies.emplace_back();
      one.currency = bytes.take<NameId>();
      one.total = bytes.take<Counters>();
      if (!is_text(one.currency) || !load_table(bytes, one.buyers, [](uint64_t) { return true; })) return false;
    }
    if (!load_table(bytes, cell.hours, [&](uint64_t key) { return key >> 32 < 24 && is_text(key & UINT32_MAX); }) ||
        !load_table(bytes, cell.channels, is_of_text) || !load_table(bytes, cell.skus, is_of_text))
      return false;
  }
  return bytes.ok();
}

bool MetricsFold::load_books(ByteReader& bytes) {
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    StoreBook& book = books_.emplace_back();
    visit_book(book, reader(bytes));
    const auto index = static_cast<uint32_t>(books_.size() - 1);
    if (!book_index_.try_emplace(book.store, index).second) return false;
    book.info = stores_.find(book.store);
    if (book.info == nullptr) return false;
    book.zone = book.info->zone;
    book.currency = names_.of(book.info->currency_code);
    if (book.due_ms != never) timers_.emplace(book.due_ms, index);
  }
  return bytes.ok();
}

bool MetricsFold::load_orders(ByteReader& bytes) {
  if (!orders_.load_keys(bytes)) return false;
  for (uint32_t index = 0; index < orders_.size() && bytes.ok(); ++index) {
    Packed& kept = orders_[index];
    kept.aside = bytes.take<uint32_t>();
    const std::string_view packed = bytes.take_text();
    if (kept.aside >= books_.size() || !Order::is_whole(packed, names_)) return false;
    if (!packed.empty()) order_memory_.put(kept, packed);
    books_[kept.aside].orders.push_back(index);
  }
  return bytes.ok();
}

bool MetricsFold::load_refunds(ByteReader& bytes) {
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto [index, fresh] = refunds_.of(bytes.take<Key>());
    if (!fresh) return false;
    Refund& refund = refunds_[index];
    visit_refund(refund, reader(bytes));
    if (refund.store >= books_.size() || !names_.has(refund.currency) || !names_.has(refund.status_text)) return false;
    refund.lines.clear();
    for (auto lines = bytes.take<uint32_t>(); lines > 0 && bytes.ok(); --lines) {
      RefundLine& line = refund.lines.emplace_back();
      reader(bytes)(line.sku), reader(bytes)(line.quantity), reader(bytes)(line.amount_micros);
      if (!names_.has(line.sku)) return false;
    }
    books_[refund.store].refunds.push_back(index);
    link_refund(index, refund, true);
  }
  return bytes.ok();
}

bool MetricsFold::load_reports(ByteReader& bytes) {
  const auto cuts = bytes.take<uint32_t>();
  for (uint32_t number = 0; number < cuts && bytes.ok(); ++number) {
    StatedCut cut;
    visit_cut(cut, reader(bytes));
    if (!names_.has(cut.dimensions) || !names_.has(cut.grain) || cut_of(cut) != number) return false;
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto [index, fresh] = reports_.of(bytes.take<Key>());
    if (!fresh) return false;
    Report& report = reports_[index];
    visit_report(report, reader(bytes));
    const bool was_stated = report.version != Version();
    if (report.store >= books_.size() || report.stated >> figure_end != 0 || (was_stated && report.cut >= cuts_.size()))
      return false;
    if (!names_.has(report.subject) || !names_.has(report.device)) return false;
    report.figures.assign(report_memory_, bytes.take_bytes(static_cast<size_t>(std::popcount(report.stated)) * sizeof(int64_t)));
    books_[report.store].reports.push_back(index);
  }
  for (uint32_t left = bytes.take<uint32_t>(); left > 0 && bytes.ok(); --left) {
    const auto index = bytes.take<uint32_t>();
    if (index >= reports_.size()) return false;
    withdrawn_reports_[index] = bytes.take<Version>();
  }
  for (uint32_t index = 0; index < reports_.size(); ++index) settle_report(index);
  return bytes.ok();
}

// What of a thing still counts, in words that do not depend on how it came to be known. Things of which nothing counts any more
// are left out.
void MetricsFold::fingerprint_things(Fingerprint& sum) const {
  std::string value;
  const auto put = [&value](uint8_t aspect, auto... parts) {
    append(value, aspect);
    (append(value, parts), ...);
  };
  const auto enter = [&](std::string_view kind, const Key& key) {
    if (!value.empty()) sum.add(fmt::format("{}/{}", kind, to_hex(key)), value);
    value.clear();
  };
  Order order;
  for (uint32_t i = 0; i < orders_.size(); ++i) {
    order.unpack(orders_[i].bytes());
    if (order.live(order.placed)) {
      put(order_placed, order.created_ms);
      append_text(value, names_[order.currency]);
      append_text(value, names_[order.channel]);
    }
    if (order.live(order.paid)) put(order_paid, order.paid_ms, order.amount_stated, order.amount_micros);
    if (order.live(order.end.closed)) put(order_closed, order.end.closed_ms);
    if (order.live(order.end.refunded)) put(order_refunded, order.end.refunded_micros);
    for (const OrderLine& line : order.lines) {
      if (!order.live(line)) continue;
      put(lines_aspect, line.id, line.quantity, line.amount_micros);
      append_text(value, names_[line.sku]);
    }
    enter("order", orders_.key(i));
  }
  for (uint32_t i = 0; i < refunds_.size(); ++i) {
    const Refund& refund = refunds_[i];
    if (refund.live(refund.opened)) {
      put(1, refund.order, refund.amount_micros, refund.opened_ms);
      append_text(value, names_[refund.currency]);
      for (const RefundLine& line : refund.lines) {
        append_text(value, names_[line.sku]);
        put(0, line.quantity, line.amount_micros);
      }
    }
    if (refund.live(refund.status)) {
      put(2, refund.settled_ms);
      append_text(value, names_[refund.status_text]);
    }
    enter("refund", refunds_.key(i));
  }
  for (uint32_t i = 0; i < reports_.size(); ++i) {
    const Report& report = reports_[i];
    if (!report.is_live) continue;
    const StatedCut& cut = stated_cut(report);
    ReportFigures figures{};
    for (uint32_t figure = 0; figure < figure_end; ++figure)
      figures[figure] = report.figure(static_cast<Figure>(figure)).value_or(0);
    put(1, report.from, report.to, report.hour, cut.attribution_days, report.stated, figures);
    for (const NameId text : {cut.dimensions, cut.grain, report.subject, report.device}) append_text(value, names_[text]);
    enter(report.is_product ? "product" : "traffic", reports_.key(i));
  }
}

void MetricsFold::fingerprint_book(Fingerprint& sum, const StoreBook& book) const {
  const auto add_cell = [&](Day day, std::string_view kind, std::string_view dimension, std::string_view currency,
                            const auto& counters, uint64_t buyers) {
    std::string cell;
    append_text(cell, book.info->id);
    append(cell, day);
    for (const std::string_view text : {kind, dimension, currency}) append_text(cell, text);
    std::string value;
    append(value, counters);
    append(value, buyers);
    sum.add(cell, value);
  };
  for (const auto& [day, cell] : book.days) {
    for (const CurrencyDay& one : cell.currencies) add_cell(day, "day", {}, names_[one.currency], one.total, one.buyers.size());
    cell.hours.for_each([&](uint64_t key, const Counters& counters) {
      add_cell(day, "hour", fmt::format("{:02}", key >> 32), names_[static_cast<NameId>(key)], counters, 0);
    });
    const auto add_table = [&](std::string_view kind, const auto& table) {
      table.for_each([&](uint64_t key, const Counters& counters) {
        add_cell(day, kind, names_[static_cast<NameId>(key >> 32)], names_[static_cast<NameId>(key)], counters, 0);
      });
    };
    add_table("channel", cell.channels);
    add_table("sku", cell.skus);
    for (const auto& [product, counters] : cell.snapshots) add_cell(day, "snapshot", names_[product], {}, counters, 0);
  }
}

void MetricsFold::fingerprint(Fingerprint& sum) const {
  stores_.fingerprint(sum);
  fingerprint_things(sum);
  for (const StoreBook& book : books_) fingerprint_book(sum, book);
}

std::vector<Held> MetricsFold::held() const {
  Held cells{"cells of a day"}, buyers{"buyers of a day"}, refunds{"refunds", refunds_.size(), refunds_.bytes()};
  for (uint32_t index = 0; index < refunds_.size(); ++index) refunds.bytes += vector_bytes(refunds_[index].lines);
  for (const StoreBook& book : books_)
    for (const auto& [day, cell] : book.days) {
      cells.count += cell.hours.size() + cell.channels.size() + cell.skus.size();
      cells.bytes += cell.hours.bytes() + cell.channels.bytes() + cell.skus.bytes();
      for (const CurrencyDay& one : cell.currencies) {
        buyers.count += one.buyers.size();
        buyers.bytes += one.buyers.bytes();
      }
    }
  return {{"orders", orders_.size(), orders_.bytes() + order_memory_.bytes()},
          refunds,
          {"report cells", reports_.size(), reports_.bytes() + report_memory_.bytes() + tree_bytes(withdrawn_reports_)},
          cells,
          buyers,
          names_.held()};
}

}  // namespace xundian::metrics
