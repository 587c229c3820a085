#include "services/intake/restate.h"

#include <algorithm>

namespace xundian::intake {

namespace {

google::protobuf::Message* state_of(v1::Fact& fact) {
  const auto* field = v1::Fact::descriptor()->FindFieldByNumber(fact.fact_case());
  return field == nullptr ? nullptr : fact.GetReflection()->MutableMessage(&fact, field);
}

}  // namespace

void set_rank(v1::Fact& fact, uint64_t rank) {
  if (fact.occurred_ms() == 0) fact.set_occurred_ms(fact.as_of_ms());
  const VersionParts parts = rank_parts(rank);
  fact.set_as_of_ms(parts.as_of_ms);
  fact.set_status_rank(parts.status_rank);
  fact.set_source_rank(parts.source_rank);
  fact.set_revision(parts.revision);
}

bool make_state(v1::Fact& fact, Kind kind) {
  const auto* field = v1::Fact::descriptor()->FindFieldByNumber(kind);
  if (field == nullptr || field->message_type() == nullptr) return false;
  fact.GetReflection()->MutableMessage(&fact, field)->Clear();
  return true;
}

bool add_part(v1::Fact& fact, Part part, std::string_view bytes) {
  google::protobuf::Message* state = state_of(fact);
  const int number = part & line_bit ? static_cast<int>(lines_aspect) : static_cast<int>(part);
  const auto* field = state == nullptr ? nullptr : state->GetDescriptor()->FindFieldByNumber(number);
  if (field == nullptr || field->message_type() == nullptr) return false;
  const auto* reflection = state->GetReflection();
  auto* message = field->is_repeated() ? reflection->AddMessage(state, field) : reflection->MutableMessage(state, field);
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

Result<v1::Fact> restate(const FactView& fact, std::span<const Part> parts, uint64_t rank) {
  v1::Fact stated;
  if (!fact.parse_fact(stated)) return fail(Code::data_loss, "the fact about {} cannot be read", fact.key_text());
  bool whole = make_state(stated, fact.kind());
  for_each_content(fact.payload(), [&](Part part, std::string_view bytes) {
    if (std::find(parts.begin(), parts.end(), part) != parts.end()) whole = whole && add_part(stated, part, bytes);
  });
  if (!whole) return fail(Code::data_loss, "the state of {} cannot be read", fact.key_text());
  set_rank(stated, rank);
  stated.set_content_rank(fact.rank());
  return stated;
}

}  // namespace xundian::intake
