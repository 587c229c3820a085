#include "services/intake/readers/xlsx.h"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace xundian::intake {

namespace {

constexpr size_t sheet_columns_max = 2000;

// Cells of a sheet one after the other; the text of all of them in one piece.
struct SheetText {
  struct Cell {
    size_t from = 0;
    uint32_t size = 0;
    uint32_t column = 0;
  };
  struct Line {
    uint64_t number = 0;
    size_t first_cell = 0;
  };
  std::string text;
  std::vector<Cell> cells;
  std::vector<Line> lines;
};

// A name without its namespace's prefix.
std::string_view local(const char* name) {
  const std::string_view whole(name);
  const size_t colon = whole.rfind(':');
  return colon == whole.npos ? whole : whole.substr(colon + 1);
}

// The attributes of an element, names and values in turn.
class Attributes {
 public:
  explicit Attributes(const char** pairs) : pairs_(pairs) {}
  // Its value, or empty.
  std::string_view operator[](std::string_view name) const {
    for (const char** pair = pairs_; *pair != nullptr; pair += 2)
      if (local(pair[0]) == name) return pair[1];
    return {};
  }

 private:
  const char** pairs_;
};

class Handler {
 public:
  virtual ~Handler() = default;
  virtual void start(std::string_view element, const Attributes& attributes) = 0;
  virtual void end(std::string_view) {}
  virtual void characters(std::string_view) {}
};

class StringsHandler : public Handler {
 public:
  explicit StringsHandler(std::vector<std::string>& strings) : strings_(strings) {}
  void start(std::string_view element, const Attributes&) override {
    if (element == "si") strings_.emplace_back();
    if (element == "rPh") phonetic_ = true;  // How it is read aloud is no part of it.
    in_text_ = element == "t" && !phonetic_;
  }
  void end(std::string_view element) override {
    if (element == "rPh") phonetic_ = false;
    in_text_ = false;
  }
  void characters(std::string_view text) override {
    if (in_text_ && !strings_.empty()) strings_.back() += text;
  }

 private:
  std::vector<std::string>& strings_;
  bool in_text_ = false, phonetic_ = false;
};

struct SheetEntry {
  std::string name, relation;
};

class BookHandler : public Handler {
 public:
  std::vector<SheetEntry> sheets;
  bool since_1904 = false;
  void start(std::string_view element, const Attributes& attributes) override {
    if (element == "sheet") sheets.push_back({std::string(attributes["name"]), std::string(attributes["id"])});
    if (element == "workbookPr") since_1904 = attributes["date1904"] == "1" || attributes["date1904"] == "true";
  }
};

class RelationsHandler : public Handler {
 public:
  std::map<std::string, std::string> targets;
  void start(std::string_view element, const Attributes& attributes) override {
    if (element == "Relationship") targets[std::string(attributes["Id"])] = attributes["Target"];
  }
};

// "BC23" → column 54.
uint32_t column_of(std::string_view reference) {
  uint32_t column = 0;
  for (const char c : reference) {
    if (c < 'A' || c > 'Z' || column > 100'000) break;
    column = column * 26 + static_cast<uint32_t>(c - 'A' + 1);
  }
  return column - 1;
}

class SheetHandler : public Handler {
 public:
  SheetHandler(SheetText& sheet, const std::vector<std::string>& strings) : sheet_(sheet), strings_(strings) {}
  void start(std::string_view element, const Attributes& attributes) override {
    if (element == "row") {
      const std::string_view number = attributes["r"];
      uint64_t given = 0;
      std::from_chars(number.data(), number.data() + number.size(), given);
      row_ = given != 0 ? given : row_ + 1;
      next_column_ = 0;
      sheet_.lines.push_back({row_, sheet_.cells.size()});
    } else if (element == "c") {
      const std::string_view reference = attributes["r"];
      column_ = reference.empty() ? next_column_ : column_of(reference);
      next_column_ = column_ + 1;
      type_ = attributes["t"];
      value_.clear();
    } else {
      in_value_ = element == "v" || element == "t";
    }
  }
  void end(std::string_view element) override {
    in_value_ = false;
    if (element != "c" || value_.empty() || column_ >= sheet_columns_max || sheet_.lines.empty()) return;
    std::string_view text = value_;
    if (type_ == "s") {
      size_t index = strings_.size();
      std::from_chars(value_.data(), value_.data() + value_.size(), index);
      text = index < strings_.size() ? std::string_view(strings_[index]) : std::string_view();
    }
    // One shared text may stand in every cell; what they come to is limited like what is inflated.
    overflows_ = overflows_ || sheet_.text.size() + text.size() > inflated_bytes_max;
    if (overflows_) return;
    sheet_.cells.push_back({sheet_.text.size(), static_cast<uint32_t>(text.size()), column_});
    sheet_.text += text;
  }
  void characters(std::string_view text) override {
    if (in_value_) value_ += text;
  }
  bool overflows() const { return overflows_; }

 private:
  SheetText& sheet_;
  const std::vector<std::string>& strings_;
  uint64_t row_ = 0;
  uint32_t column_ = 0, next_column_ = 0;
  std::string type_, value_;
  bool in_value_ = false, overflows_ = false;
};

Handler& handler(void* parser) { return *static_cast<Handler*>(XML_GetUserData(static_cast<XML_Parser>(parser))); }

const char* why(XML_Error error) { return error == XML_ERROR_ABORTED ? "it declares a document type" : XML_ErrorString(error); }

constexpr size_t xml_piece_bytes = 1 << 20;  // Expat takes an int.

Result<void> parse_xml(std::string_view xml, Handler& to, std::string_view what) {
  if (xml.empty()) return fail(Code::invalid_argument, "{} is missing in the workbook; save it again in Excel", what);
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
  CHECK(parser != nullptr, "no memory for an XML parser");
  XML_SetUserData(parser.get(), &to);
  XML_UseParserAsHandlerArg(parser.get());
  XML_SetElementHandler(
      parser.get(), [](void* of, const char* name, const char** pairs) { handler(of).start(local(name), Attributes(pairs)); },
      [](void* of, const char* name) { handler(of).end(local(name)); });
  XML_SetCharacterDataHandler(parser.get(), [](void* of, const char* text, int size) {
    handler(of).characters({text, static_cast<size_t>(size)});
  });
  // Excel writes none; only who means to blow entities up needs one.
  XML_SetStartDoctypeDeclHandler(parser.get(), [](void* of, const char*, const char*, const char*, int) {
    XML_StopParser(static_cast<XML_Parser>(of), XML_FALSE);
  });
  while (true) {
    const std::string_view piece = xml.substr(0, xml_piece_bytes);
    xml.remove_prefix(piece.size());
    const bool last = xml.empty();
    if (XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()), last) != XML_STATUS_OK)
      return fail(Code::invalid_argument, "{} in the workbook is damaged (line {}: {}); save it again in Excel", what,
                  XML_GetCurrentLineNumber(parser.get()), why(XML_GetErrorCode(parser.get())));
    if (last) return {};
  }
}

class SheetReader : public RowReader {
 public:
  SheetReader(SheetText sheet, int32_t epoch, uint64_t bytes) : sheet_(std::move(sheet)), epoch_(epoch), bytes_(bytes) {}
  bool next(Row& row) override {
    for (; index_ < sheet_.lines.size(); ++index_) {
      const size_t from = sheet_.lines[index_].first_cell;
      const size_t to = index_ + 1 < sheet_.lines.size() ? sheet_.lines[index_ + 1].first_cell : sheet_.cells.size();
      if (from == to) continue;
      row.line = sheet_.lines[index_++].number;
      row.fault.clear();
      row.spans_lines = false;
      row.cells.clear();
      for (size_t at = from; at < to; ++at) {
        const SheetText::Cell& cell = sheet_.cells[at];
        if (cell.column >= row.cells.size()) row.cells.resize(cell.column + 1);
        row.cells[cell.column] = std::string_view(sheet_.text).substr(cell.from, cell.size);
      }
      return true;
    }
    return false;
  }
  std::string encoding() const override { return "xlsx"; }
  bool short_rows() const override { return true; }
  int32_t serial_epoch() const override { return epoch_; }
  uint64_t bytes_read() const override { return bytes_; }

 private:
  SheetText sheet_;
  size_t index_ = 0;
  int32_t epoch_;
  uint64_t bytes_;
};

std::string target_path(std::string_view target) {
  if (target.starts_with('/')) return std::string(target.substr(1));
  return "xl/" + std::string(target);
}

}  // namespace

bool is_workbook(const std::vector<ArchiveMember>& members) {
  return std::any_of(members.begin(), members.end(),
                     [](const ArchiveMember& member) { return member.name == "xl/workbook.xml"; });
}

Result<std::vector<Sheet>> open_workbook(const ArchiveInput& input) {
  std::map<std::string, std::string> parts;
  std::string spoilt;
  const auto wanted = [](const ArchiveMember& member) {
    return member.name == "xl/workbook.xml" || member.name == "xl/_rels/workbook.xml.rels" ||
           member.name == "xl/sharedStrings.xml" || (member.name.starts_with("xl/worksheets/") && member.name.ends_with(".xml"));
  };
  const auto keep = [&](const ArchiveMember& member, std::unique_ptr<ByteSource> source) -> Result<void> {
    parts[member.name] = TRY(read_all(*source));
    return {};
  };
  TRY_VOID(read_members(input, wanted, keep, [&](const ArchiveMember&, const std::string& why) { spoilt = why; }));
  if (!spoilt.empty()) return fail(Code::invalid_argument, "{}: {}", input.name, spoilt);
  BookHandler book;
  RelationsHandler relations;
  std::vector<std::string> strings;
  TRY_VOID(parse_xml(parts["xl/workbook.xml"], book, "xl/workbook.xml"));
  TRY_VOID(parse_xml(parts["xl/_rels/workbook.xml.rels"], relations, "xl/_rels/workbook.xml.rels"));
  if (!parts["xl/sharedStrings.xml"].empty()) {
    StringsHandler handler(strings);
    TRY_VOID(parse_xml(parts["xl/sharedStrings.xml"], handler, "xl/sharedStrings.xml"));
  }
  std::vector<Sheet> sheets;
  for (const SheetEntry& entry : book.sheets) {
    const std::string path = target_path(relations.targets[entry.relation]);
    if (!path.starts_with("xl/worksheets/")) continue;  // A chart.
    SheetText text;
    SheetHandler handler(text, strings);
    TRY_VOID(parse_xml(parts[path], handler, path));
    if (handler.overflows())
      return fail(Code::resource_exhausted, "{}: the cells of {} come to more than {} MB; import it in parts", input.name, path,
                  inflated_bytes_max >> 20);
    parts.erase(path);
    if (text.cells.empty()) continue;
    sheets.push_back({entry.name, std::make_unique<SheetReader>(std::move(text), book.since_1904 ? -24107 : -25569, 0)});
  }
  return sheets;
}

}  // namespace xundian::intake
