#include "services/inventory/things.h"

#include <algorithm>

namespace xundian::inventory {

Stage stage_of(std::string_view status) {
  constexpr std::pair<std::string_view, Stage> stages[] = {
      {"unpaid", Stage::unpaid}, {"paid", Stage::paid},           {"shipped", Stage::shipped},   {"received", Stage::received},
      {"closed", Stage::closed}, {"refunding", Stage::refunding}, {"refunded", Stage::refunded}, {"", Stage::unknown}};
  for (const auto& [word, stage] : stages)
    if (word == status) return stage;
  return Stage::other;
}

bool Order::is_shipped() const {
  if ((course.shipped > course.withdrawn && course.shipped_ms != 0) ||
      (course.received > course.withdrawn && course.received_ms != 0))
    return true;
  return status > course.withdrawn && (stage == Stage::shipped || stage == Stage::received);
}

bool Order::is_closed() const {
  return (course.closed > course.withdrawn && course.closed_ms != 0) || (status > course.withdrawn && stage == Stage::closed);
}

bool Order::is_refunded() const {
  if (status > course.withdrawn && (stage == Stage::refunding || stage == Stage::refunded)) return true;
  if (!(course.refunded > course.withdrawn) || course.refunded_micros <= 0) return false;
  int64_t paid_for_lines = 0;
  for (const OrderLine& line : lines)
    if (counts(line)) paid_for_lines += line.amount_micros;
  return course.refunded_micros >= (paid > course.withdrawn ? paid_micros.value_or(paid_for_lines) : paid_for_lines);
}

bool Order::is_known_unshipped() const {
  const bool stated = course.shipped > withdrawn() || (status > withdrawn() && stage == Stage::paid);
  return is_paid() && stated && !is_shipped() && !is_closed() && !is_refunded();
}

Millis Order::deadline_ms() const {
  return course.shipped > course.withdrawn && course.promised_ms > 0 ? course.promised_ms : paid_ms + ship_within_ms;
}

std::string_view Order::pack(PackedMemory& memory) const {
  const PackBase base(paid.rank != 0 ? paid.rank : status.rank != 0 || lines.empty() ? status.rank : lines.front().version.rank);
  const bool one_rank = has_one_rank(base, {paid, status}, lines);
  const bool has_course = course != OrderCourse();
  constexpr size_t own_bytes_max = 10 * sizeof(uint64_t) + pack_bytes_max<4> + pack_bytes_max<10>;
  PackWriter to(memory.ahead(own_bytes_max + lines.size() * line_bytes_max + id.size()), base);
  to.numbers<4>({static_cast<uint64_t>(stage) | uint64_t{paid_micros.has_value()} << 4 | uint64_t{has_course} << 5 |
                     uint64_t{!one_rank} << 6 | lines.size() << 7,
                 base.packed_time(paid_ms), zigzag(paid_micros.value_or(0)), id.size()});
  to.words<2>({paid.digest, status.digest});
  pack_lines(to, lines);
  if (!one_rank) pack_ranks(to, {paid, status}, lines);
  if (has_course) {
    to.numbers<10>({base.packed_rank(course.shipped.rank), base.packed_rank(course.received.rank),
                    base.packed_rank(course.closed.rank), base.packed_rank(course.refunded.rank),
                    base.packed_rank(course.withdrawn.rank), zigzag(course.shipped_ms), zigzag(course.promised_ms),
                    zigzag(course.received_ms), zigzag(course.closed_ms), zigzag(course.refunded_micros)});
    to.words<5>(
        {course.shipped.digest, course.received.digest, course.closed.digest, course.refunded.digest, course.withdrawn.digest});
  }
  to.bytes(id);
  return to.packed();
}

bool Order::unpack(std::string_view packed) {
  PackReader from(packed);
  const PackBase base = from.base();
  const auto head = from.numbers<4>();
  stage = static_cast<Stage>(head[0] & 15);
  paid_micros = (head[0] & 1 << 4) != 0 ? std::optional(unzigzag(head[2])) : std::nullopt;
  paid_ms = base.unpacked_time(head[1]);
  const auto digests = from.words<2>();
  paid = base.implied(digests[0]);
  status = base.implied(digests[1]);
  unpack_lines(from, head[0] >> 7, lines);
  if ((head[0] & 1 << 6) != 0) unpack_ranks(from, {&paid, &status}, lines);
  course = OrderCourse();
  if ((head[0] & 1 << 5) != 0) {
    const auto said = from.numbers<10>();
    const auto digest = from.words<5>();
    const auto version = [&](size_t index) { return Version{base.unpacked_rank(said[index]), digest[index]}; };
    course = {.shipped = version(0),
              .received = version(1),
              .closed = version(2),
              .refunded = version(3),
              .withdrawn = version(4),
              .shipped_ms = unzigzag(said[5]),
              .promised_ms = unzigzag(said[6]),
              .received_ms = unzigzag(said[7]),
              .closed_ms = unzigzag(said[8]),
              .refunded_micros = unzigzag(said[9])};
  }
  id = from.bytes(head[3]);
  return from.ok() && from.left() == 0 && stage <= Stage::other;
}

std::optional<NameId> Level::sku() const {
  if (count.live(withdrawn())) return count.content.sku;
  if (terms().policy.live(withdrawn())) return terms().policy.content.sku;
  return std::nullopt;
}

std::optional<Millis> Level::remember(const Version& version, const StockCount& stated) {
  const auto sellable = stated.sellable();
  if (!sellable) return std::nullopt;
  return history.add({version, stated.counted_ms > 0 ? stated.counted_ms : rank_parts(version.rank).as_of_ms, *sellable});
}

std::map<NameId, int64_t> Purchase::awaited() const {
  std::map<NameId, int64_t> units;
  if (!terms.live(withdrawn) || (receipt.live(withdrawn) && receipt.content.complete)) return units;
  for (const UnitLine& line : terms.content.lines) units[line.sku] += line.quantity;
  if (receipt.live(withdrawn))
    for (const UnitLine& line : receipt.content.lines)
      if (const auto ordered = units.find(line.sku); ordered != units.end()) ordered->second -= line.quantity;
  std::erase_if(units, [](const auto& entry) { return entry.second <= 0; });
  return units;
}

}  // namespace xundian::inventory
