// What was said of a thing, held against a map of its parts: whatever facts come, in whatever order, as often as they like.
#include "services/intake/said.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace xundian::intake {
namespace {

using Parts = std::map<Part, Version>;

// The frame of an order with some aspects and lines of a small choice, so that facts meet in all of it.
std::string frame_of(std::mt19937_64& random) {
  const auto dice = [&](uint64_t sides) { return random() % sides; };
  v1::Fact fact;
  fact.set_store("s");
  fact.set_key("o");
  fact.set_as_of_ms(static_cast<Millis>(1'000 + dice(3)));
  v1::OrderState& order = *fact.mutable_order_state();
  const bool usual = dice(2) == 0;
  if (usual || dice(2) == 0) order.mutable_placed()->set_created_ms(static_cast<Millis>(1 + dice(2)));
  if (usual || dice(2) == 0) order.mutable_paid()->set_paid_ms(static_cast<Millis>(1 + dice(2)));
  if (!usual && dice(3) == 0) order.mutable_withdrawn();
  const uint64_t lines = usual ? 2 : dice(4);
  for (uint64_t line = 0; line < lines; ++line) {
    v1::OrderLine& stated = *order.add_lines();
    stated.set_line_id(std::to_string(usual ? line : dice(3)));  // Some name one twice.
    stated.set_quantity(static_cast<int64_t>(1 + dice(2)));
  }
  if (!order.has_placed() && lines == 0) order.mutable_status()->set_status("paid");
  std::string frame;
  EXPECT_TRUE(append_frame(frame, fact).has_value());
  return frame;
}

Parts parts_of(const SaidParts& said) {
  Parts parts;
  said.for_each([&](Part part, const Version& version) {
    EXPECT_TRUE(parts.emplace(part, version).second) << "a part is there twice";
    EXPECT_EQ(version, said.find(part));
  });
  return parts;
}

TEST(SaidParts, HoldWhatAMapHolds) {
  std::mt19937_64 random(11);
  for (int thing = 0; thing < 3'000; ++thing) {
    RowMemory memory;
    SaidParts said;
    Parts expected;
    for (uint64_t facts = 1 + random() % 6; facts > 0; --facts) {
      const std::string frame = frame_of(random);
      const FactView fact(frame, 0, 0);
      std::multimap<Part, bool> noted, expected_notes;
      for_each_part(fact, [&](Part part, Version version) {
        Version& held = expected[part];
        if (version < held) return;
        expected_notes.emplace(part, version == held);
        held = version;
      });
      said.take(fact, memory, [&](Part part, bool is_same) { noted.emplace(part, is_same); });
      ASSERT_EQ(expected_notes, noted);
      ASSERT_EQ(expected, parts_of(said));
    }
    EXPECT_EQ(Version{}, said.find(part_of_line(7)));
    std::string bytes;
    said.save(bytes);
    ByteReader reader(bytes);
    SaidParts again;
    ASSERT_TRUE(again.load(reader, memory) && reader.empty());
    ASSERT_EQ(expected, parts_of(again));
    const std::string frame = frame_of(random);
    again.take(FactView(frame, 0, 0), memory, [](Part, bool) {});  // It goes on from there.
    said.take(FactView(frame, 0, 0), memory, [](Part, bool) {});
    ASSERT_EQ(parts_of(said), parts_of(again));
    for (size_t cut = 0; cut < bytes.size(); cut += 5) {
      ByteReader broken(std::string_view(bytes).substr(0, cut));
      ASSERT_FALSE(again.load(broken, memory));
      ASSERT_TRUE(again.empty());
    }
  }
}

TEST(SaidParts, ManyLinesAreHeldToo) {
  v1::Fact fact;
  fact.set_key("o");
  fact.set_as_of_ms(1);
  for (int line = 0; line < 500; ++line) fact.mutable_order_state()->add_lines()->set_line_id(std::to_string(line % 400));
  std::string frame;
  ASSERT_TRUE(append_frame(frame, fact).has_value());
  RowMemory memory;
  SaidParts said;
  said.take(FactView(frame, 0, 0), memory, [](Part, bool) {});
  EXPECT_EQ(400u, parts_of(said).size());
}

}  // namespace
}  // namespace xundian::intake
