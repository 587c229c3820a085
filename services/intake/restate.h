// Says parts of a fact anew: with another rank, or emptied.
#pragma once

#include <span>
#include <string_view>

#include "services/intake/state.h"

namespace xundian::intake {

// Gives a fact the version parts that a rank is made of; when it happened stays as it was.
void set_rank(v1::Fact& fact, uint64_t rank);

// An empty state of a kind. False: there is no such kind.
bool make_state(v1::Fact& fact, Kind kind);

// Adds an aspect, or a line, to the state of a fact. `bytes`: the aspect's or the line's message. False: there is no such aspect,
// or the bytes are not such a message.
bool add_part(v1::Fact& fact, Part part, std::string_view bytes);

// Calls `visit(part, bytes)` for what a state message (FactView::payload) says.
template <typename Visit>
void for_each_content(std::string_view payload, Visit&& visit) {
  FieldScan scan(payload);
  while (scan.next()) {
    if (scan.field() != lines_aspect) {
      visit(Part{scan.field()}, scan.bytes());
      continue;
    }
    std::string_view id;
    FieldScan line(scan.bytes());
    while (line.next())
      if (line.field() == v1::OrderLine::kLineIdFieldNumber) id = line.bytes();
    visit(part_of_line(hash64(id)), scan.bytes());
  }
}

// The fact with nothing but these parts, under another rank; it says the rank that it had.
Result<v1::Fact> restate(const FactView& fact, std::span<const Part> parts, uint64_t rank);

}  // namespace xundian::intake
