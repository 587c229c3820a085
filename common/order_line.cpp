#include "common/order_line.h"

#include <algorithm>

namespace xundian {

namespace {

auto line_at(auto& lines, uint64_t id) { return std::ranges::lower_bound(lines, id, {}, &OrderLine::id); }

}  // namespace

bool say_more(const FactView& fact, const OrderLines& lines) {
  for (uint32_t index = 0; index < fact.line_count(); ++index) {
    const auto line = line_at(lines, fact.line_id(index));
    if (line == lines.end() || line->id != fact.line_id(index) || fact.line_version(index) > line->version) return true;
  }
  return false;
}

void merge_lines(OrderLines& lines, const FactView& fact, const OrderScan& stated, Names& names) {
  for (uint32_t index = 0; index < fact.line_count(); ++index) {
    const uint64_t id = fact.line_id(index);
    auto line = line_at(lines, id);
    if (line == lines.end() || line->id != id) line = lines.insert(line, {.id = id, .version = {}});
    if (fact.line_version(index) <= line->version) continue;
    const OrderLineScan& said = stated.lines[index];
    *line = {.id = id,
             .version = fact.line_version(index),
             .quantity = said.quantity,
             .amount_micros = said.amount_micros,
             .sku = said.sku_name != 0 ? said.sku_name : names.of(said.sku),
             .withdrawn = said.withdrawn};
  }
}

bool has_one_rank(const PackBase& base, std::initializer_list<Version> own, const OrderLines& lines) {
  bool one = true;
  for (const Version& version : own) one &= base.implies(version);
  for (const OrderLine& line : lines) one &= base.implies(line.version);
  return one;
}

void pack_lines(PackWriter& to, const OrderLines& lines) {
  for (const OrderLine& line : lines) {
    to.numbers<3>({zigzag(line.quantity), zigzag(line.amount_micros), uint64_t{line.sku} << 1 | uint64_t{line.withdrawn}});
    to.words<2>({line.id, line.version.digest});
  }
}

void pack_ranks(PackWriter& to, std::initializer_list<Version> own, const OrderLines& lines) {
  for (const Version& version : own) to.words<1>({version.rank});
  for (const OrderLine& line : lines) to.words<1>({line.version.rank});
}

void unpack_lines(PackReader& from, uint64_t count, OrderLines& lines) {
  lines.clear();
  for (; count > 0 && from.ok(); --count) {
    const auto said = from.numbers<3>();
    const auto [id, digest] = from.words<2>();
    lines.push_back({.id = id,
                     .version = from.base().implied(digest),
                     .quantity = unzigzag(said[0]),
                     .amount_micros = unzigzag(said[1]),
                     .sku = static_cast<NameId>(said[2] >> 1),
                     .withdrawn = (said[2] & 1) != 0});
  }
}

bool pass_lines(PackReader& from, uint64_t count, const Names& names) {
  for (; count > 0 && from.ok(); --count) {
    if (!names.has(static_cast<NameId>(from.numbers<3>()[2] >> 1))) return false;
    from.words<2>();
  }
  return true;
}

void unpack_ranks(PackReader& from, std::initializer_list<Version*> own, OrderLines& lines) {
  for (Version* version : own) version->rank = from.words<1>()[0];
  for (OrderLine& line : lines) line.version.rank = from.words<1>()[0];
}

}  // namespace xundian
