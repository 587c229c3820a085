#include "services/intake/formats/books.h"

#include <fmt/format.h>

#include <algorithm>

namespace xundian::intake {

v1::Fact TableFrame::fact(std::string_view store, std::string key, Millis modified_ms, Millis newest_ms,
                          uint32_t status_rank) const {
  v1::Fact fact;
  fact.set_store(std::string(store));
  fact.set_key(std::move(key));
  fact.set_as_of_ms(modified_ms != 0 ? modified_ms : std::max({exported_ms, newest_ms, Millis{1}}));
  fact.set_occurred_ms(newest_ms);
  fact.set_source(mapping->format);
  fact.set_import_id(options->import_id);
  fact.set_status_rank(status_rank);
  fact.set_source_rank(mapping->source_rank);
  return fact;
}

std::string line_id_of(uint64_t content, uint32_t ordinal) { return fmt::format("{:016x}#{}", content, ordinal); }

std::unique_ptr<Book> make_book(RecordKind kind, const TableFrame& frame) {
  switch (kind) {
    case RecordKind::skip:
      return nullptr;
    case RecordKind::order:
      return order_book(frame);
    case RecordKind::refund:
      return refund_book(frame);
    case RecordKind::stock_move:
      return stock_move_book(frame);
    case RecordKind::stock_level:
      return stock_level_book(frame);
    case RecordKind::product_report:
      return product_report_book(frame);
    case RecordKind::ad_report:
      return ad_report_book(frame);
    case RecordKind::traffic_report:
      return traffic_report_book(frame);
    case RecordKind::chat_message:
      return chat_message_book(frame);
    case RecordKind::listing:
      return listing_book(frame);
  }
  return nullptr;
}

}  // namespace xundian::intake
