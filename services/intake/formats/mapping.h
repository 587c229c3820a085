// A mapping: which columns of a table say what of which things. Mappings are TOML files; those in deploy/mappings are built in.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "services/intake/formats/cells.h"

namespace xundian::intake {

// What a column can say. Which of them a record may have depends on its kind; see kinds() in mapping.cpp.
enum class Field : uint8_t {
  key,
  group,
  modified,
  buyer,
  currency,
  created,
  paid,
  paid_amount,
  status,
  after_sale,
  shipped,
  waybill,
  carrier,
  promised,
  received,
  closed,
  close_reason,
  refunded,
  channel,
  agent,
  flag,
  line_id,
  sku,
  product,
  quantity,
  price,
  line_amount,
  title,
  order,
  amount,
  opened,
  deadline,
  settled,
  reason,
  warehouse,
  on_hand,
  reserved,
  available,
  inbound,
  counted,
  reorder_point,
  lead_time,
  moved,
  day,
  day_to,
  hour,
  source,
  device,
  uv,
  pv,
  cart_users,
  favourite_users,
  paid_buyers,
  dwell_average,
  bounce_rate,
  sold_count,
  comment_count,
  campaign,
  item,
  impressions,
  clicks,
  cost,
  attributed_orders,
  attributed_amount,
  sent,
  author_kind,
  author,
  conversation,
  reply_to,
  category,
  cost_price,
  count_
};
inline constexpr size_t field_count = static_cast<size_t>(Field::count_);
std::string_view field_name(Field field);
Result<Field> find_field(std::string_view name);

enum class RecordKind {
  skip,
  order,
  refund,
  stock_move,
  stock_level,
  product_report,
  ad_report,
  traffic_report,
  chat_message,
  listing
};

// A column, or several whose numbers are added ("待入 + 生产在途") or whose texts are joined ("一级来源 + 二级来源").
using Columns = std::vector<std::string>;

// What must hold of a row: "InvoiceNo starts C", "Quantity below 0", "日期 empty".
struct Condition {
  enum class Test { starts, is, in, contains, below, above, empty, filled };
  std::string column;  // As column_name() has it.
  Test test = Test::empty;
  bool negated = false;
  std::vector<std::string> values;
  int64_t micros = 0;
};

struct RecordMapping {
  RecordKind kind = RecordKind::skip;
  std::vector<Condition> when;
  std::array<std::vector<Columns>, field_count> columns;  // Alternatives: the first that has something to say is taken.
  std::array<std::string, field_count> first_spelling;    // As the mapping writes it, for messages.
  std::array<std::string, field_count> values;            // What no column says.
  std::array<int64_t, field_count> units{};               // Micros of one unit; 0 = by the column's name.
  std::array<bool, field_count> sums{};                   // Rows of one thing are added, instead of all saying the same.
  std::vector<std::string> line_hash;                     // Columns that tell lines apart that have no id; empty = all.
  std::string dimensions;                                 // Of a report's cut; empty = those that have columns.
  std::string grain;                                      // Empty = "hour" where there is an hour, else "day".
  uint32_t attribution_days = 0;
  bool join = false;            // Rows of one report cell are added up.
  bool paid_by_status = false;  // Without a column of pay times, what stands beyond unpaid was paid when placed.
  std::string key_date;         // "yyMMdd": a blank time is the date at the front of the key.
  bool maps(Field field) const { return !columns[static_cast<size_t>(field)].empty(); }
};

struct Mapping {
  std::string format;  // "taobao.order_list"
  std::string platform;
  std::string store, store_name;  // Used where neither the caller nor a column says one.
  std::vector<std::string> store_columns, store_name_columns;
  std::string currency, time_zone;
  DateOrder date_order = DateOrder::ymd;
  std::vector<std::vector<std::string>> detect;  // Each must be there, in one of its spellings.
  std::vector<std::string> detect_texts;         // The first spelling of each, for messages.
  std::vector<std::string> required;             // Fields without which a file of this format is of no use.
  std::vector<std::string> nulls;
  std::vector<std::string> total_words;        // A row that begins so is a total.
  std::vector<std::string> personal;           // Columns to mask, beside those whose names say it.
  std::map<std::string, std::string> status;   // A platform's words → ours, beside the built-in table.
  std::map<std::string, std::string> authors;  // Words of author_kind → "customer", "agent", "bot", "auto_reply", "system".
  uint32_t source_rank = 10;
  bool conversation_is_buyer = false;  // Conversations are named by their buyer, and hashed like one.
  bool complete = false;               // What a file leaves out is no longer there.
  std::vector<RecordMapping> records;
  // Every column name that the mapping speaks of.
  std::vector<std::string> known_columns() const;
};

// The fields without which there is no such thing.
const std::vector<Field>& required_fields(RecordKind kind);

// Reads a mapping; errors name the file, the line and the key.
Result<Mapping> parse_mapping(std::string_view toml, std::string_view name);
Result<Mapping> read_mapping(const std::string& path);
// The mappings that are built in, by format.
const std::vector<Mapping>& built_in_mappings();

}  // namespace xundian::intake
