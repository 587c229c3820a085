// Texts by number: dense, the same again, and whole after a snapshot or not at all.
#include "common/names.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace xundian {
namespace {

constexpr uint32_t many = 5'000;  // So that every shard has grown more than once.

std::string text_of(uint32_t number) { return number == 0 ? std::string() : fmt::format("SKU-{}", number); }

std::string saved_names() {
  Names names;
  for (uint32_t number = 1; number < many; ++number) EXPECT_EQ(names.of(text_of(number)), number);
  std::string bytes;
  names.save(bytes);
  return bytes;
}

TEST(Names, KeepTheirNumbers) {
  const std::string bytes = saved_names();
  Names names;
  names.of("another, from before");
  ByteReader reader(bytes);
  ASSERT_TRUE(names.load(reader));
  EXPECT_TRUE(reader.empty());
  for (uint32_t number = 0; number < many; ++number) {
    ASSERT_EQ(names[number], text_of(number));
    ASSERT_EQ(names.of(text_of(number)), number);
  }
  EXPECT_FALSE(names.has(many));
  EXPECT_EQ(names.find("new"), 0u);
  EXPECT_EQ(names.of("new"), many);
  EXPECT_EQ(names.find("new"), many);
  EXPECT_EQ(names.find(""), 0u);
}

TEST(Names, RefuseBrokenBytes) {
  const std::string bytes = saved_names();
  const auto loads = [](std::string_view of) {
    Names names;
    ByteReader reader(of);
    return names.load(reader);
  };
  EXPECT_FALSE(loads({}));
  for (size_t length = 0; length < bytes.size(); length += 997) EXPECT_FALSE(loads(std::string_view(bytes).substr(0, length)));
  std::string twice, unnamed;
  append(twice, uint32_t{3});
  for (const char* text : {"", "A", "A"}) append_text(twice, text);
  EXPECT_FALSE(loads(twice));
  append(unnamed, uint32_t{1});
  append_text(unnamed, "A");
  EXPECT_FALSE(loads(unnamed)) << "0 is the empty text";
}

}  // namespace
}  // namespace xundian
