// Frames, the scan of fields and the order of versions.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <set>

#include "common/fact_view.h"
#include "tests/unit/exactly.h"
#include "tests/unit/random_message.h"

namespace xundian {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

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
