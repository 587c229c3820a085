#include "services/intake/formats/mapping.h"

#include <algorithm>
#include <set>

#include "common/config.h"
#include "common/money.h"

namespace xundian::intake {

namespace {

constexpr std::array<std::string_view, field_count> field_names = {"key",
                                                                   "group",
                                                                   "modified",
                                                                   "buyer",
                                                                   "currency",
                                                                   "created",
                                                                   "paid",
                                                                   "paid_amount",
                                                                   "status",
                                                                   "after_sale",
                                                                   "shipped",
                                                                   "waybill",
                                                                   "carrier",
                                                                   "promised",
                                                                   "received",
                                                                   "closed",
                                                                   "close_reason",
                                                                   "refunded",
                                                                   "channel",
                                                                   "agent",
                                                                   "flag",
                                                                   "line_id",
                                                                   "sku",
                                                                   "product",
                                                                   "quantity",
                                                                   "price",
                                                                   "line_amount",
                                                                   "title",
                                                                   "order",
                                                                   "amount",
                                                                   "opened",
                                                                   "deadline",
                                                                   "settled",
                                                                   "reason",
                                                                   "warehouse",
                                                                   "on_hand",
                                                                   "reserved",
                                                                   "available",
                                                                   "inbound",
                                                                   "counted",
                                                                   "reorder_point",
                                                                   "lead_time",
                                                                   "moved",
                                                                   "day",
                                                                   "day_to",
                                                                   "hour",
                                                                   "source",
                                                                   "device",
                                                                   "uv",
                                                                   "pv",
                                                                   "cart_users",
                                                                   "favourite_users",
                                                                   "paid_buyers",
                                                                   "dwell_average",
                                                                   "bounce_rate",
                                                                   "sold_count",
                                                                   "comment_count",
                                                                   "campaign",
                                                                   "item",
                                                                   "impressions",
                                                                   "clicks",
                                                                   "cost",
                                                                   "attributed_orders",
                                                                   "attributed_amount",
                                                                   "sent",
                                                                   "author_kind",
                                                                   "author",
                                                                   "conversation",
                                                                   "reply_to",
                                                                   "category",
                                                                   "cost_price"};

using enum Field;

struct KindFields {
  std::string_view name;
  RecordKind kind;
  std::vector<Field> fields;
  std::vector<Field> required;
};

// What can be said of each kind of thing, and what must be.
const std::vector<KindFields>& kinds() {
  static const std::vector<KindFields> all = {
      {"skip", RecordKind::skip, {}, {}},
      {"order",
       RecordKind::order,
       {key,     group,   modified, buyer,    currency, created, paid,         paid_amount, status,  after_sale,
        shipped, waybill, carrier,  promised, received, closed,  close_reason, refunded,    channel, agent,
        flag,    line_id, sku,      product,  quantity, price,   line_amount,  title},
       {key}},
      {"refund",
       RecordKind::refund,
       {key, modified, currency, order, amount, opened, deadline, settled, status, reason, sku, quantity, price, line_amount},
       {key}},
      {"stock_move", RecordKind::stock_move, {key, modified, sku, warehouse, quantity, moved, reason}, {sku, quantity}},
      {"stock_level",
       RecordKind::stock_level,
       {modified, sku, warehouse, on_hand, reserved, available, inbound, counted, reorder_point, lead_time},
       {sku}},
      {"product_report",
       RecordKind::product_report,
       {modified, day, day_to, hour, product, uv, pv, cart_users, favourite_users, sold_count, comment_count, price},
       {day, product}},
      {"ad_report",
       RecordKind::ad_report,
       {modified, day, day_to, hour, channel, campaign, item, currency, impressions, clicks, cost, attributed_orders,
        attributed_amount},
       {day}},
      {"traffic_report",
       RecordKind::traffic_report,
       {modified, day, day_to, hour, source, device, uv, pv, cart_users, favourite_users, paid_buyers, amount, dwell_average,
        bounce_rate},
       {day}},
      {"chat_message",
       RecordKind::chat_message,
       {key, modified, sent, author_kind, author, agent, buyer, conversation, reply_to},
       {sent}},
      {"listing", RecordKind::listing, {modified, sku, product, title, category, price, currency, cost_price, lead_time}, {sku}},
  };
  return all;
}

std::vector<std::string> names_of(const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (const std::string& column : columns) names.push_back(column_name(column));
  return names;
}

std::vector<std::string> split_text(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t at = text.find(by);
    parts.emplace_back(clean(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + by.size());
  }
}

Result<Condition> parse_condition(const std::string& text) {
  static constexpr std::pair<std::string_view, Condition::Test> tests[] = {
      {" starts ", Condition::Test::starts},     {" is ", Condition::Test::is},       {" in ", Condition::Test::in},
      {" contains ", Condition::Test::contains}, {" below ", Condition::Test::below}, {" above ", Condition::Test::above},
      {" empty", Condition::Test::empty},        {" filled", Condition::Test::filled}};
  for (const auto& [word, test] : tests) {
    const size_t at = text.find(word);
    if (at == std::string::npos) continue;
    const bool bare = test == Condition::Test::empty || test == Condition::Test::filled;
    const std::string rest = text.substr(at + word.size());
    if (bare != rest.empty()) continue;
    Condition condition;
    std::string_view column(text.data(), at);
    condition.negated = column.starts_with("not ");
    if (condition.negated) column.remove_prefix(4);
    condition.column = column_name(column);
    condition.test = test;
    if (test == Condition::Test::in)
      condition.values = split_text(rest, "|");
    else if (!bare)
      condition.values = {rest};
    if (test == Condition::Test::below || test == Condition::Test::above) condition.micros = TRY(parse_micros(rest));
    return condition;
  }
  return fail(Code::invalid_argument, "\"{}\" is no condition; write one like \"Quantity below 0\" or \"Status is paid\"", text);
}

void read_columns(ConfigTable& table, const KindFields& kind, RecordMapping& record) {
  for (const Field field : kind.fields) {
    std::vector<std::string> alternatives;
    if (!table.get(field_name(field), alternatives)) continue;
    for (const std::string& alternative : alternatives)
      record.columns[static_cast<size_t>(field)].push_back(names_of(split_text(alternative, " + ")));
    if (!alternatives.empty()) record.first_spelling[static_cast<size_t>(field)] = alternatives.front();
  }
}

void read_record(ConfigTable& table, RecordMapping& record) {
  std::string kind_name;
  if (!table.get("kind", kind_name)) return table.complain("kind", "is missing; write one like \"order\"");
  const auto kind =
      std::find_if(kinds().begin(), kinds().end(), [&](const KindFields& known) { return known.name == kind_name; });
  if (kind == kinds().end()) {
    std::vector<std::string> names;
    for (const KindFields& known : kinds()) names.emplace_back(known.name);
    return table.complain("kind",
                          fmt::format("\"{}\" is no kind of record; did you mean \"{}\"?", kind_name, nearest(kind_name, names)));
  }
  record.kind = kind->kind;
  std::vector<std::string> conditions, sums;
  table.get("when", conditions);
  for (const std::string& text : conditions) {
    auto condition = parse_condition(text);
    if (condition)
      record.when.push_back(std::move(*condition));
    else
      table.complain("when", condition.error().message);
  }
  if (const auto columns = table.table("columns")) {
    read_columns(*columns, *kind, record);
    columns->finish();
  }
  if (const auto values = table.table("values")) {
    for (const Field field : kind->fields) values->get(field_name(field), record.values[static_cast<size_t>(field)]);
    values->finish();
  }
  if (const auto units = table.table("units")) {
    for (const Field field : kind->fields) {
      std::string unit;
      if (!units->get(field_name(field), unit)) continue;
      record.units[static_cast<size_t>(field)] = micros_of_unit_name(unit);
      if (micros_of_unit_name(unit) == 0)
        units->complain(field_name(field), "is no unit; write \"yuan\", \"jiao\", \"fen\" or \"li\"");
    }
    units->finish();
  }
  table.get("sums", sums);
  for (const std::string& sum : sums) {
    const auto found = std::find(field_names.begin(), field_names.end(), sum);
    if (found == field_names.end())
      table.complain("sums", fmt::format("\"{}\" is no field", sum));
    else
      record.sums[static_cast<size_t>(found - field_names.begin())] = true;
  }
  std::vector<std::string> line_hash;
  table.get("line_hash", line_hash);
  record.line_hash = names_of(line_hash);
  table.get("dimensions", record.dimensions);
  table.get("grain", record.grain);
  table.get("join", record.join);
  table.get("paid_by_status", record.paid_by_status);
  table.get("key_date", record.key_date);
  int64_t days = 0;
  table.get("attribution_days", days, 0, 365);
  record.attribution_days = static_cast<uint32_t>(days);
  for (const Field field : kind->required)
    if (!record.maps(field) && record.values[static_cast<size_t>(field)].empty())
      table.complain("columns", fmt::format("say nothing of {}, without which there is no {}", field_name(field), kind_name));
}

void read_words(ConfigTable& table, std::string_view name, std::map<std::string, std::string>& words,
                const std::vector<std::string>& known) {
  const auto words_table = table.table(name);
  if (!words_table) return;
  for (const std::string& word : words_table->keys()) {
    std::string ours;
    words_table->get(word, ours);
    if (std::find(known.begin(), known.end(), ours) == known.end())
      words_table->complain(word, fmt::format("\"{}\" is not one of {}", ours, fmt::join(known, ", ")));
    words[column_name(word)] = ours;
  }
  words_table->finish();
}

}  // namespace

std::string_view field_name(Field field) { return field_names[static_cast<size_t>(field)]; }

Result<Field> find_field(std::string_view name) {
  const auto found = std::find(field_names.begin(), field_names.end(), name);
  if (found == field_names.end()) return fail(Code::invalid_argument, "\"{}\" is no field", name);
  return static_cast<Field>(found - field_names.begin());
}

const std::vector<Field>& required_fields(RecordKind kind) {
  const auto found = std::find_if(kinds().begin(), kinds().end(), [&](const KindFields& known) { return known.kind == kind; });
  CHECK(found != kinds().end(), "a kind of record without a row in kinds()");
  return found->required;
}

std::vector<std::string> Mapping::known_columns() const {
  std::set<std::string> names;
  for (const auto& spellings : detect) names.insert(spellings.begin(), spellings.end());
  names.insert(store_columns.begin(), store_columns.end());
  names.insert(store_name_columns.begin(), store_name_columns.end());
  for (const RecordMapping& record : records) {
    for (const auto& alternatives : record.columns)
      for (const Columns& columns : alternatives) names.insert(columns.begin(), columns.end());
    for (const Condition& condition : record.when) names.insert(condition.column);
    names.insert(record.line_hash.begin(), record.line_hash.end());
  }
  return {names.begin(), names.end()};
}

Result<Mapping> parse_mapping(std::string_view toml, std::string_view name) {
  ConfigTable table = TRY(ConfigTable::parse(toml, name));
  Mapping mapping;
  if (!table.get("format", mapping.format)) table.complain("format", "is missing; name it like \"taobao.order_list\"");
  std::vector<std::string> detect, store_columns, store_names, personal;
  table.get("detect", detect);
  for (const std::string& entry : detect) {
    mapping.detect.push_back(names_of(split_text(entry, "|")));
    mapping.detect_texts.push_back(split_text(entry, "|").front());
  }
  table.get("platform", mapping.platform);
  table.get("store", mapping.store);
  table.get("store_name", mapping.store_name);
  table.get("store_columns", store_columns);
  table.get("store_name_columns", store_names);
  mapping.store_columns = names_of(store_columns);
  mapping.store_name_columns = names_of(store_names);
  table.get("currency", mapping.currency);
  table.get("time_zone", mapping.time_zone);
  if (const auto zone = Zone::find(mapping.time_zone); !zone) table.complain("time_zone", zone.error().message);
  std::string order = "ymd";
  table.get("date_order", order);
  mapping.date_order = order == "dmy" ? DateOrder::dmy : order == "mdy" ? DateOrder::mdy : DateOrder::ymd;
  if (order != "ymd" && order != "dmy" && order != "mdy") table.complain("date_order", "must be \"ymd\", \"dmy\" or \"mdy\"");
  table.get("required", mapping.required);
  table.get("nulls", mapping.nulls);
  table.get("totals", mapping.total_words);
  table.get("personal", personal);
  mapping.personal = names_of(personal);
  table.get("complete", mapping.complete);
  table.get("conversation_is_buyer", mapping.conversation_is_buyer);
  int64_t rank = mapping.source_rank;
  table.get("source_rank", rank, 0, 255);
  mapping.source_rank = static_cast<uint32_t>(rank);
  read_words(table, "status", mapping.status,
             {"unpaid", "paid", "shipped", "received", "closed", "refunding", "refunded", "open", "settled", ""});
  read_words(table, "authors", mapping.authors, {"customer", "agent", "bot", "auto_reply", "system"});
  for (ConfigTable& record_table : table.tables("record")) {
    read_record(record_table, mapping.records.emplace_back());
    record_table.finish();
  }
  if (mapping.records.empty()) table.complain("record", "is missing; a mapping needs at least one [[record]]");
  if (mapping.platform.empty()) table.complain("platform", "is missing; write one like \"taobao\" or \"other\"");
  for (const std::string& field : mapping.required)
    if (std::find(field_names.begin(), field_names.end(), field) == field_names.end())
      table.complain("required", fmt::format("\"{}\" is no field", field));
  TRY_VOID(table.done());
  return mapping;
}

Result<Mapping> read_mapping(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return fail(Code::not_found, "{}: cannot be opened", path);
  std::string text;
  char buffer[65536];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) text.append(buffer, count);
  return parse_mapping(text, path);
}

}  // namespace xundian::intake
