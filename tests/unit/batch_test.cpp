// Batches, frames, the scan of fields and the order of versions.
#include "common/batch.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/random_message.h"

namespace xundian {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

constexpr uint32_t partitions = 16;

std::vector<v1::Fact> random_facts(Random& random, size_t count) {
  std::vector<v1::Fact> facts;
  while (facts.size() < count) facts.push_back(random_fact(random));
  return facts;
}

std::string make_batch(const std::vector<v1::Fact>& facts, BatchHeader header = {}) {
  BatchBuilder builder;
  for (const v1::Fact& fact : facts) EXPECT_TRUE(builder.add(fact));
  EXPECT_EQ(builder.count(), facts.size());
  std::string batch = builder.finish("acme/north", partitions, header);
  EXPECT_TRUE(builder.empty());
  return batch;
}

// Exactly as long as the bytes, so that a sanitizer sees a read behind them.
std::unique_ptr<char[]> exactly(std::string_view bytes) {
  auto copy = std::make_unique<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return copy;
}

v1::Fact without_scope(v1::Fact fact) {
  fact.clear_tenant();
  fact.clear_group();
  return fact;
}

// Looks at everything that a fold may look at; returns how many facts could be walked over.
size_t look_at(const BatchView& batch) {
  size_t facts = 0;
  uint64_t sum = batch.scope().size() + batch.payload().size() + batch.runs().size();
  const auto walked = batch.for_each([](Kind) { return true; },
                                     [&](std::string_view frame, Offset offset) {
                                       const FactView fact(frame, offset, batch.header().time_ms);
                                       for (uint32_t aspect = 0; aspect < 32; ++aspect)
                                         if (aspect != lines_aspect && fact.states(aspect)) sum += fact.version(aspect).digest;
                                       for (uint32_t line = 0; line < fact.line_count(); ++line)
                                         sum += fact.line_id(line) + fact.line_version(line).digest;
                                       sum += fact.payload().size() + fact.store_id().size() + fact.key_text().size() +
                                              fact.source().size() + fact.import_id();
                                       for (FieldScan scan(fact.payload()); scan.next();)
                                         sum += scan.number() + scan.bytes().size();
                                       facts += 1;
                                     });
  volatile uint64_t used = sum;
  (void)used;
  (void)walked;
  return facts;
}

TEST(Batch, GivesBackTheFactsInOrder) {
  Random random(1);
  for (int round = 0; round < 30; ++round) {
    const auto facts = random_facts(random, 1 + random() % 40);
    BatchHeader given;
    given.producer = 11;
    given.sequence = 12;
    given.session = 13;
    given.time_ms = 14;
    given.base = 1000;
    given.flags = fold_answer;
    const std::string bytes = make_batch(facts, given);
    const auto batch = BatchView::open(bytes);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->scope(), "acme/north");
    EXPECT_EQ(batch->header().partition, group_hash("acme/north") % partitions);
    EXPECT_EQ(batch->header().count, facts.size());
    EXPECT_EQ(batch->header().producer, 11u);
    EXPECT_EQ(batch->header().sequence, 12u);
    EXPECT_EQ(batch->header().session, 13u);
    EXPECT_EQ(batch->header().time_ms, 14);
    EXPECT_TRUE(batch->is_answer());
    EXPECT_FALSE(batch->is_control());
    size_t index = 0;
    ASSERT_TRUE(batch->for_each([](Kind) { return true; },
                                [&](std::string_view frame, Offset offset) {
                                  EXPECT_EQ(offset, 1000 + index);
                                  v1::Fact fact;
                                  EXPECT_TRUE(FactView(frame, offset, 14).parse_fact(fact));
                                  const v1::Fact expected = without_scope(facts[index++]);
                                  EXPECT_EQ(fact.SerializeAsString(), expected.SerializeAsString());
                                }));
    EXPECT_EQ(index, facts.size());
  }
}

TEST(Batch, AKindIsReadWithoutTheOthers) {
  Random random(2);
  const auto facts = random_facts(random, 200);
  const std::string bytes = make_batch(facts);
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch);
  for (const Kind wanted : {v1::Fact::kOrderState, v1::Fact::kTick, v1::Fact::kFinding}) {
    std::vector<Offset> expected, seen;
    for (size_t index = 0; index < facts.size(); ++index)
      if (facts[index].fact_case() == wanted) expected.push_back(index);
    ASSERT_FALSE(expected.empty());
    ASSERT_TRUE(batch->for_each([&](Kind kind) { return kind == wanted; },
                                [&](std::string_view, Offset offset) { seen.push_back(offset); }));
    EXPECT_EQ(seen, expected);
  }
}

TEST(Batch, FramesAreMovedFromBatchToBatch) {
  Random random(3);
  const auto facts = random_facts(random, 20);
  const std::string bytes = make_batch(facts);
  BatchBuilder builder;
  ASSERT_TRUE(BatchView::open(bytes)->for_each([](Kind) { return true; },
                                               [&](std::string_view frame, Offset) { builder.add_frame(frame); }));
  EXPECT_EQ(builder.finish("acme/north", partitions, {}), bytes);
}

TEST(Batch, EveryTruncationIsRefused) {
  Random random(4);
  const std::string bytes = make_batch(random_facts(random, 5));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto copy = exactly(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(BatchView::open({copy.get(), length})) << length;
  }
  EXPECT_TRUE(BatchView::open(bytes + "what follows is not its own"));
}

TEST(Batch, EveryChangedBitIsRefused) {
  Random random(5);
  const std::string bytes = make_batch(random_facts(random, 4));
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto copy = exactly(bytes);
    copy[bit / 8] = static_cast<char>(copy[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(BatchView::open({copy.get(), bytes.size()})) << bit;
    ASSERT_FALSE(BatchView::reopen({copy.get(), bytes.size()})) << bit;
  }
}

TEST(Batch, NoiseIsRefused) {
  Random random(6);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 300, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    if (noise.size() > 4 && random() % 2 == 0) store(noise.data(), batch_magic);
    const auto copy = exactly(noise);
    ASSERT_FALSE(BatchView::open({copy.get(), noise.size()}));
  }
}

// A liar who knows how to make a crc: what opens is walked over without harm, to its last fact. A fold cannot get past one that
// it cannot walk over.
TEST(Batch, GarbageUnderAGoodCrcDoesNoHarm) {
  Random random(7);
  size_t opened = 0, refused = 0, walked = 0, stopped = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = round % 100 == 0 || round < 2 ? make_batch(random_facts(random, 3)) : std::string();
    static std::string good;
    if (!bytes.empty()) good = bytes;
    std::string bad = good;
    for (uint64_t left = 1 + random() % 4; left > 0; --left) {
      const size_t at = random() % 3 == 0 ? 8 + random() % 140 : random() % bad.size();
      if (at < bad.size()) bad[at] = static_cast<char>(random() % 2 == 0 ? random() : bad[at] ^ 1 << random() % 8);
    }
    if (random() % 8 == 0) bad.resize(sizeof(BatchHeader) + random() % (bad.size() - sizeof(BatchHeader)));
    auto header = load<BatchHeader>(bad.data());
    if (random() % 2 == 0) header.bytes = static_cast<uint32_t>(bad.size());
    header.payload_crc = crc32c(std::string_view(bad).substr(sizeof header));
    write_header(bad, header);
    const auto copy = exactly(bad);
    const auto batch = BatchView::open({copy.get(), bad.size()});
    // From a journal it may come with frames that do not hold together; who walks over them is told, and not led astray.
    const auto kept = BatchView::reopen({copy.get(), bad.size()});
    ASSERT_GE(kept.has_value(), batch.has_value());
    if (kept && !batch && !kept->for_each([](Kind) { return true; }, [](std::string_view frame, Offset) { crc32c(frame); }))
      stopped += 1;
    (batch ? opened : refused) += 1;
    if (!batch) continue;
    const size_t facts = look_at(*batch);
    ASSERT_EQ(facts, batch->is_control() ? 0 : batch->header().count);
    walked += facts;
  }
  EXPECT_GT(opened, 1000u);
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(walked, 1000u);
  EXPECT_GT(stopped, 100u);
}

TEST(Batch, TheBusWritesTheHeaderAlone) {
  Random random(8);
  const std::string before = make_batch(random_facts(random, 6));
  std::string after = before;
  auto header = load<BatchHeader>(after.data());
  header.base = 77;
  header.epoch = 5;
  header.time_ms = 99;
  write_header(after, header);
  const auto batch = BatchView::open(after);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->header().base, 77u);
  EXPECT_EQ(batch->header().epoch, 5u);
  EXPECT_EQ(batch->header().time_ms, 99);
  EXPECT_EQ(after.substr(sizeof(BatchHeader)), before.substr(sizeof(BatchHeader)));
  std::string without_crc = before;
  store(without_crc.data(), header);  // The old crc with the new header.
  EXPECT_FALSE(BatchView::open(without_crc));
}

TEST(Batch, AControlBatchHasNoFacts) {
  BatchHeader header;
  header.epoch = 3;
  const std::string bytes = make_control_batch("what the bus remembers", header);
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_TRUE(batch->is_control());
  EXPECT_EQ(batch->payload(), "what the bus remembers");
  EXPECT_EQ(batch->header().epoch, 3u);
  EXPECT_TRUE(batch->runs().empty());
  EXPECT_EQ(look_at(*batch), 0u);
}

TEST(Batch, ScopeAndGroupMustAgree) {
  std::string bytes = make_batch([] {
    Random random(9);
    return random_facts(random, 2);
  }());
  bytes[sizeof(BatchHeader)] = 'A';  // "Acme/north"
  auto header = load<BatchHeader>(bytes.data());
  header.payload_crc = crc32c(std::string_view(bytes).substr(sizeof header));
  write_header(bytes, header);
  const auto batch = BatchView::open(bytes);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, Code::invalid_argument);
}

// As many runs as there may be facts: none is lost count of.
TEST(Batch, EveryFactMayBeARunOfItsOwn) {
  std::string frames[2];
  v1::Fact fact;
  fact.mutable_tick()->set_time_ms(5);
  ASSERT_TRUE(append_frame(frames[0], fact));
  fact.mutable_horizon()->set_day("d");
  ASSERT_TRUE(append_frame(frames[1], fact));
  BatchBuilder builder;
  for (size_t index = 0; index < batch_facts_max; ++index) builder.add_frame(frames[index % 2]);
  const std::string bytes = builder.finish("a/b", partitions, {});
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(look_at(*batch), batch_facts_max);
}

TEST(Frame, StatesWhatTheFactStates) {
  Random random(10);
  std::set<Kind> kinds;
  for (int round = 0; round < 2'000; ++round) {
    const v1::Fact fact = random_fact(random);
    std::string bytes;
    ASSERT_TRUE(append_frame(bytes, fact));
    std::string_view rest = bytes;
    const auto frame = split_frame(rest);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(rest.empty());
    const FactView view(*frame, 42, 43);
    kinds.insert(view.kind());
    EXPECT_EQ(view.kind(), static_cast<Kind>(fact.fact_case()));
    EXPECT_EQ(view.key(), thing_key(view.kind(), fact.store(), fact.key()));
    EXPECT_EQ(view.store(), store_hash(fact.store()));
    EXPECT_EQ(view.store_id(), fact.store());
    EXPECT_EQ(view.key_text(), fact.key());
    EXPECT_EQ(view.source(), fact.source());
    EXPECT_EQ(view.import_id(), fact.import_id());
    EXPECT_EQ(view.cause(), fact.cause());
    EXPECT_EQ(view.occurred_ms(), fact.occurred_ms() != 0 ? fact.occurred_ms() : fact.as_of_ms());
    const auto* reflection = fact.GetReflection();
    const auto& state =
        reflection->GetMessage(fact, reflection->GetOneofFieldDescriptor(fact, fact.GetDescriptor()->oneof_decl(0)));
    EXPECT_EQ(view.payload(), state.SerializeAsString());
    if (view.kind() == v1::Fact::kTick || view.kind() == v1::Fact::kHorizon) continue;
    for (int index = 0; index < state.GetDescriptor()->field_count(); ++index) {
      const auto* field = state.GetDescriptor()->field(index);
      const auto number = static_cast<uint32_t>(field->number());
      if (field->is_repeated()) continue;
      ASSERT_EQ(view.states(number), state.GetReflection()->HasField(state, field)) << field->full_name();
      if (!view.states(number) || field->message_type() == nullptr) continue;
      const std::string aspect = state.GetReflection()->GetMessage(state, field).SerializeAsString();
      EXPECT_EQ(view.version(number), (Version{view.rank(), hash64(aspect)})) << field->full_name();
    }
    if (!fact.has_order_state()) continue;
    ASSERT_EQ(view.line_count(), fact.order_state().lines_size());
    for (uint32_t index = 0; index < view.line_count(); ++index) {
      const auto& line = fact.order_state().lines(static_cast<int>(index));
      EXPECT_EQ(view.line_id(index), hash64(line.line_id()));
      EXPECT_EQ(view.line_version(index), (Version{view.rank(), hash64(line.SerializeAsString())}));
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(v1::Fact::descriptor()->oneof_decl(0)->field_count()));
}

TEST(Frame, RefusesWhatIsNoFact) {
  std::string frames = "as before";
  v1::Fact fact;
  EXPECT_FALSE(append_frame(frames, fact));  // No state.
  fact.mutable_order_state();
  EXPECT_FALSE(append_frame(frames, fact));  // No aspect.
  fact.mutable_order_state()->mutable_paid();
  fact.set_source(std::string(frame_bytes_max, 'x'));
  EXPECT_FALSE(append_frame(frames, fact));  // Too large.
  EXPECT_EQ(frames, "as before");
  fact.set_source("");
  EXPECT_TRUE(append_frame(frames, fact));  // An empty aspect is one.
}

TEST(Frame, EveryTruncationIsRefused) {
  Random random(11);
  std::string bytes;
  ASSERT_TRUE(append_frame(bytes, random_fact(random)));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto copy = exactly(std::string_view(bytes).substr(0, length));
    std::string_view rest(copy.get(), length);
    EXPECT_FALSE(split_frame(rest)) << length;
  }
}

// The fields of a message as the scan sees them, and as protobuf does.
using Fields = std::vector<std::tuple<uint32_t, uint64_t, std::string>>;

Fields scanned(std::string_view bytes, bool& ok) {
  Fields fields;
  FieldScan scan(bytes);
  while (scan.next()) fields.emplace_back(scan.field(), scan.number(), scan.bytes());
  ok = scan.ok();
  return fields;
}

// False: protobuf cannot read it, or it has groups, which no message of ours has.
bool parsed(std::string_view bytes, Fields& fields) {
  google::protobuf::Empty empty;
  if (!empty.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  const UnknownFieldSet& set = empty.GetReflection()->GetUnknownFields(empty);
  for (int index = 0; index < set.field_count(); ++index) {
    const UnknownField& field = set.field(index);
    const auto number = static_cast<uint32_t>(field.number());
    std::string raw;
    switch (field.type()) {
      case UnknownField::TYPE_VARINT:
        fields.emplace_back(number, field.varint(), "");
        break;
      case UnknownField::TYPE_FIXED32:
        append(raw, field.fixed32());
        fields.emplace_back(number, field.fixed32(), raw);
        break;
      case UnknownField::TYPE_FIXED64:
        append(raw, field.fixed64());
        fields.emplace_back(number, field.fixed64(), raw);
        break;
      case UnknownField::TYPE_LENGTH_DELIMITED:
        fields.emplace_back(number, 0, field.length_delimited());
        break;
      case UnknownField::TYPE_GROUP:
        return false;
    }
  }
  return true;
}

TEST(FieldScan, SeesWhatProtobufSees) {
  Random random(12);
  for (int round = 0; round < 3'000; ++round) {
    v1::Fact fact;
    fill(fact, random);
    const std::string bytes = fact.SerializeAsString();
    bool ok = false;
    Fields expected;
    ASSERT_TRUE(parsed(bytes, expected));
    EXPECT_EQ(scanned(bytes, ok), expected);
    EXPECT_TRUE(ok);
  }
}

TEST(FieldCursor, SeesSignedNumbers) {
  for (const int64_t number : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{1} << 40, INT64_MIN, INT64_MAX}) {
    v1::OrderShipped shipped;
    shipped.set_shipped_ms(number);
    const std::string bytes = shipped.SerializeAsString();
    FieldCursor at(bytes);
    EXPECT_EQ(at.tag() == varint_tag(1) ? at.zigzag() : 0, number);
  }
}

// What protobuf refuses is refused, and nothing is read behind the end.
TEST(FieldScan, RefusesWhatProtobufRefuses) {
  Random random(13);
  size_t good = 0, bad = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes;
    if (round % 2 == 0) {
      for (uint64_t left = random() % 24; left > 0; --left)
        bytes += static_cast<char>(random() % 3 == 0 ? random() % 32 : random());
    } else {
      v1::OrderState order;
      fill(order, random);
      bytes = order.SerializeAsString();
      if (bytes.empty()) continue;
      bytes[random() % bytes.size()] = static_cast<char>(random());
      bytes.resize(1 + random() % bytes.size());
    }
    const auto copy = exactly(bytes);
    bool ok = false;
    const Fields seen = scanned({copy.get(), bytes.size()}, ok);
    Fields expected;
    const bool expected_ok = parsed(bytes, expected);
    // It may refuse more than protobuf does: a tag that is too long for a tag, which nobody writes.
    ASSERT_TRUE(expected_ok || !ok) << testing::PrintToString(bytes);
    if (ok) {
      ASSERT_EQ(seen, expected);
    }
    (ok ? good : bad) += 1;
  }
  EXPECT_GT(good, 5'000u);
  EXPECT_GT(bad, 5'000u);
}

TEST(Version, IsOrderedByItsPartsInTurn) {
  Random random(14);
  const auto random_version = [&] {
    const VersionParts parts{static_cast<Millis>(1 + random() % 3), static_cast<uint32_t>(random() % 3),
                             static_cast<uint32_t>(random() % 3), static_cast<uint32_t>(random() % 3)};
    return std::pair(parts, Version{make_rank(parts), random() % 3});
  };
  for (int round = 0; round < 20'000; ++round) {
    const auto [one, one_version] = random_version();
    const auto [other, other_version] = random_version();
    const auto tie = [](const VersionParts& parts, const Version& version) {
      return std::tuple(parts.as_of_ms, parts.status_rank, parts.source_rank, parts.revision, version.digest);
    };
    EXPECT_EQ(one_version <=> other_version, tie(one, one_version) <=> tie(other, other_version));
  }
}

TEST(Version, KeepsItsPartsAndItsBounds) {
  const VersionParts largest{as_of_ms_max, 255, 255, 15};
  const VersionParts back = rank_parts(make_rank(largest));
  EXPECT_EQ(std::tuple(back.as_of_ms, back.status_rank, back.source_rank, back.revision),
            std::tuple(as_of_ms_max, 255u, 255u, 15u));
  EXPECT_EQ(make_rank(largest), UINT64_MAX);
  EXPECT_EQ(make_rank({as_of_ms_max + 1, 256, 1'000, 16}), UINT64_MAX);  // Too large counts as the largest.
  // Whatever is said, even of 1969, is newer than nothing.
  EXPECT_GT((Version{make_rank({-5, 0, 0, 0}), 0}), Version{});
  EXPECT_EQ(make_rank({-5, 0, 0, 0}), make_rank({1, 0, 0, 0}));
  EXPECT_LT(make_rank({1, 255, 255, 15}), make_rank({2, 0, 0, 0}));
}

}  // namespace
}  // namespace xundian
