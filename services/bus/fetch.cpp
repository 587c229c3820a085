#include "services/bus/fetch.h"

#include <algorithm>

namespace xundian::bus {

namespace {

constexpr size_t answer_bytes_max = 1u << 20;

}  // namespace

wire::v1::Fetched answer_fetch(JournalReader& reader, const wire::v1::Fetch& question, uint32_t epoch) {
  wire::v1::Fetched answer;
  answer.set_epoch(epoch);
  answer.set_position(question.position());
  const auto range = reader.range();
  if (!range) {
    answer.set_error(range.error().message);
    return answer;
  }
  answer.set_low_position(range->low);
  answer.set_next_position(range->next);
  const bool readable = question.position() >= range->low && question.position() < range->next;
  if (!readable || question.bytes_max() == 0) return answer;  // Who asks for nothing wants to know the range.
  const size_t bytes = std::min<size_t>(question.bytes_max(), answer_bytes_max);
  const auto read = reader.read(question.position(), bytes, [&](const CommitView& commit) {
    answer.add_commits(std::string(commit.bytes()));
    return true;
  });
  if (!read) answer.set_error(read.error().message);
  return answer;
}

}  // namespace xundian::bus
