// From rows to facts. A book keeps what rows say of things until the table ends, where several rows may speak of one thing; what
// it says depends on the set of rows alone, not on their order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/intake/formats/row_view.h"
#include "services/intake/importer.h"

namespace xundian::intake {

// What all rows of a table have in common.
struct TableFrame {
  const Mapping* mapping = nullptr;
  const ImportOptions* options = nullptr;
  Millis exported_ms = 0;  // 0 = the file does not say.
  std::function<void(v1::Fact&&)> say;
  // A thing that turned out unusable once all its rows were read.
  std::function<void(uint64_t line, std::string column, std::string reason)> reject;

  // The envelope of a fact whose newest time is `newest_ms`, and whose source says that it was changed at `modified_ms`.
  v1::Fact fact(std::string_view store, std::string key, Millis modified_ms, Millis newest_ms, uint32_t status_rank = 0) const;
};

class Book {
 public:
  virtual ~Book() = default;
  // What is wrong with a row is an error; view.column_text() tells where.
  virtual Result<void> add(std::string_view store, RowView& view) = 0;
  // Says what is left to say.
  virtual void close() {}
};

std::unique_ptr<Book> order_book(const TableFrame& frame);
std::unique_ptr<Book> refund_book(const TableFrame& frame);
std::unique_ptr<Book> stock_move_book(const TableFrame& frame);
std::unique_ptr<Book> stock_level_book(const TableFrame& frame);
std::unique_ptr<Book> product_report_book(const TableFrame& frame);
std::unique_ptr<Book> ad_report_book(const TableFrame& frame);
std::unique_ptr<Book> traffic_report_book(const TableFrame& frame);
std::unique_ptr<Book> chat_message_book(const TableFrame& frame);
std::unique_ptr<Book> listing_book(const TableFrame& frame);
std::unique_ptr<Book> make_book(RecordKind kind, const TableFrame& frame);

// Of several times the first, of several texts the least, whatever the order of the rows; nothing is less than anything.
inline void keep_first(Millis& kept, Millis time) {
  if (time != 0 && (kept == 0 || time < kept)) kept = time;
}
inline void keep_text(std::string& kept, std::string_view text) {
  if (!text.empty() && (kept.empty() || text < kept)) kept = text;
}

// Numbers equal hashes from 1, so that each line has an id of its own: "53ae…#2".
std::string line_id_of(uint64_t content, uint32_t ordinal);

}  // namespace xundian::intake
