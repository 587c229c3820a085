// A row seen through a mapping: what its columns say, by field.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/intake/formats/mapping.h"
#include "services/intake/readers/row.h"

namespace xundian::intake {

// The columns of a table as its header names them.
struct Header {
  std::vector<std::string> texts;  // As they stand there, without blanks around.
  std::vector<std::string> names;  // As column_name() has them.
  std::vector<bool> personal;
  std::unordered_map<std::string, int> by_name;
  // By name, else by name without a unit; -1 = none.
  int find(const std::string& name) const;
};

Header read_header(const std::vector<std::string_view>& cells, const std::vector<std::string>& personal);

// A record of a mapping on the columns of one header.
struct BoundRecord {
  struct BoundCondition {
    const Condition* condition = nullptr;
    int column = -1;
  };
  const RecordMapping* mapping = nullptr;
  std::vector<BoundCondition> conditions;
  std::array<std::vector<std::vector<int>>, field_count> columns;
  std::vector<int> line_hash;
  // The file speaks of the field.
  bool states(Field field) const {
    return !columns[static_cast<size_t>(field)].empty() || !mapping->values[static_cast<size_t>(field)].empty();
  }
};

BoundRecord bind(const RecordMapping& mapping, const Header& header);

class RowView {
 public:
  RowView(const Mapping& mapping, const Header& header, TimeParser& times) : mapping_(mapping), header_(header), times_(times) {}
  void look_at(const Row& row, const BoundRecord* record) { row_ = &row, record_ = record; }

  const Row& row() const { return *row_; }
  const BoundRecord& record() const { return *record_; }
  const Mapping& mapping() const { return mapping_; }
  TimeParser& times() { return times_; }
  bool states(Field field) const { return record_->states(field); }
  // A cell's text; empty where it says nothing.
  std::string_view cell(int column) const;
  bool holds(const BoundRecord& record) const;

  // What the first column of a field with anything to say says; empty = none says anything. `which` tells which of the
  // alternatives.
  std::string_view text(Field field, size_t* which = nullptr);
  // The texts of columns that a mapping joins, with "/" between.
  std::string joined(Field field);
  Result<std::string_view> id(Field field, std::string_view what, size_t* which = nullptr);
  Result<std::optional<int64_t>> money(Field field);
  Result<std::optional<int64_t>> count(Field field);
  // 0 = nothing is said.
  Result<Millis> time(Field field);
  Result<std::optional<int64_t>> duration(Field field);
  Result<std::optional<int64_t>> ratio(Field field);
  // What the row is but for its place: a hash of the columns that tell lines apart.
  uint64_t content_hash();
  // The column that was read last, for the rejects file.
  std::string column_text() const;

 private:
  template <typename Parse>
  Result<std::optional<int64_t>> number(Field field, Parse parse);

  const Mapping& mapping_;
  const Header& header_;
  TimeParser& times_;
  const Row* row_ = nullptr;
  const BoundRecord* record_ = nullptr;
  int column_ = -1;
  std::string scratch_;
};

}  // namespace xundian::intake
